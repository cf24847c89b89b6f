"""The market data feed on a real Postgres and a real log, asked through its real HTTP server."""

import asyncio
import itertools
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchange_shared.bus import DATA_FEED, DEAD_LETTER, Bus, SequenceGap
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ClockTick,
    NewOrder,
    OrderReport,
    OrderType,
    ReplaceOrder,
    Side,
    encode_batch,
)
from market_data_feed.api import reads
from market_data_feed.storage.writer import StoreMoved
from tests.conftest import Databases
from tests.support.feed_log import ENGINE, GATEWAY
from tests.support.feed_market import FeedMarket
from tests.support.flows import market_commands, order_flow
from tests.support.rich_flow import SHAPES, Shape, rich_flow
from tests.support.rich_flow import opening as opening_of
from tests.support.running_feed import RunningFeed, headers_of, limit, opening, running_feed
from tests.support.servers import PostgresServer

RICH = Shape("mixed", display=0.3, hidden=0.2, apart=1, mistakes=0)
(EVERYTHING,) = (replace(one, mistakes=0) for one in SHAPES if one.name == "everything")


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """An empty log."""
    opened = await SQLiteBus.open(tmp_path / "log.db")
    yield opened
    await opened.close()


@pytest.fixture
async def feed(databases: Databases, bus: Bus) -> AsyncIterator[RunningFeed]:
    """A feed with nothing to tell yet."""
    async with running_feed(databases.market_data, bus) as running:
        yield running


@pytest.fixture
async def market(bus: Bus) -> FeedMarket:
    """A market in which alice sells 10 at 100 and bob buys 4 of them, up to the event `SEQ`."""
    market = FeedMarket(bus)
    await market.trade(*opening())
    await market.trade(limit(11, "alice", "sell", 10, 100, client_order_id="first"))
    await market.trade(limit(12, "bob", "buy", 4, 101))
    assert market.exchange.seq == SEQ
    return market


SEQ = 9
UNTOLD = (
    *("time_in_force", "stop_price", "trail_amount", "trail_percent", "expires_at", "post_only"),
    *("display_quantity", "hidden", "self_trade_prevention", "oco_group"),
)
"""What is not known of an order that is not accepted."""

NO_OPTIONS = {
    "stop_price": None,
    "trail_amount": None,
    "trail_percent": None,
    "expires_at": None,
    "post_only": False,
    "display_quantity": None,
    "hidden": False,
    "self_trade_prevention": "cancel_newest",
    "oco_group": None,
}


def stop(
    order_id: int, client_id: str, side: Side, quantity: int, order_type: OrderType, **more: Any
) -> NewOrder:
    """A stop in MSFT."""
    return NewOrder(
        time_us=order_id * 1_000,
        order_id=order_id,
        client_id=client_id,
        security_id="MSFT",
        side=side,
        order_type=order_type,
        quantity=quantity,
        **more,
    )


async def test_prices_books_and_trades_are_told_to_everybody(
    feed: RunningFeed, market: FeedMarket
) -> None:
    price = {
        "security_id": "MSFT",
        "bid": None,
        "ask": 100,
        "bid_quantity": 0,
        "ask_quantity": 6,
        "last": 100,
        "reference_price": 100,
        "volume": 4,
        "timestamp": "1970-01-01T00:00:00.012000Z",
        "seq": 9,
        "state": "continuous",
        "auction": None,
        "until": None,
        "indicative_price": None,
        "indicative_quantity": 0,
        "surplus": 0,
    }
    assert await feed.get("/price/MSFT", min_seq=SEQ) == price
    terms = {
        "tick": 0.01,
        "lot": 1,
        "granted_quantity": 100,
        "max_order_quantity": None,
        "max_order_value": None,
        "static_band_percent": None,
        "dynamic_band_percent": None,
        "halt_seconds": 0,
        "auction_seconds": 0,
        "short_margin_percent": None,
    }
    assert await feed.get("/securities") == [price | terms]
    book = await feed.get("/book/MSFT")
    assert (book.pop("checksum"), book) == (
        zlib.crc32(b"a1000000:6"),
        {
            "security_id": "MSFT",
            "bids": [],
            "asks": [[100, 6, 1]],
            "seq": 9,
            "state": "continuous",
            "auction": None,
            "until": None,
            "indicative_price": None,
            "indicative_quantity": 0,
            "surplus": 0,
        },
    )
    trade = {
        "trade_id": 1,
        "security_id": "MSFT",
        "price": 100,
        "quantity": 4,
        "aggressor_side": "buy",
        "timestamp": "1970-01-01T00:00:00.012000Z",
        "seq": 8,
    }
    assert await feed.get("/trades/MSFT") == [trade]


async def test_accounts_show_cash_and_shares_and_what_is_held(
    feed: RunningFeed, market: FeedMarket
) -> None:
    bob = await feed.get("/balance/bob", "bob", min_seq=SEQ)
    paid = 400 + 0.04
    assert bob == {
        "client_id": "bob",
        "balance": 10_000 - paid,
        "held": 0,
        "available": 10_000 - paid,
        "short_margin": 0,
        "seq": 9,
    }
    assert await feed.get("/holdings/MSFT/bob", "bob") == {
        "security_id": "MSFT",
        "client_id": "bob",
        "quantity": 104,
        "held": 0,
        "available": 104,
        "average_cost": 100.0004,
        "seq": 9,
    }
    alice = {
        "security_id": "MSFT",
        "client_id": "alice",
        "quantity": 96,
        "held": 6,
        "available": 90,
        "average_cost": 100,
        "seq": 9,
    }
    assert await feed.get("/holdings/alice", "alice") == [alice]
    cash = {
        "client_id": "alice",
        "balance": 10_400,
        "held": 0,
        "available": 10_400,
        "short_margin": 0,
        "seq": 9,
    }
    results = {"equity": 20_000, "profit": 0, "return": 0, "trades": 1, "volume": 4}
    profits = {"realised_profit": 0, "unrealised_profit": 0, "fees": 0}
    assert await feed.get("/balance/alice", "alice") == cash
    account = cash | results | profits | {"holdings": [alice]}
    assert await feed.get("/accounts/alice", "alice") == account
    assert await feed.get("/leaderboard") == [
        {"rank": 1, "client_id": "alice", "seq": 9} | results,
        {"rank": 2, "client_id": "bob"}
        | results
        | {"seq": 9, "equity": 19_999.96, "profit": -0.04, "return": -0.000002},
    ]


async def test_an_order_is_followed_from_pending_to_its_end(
    feed: RunningFeed, market: FeedMarket
) -> None:
    order = limit(21, "bob", "buy", 5, 99, client_order_id="mine")
    report = OrderReport(
        time_us=order.time_us,
        status="confirmed",
        client_id="bob",
        order_id=21,
        security_id="MSFT",
        side="buy",
        quantity=5,
        price_e4=990_000,
        client_order_id="mine",
    )
    await feed.get("/price/MSFT", min_seq=SEQ)
    await market.publish(GATEWAY, [report])
    state = {
        "order_id": 21,
        "client_order_id": "mine",
        "client_id": "bob",
        "security_id": "MSFT",
        "side": "buy",
        "type": None,
        **dict.fromkeys(UNTOLD),
        "quantity": 5,
        "price": 99,
        "status": "pending",
        "filled_quantity": 0,
        "remaining_quantity": 5,
        "average_price": None,
        "reason": None,
        "message": None,
        "created": "1970-01-01T00:00:00.021000Z",
        "timestamp": "1970-01-01T00:00:00.021000Z",
        "seq": None,
    }
    while await feed.get("/reports", "bob", event_type="order", after=4) == []:
        pass
    assert await feed.get("/status/MSFT/21", "bob") == state

    events = market.apply([order])
    await market.publish(ENGINE, events)
    state |= NO_OPTIONS
    state |= {"status": "new", "type": "limit", "time_in_force": "gtc", "seq": 10}
    assert await feed.get("/status/MSFT/21", "bob", min_seq=10) == state
    assert await feed.get("/orders", "bob", status="open") == [state]
    confirmed = {
        "event_type": "order",
        "report_seq": 5,
        "status": "confirmed",
        "order_id": 21,
        "client_order_id": "mine",
        "client_id": "bob",
        "security_id": "MSFT",
        "side": "buy",
        "quantity": 5,
        "price": 99,
        "reason": None,
        "message": None,
        "timestamp": "1970-01-01T00:00:00.021000Z",
    }
    assert await feed.get("/report/MSFT/21", "bob") == confirmed

    events = market.apply([limit(22, "alice", "sell", 2, 99)])
    await market.publish(ENGINE, events)
    while (await feed.get("/status/MSFT/21", "bob"))["status"] == "new":
        pass
    state |= {
        "status": "partially_filled",
        "filled_quantity": 2,
        "remaining_quantity": 3,
        "average_price": 99,
        "timestamp": "1970-01-01T00:00:00.022000Z",
        "seq": 13,
    }
    assert await feed.get("/status/MSFT/21", "bob") == state
    trade = {
        "event_type": "trade",
        "report_seq": 6,
        "status": "confirmed",
        "order_id": 21,
        "trade_id": 2,
        "client_id": "bob",
        "security_id": "MSFT",
        "side": "buy",
        "quantity": 2,
        "price": 99,
        "fee": 0,
        "remaining_quantity": 3,
        "reason": None,
        "timestamp": "1970-01-01T00:00:00.022000Z",
        "execution_seq": 4,
        "seq": 13,
    }
    assert await feed.get("/report/MSFT/21", "bob") == trade
    await market.settle(events)
    settlement = {name: value for name, value in trade.items() if name != "remaining_quantity"}
    settlement |= {
        "event_type": "settlement",
        "report_seq": 7,
        "timestamp": "1970-01-01T00:00:00.023000Z",
    }
    del settlement["seq"]
    assert await feed.get("/report/MSFT/21", "bob", min_seq=13) == settlement

    [*_, cancelled, _] = await market.trade(
        CancelOrder(time_us=30_000, request_id=31, client_id="bob", order_id=21)
    )
    state |= {
        "status": "cancelled",
        "remaining_quantity": 0,
        "reason": "requested",
        "timestamp": "1970-01-01T00:00:00.030000Z",
        "seq": cancelled.seq,
    }
    assert await feed.get("/status/MSFT/21", "bob", min_seq=cancelled.seq) == state
    assert await feed.get("/orders", "bob", status="open") == []
    assert (await feed.get("/orders", "bob"))[0] == state
    assert await feed.get("/reports", "bob", after=4) == [confirmed, trade, settlement]
    assert await feed.get("/report/MSFT/21", "bob") == settlement


async def test_every_option_and_state_of_an_order_is_told(
    feed: RunningFeed, market: FeedMarket
) -> None:
    midnight = 86_400_000_000
    await market.trade(
        limit(21, "alice", "sell", 9, 105, display_quantity=4, oco_group="exit"),
        limit(22, "alice", "sell", 5, 104, hidden=True),
        limit(23, "bob", "buy", 8, 98, post_only=True, self_trade_prevention="decrement"),
        stop(24, "bob", "sell", 3, "stop", stop_price_e4=990_000, time_in_force="day"),
        stop(25, "bob", "sell", 3, "trailing_stop", trail_ppm=25_000),
        stop(26, "bob", "buy", 3, "trailing_stop", trail_e4=12_345),
        stop(
            27,
            "bob",
            "buy",
            2,
            "stop_limit",
            stop_price_e4=1_030_000,
            price_e4=1_020_000,
            time_in_force="gtd",
            expires_us=midnight // 2,
        ),
        ReplaceOrder(time_us=28_000, request_id=28, client_id="bob", order_id=23, quantity=6),
    )
    seq = market.exchange.seq
    book = await feed.get("/book/MSFT", min_seq=seq)
    assert (book["bids"], book["asks"]) == ([[98, 6, 1]], [[100, 6, 1], [105, 4, 1]])
    orders = {
        order["order_id"]: order
        for name in ("alice", "bob")
        for order in await feed.get("/orders", name, status="open")
    }
    assert {
        order_id: {
            field: value
            for field, value in order.items()
            if field in ("type", "quantity", "price", "status")
            or value != NO_OPTIONS.get(field, value)
        }
        for order_id, order in orders.items()
        if order_id > 20
    } == {
        21: {
            "type": "limit",
            "quantity": 9,
            "price": 105,
            "status": "new",
            "display_quantity": 4,
            "oco_group": "exit",
        },
        22: {"type": "limit", "quantity": 5, "price": 104, "status": "new", "hidden": True},
        23: {
            "type": "limit",
            "quantity": 6,
            "price": 98,
            "status": "new",
            "post_only": True,
            "self_trade_prevention": "decrement",
        },
        24: {
            "type": "stop",
            "quantity": 3,
            "price": None,
            "status": "pending_trigger",
            "stop_price": 99,
        },
        25: {
            "type": "trailing_stop",
            "quantity": 3,
            "price": None,
            "status": "pending_trigger",
            "trail_percent": 2.5,
        },
        26: {
            "type": "trailing_stop",
            "quantity": 3,
            "price": None,
            "status": "pending_trigger",
            "trail_amount": 1.2345,
        },
        27: {
            "type": "stop_limit",
            "quantity": 2,
            "price": 102,
            "status": "pending_trigger",
            "stop_price": 103,
            "expires_at": "1970-01-01T12:00:00.000000Z",
        },
    }
    for order_id, order in orders.items():
        assert await feed.get(f"/status/MSFT/{order_id}", order["client_id"]) == order
    held = (await feed.get("/balance/bob", "bob"))["held"]
    assert held == round(6 * (98 + 0.0098) + 2 * (102 + 0.0102), 4)
    assert (await feed.get("/holdings/MSFT/bob", "bob"))["held"] == 6

    # 5 trade with the hidden order, 2 and then 26's 3 with the iceberg; 27 rests until midnight
    await market.trade(
        limit(31, "bob", "buy", 6, 100),
        limit(32, "bob", "buy", 7, 105),
        ClockTick(time_us=midnight),
    )
    seq = market.exchange.seq
    book = await feed.get("/book/MSFT", min_seq=seq)
    assert (book["bids"], book["asks"]) == ([[98, 6, 1]], [[105, 3, 1]])
    ends = [await feed.get(f"/status/MSFT/{order_id}", "bob") for order_id in (24, 26, 27)]
    assert [(end["status"], end["filled_quantity"], end["reason"]) for end in ends] == [
        ("expired", 0, "expired"),
        ("filled", 3, None),
        ("expired", 0, "expired"),
    ]
    assert ends[0] in await feed.get("/orders", "bob")


async def test_a_denied_order_says_why(feed: RunningFeed, market: FeedMarket) -> None:
    refused = limit(
        *(31, "bob", "buy", 1_000_000, 99),
        client_order_id="too much",
        time_in_force="day",
        post_only=True,
    )
    await market.trade(refused)
    await market.trade(limit(32, "alice", "sell", 10, 100, client_order_id="first"))
    denied = OrderReport(
        time_us=33,
        status="denied",
        client_id="bob",
        security_id="MSFT",
        reason="invalid_field",
        message="quantity: \0 is no number",
    )
    await market.publish(GATEWAY, [denied])
    await market.trade(limit(34, "alice", "sell", 1, 200))
    await feed.get("/price/MSFT", min_seq=market.exchange.seq)
    state = await feed.get("/status/MSFT/31", "bob")
    message = "99,009,900.00 with the highest fee is needed, 9,599.96 is available"
    assert (state["status"], state["reason"], state["message"]) == (
        "rejected",
        "insufficient_funds",
        message,
    )
    assert {state[name] for name in UNTOLD} == {None}
    assert state in await feed.get("/orders", "bob")
    report = await feed.get("/report/MSFT/31", "bob")
    assert (report["status"], report["reason"]) == ("denied", "insufficient_funds")
    first, second, *_ = await feed.get("/reports", "bob", event_type="order")
    assert first == {
        "event_type": "order",
        "report_seq": first["report_seq"],
        "status": "denied",
        "order_id": None,
        "client_order_id": None,
        "client_id": "bob",
        "security_id": "MSFT",
        "side": None,
        "quantity": None,
        "price": None,
        "reason": "invalid_field",
        "message": "quantity:  is no number",
        "timestamp": "1970-01-01T00:00:00.000033Z",
    }
    assert second == report
    repeated = await feed.get("/status/MSFT/32", "alice")
    assert (repeated["status"], repeated["message"]) == (
        "rejected",
        "the same order came before: it is order 11",
    )


async def test_lists_are_paged_by_their_ids(feed: RunningFeed, bus: Bus) -> None:
    market = FeedMarket(bus)
    await market.trade(*opening())
    for number in range(1, 8):
        await market.trade(
            limit(number * 2, "alice", "sell", 1, 100), limit(number * 2 + 1, "bob", "buy", 1, 100)
        )
    await feed.get("/price/MSFT", min_seq=market.exchange.seq)

    async def ids(path: str, name: str, **query: Any) -> list[int]:
        return [entry[name] for entry in await feed.get(path, "alice", **query)]

    assert await ids("/trades/MSFT", "trade_id") == [7, 6, 5, 4, 3, 2, 1]
    assert await ids("/trades/MSFT", "trade_id", limit=2) == [7, 6]
    assert await ids("/trades/MSFT", "trade_id", limit=2, before=6) == [5, 4]
    assert await ids("/trades/MSFT", "trade_id", after=5) == [6, 7]
    assert await ids("/trades/MSFT", "trade_id", after=2, before=4) == [3]
    assert await ids("/orders", "order_id", limit=3) == [14, 12, 10]
    assert await ids("/orders", "order_id", limit=3, before=10) == [8, 6, 4]
    assert await ids("/orders", "order_id", after=10) == [12, 14]
    everything = await ids("/reports", "report_seq")
    assert len(everything) == 21
    assert everything == sorted(everything, reverse=True)
    assert await ids("/reports", "report_seq", limit=5, before=everything[4]) == everything[5:10]
    assert await ids("/reports", "report_seq", after=everything[3]) == everything[2::-1]


async def test_trades_older_than_those_in_memory_come_from_the_database(
    feed: RunningFeed, bus: Bus
) -> None:
    market = FeedMarket(bus)
    await market.trade(*opening())
    count = 1_100
    orders = itertools.chain.from_iterable(
        (limit(n * 2, "alice", "sell", 1, 1), limit(n * 2 + 1, "bob", "buy", 1, 1))
        if n % 2
        else (limit(n * 2, "bob", "sell", 1, 1), limit(n * 2 + 1, "alice", "buy", 1, 1))
        for n in range(1, count + 1)
    )
    await market.trade(*orders)
    await feed.get("/price/MSFT", min_seq=market.exchange.seq)
    found: list[int] = []
    while page := await feed.get("/trades/MSFT", limit=300, before=found[-1] if found else 2**52):
        found += [trade["trade_id"] for trade in page]
    assert found == list(range(count, 0, -1))


async def test_a_read_waits_for_what_its_caller_has_seen(feed: RunningFeed, bus: Bus) -> None:
    market = FeedMarket(bus)
    events = market.apply(opening())
    waiting = asyncio.create_task(
        feed.http.get(
            f"/balance/alice?min_seq={market.exchange.seq}",
            headers=headers_of("alice"),
        )
    )
    await market.publish(ENGINE, events)
    price = await feed.http.get("/price/MSFT")
    while price.status_code != 200:
        price = await feed.http.get("/price/MSFT")
    assert not waiting.done()
    await market.settle(events)
    assert (await waiting).json()["balance"] == 10_000


async def test_a_read_of_what_does_not_come_is_refused_in_time(
    feed: RunningFeed, market: FeedMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "MIN_SEQ_SECONDS", 0.05)
    answer = await feed.http.get(f"/price/MSFT?min_seq={SEQ + 1}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "seq_not_reached")
    assert answer.headers["Retry-After"] == "1"


REFUSALS = [
    ("/price/NONE", None, (404, "unknown_security", "security_id")),
    ("/book/NONE", None, (404, "unknown_security", "security_id")),
    ("/trades/NONE", None, (404, "unknown_security", "security_id")),
    ("/price/%00", None, (404, "unknown_security", "security_id")),
    ("/book/MSFT?depth=0", None, (422, "invalid_field", "depth")),
    ("/book/MSFT?depth=1001", None, (422, "invalid_field", "depth")),
    ("/book/MSFT?deep=1", None, (422, "unknown_field", "deep")),
    ("/trades/MSFT?limit=ten", None, (422, "invalid_field", "limit")),
    ("/trades/MSFT?limit=1001", None, (422, "invalid_field", "limit")),
    ("/trades/MSFT?before=-1", None, (422, "invalid_field", "before")),
    ("/trades/MSFT?after=99999999999999999999", None, (422, "invalid_field", "after")),
    ("/trades/MSFT?min_seq=1.5", None, (422, "invalid_field", "min_seq")),
    ("/leaderboard?limit=0", None, (422, "invalid_field", "limit")),
    ("/nothing", None, (404, "not_found", None)),
    ("/balance/alice", None, (401, "no_api_key", None)),
    ("/balance/nobody", None, (401, "no_api_key", None)),
    ("/balance/alice", "stranger", (401, "unknown_api_key", None)),
    ("/balance/alice", "bob", (403, "not_your_account", "client_id")),
    ("/balance/nobody", "bob", (404, "unknown_client", "client_id")),
    ("/balance/nobody", "operator", (404, "unknown_client", "client_id")),
    ("/accounts/alice", "bob", (403, "not_your_account", "client_id")),
    ("/holdings/alice", "bob", (403, "not_your_account", "client_id")),
    ("/holdings/MSFT/alice", "bob", (403, "not_your_account", "client_id")),
    ("/holdings/NONE/bob", "bob", (404, "unknown_security", "security_id")),
    ("/orders", None, (401, "no_api_key", None)),
    ("/orders?client_id=alice", "bob", (403, "not_your_account", "client_id")),
    ("/orders?status=closed", "bob", (422, "invalid_field", "status")),
    ("/orders", "operator", (422, "missing_field", "client_id")),
    ("/reports?client_id=alice", "bob", (403, "not_your_account", "client_id")),
    ("/reports?client_id=a%20b", "bob", (422, "invalid_field", "client_id")),
    ("/reports?event_type=fill", "bob", (422, "invalid_field", "event_type")),
    ("/status/MSFT/11", None, (401, "no_api_key", None)),
    ("/status/MSFT/11", "bob", (404, "unknown_order", "order_id")),
    ("/status/MSFT/99", "bob", (404, "unknown_order", "order_id")),
    ("/status/NONE/12", "bob", (404, "unknown_security", "security_id")),
    ("/status/MSFT/0", "bob", (422, "invalid_field", "order_id")),
    ("/status/MSFT/99999999999999999999", "bob", (422, "invalid_field", "order_id")),
    ("/status/MSFT/one", "bob", (422, "invalid_field", "order_id")),
    ("/report/MSFT/11", "bob", (404, "unknown_order", "order_id")),
    ("/report/MSFT/11", None, (401, "no_api_key", None)),
]


async def test_refusals_name_the_reason_and_the_field(
    feed: RunningFeed, market: FeedMarket
) -> None:
    await feed.get("/price/MSFT", min_seq=SEQ)
    answers = [
        (path, client_id, await feed.refused(path, client_id)) for path, client_id, _ in REFUSALS
    ]
    assert answers == REFUSALS


async def test_the_operator_reads_every_account(feed: RunningFeed, market: FeedMarket) -> None:
    for path in ("/balance/bob", "/orders?client_id=bob", "/status/MSFT/12", "/report/MSFT/12"):
        own = await feed.get(path, "bob", min_seq=SEQ)
        assert await feed.get(path, "operator", min_seq=SEQ) == own


async def test_public_accounts_need_no_key(
    databases: Databases, bus: Bus, market: FeedMarket
) -> None:
    async with running_feed(databases.market_data, bus, public_accounts=True) as feed:
        for path in ("/balance/bob", "/orders?client_id=bob", "/status/MSFT/12", "/report/MSFT/12"):
            own = await feed.get(path, "bob", min_seq=SEQ)
            assert await feed.get(path) == own
        assert await feed.refused("/orders") == (422, "missing_field", "client_id")
        assert await feed.refused("/balance/nobody") == (404, "unknown_client", "client_id")


async def everything(feed: RunningFeed, market: FeedMarket) -> dict[str, Any]:
    """All answers about everything, once all of it is applied, settled and stored."""
    seq = market.exchange.seq
    answers: dict[str, Any] = {"securities": await feed.get("/securities", min_seq=seq)}
    listed = [security["security_id"] for security in answers["securities"]]
    for path in ("/leaderboard", *(f"/book/{name}?depth=1000" for name in listed)):
        answers[path] = await feed.get(path)
    answers |= {f"/trades/{name}": await all_pages(feed, f"/trades/{name}") for name in listed}
    for account in market.exchange.state().accounts:
        name = account.client_id
        told = answers[name] = await feed.get(f"/accounts/{name}", "operator")
        profit = told["realised_profit"] + told["unrealised_profit"]
        cash = told["held"] + told["available"]
        assert (round(profit, 4), round(cash, 4)) == (told["profit"], told["balance"])
        for path in (f"/orders?client_id={name}", f"/reports?client_id={name}"):
            answers[path] = await all_pages(feed, path)
        path = f"/orders?client_id={name}&status=open"
        answers[path] = await all_pages(feed, path)
        for order in answers[f"/orders?client_id={name}"]:
            path = f"/report/{order['security_id']}/{order['order_id']}"
            if order["security_id"] in listed:
                answers[path] = await feed.get(path, "operator")
    return answers


async def all_pages(feed: RunningFeed, path: str) -> list[Any]:
    separator = "&" if "?" in path else "?"
    name = {"/tra": "trade_id", "/ord": "order_id", "/rep": "report_seq"}[path[:4]]
    found: list[Any] = []
    before = 2**53 - 1
    while page := await feed.get(f"{path}{separator}before={before}&limit=500", "operator"):
        found += page
        before = page[-1][name]
    return found


def commands(seed: int, count: int, shape: Shape | None = None) -> Iterator[list[AnyCommand]]:
    """A busy market's commands, a few at a time; with every type and option if it has a shape."""
    flow = order_flow(seed, count)
    if shape is not None:
        flow = rich_flow(seed, count, shape)
        assert list(itertools.islice(flow, len(opening_of(shape)))) == opening_of(shape)
    while group := list(itertools.islice(flow, 20)):
        yield group


@pytest.mark.parametrize("shape", [None, RICH, EVERYTHING], ids=["plain", "rich", "everything"])
async def test_a_restarted_feed_tells_the_same_as_before(
    databases: Databases, bus: Bus, postgres_server: PostgresServer, shape: Shape | None
) -> None:
    market = FeedMarket(bus)
    await market.trade(*(market_commands() if shape is None else opening_of(shape)))
    groups = commands(7, 600, shape)
    async with running_feed(databases.market_data, bus) as feed:
        for group in itertools.islice(groups, 15):
            await market.trade(*group)
        before = await everything(feed, market)
    async with running_feed(databases.market_data, bus) as feed:
        assert await everything(feed, market) == before
        for group in groups:
            await market.trade(*group)
        interrupted = await everything(feed, market)
    fresh = await postgres_server.create_database("market_data_again", "market_data_template")
    async with running_feed(fresh, bus) as feed:
        assert await everything(feed, market) == interrupted


async def test_books_and_accounts_are_the_engines(databases: Databases, bus: Bus) -> None:
    market = FeedMarket(bus)
    async with running_feed(databases.market_data, bus) as feed:
        await market.trade(*market_commands())
        for group in commands(8, 400):
            await market.trade(*group)
        answers = await everything(feed, market)
    state = market.exchange.state()
    for security in state.securities:
        book = answers[f"/book/{security.security_id}?depth=1000"]
        open_orders = [
            order
            for order in state.orders
            if order.place and order.request.security_id == security.security_id
        ]
        assert sum(level[1] for level in book["bids"] + book["asks"]) == sum(
            order.remaining_quantity for order in open_orders
        )
        assert sum(level[2] for level in book["bids"] + book["asks"]) == len(open_orders)
    for account in state.accounts:
        answer = answers[account.client_id]
        assert round(answer["balance"] * 10_000) == account.cash_e4
        assert round(answer["held"] * 10_000) == account.cash_held_e4
        assert [(h["security_id"], h["quantity"], h["held"]) for h in answer["holdings"]] == [
            position for position in sorted(account.positions) if position[1]
        ]


async def stored(dsn: str) -> dict[str, Any]:
    """What the database has, as far as it must not be there twice or not at all."""
    connection = await asyncpg.connect(dsn)
    try:
        return {
            "orders": await connection.fetchval("SELECT count(*) FROM orders"),
            "trades": await connection.fetchval("SELECT count(*) FROM trade"),
            "volume": await connection.fetchval("SELECT sum(quantity) FROM trade"),
            "settlements": await connection.fetchval("SELECT count(*) FROM settlement"),
            "reports": await connection.fetchval("SELECT count(*) FROM order_report"),
            "position": await connection.fetchval("SELECT position FROM consumer_position"),
        }
    finally:
        await connection.close()


async def test_lost_connections_lose_and_double_nothing(
    databases: Databases, bus: Bus, postgres_server: PostgresServer
) -> None:
    market = FeedMarket(bus)
    await market.trade(*market_commands())
    async with running_feed(databases.market_data, bus) as feed:
        killer = await asyncpg.connect(postgres_server.dsn())
        for group in commands(9, 1_000):
            await market.trade(*group)
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'market_data' AND state <> 'idle'"
            )
        await killer.close()
        answers = await patiently(feed, market)
    fresh = await postgres_server.create_database("market_data_again", "market_data_template")
    async with running_feed(fresh, bus) as feed:
        assert await everything(feed, market) == answers
    assert await stored(databases.market_data) == await stored(fresh)


async def patiently(feed: RunningFeed, market: FeedMarket) -> dict[str, Any]:
    """`everything`, as soon as the database answers again."""
    while (
        await feed.http.get("/reports?client_id=client0", headers=headers_of("operator"))
    ).status_code != 200:
        await asyncio.sleep(0)
    return await everything(feed, market)


async def test_a_killed_postgres_is_survived_and_everything_stored_once(
    databases: Databases, bus: Bus, postgres_server: PostgresServer
) -> None:
    market = FeedMarket(bus)
    await market.trade(*market_commands())
    groups = commands(10, 600)
    async with running_feed(databases.market_data, bus) as feed:
        for group in itertools.islice(groups, 10):
            await market.trade(*group)
        await asyncio.to_thread(postgres_server.kill)
        try:
            for group in itertools.islice(groups, 10):
                await market.trade(*group)
            seq = market.exchange.seq
            price = await feed.get("/price/MSFT", min_seq=seq)
            assert price["volume"] > 0
            balance = await feed.get("/balance/client0", "operator", min_seq=seq)
            assert balance["seq"] == seq
            newest = await feed.get("/orders?client_id=client0&status=open", "operator")
            state = await feed.get(
                f"/status/{newest[0]['security_id']}/{newest[0]['order_id']}", "operator"
            )
            assert state == newest[0]
            refusal = (503, "storage_unavailable", None)
            assert await feed.refused("/reports?client_id=client0", "operator") == refusal
            while (ready := await feed.http.get("/readyz")).status_code == 200:
                pass
            problems = ready.json()["dependencies"]
            assert [name for name, text in problems.items() if text != "ok"] == ["postgres"]
        finally:
            await asyncio.to_thread(postgres_server.start)
        for group in groups:
            await market.trade(*group)
        answers = await patiently(feed, market)
        assert (await feed.http.get("/readyz")).status_code == 200
    fresh = await postgres_server.create_database("market_data_again", "market_data_template")
    async with running_feed(fresh, bus) as feed:
        assert await everything(feed, market) == answers
    assert await stored(databases.market_data) == await stored(fresh)


async def test_reading_stops_while_too_much_is_not_stored(
    databases: Databases, bus: Bus, postgres_server: PostgresServer
) -> None:
    market = FeedMarket(bus)
    await market.trade(*market_commands())
    async with running_feed(databases.market_data, bus, max_unstored_rows=100) as feed:
        await feed.get("/price/MSFT", min_seq=market.exchange.seq)
        await asyncio.to_thread(postgres_server.kill)
        try:
            for group in commands(11, 600):
                await market.trade(*group)
            while "reading has stopped" not in (await feed.http.get("/readyz")).text:
                pass
            applied = (await feed.get("/book/MSFT"))["seq"]
            assert applied < market.exchange.seq
        finally:
            await asyncio.to_thread(postgres_server.start)
        await patiently(feed, market)
        assert (await feed.get("/book/MSFT"))["seq"] == market.exchange.seq


async def test_garbage_in_the_log_is_passed_over(
    feed: RunningFeed, market: FeedMarket, bus: Bus
) -> None:
    await bus.publish(DATA_FEED, b"\xff garbage")
    await bus.publish(DATA_FEED, encode_batch("unknown", 7, [market.records[0]]))
    report = OrderReport(time_us=1, status="confirmed", client_id="bob", order_id=2**64)
    await bus.publish(DATA_FEED, encode_batch("forged", 1, [report]))
    await market.trade(limit(41, "alice", "sell", 1, 200))
    assert (await feed.get("/book/MSFT", min_seq=market.exchange.seq))["asks"] == [
        [100, 6, 1],
        [200, 1, 1],
    ]
    assert await bus.last_position(DEAD_LETTER) == 3


async def test_a_gap_in_the_log_halts_the_feed(
    feed: RunningFeed, market: FeedMarket, bus: Bus
) -> None:
    events = market.apply([limit(41, "alice", "sell", 1, 200)])
    await bus.publish(DATA_FEED, encode_batch(ENGINE, events[-1].seq + 5, events))
    with pytest.raises(SequenceGap):
        await feed.service.tasks.failed()


async def test_two_feeds_on_one_database_do_not_both_store(
    databases: Databases, bus: Bus, market: FeedMarket
) -> None:
    async with (
        running_feed(databases.market_data, bus) as first,
        running_feed(databases.market_data, bus) as second,
    ):
        failures = [asyncio.create_task(feed.service.tasks.failed()) for feed in (first, second)]
        for number in itertools.count(50):
            await market.trade(limit(number, "alice", "sell", 1, 100_000 + number))
            await (first, second)[number % 2].http.get("/reports", headers=headers_of("bob"))
            if any(task.done() for task in failures):
                break
        done, pending = await asyncio.wait(failures, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        with pytest.raises(StoreMoved):
            done.pop().result()


async def test_the_page_is_served_with_a_strict_policy(feed: RunningFeed) -> None:
    page = await feed.http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src")
    for name in ("page.js", "page.css", "icon.svg"):
        assert name in page.text
        assert (await feed.http.get(f"/{name}")).status_code == 200
    assert "{{" not in page.text


async def test_metrics_tell_what_was_read_and_stored(feed: RunningFeed, market: FeedMarket) -> None:
    await feed.get("/price/MSFT", min_seq=SEQ)
    await feed.get("/reports", "bob")
    text = (await feed.http.get("/metrics")).text
    assert f"exchange_feed_applied_records_total {len(market.records)}.0" in text
    assert "exchange_feed_unstored_rows 0.0" in text
    assert "exchange_feed_websocket_clients 0.0" in text
