"""Processes killed under load, one after another: nothing is lost, doubled, or settled twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import asyncpg
import httpx
import pytest

from tests.e2e.conftest import RunningExchange
from tests.support.servers import PostgresServer, RabbitMQServer
from tests.support.stack import MODULES
from tests.support.traders import PersistentTrader, interrupt_trading

TRADERS = 6
ORDERS_BETWEEN_KILLS = 150

pytestmark = pytest.mark.slow


@asynccontextmanager
async def trading(exchange: RunningExchange) -> AsyncIterator[list[PersistentTrader]]:
    """Traders at work, through auctions and halts.

    At the end every order that they sent has a known outcome.
    """
    traders = [
        PersistentTrader(f"trader{number}", [exchange.gateway_url], Random(number))
        for number in range(TRADERS)
    ]
    stop = asyncio.Event()
    async with httpx.AsyncClient(timeout=10) as http:
        for trader in traders:
            await trader.open_account(http)
        tasks = [asyncio.create_task(trader.trade(http, stop)) for trader in traders]
        tasks.append(asyncio.create_task(interrupt_trading([exchange.gateway_url], http, stop)))
        try:
            yield traders
        finally:
            stop.set()
            await asyncio.gather(*tasks)


async def more_orders(traders: list[PersistentTrader], count: int = ORDERS_BETWEEN_KILLS) -> None:
    """Wait until the traders know that this many more orders were accepted."""
    target = sum(len(trader.accepted) for trader in traders) + count
    async with asyncio.timeout(90):
        while sum(len(trader.accepted) for trader in traders) < target:
            await asyncio.sleep(0.02)


async def assert_every_acknowledged_order_is_there_once(
    exchange: RunningExchange, traders: list[PersistentTrader]
) -> None:
    connection = await asyncpg.connect(exchange.market_dsn)
    rows = await connection.fetch(
        "SELECT client_order_id, order_id FROM orders"
        " WHERE status <> 'rejected' AND client_order_id IS NOT NULL ORDER BY client_order_id"
    )
    ways = {
        row["aggressor_side"]
        for row in await connection.fetch("SELECT DISTINCT aggressor_side FROM trade")
    }
    await connection.close()
    assert ways == {"buy", "sell", None}
    stored = [(row["client_order_id"], row["order_id"]) for row in rows]
    acknowledged = [
        (name, answer["order_id"]) for trader in traders for name, answer in trader.accepted.items()
    ]
    assert stored == sorted(acknowledged)
    assert len(acknowledged) > ORDERS_BETWEEN_KILLS


async def test_each_service_killed_under_load(exchange_on_servers: RunningExchange) -> None:
    stack = exchange_on_servers.stack
    async with trading(exchange_on_servers) as traders:
        await more_orders(traders)
        for service in MODULES:
            await asyncio.to_thread(stack.kill, service)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(stack.start, service)
            await more_orders(traders)
    await exchange_on_servers.assert_nothing_lost_or_doubled()
    await assert_every_acknowledged_order_is_there_once(exchange_on_servers, traders)


async def test_all_services_killed_at_once(exchange_on_servers: RunningExchange) -> None:
    stack = exchange_on_servers.stack
    async with trading(exchange_on_servers) as traders:
        await more_orders(traders)
        for service in MODULES:
            await asyncio.to_thread(stack.kill, service)
        for service in MODULES:
            await asyncio.to_thread(stack.start, service, wait=False)
        for service in MODULES:
            await asyncio.to_thread(stack.wait_ready, service)
        await more_orders(traders)
    await exchange_on_servers.assert_nothing_lost_or_doubled()
    await assert_every_acknowledged_order_is_there_once(exchange_on_servers, traders)


async def test_the_broker_killed_under_load(
    exchange_on_servers: RunningExchange, own_rabbitmq_server: RabbitMQServer
) -> None:
    async with trading(exchange_on_servers) as traders:
        await more_orders(traders)
        await asyncio.to_thread(own_rabbitmq_server.kill)
        await asyncio.to_thread(own_rabbitmq_server.start)
        await more_orders(traders)
    await exchange_on_servers.assert_nothing_lost_or_doubled()
    await assert_every_acknowledged_order_is_there_once(exchange_on_servers, traders)


async def test_postgres_killed_under_load(
    exchange_on_servers: RunningExchange, postgres_server: PostgresServer
) -> None:
    async with trading(exchange_on_servers) as traders:
        await more_orders(traders)
        await asyncio.to_thread(postgres_server.kill)
        await more_orders(traders, 50)
        await asyncio.to_thread(postgres_server.start)
        await more_orders(traders)
    await exchange_on_servers.assert_nothing_lost_or_doubled()
    await assert_every_acknowledged_order_is_there_once(exchange_on_servers, traders)


async def test_the_one_process_exchange_killed_under_load(
    embedded_exchange: RunningExchange,
) -> None:
    stack = embedded_exchange.stack
    async with trading(embedded_exchange) as traders:
        for _ in range(2):
            await more_orders(traders)
            await asyncio.to_thread(stack.kill)
            await asyncio.to_thread(stack.start)
        await more_orders(traders)
    await embedded_exchange.assert_nothing_lost_or_doubled()
    await assert_every_acknowledged_order_is_there_once(embedded_exchange, traders)


async def test_the_one_process_exchange_stops_cleanly_and_goes_on(
    embedded_exchange: RunningExchange,
) -> None:
    stack = embedded_exchange.stack
    async with trading(embedded_exchange) as traders:
        await more_orders(traders)
        assert await asyncio.to_thread(stack.stop) == 0, stack.output()
        assert list(embedded_exchange.snapshot_dir.glob("*.snapshot"))
        await asyncio.to_thread(stack.start)
        await more_orders(traders)
    await embedded_exchange.assert_nothing_lost_or_doubled()
    await assert_every_acknowledged_order_is_there_once(embedded_exchange, traders)
