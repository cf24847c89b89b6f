"""A service whose password is stolen: what it writes in the name of another has no effect."""

import asyncio

import aio_pika
import httpx
import pytest

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, ORDER_EXECUTION
from exchange_shared.bus.rabbitmq import RabbitMQBus
from exchange_shared.bus.topology import BROKER_EXCHANGE
from exchange_shared.messages import (
    AccountOpened,
    NewOrder,
    OrderReport,
    SetMarketState,
    encode_batch,
)
from tests.e2e.conftest import RunningExchange
from tests.e2e.test_garbage import letters_on_the_broker, trade_once
from tests.e2e.test_trading import open_account
from tests.support.broker import Broker

PASSWORD = "stolen"

ORDER = NewOrder(
    time_us=1,
    order_id=77,
    client_id="alice",
    security_id="MSFT",
    side="sell",
    order_type="market",
    quantity=100,
)
HALT = SetMarketState(time_us=1, request_id=78, action="halt")
OPENED = AccountOpened(
    seq=1_000_000,
    time_us=1,
    execution_seq=1_000_000,
    request_id=79,
    client_id="eve",
    api_key_hash="00",
    cash_e4=10**12,
    holdings={},
)
DENIED = OrderReport(time_us=1, status="denied", client_id="alice", reason="made_up")
FORGED = [
    ("market_data_feed", ORDER_ENTRY, encode_batch("order-entry-gateway-0-aa", 1, [ORDER])),
    ("market_data_feed", ORDER_ENTRY, encode_batch("market-data-feed", 1, [HALT])),
    ("matching_engine", ORDER_ENTRY, encode_batch("matching-engine", 1, [ORDER])),
    ("clearinghouse", ORDER_EXECUTION, encode_batch("matching-engine", 1_000_000, [OPENED])),
    ("clearinghouse", DATA_FEED, encode_batch("matching-engine", 1_000_000, [OPENED])),
    ("clearinghouse", DATA_FEED, encode_batch("order-entry-gateway-0-aa", 1, [DENIED])),
    ("order_entry_gateway", DATA_FEED, encode_batch("clearinghouse", 1_000_000, [DENIED])),
]
"""Who writes what into which queue; the last record numbers would be gaps, which stop a reader."""


async def write_unsigned(url: str, queue: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        broker_exchange = await channel.get_exchange(BROKER_EXCHANGE, ensure=False)
        await broker_exchange.publish(aio_pika.Message(body), queue)


@pytest.mark.slow
async def test_what_a_service_writes_in_the_name_of_another_has_no_effect(
    exchange_on_servers: RunningExchange, rabbitmq_server: Broker
) -> None:
    exchange, stack = exchange_on_servers, exchange_on_servers.stack
    virtual_host = exchange.bus_url.rpartition("/")[2]
    for user in {user for user, _, _ in FORGED}:
        await asyncio.to_thread(rabbitmq_server.create_user, user, PASSWORD)
        await asyncio.to_thread(rabbitmq_server.grant, user, virtual_host)
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        await open_account(http, exchange, "bob")
        await trade_once(http, exchange)
        for user, queue, body in FORGED:
            bus = RabbitMQBus(rabbitmq_server.url(virtual_host, f"{user}:{PASSWORD}"))
            await bus.publish(queue, body)
            await bus.close()
        _, queue, body = FORGED[0]
        await write_unsigned(exchange.bus_url, queue, body)
        await trade_once(http, exchange)
        for service in ("matching-engine", "market-data-feed", "order-entry-gateway"):
            assert await asyncio.to_thread(stack.stop, service) == 0
            await asyncio.to_thread(stack.start, service)
        await trade_once(http, exchange)
    letters = [body.decode() for body in await letters_on_the_broker(exchange.bus_url)]
    # Two read data_feed, and the restarts read nothing of it again.
    assert len(letters) == 4 + 1 + 2 * 3
    assert sum("in the name of" in letter for letter in letters) == 1 + 1 + 2 * 3
    assert sum("what only order-entry-gateway writes" in letter for letter in letters) == 2
    assert sum("kept secret" in letter for letter in letters) == 1
    await exchange.assert_nothing_lost_or_doubled()
