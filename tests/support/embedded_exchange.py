"""The whole exchange inside the test's own event loop, on the embedded log and a real Postgres."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from clearinghouse.service import ClearinghouseSettings, open_clearinghouse
from exchange_shared.bus import open_bus
from exchange_shared.runner import BackgroundTasks, Service, serving
from exchange_shared.settings import ServiceSettings
from market_data_feed.service import open_market_data_feed
from market_data_feed.settings import MarketDataFeedSettings
from matching_engine.service import MatchingEngineSettings, open_matching_engine
from order_entry_gateway.service import GatewaySettings, open_order_entry_gateway
from tests.support.paths import ROOT

MARKET_FILE = ROOT / "exchange.toml"
OPERATOR_KEY = "key-of-the-operator-0123456789"
READY_SECONDS = 20.0


@dataclass(frozen=True)
class EmbeddedExchange:
    """Where it is."""

    gateway_url: str
    feed_url: str


@contextlib.asynccontextmanager
async def embedded_exchange(
    directory: Path, clearing_dsn: str, market_dsn: str
) -> AsyncIterator[EmbeddedExchange]:
    """All four services, ready; what is in the directory and databases is gone on with."""
    async with contextlib.AsyncExitStack() as stack:
        bus = await open_bus(f"sqlite:///{directory}/log.db")
        stack.push_async_callback(bus.close)
        engine_settings = MatchingEngineSettings(snapshot_dir=directory / "snapshots")
        await stack.enter_async_context(open_matching_engine(engine_settings, bus))
        clearing_settings = ClearinghouseSettings(clearing_dsn=clearing_dsn)
        await stack.enter_async_context(open_clearinghouse(clearing_settings, bus))
        servers = await stack.enter_async_context(BackgroundTasks())

        async def serve(service: Service, settings: ServiceSettings) -> str:
            server = await stack.enter_async_context(serving(service, settings, servers))
            url = f"http://127.0.0.1:{server.port}"
            await _until_ready(url)
            return url

        feed_settings = MarketDataFeedSettings(market_dsn=SecretStr(market_dsn), port=0)
        feed = await stack.enter_async_context(open_market_data_feed(feed_settings, bus))
        gateway_settings = GatewaySettings(
            market_dsn=SecretStr(market_dsn),
            market_file=MARKET_FILE,
            operator_key=SecretStr(OPERATOR_KEY),
            port=0,
        )
        gateway = await stack.enter_async_context(open_order_entry_gateway(gateway_settings, bus))
        gateway_url = await serve(gateway, gateway_settings)
        yield EmbeddedExchange(gateway_url, await serve(feed, feed_settings))


async def _until_ready(url: str) -> None:
    async with (
        asyncio.timeout(READY_SECONDS),
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        while (await http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0)
