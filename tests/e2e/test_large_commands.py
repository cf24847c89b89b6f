"""Commands that cause more than one message takes: split, put together again, and survived."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, MessageTooLarge, open_bus
from exchange_shared.bus.topology import declare_topology
from tests.conftest import Databases
from tests.e2e.conftest import RunningExchange
from tests.support.paths import ROOT
from tests.support.servers import RabbitMQServer
from tests.support.stack import Stack

MAX_MESSAGE_BYTES = 20_000
KEY = "key-of-a-client-with-many-orders"
HEADERS = {"Authorization": f"Bearer {KEY}"}
STOP = {"security_id": "MSFT", "side": "buy", "type": "stop", "quantity": 1, "stop_price": 499.0}

pytestmark = pytest.mark.slow


@pytest.fixture
def market_file(tmp_path: Path) -> Path:
    """A market in which a client may send, and have open, as many orders as these tests need."""
    path = tmp_path / "exchange.toml"
    usual = (ROOT / "exchange.toml").read_text(encoding="utf-8")
    many = usual.replace("max_open_orders = 1_000", "max_open_orders = 10_000")
    many = many.replace("orders_per_second = 100", "orders_per_second = 0")
    path.write_text(many, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def strict_broker() -> Iterator[RabbitMQServer]:
    """A broker that takes only small messages."""
    if RabbitMQServer.program() is None:
        pytest.skip("rabbitmq-server is missing")
    with RabbitMQServer(max_message_bytes=MAX_MESSAGE_BYTES) as server:
        yield server


@pytest.fixture
async def exchange_on_strict_broker(
    databases: Databases, strict_broker: RabbitMQServer, market_file: Path
) -> AsyncIterator[RunningExchange]:
    """Four processes around it."""
    url = strict_broker.url()
    await declare_topology(url)
    stack = Stack(url, databases.clearing_data, databases.market_data, market_file=market_file)
    await asyncio.to_thread(stack.__enter__)
    try:
        yield RunningExchange(
            stack.gateway_url,
            stack.feed_url,
            stack.bus_url,
            stack.clearing_dsn,
            stack.market_dsn,
            stack.snapshot_dir,
            stack,
        )
    finally:
        await asyncio.to_thread(stack.close)


async def open_account(http: httpx.AsyncClient, exchange: RunningExchange) -> None:
    body = {"client_id": "many", "api_key": KEY}
    answer = await http.post(f"{exchange.gateway_url}/clients", json=body)
    assert answer.status_code in (200, 201), answer.text


async def place_stops(http: httpx.AsyncClient, exchange: RunningExchange, count: int) -> None:
    """Place waiting stops, in batches of 500 at the most."""
    for first in range(0, count, 500):
        orders = [STOP] * min(500, count - first)
        answer = await http.post(
            f"{exchange.gateway_url}/orders/batch", json={"orders": orders}, headers=HEADERS
        )
        assert answer.status_code == 200, answer.text
        assert {one["status"] for one in answer.json()["answers"]} == {"pending_trigger"}


async def cancel_all(http: httpx.AsyncClient, exchange: RunningExchange) -> dict[str, Any]:
    answer = await http.delete(f"{exchange.gateway_url}/orders", headers=HEADERS)
    assert answer.status_code in (200, 202), answer.text
    content: dict[str, Any] = answer.json()
    return content


async def until_none_is_open(http: httpx.AsyncClient, exchange: RunningExchange) -> None:
    url = f"{exchange.feed_url}/orders?status=open"
    async with asyncio.timeout(30):
        while (await http.get(url, headers=HEADERS)).json():
            await asyncio.sleep(0.02)


async def test_the_broker_refuses_what_is_too_large(strict_broker: RabbitMQServer) -> None:
    await declare_topology(strict_broker.url())
    bus = await open_bus(strict_broker.url())
    with pytest.raises(MessageTooLarge, match="order_entry takes no 20001 bytes"):
        await bus.publish(ORDER_ENTRY, bytes(MAX_MESSAGE_BYTES + 1))
    await bus.close()


async def test_what_is_too_large_is_not_taken_for_what_was_published_beside_it(
    strict_broker: RabbitMQServer,
) -> None:
    url = await asyncio.to_thread(strict_broker.create_virtual_host, "beside")
    await declare_topology(url)
    bus = await open_bus(url)
    for _ in range(20):
        large, *small = await asyncio.gather(
            bus.publish(ORDER_ENTRY, bytes(MAX_MESSAGE_BYTES + 1)),
            *(bus.publish(DATA_FEED, b"small") for _ in range(5)),
            return_exceptions=True,
        )
        assert small == [None] * 5
        assert isinstance(large, MessageTooLarge)
    await bus.close()


async def test_a_command_beyond_the_limit_of_the_broker(
    exchange_on_strict_broker: RunningExchange,
) -> None:
    exchange = exchange_on_strict_broker
    async with httpx.AsyncClient(timeout=30) as http:
        await open_account(http, exchange)
        await place_stops(http, exchange, 400)
        assert (await cancel_all(http, exchange))["cancelled"] == 400
        for pause in (0.0, 0.01, 0.05):
            await place_stops(http, exchange, 400)
            cancelling = asyncio.create_task(cancel_all(http, exchange))
            await asyncio.sleep(pause)
            await asyncio.to_thread(exchange.stack.kill, "matching-engine")
            await asyncio.to_thread(exchange.stack.start, "matching-engine")
            await cancelling
            await until_none_is_open(http, exchange)
    await exchange.assert_nothing_lost_or_doubled()


async def test_a_command_of_more_than_a_mebibyte_in_the_one_process(
    embedded_exchange: RunningExchange,
) -> None:
    exchange = embedded_exchange
    async with httpx.AsyncClient(timeout=60) as http:
        await open_account(http, exchange)
        await place_stops(http, exchange, 6_000)
        cancelling = asyncio.create_task(cancel_all(http, exchange))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(exchange.stack.kill)
        await asyncio.to_thread(exchange.stack.start)
        with suppress(httpx.TransportError):
            await cancelling
        await cancel_all(http, exchange)
        await until_none_is_open(http, exchange)
        await place_stops(http, exchange, 6_000)
        assert (await cancel_all(http, exchange))["cancelled"] == 6_000
    await exchange.assert_nothing_lost_or_doubled()
