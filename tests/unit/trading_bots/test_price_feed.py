"""The price stream and its readers, against a server that says what a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.support.fake_sessions import FakeSessions, fake_sessions
from trading_bots import ExchangeClient, ExchangeError
from trading_bots.price_feed import PriceFeed

SECONDS = 10.0
NOT_LISTED = {"error": {"code": "unknown_security", "message": "NOPE", "field": "security_id"}}


def price(security_id: str, last: int) -> dict[str, Any]:
    return {
        "security_id": security_id,
        "bid": None,
        "ask": None,
        "bid_quantity": 0,
        "ask_quantity": 0,
        "last": last,
        "volume": 0,
        "timestamp": "2026-01-31T09:30:00.000001Z",
        "seq": last,
        "state": "continuous",
    }


async def send_last(connection: ServerConnection, *lasts: int) -> None:
    for last in lasts:
        await connection.send(json.dumps(price("MSFT", last)))


@pytest.fixture
async def feed() -> AsyncIterator[FakeSessions]:
    async with asyncio.timeout(SECONDS), fake_sessions(None) as fake:
        yield fake


@pytest.fixture
async def prices(feed: FakeSessions) -> AsyncIterator[PriceFeed]:
    made = PriceFeed(feed.url, None, None)
    yield made
    await made.close()


async def test_readers_share_a_connection_and_a_later_one_begins_with_what_is_known(
    feed: FakeSessions, prices: PriceFeed
) -> None:
    first = prices.subscribe()
    connection = await feed.opened.get()
    await send_last(connection, 1)
    assert (await anext(first)).last == 1
    second = prices.subscribe()
    assert (await anext(second)).last == 1
    await send_last(connection, 2)
    assert [(await anext(reader)).last for reader in (first, second)] == [2, 2]
    assert feed.opened.empty()


async def test_readers_go_on_after_a_lost_connection_and_new_ones_get_nothing_outdated(
    feed: FakeSessions, prices: PriceFeed
) -> None:
    early = prices.subscribe()
    connection = await feed.opened.get()
    await send_last(connection, 1)
    assert (await anext(early)).last == 1
    connection.transport.abort()
    connection = await feed.opened.get()
    late = prices.subscribe()
    await send_last(connection, 2)
    assert [(await anext(reader)).last for reader in (early, late)] == [2, 2]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (json.dumps(NOT_LISTED), "unknown_security: NOPE"),
        ("nothing", "malformed_answer: not understood: b'nothing'"),
    ],
)
async def test_a_stream_that_fails_tells_every_reader_and_can_be_asked_for_again(
    feed: FakeSessions, prices: PriceFeed, message: str, expected: str
) -> None:
    readers = [prices.subscribe(), prices.subscribe()]
    connection = await feed.opened.get()
    await connection.send(message)
    for reader in readers:
        with pytest.raises(ExchangeError, match=expected):
            await anext(reader)
    again = prices.subscribe()
    await send_last(await feed.opened.get(), 3)
    assert (await anext(again)).last == 3


async def test_a_closed_client_ends_its_price_readers_and_makes_no_more(feed: FakeSessions) -> None:
    async with ExchangeClient(feed_url=feed.url) as exchange:
        reader = exchange.prices()
        connection = await feed.opened.get()
        await send_last(connection, 4)
        assert (await anext(reader)).last == Decimal(4)
    assert [price async for price in reader] == []
    for security_id in (None, "MSFT"):
        with pytest.raises(RuntimeError, match="the client is closed"):
            exchange.prices(security_id)
