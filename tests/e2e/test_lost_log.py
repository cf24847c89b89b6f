"""A broker that has lost the end of a log: who stood there stops, and says why."""

import asyncio
from collections.abc import AsyncIterator

import aio_pika
import httpx
import pytest

from exchange_shared.bus import ORDER_ENTRY, Bus
from exchange_shared.bus.rabbitmq import RabbitMQBus
from exchange_shared.bus.topology import declare_topology
from exchange_shared.invariants import MUST_STOP_CODE
from tests.conftest import Databases
from tests.e2e.conftest import RunningExchange
from tests.e2e.test_garbage import trade_once
from tests.e2e.test_trading import open_account
from tests.support.bus import bodies, read_all
from tests.support.stack import MODULES, Stack

ENGINE, GATEWAY = "matching-engine", "order-entry-gateway"

pytestmark = pytest.mark.slow


@pytest.fixture
async def exchange(databases: Databases, rabbitmq_url: str) -> AsyncIterator[RunningExchange]:
    """Four processes."""
    stack = Stack(rabbitmq_url, databases.clearing_data, databases.market_data)
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


async def cut_last(url: str, bus: Bus) -> int:
    """Let `order_entry` lose its last message; returns the position of that."""
    messages = await read_all(bus, ORDER_ENTRY)
    async with await aio_pika.connect(url) as connection:
        await (await connection.channel()).queue_delete(ORDER_ENTRY)
    await declare_topology(url)
    for body in bodies(messages[:-1]):
        await bus.publish(ORDER_ENTRY, body)
    return messages[-1].position


@pytest.mark.parametrize(
    ("written_anew", "said"),
    [(True, "order_entry has another message at"), (False, "order_entry has no message")],
)
async def test_an_engine_whose_log_was_cut_stops(
    exchange: RunningExchange, written_anew: bool, said: str
) -> None:
    stack = exchange.stack
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        await open_account(http, exchange, "bob")
        await trade_once(http, exchange)
    for service in reversed(MODULES):
        assert await asyncio.to_thread(stack.stop, service) == 0
    bus = RabbitMQBus(exchange.bus_url)
    lost = await cut_last(exchange.bus_url, bus)
    if written_anew:
        await asyncio.to_thread(stack.start, GATEWAY, wait=False)
        async with asyncio.timeout(60):
            while (await bus.last_position(ORDER_ENTRY) or 0) < lost:
                await asyncio.sleep(0.1)
    await asyncio.to_thread(stack.start, ENGINE, wait=False)
    assert await asyncio.to_thread(stack.wait_ended, ENGINE) == MUST_STOP_CODE
    assert said in stack.log(ENGINE)
    await bus.close()
