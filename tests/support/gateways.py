"""A gateway with a fake engine behind it, on a bus of the test's choice, over real HTTP."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, Bus
from exchange_shared.messages import BatchDecoder, OrderReport, command_decoder, feed_decoder
from exchange_shared.runner import BackgroundTasks, serving
from exchange_shared.units import now_us
from order_entry_gateway.service import GatewaySettings, open_order_entry_gateway
from tests.support.bus import read_all
from tests.support.fake_engine import FakeEngine

MARKET = """\
initial_balance = 10_000.00
[[securities]]
id = "MSFT"
reference_price = 420.00
[[securities]]
id = "AAPL"
reference_price = 230.00
"""
JSON = {"Content-Type": "application/json"}


def market_with_rate(orders_per_second: int, order_burst: int = 1) -> str:
    """The market, in which every client may send orders so fast."""
    rate = f"orders_per_second = {orders_per_second}\norder_burst = {order_burst}\n"
    return f"{MARKET}[risk]\n{rate}"


WAIT_SECONDS = 10.0
OPERATOR_KEY = "key-of-the-operator-0123456789"
SELL = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 10, "price": 420.5}
BUY = {**SELL, "side": "buy"}


@dataclass(frozen=True)
class Gateway:
    """A running gateway, and how to talk to it."""

    url: str
    http: httpx.AsyncClient

    async def until_ready(self) -> None:
        """Return when `/readyz` says so."""
        async with asyncio.timeout(WAIT_SECONDS):
            while (await self.http.get("/readyz")).status_code != 200:
                await asyncio.sleep(0)

    async def open_account(self, client_id: str) -> str:
        """Open an account; returns its key."""
        api_key = f"key-of-{client_id}-0123456789"
        answer = await self.http.post("/clients", json={"client_id": client_id, "api_key": api_key})
        assert answer.status_code == 201, answer.text
        return api_key

    def connect(self, api_key: str | None = None, query: str = "", **options: Any) -> connect:
        """A WebSocket to `/ws`, logged in by header when there is a key."""
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        return connect(
            f"{self.url.replace('http', 'ws')}/ws{query}",
            additional_headers={**headers, **options.pop("headers", {})},
            compression=None,
            proxy=None,
            **options,
        )


@contextlib.asynccontextmanager
async def running_engine(bus: Bus, engine: FakeEngine | None = None) -> AsyncIterator[FakeEngine]:
    """An engine that answers on the bus; a fake one if none is given."""
    engine = engine or FakeEngine()
    async with BackgroundTasks() as tasks:
        tasks.start(engine.run(bus), "fake-engine")
        yield engine


@contextlib.asynccontextmanager
async def running_gateway(
    bus: Bus,
    directory: Path,
    *,
    market: str = MARKET,
    wall_clock_us: Callable[[], int] = now_us,
    clock_us: Callable[[], int] = now_us,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """A gateway on a free port; a failure of one of its tasks fails the test at the end.

    It does not tell the engine the time unless the settings say so.
    """
    market_file = directory / "exchange.toml"
    market_file.write_text(market, encoding="utf-8")
    defaults = {"port": 0, "market_file": market_file, "clock_tick_seconds": 0}
    options = GatewaySettings(**{**defaults, **settings})
    async with contextlib.AsyncExitStack() as stack:
        service = await stack.enter_async_context(
            open_order_entry_gateway(options, bus, wall_clock_us, clock_us=clock_us)
        )
        tasks = await stack.enter_async_context(BackgroundTasks())
        server = await stack.enter_async_context(serving(service, options, tasks))
        url = f"http://127.0.0.1:{server.port}"
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, timeout=WAIT_SECONDS, trust_env=False)
        )
        yield Gateway(url, http)
        failed = asyncio.ensure_future(service.tasks.failed())
        await asyncio.sleep(0)
        assert not failed.done(), failed.exception()
        failed.cancel()


async def order(gateway: Gateway, api_key: str, content: Any) -> httpx.Response:
    """Send an order."""
    return await gateway.http.post("/orders", headers=bearer(api_key), json=content)


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal, which must have the one shape."""
    problem = answer.json()["error"]
    assert set(problem) == {"code", "message", "field"}
    assert problem["message"]
    return answer.status_code, problem["code"], problem["field"]


@contextlib.asynccontextmanager
async def session(gateway: Gateway, api_key: str) -> AsyncIterator[ClientConnection]:
    """A session that is logged in by header."""
    async with gateway.connect(api_key) as connection:
        assert (await receive(connection))["type"] == "logged_in"
        yield connection


async def closed(connection: ClientConnection) -> tuple[int, str]:
    """The code and the reason with which the gateway closes a session, whatever it sends before."""
    async with asyncio.timeout(WAIT_SECONDS):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.recv()
    return connection.close_code or 0, connection.close_reason or ""


def bearer(api_key: str) -> dict[str, str]:
    """The header that says who somebody is."""
    return {"Authorization": f"Bearer {api_key}"}


def exact(answer: httpx.Response) -> Any:
    """The body of an answer, with exact decimals."""
    return json.loads(answer.content, parse_float=Decimal)


async def receive(connection: ClientConnection) -> Any:
    """The next frame, with exact decimals."""
    async with asyncio.timeout(WAIT_SECONDS):
        return json.loads(await connection.recv(), parse_float=Decimal)


async def receive_until(connection: ClientConnection, ref: Any) -> Any:
    """The frame with this `ref`; frames before it are passed over."""
    while True:
        frame = await receive(connection)
        if frame.get("ref") == ref and frame.get("type") != "logged_in":
            return frame


def send(connection: ClientConnection, **frame: Any) -> Any:
    """Send a frame (awaitable)."""
    return connection.send(msgspec.json.encode(frame), text=True)


async def records_in(bus: Bus, queue: str) -> list[Any]:
    """All records of a queue."""
    decoder: BatchDecoder[Any] = command_decoder() if queue == ORDER_ENTRY else feed_decoder()
    bodies = [message.body for message in await read_all(bus, queue)]
    return [record for body in bodies for record in decoder.decode(body)[0].records]


async def order_reports(bus: Bus, count: int) -> list[OrderReport]:
    """The order reports in `data_feed`, as soon as there are so many; without their time."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            records = await records_in(bus, DATA_FEED)
            reports = [record for record in records if isinstance(record, OrderReport)]
            if len(reports) >= count:
                return [msgspec.structs.replace(report, time_us=0) for report in reports]
            await asyncio.sleep(0.001)
