"""Garbage in every queue of a running exchange: counted, kept in the drawer, passed over."""

import asyncio
from collections import Counter

import aio_pika
import httpx
import msgspec
import pytest

from exchange_shared.bus import (
    DATA_FEED,
    DEAD_LETTER,
    LOG_QUEUES,
    ORDER_ENTRY,
    ORDER_EXECUTION,
    DeadLetter,
    open_bus,
)
from exchange_shared.messages import (
    NewOrder,
    OpenAccount,
    OrderReport,
    TradeExecuted,
    encode_batch,
)
from tests.e2e.conftest import RunningExchange
from tests.e2e.test_trading import key, open_account, order
from tests.support.bus import bodies, read_all

ENGINE, CLEARINGHOUSE = "matching-engine", "clearinghouse"
FEED, GATEWAY = "market-data-feed", "order-entry-gateway"
READERS = {ORDER_ENTRY: {ENGINE}, ORDER_EXECUTION: {CLEARINGHOUSE}, DATA_FEED: {FEED, GATEWAY}}

LONG = "".join(chr(33 + number * number % 90) for number in range(10_000))
STRANGERS_TRADE = TradeExecuted(
    seq=1,
    time_us=1,
    execution_seq=1,
    trade_id=1,
    security_id="MSFT",
    price_e4=2**80,
    quantity=1,
    aggressor_side="buy",
    buy_order_id=1,
    sell_order_id=2,
    buyer_id="alice\0",
    seller_id="bob",
    buyer_fee_e4=0,
    seller_fee_e4=0,
    buy_remaining_quantity=0,
    sell_remaining_quantity=0,
)
LONG_ORDER = NewOrder(
    time_us=1,
    order_id=1,
    client_id=LONG,
    security_id="MSFT",
    side="buy",
    order_type="market",
    quantity=1,
)
BAD_KEY = OpenAccount(time_us=1, request_id=1, client_id="mallory", api_key_hash="\0")

NOT_A_BATCH = [
    b"",
    b"garbage",
    b"\x00\xff\xfe",
    b"[" * 50_000,
    b'{"hello": "world"}',
    b'{"version":2,"source":"x","seq":1,"records":[{}]}',
    b'{"version":1,"source":"x","seq":1,"records":[{"type":"?"}]}',
]
GARBAGE = {
    ORDER_ENTRY: [
        *NOT_A_BATCH,
        encode_batch("stranger-1", 1, [LONG_ORDER]),
        encode_batch("stranger-2", 1, [BAD_KEY]),
        encode_batch("stranger-3", 1, [STRANGERS_TRADE]),
    ],
    ORDER_EXECUTION: [*NOT_A_BATCH, encode_batch("stranger", 1, [STRANGERS_TRADE])],
    DATA_FEED: [
        *NOT_A_BATCH,
        encode_batch("stranger-1", 1, [STRANGERS_TRADE]),
        encode_batch("stranger-2", 1, [OrderReport(time_us=1, status="denied", client_id=LONG)]),
    ],
}
"""Each message holds one thing that its readers cannot take."""

UNKNOWN = [
    NewOrder(
        time_us=1,
        order_id=2**53 - 1,
        client_id="nobody",
        security_id="MSFT",
        side="buy",
        order_type="market",
        quantity=1,
    ),
    NewOrder(
        time_us=1,
        order_id=2,
        client_id="alice",
        security_id="NO\0NE",
        side="buy",
        order_type="market",
        quantity=1,
    ),
]
"""Well-formed commands that the engine refuses."""


async def publish_garbage(bus_url: str) -> None:
    bus = await open_bus(bus_url)
    try:
        for queue, messages in GARBAGE.items():
            for body in messages:
                await bus.publish(queue, body)
        await bus.publish(ORDER_ENTRY, encode_batch("stranger-4", 1, UNKNOWN))
    finally:
        await bus.close()


async def trade_once(http: httpx.AsyncClient, exchange: RunningExchange) -> None:
    """One trade between alice and bob that is settled and can be read."""
    sold = await order(http, exchange, "alice", side="sell", quantity=1, price=420)
    assert sold.status_code == 201, sold.text
    bought = await order(http, exchange, "bob", side="buy", quantity=1, price=420)
    assert bought.json()["status"] == "filled", bought.text
    read = await http.get(
        f"{exchange.feed_url}/reports",
        params={"min_seq": bought.json()["seq"], "event_type": "settlement", "limit": 1},
        headers=key("bob"),
    )
    assert read.status_code == 200, read.text
    assert read.json()[0]["order_id"] == bought.json()["order_id"]


def expected_letters() -> dict[tuple[str, str], int]:
    """How many letters each reader of each queue writes."""
    letters = {
        (reader, queue): len(GARBAGE[queue]) for queue in LOG_QUEUES for reader in READERS[queue]
    }
    letters[GATEWAY, DATA_FEED] -= 1  # it reads nothing of a report, so a long one does not matter
    return letters


def count(letters: list[bytes]) -> Counter[tuple[str, str]]:
    decoded = [msgspec.json.decode(body, type=DeadLetter) for body in letters]
    return Counter((letter.reader, letter.queue) for letter in decoded)


async def letters_on_the_broker(bus_url: str) -> list[bytes]:
    """What is in the drawer of a RabbitMQ, taken out."""
    connection = await aio_pika.connect(bus_url)
    async with connection, connection.channel() as channel:
        drawer = await channel.get_queue(DEAD_LETTER)
        letters = []
        while message := await drawer.get(no_ack=True, fail=False):
            letters.append(message.body)
        return letters


@pytest.mark.slow
async def test_garbage_in_every_queue_on_servers(exchange_on_servers: RunningExchange) -> None:
    exchange, stack = exchange_on_servers, exchange_on_servers.stack
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        await open_account(http, exchange, "bob")
        pids = {service: stack.pid(service) for service in (ENGINE, CLEARINGHOUSE, FEED, GATEWAY)}
        await trade_once(http, exchange)
        await publish_garbage(exchange.bus_url)
        await trade_once(http, exchange)
        for (reader, queue), letters in expected_letters().items():
            page = (await http.get(f"{stack.url(reader)}/metrics")).text
            assert f'exchange_undecodable_records_total{{queue="{queue}"}} {letters}.0' in page
            assert (stack.directory / f"{reader}.log").read_text().count("undecodable_record") > 0
        assert pids == {service: stack.pid(service) for service in pids}
        assert count(await letters_on_the_broker(exchange.bus_url)) == expected_letters()

        for service in pids:  # what is in the log or a database now, a new start must get over too
            assert await asyncio.to_thread(stack.stop, service) == 0
        for service in pids:
            await asyncio.to_thread(stack.start, service)
        await trade_once(http, exchange)
    await exchange.assert_nothing_lost_or_doubled()


@pytest.mark.slow
async def test_garbage_in_every_queue_of_the_one_process_exchange(
    embedded_exchange: RunningExchange,
) -> None:
    exchange, stack = embedded_exchange, embedded_exchange.stack
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        await open_account(http, exchange, "bob")
        await trade_once(http, exchange)
        # The log belongs to one process at a time, so the garbage is there when it starts again.
        await asyncio.to_thread(stack.stop)
        await publish_garbage(exchange.bus_url)
        await asyncio.to_thread(stack.start)
        await trade_once(http, exchange)
        await asyncio.to_thread(stack.stop)
        await asyncio.to_thread(stack.start)
        await trade_once(http, exchange)
    bus = await open_bus(exchange.bus_url, read_only=True)
    try:
        assert count(bodies(await read_all(bus, DEAD_LETTER))) == expected_letters()
    finally:
        await bus.close()
    await exchange.assert_nothing_lost_or_doubled()
