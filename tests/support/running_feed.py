"""The market data feed behind its real HTTP server, reading a bus that a test writes to."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from exchange_shared.auth import hash_api_key
from exchange_shared.bus import Bus
from exchange_shared.messages import (
    AnyCommand,
    ConfigureMarket,
    ListSecurity,
    NewOrder,
    OpenAccount,
    Side,
)
from exchange_shared.runner import BackgroundTasks, Service, serving
from market_data_feed.service import open_market_data_feed
from market_data_feed.settings import MarketDataFeedSettings

OPERATOR_KEY = "key-of-the-operator-0123456789"
CLIENTS = ("alice", "bob")
CASH_E4 = 100_000_000


def key_of(client_id: str) -> str:
    """The API key of a client in these tests."""
    return f"the secret key of {client_id}"


def headers_of(client_id: str | None) -> dict[str, str]:
    """The headers of a client's request; those of the operator, or none at all."""
    if client_id is None:
        return {}
    key = OPERATOR_KEY if client_id == "operator" else key_of(client_id)
    return {"Authorization": f"Bearer {key}"}


def opening(*clients: str) -> list[AnyCommand]:
    """A market with one security, and accounts."""
    configure = ConfigureMarket(
        time_us=1, request_id=1, initial_balance_e4=CASH_E4, maker_fee_ppm=0, taker_fee_ppm=100
    )
    listing = ListSecurity(
        time_us=2,
        request_id=2,
        security_id="MSFT",
        tick_e4=100,
        reference_price_e4=1_000_000,
        granted_quantity=100,
    )
    accounts = [
        OpenAccount(
            time_us=3, request_id=3, client_id=name, api_key_hash=hash_api_key(key_of(name))
        )
        for name in clients or CLIENTS
    ]
    return [configure, listing, *accounts]


def limit(
    order_id: int, client_id: str, side: Side, quantity: int, price: int, **more: Any
) -> NewOrder:
    """A limit order in MSFT; the price is in whole units."""
    return NewOrder(
        time_us=order_id * 1_000,
        order_id=order_id,
        client_id=client_id,
        security_id="MSFT",
        side=side,
        order_type="limit",
        quantity=quantity,
        price_e4=price * 10_000,
        **more,
    )


@dataclass
class RunningFeed:
    """A feed that serves."""

    service: Service
    port: int
    http: httpx.AsyncClient

    @property
    def stream_url(self) -> str:
        """Where the WebSocket streams are."""
        return f"ws://127.0.0.1:{self.port}/stream"

    async def get(self, path: str, client_id: str | None = None, **query: Any) -> Any:
        """The content of an answer, which must be a good one."""
        answer = await self._ask(path, client_id, query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(
        self, path: str, client_id: str | None = None, **query: Any
    ) -> tuple[int, str, str | None]:
        """The status, code and field of an answer, which must be a refusal."""
        answer = await self._ask(path, client_id, query)
        error = answer.json()["error"]
        assert sorted(error) == ["code", "field", "message"]
        return answer.status_code, error["code"], error["field"]

    async def _ask(self, path: str, client_id: str | None, query: dict[str, Any]) -> httpx.Response:
        url = httpx.URL(path).copy_merge_params(query)
        return await self.http.get(url, headers=headers_of(client_id))


@asynccontextmanager
async def running_feed(market_dsn: str, bus: Bus, **settings: Any) -> AsyncIterator[RunningFeed]:
    """A feed, served on a free port while the context is open."""
    chosen = MarketDataFeedSettings(
        market_dsn=SecretStr(market_dsn),
        port=0,
        operator_key=SecretStr(OPERATOR_KEY),
        shutdown_seconds=1,
        refusal_seconds=0.05,
        **settings,
    )
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(open_market_data_feed(chosen, bus))
        tasks = await stack.enter_async_context(BackgroundTasks())
        server = await stack.enter_async_context(serving(service, chosen, tasks))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{server.port}", timeout=30, trust_env=False
            )
        )
        yield RunningFeed(service, server.port, http)
