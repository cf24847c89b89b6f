"""Orders and their reports, from their acceptance to their end, as the feed tells them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus import Bus
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.messages import (
    CancelOrder,
    ClockTick,
    NewOrder,
    OrderReport,
    OrderType,
    ReplaceOrder,
    Side,
)
from tests.conftest import Databases
from tests.support.feed_log import ENGINE, GATEWAY
from tests.support.feed_market import FeedMarket
from tests.support.running_feed import RunningFeed, limit, running_feed
from tests.support.small_market import SEQ, small_market


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
    return await small_market(bus)


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
