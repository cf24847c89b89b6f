"""A broker that has lost the end of a log: who stood there stops, and says why."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator

import aio_pika
import httpx
import pytest

from exchange_shared.bus import LOG_QUEUES, ORDER_ENTRY, Bus
from exchange_shared.bus.rabbitmq import RabbitMQBus
from exchange_shared.bus.topology import declare_topology
from exchange_shared.invariants import MUST_STOP_CODE
from tests.conftest import Databases
from tests.e2e.conftest import RunningExchange
from tests.e2e.test_garbage import trade_once
from tests.e2e.test_trading import open_account
from tests.support.bus import bodies, read_all
from tests.support.processes import wait_until
from tests.support.stack import MODULES, EmbeddedStack, Stack

ENGINE, GATEWAY, FEED = "matching-engine", "order-entry-gateway", "market-data-feed"

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


async def delete(url: str, *queues: str) -> None:
    """Let the broker lose queues, and have empty ones in their place."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for queue in queues:
            await channel.queue_delete(queue)
    await declare_topology(url)


@pytest.mark.parametrize(
    ("lost", "stopped", "said"),
    [
        ((ORDER_ENTRY,), (GATEWAY, FEED), ["EngineBegunAgain"]),
        # Heartbeats may have come to where the reader stood, or not yet.
        (LOG_QUEUES, (GATEWAY, FEED, "clearinghouse"), ["LogTruncated", "LogDiffers"]),
    ],
)
async def test_an_engine_that_has_lost_its_log_and_its_snapshots_is_not_taken_for_a_new_one(
    exchange: RunningExchange, lost: tuple[str, ...], stopped: tuple[str, ...], said: list[str]
) -> None:
    stack = exchange.stack
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        await open_account(http, exchange, "bob")
        await trade_once(http, exchange)
    for service in reversed(MODULES):
        assert await asyncio.to_thread(stack.stop, service) == 0
    await delete(exchange.bus_url, *lost)
    await asyncio.to_thread(shutil.rmtree, exchange.snapshot_dir)
    for service in MODULES:
        await asyncio.to_thread(stack.start, service, wait=False)
    for service in stopped:
        assert await asyncio.to_thread(stack.wait_ended, service) == MUST_STOP_CODE, service
        assert any(kind in stack.log(service) for kind in said), service


def test_an_exchange_of_one_process_that_has_lost_them_stops() -> None:
    with EmbeddedStack(bots=True, settings={"EXCHANGE_QUIET": "1"}) as stack:
        leaders = f"{stack.feed_url}/leaderboard"
        wait_until(lambda: len(httpx.get(leaders, trust_env=False).json()) > 0, "an account")
        assert stack.stop() == 0
        shutil.rmtree(stack.data_dir / "snapshots")
        for path in stack.data_dir.glob("log.db*"):
            path.unlink()
        stack.start(wait=False)
        assert stack.wait_ended() == MUST_STOP_CODE
        last = stack.output().splitlines()[-1]
        assert re.match(r"exchange: Log(Truncated|Differs): (data_feed|order_execution) has ", last)
        assert last.endswith("; see docs/running.md, When something stops")
        assert "Traceback" not in stack.output()
