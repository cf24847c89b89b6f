"""What each event of an order changes: its state, what it holds, and what the book displays."""

from typing import Any

import pytest

from exchange_shared.messages import (
    OrderAccepted,
    OrderReduced,
    OrderRejected,
    OrderReplaced,
    OrderTriggered,
    Side,
    TradeSettled,
)
from market_data_feed.projections import Level, Order, Projections
from market_data_feed.projections.market import RECENT_TRADES
from tests.support.feed_events import REFERENCE_E4, EventMaker
from tests.support.feed_log import Clearing

PRICE_E4 = REFERENCE_E4


@pytest.fixture
def maker() -> EventMaker:
    """A listed security, and the accounts of alice and bob."""
    maker = EventMaker()
    maker.listed()
    maker.opened("alice")
    maker.opened("bob")
    return maker


def of(order: OrderAccepted, **fields: Any) -> dict[str, Any]:
    """What an event about an order says, beside these fields."""
    named = {name: getattr(order, name) for name in ("order_id", "client_id", "security_id")}
    return named | fields


def replaced(maker: EventMaker, order: OrderAccepted, **fields: Any) -> None:
    usual = {"request_id": 9, "price_e4": PRICE_E4, "unit_hold_e4": 0, "kept_priority": False}
    maker.made(OrderReplaced, **of(order, **(usual | fields)))


def displayed(projections: Projections, side: Side) -> list[Level]:
    bids, asks = projections.securities["MSFT"].book.levels(10)
    return bids if side == "buy" else asks


def known(projections: Projections, order: OrderAccepted) -> Order:
    return projections.orders[order.order_id]


@pytest.mark.parametrize(
    ("options", "waiting", "triggered"),
    [
        ({}, [], [(PRICE_E4, 10, 1)]),
        ({"display_quantity": 4}, [], [(PRICE_E4, 4, 1)]),
        ({"hidden": True}, [], []),
    ],
)
def test_a_stop_is_in_no_book_until_it_is_triggered(
    maker: EventMaker, options: dict[str, Any], waiting: list[Level], triggered: list[Level]
) -> None:
    stop = maker.accepted(
        "alice", "sell", 10, PRICE_E4, order_type="stop_limit", stop_price_e4=PRICE_E4, **options
    )
    before = maker.projected()
    assert (known(before, stop).status, displayed(before, "sell")) == ("pending_trigger", waiting)

    maker.made(OrderTriggered, **of(stop, last_e4=PRICE_E4))

    after = maker.projected()
    assert (known(after, stop).status, displayed(after, "sell")) == ("new", triggered)
    assert after.accounts["alice"].holdings["MSFT"].held == 10


def test_a_hidden_order_holds_what_it_needs_and_is_in_no_book(maker: EventMaker) -> None:
    maker.accepted("bob", "buy", 10, PRICE_E4, hidden=True)

    projections = maker.projected()

    assert projections.accounts["bob"].held_e4 == 10 * PRICE_E4
    assert displayed(projections, "buy") == []


def test_an_iceberg_displays_its_next_part_when_one_is_traded(maker: EventMaker) -> None:
    iceberg = maker.accepted("alice", "sell", 10, PRICE_E4, display_quantity=4)
    seen = [displayed(maker.projected(), "sell")]
    for quantity in (1, 3, 4):
        buy = maker.accepted("bob", "buy", quantity, PRICE_E4, time_in_force="ioc")
        maker.traded(buy, iceberg, quantity, PRICE_E4, "buy")
        seen.append(displayed(maker.projected(), "sell"))

    assert seen == [[(PRICE_E4, shares, 1)] for shares in (4, 3, 4, 2)]
    assert known(maker.projected(), iceberg).status == "partially_filled"


def test_an_iceberg_that_comes_in_and_trades_displays_its_first_part(maker: EventMaker) -> None:
    sell = maker.accepted("alice", "sell", 5, PRICE_E4)
    iceberg = maker.accepted("bob", "buy", 12, PRICE_E4, display_quantity=4)
    maker.traded(iceberg, sell, 5, PRICE_E4, "buy")

    projections = maker.projected()

    assert displayed(projections, "buy") == [(PRICE_E4, 4, 1)]
    assert displayed(projections, "sell") == []


def test_an_iceberg_displays_in_an_auction_what_it_did_or_what_is_left(maker: EventMaker) -> None:
    iceberg = maker.accepted("bob", "buy", 12, PRICE_E4, display_quantity=4)
    seen = []
    for quantity in (6, 5):
        sell = maker.accepted("alice", "sell", quantity, None, time_in_force="at_open")
        maker.traded(iceberg, sell, quantity, PRICE_E4)
        seen.append(displayed(maker.projected(), "buy"))

    assert seen == [[(PRICE_E4, 4, 1)], [(PRICE_E4, 1, 1)]]


def test_a_replaced_order_holds_and_displays_its_new_terms(maker: EventMaker) -> None:
    buy = maker.accepted("bob", "buy", 10, PRICE_E4)
    dearer_e4 = PRICE_E4 + 500
    replaced(
        maker, buy, quantity=15, price_e4=dearer_e4, remaining_quantity=15, unit_hold_e4=dearer_e4
    )

    projections = maker.projected()

    order = known(projections, buy)
    assert (order.quantity, order.remaining_quantity, order.price_e4) == (15, 15, dearer_e4)
    assert (order.seq, order.updated_us) == (maker.seq, maker.seq * 1_000)
    assert projections.accounts["bob"].held_e4 == 15 * dearer_e4
    assert displayed(projections, "buy") == [(dearer_e4, 15, 1)]
    assert projections.take_changes().orders == {buy.order_id: order}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"quantity": 8, "remaining_quantity": 7, "kept_priority": True}, 3),
        ({"quantity": 3, "remaining_quantity": 2, "kept_priority": True}, 2),
        ({"quantity": 8, "remaining_quantity": 7, "kept_priority": False}, 4),
    ],
)
def test_a_replaced_iceberg_keeps_its_part_with_its_priority(
    maker: EventMaker, fields: dict[str, Any], shown: int
) -> None:
    iceberg = maker.accepted("alice", "sell", 10, PRICE_E4, display_quantity=4)
    buy = maker.accepted("bob", "buy", 1, PRICE_E4, time_in_force="ioc")
    maker.traded(buy, iceberg, 1, PRICE_E4, "buy")
    replaced(maker, iceberg, **fields)

    projections = maker.projected()

    assert displayed(projections, "sell") == [(PRICE_E4, shown, 1)]
    held = projections.accounts["alice"].holdings["MSFT"].held
    assert held == fields["remaining_quantity"]


def test_a_reduced_order_is_smaller_and_holds_less(maker: EventMaker) -> None:
    buy = maker.accepted("bob", "buy", 10, PRICE_E4, display_quantity=6)
    seen = []
    for quantity, remaining in ((3, 7), (5, 2)):
        maker.made(OrderReduced, **of(buy, quantity=quantity, remaining_quantity=remaining))
        projections = maker.projected()
        held_e4 = projections.accounts["bob"].held_e4
        seen.append((known(projections, buy).quantity, held_e4, displayed(projections, "buy")))

    assert seen == [
        (7, 7 * PRICE_E4, [(PRICE_E4, 6, 1)]),
        (2, 2 * PRICE_E4, [(PRICE_E4, 2, 1)]),
    ]


def test_a_rejected_order_is_known_and_holds_nothing(maker: EventMaker) -> None:
    event = maker.made(
        OrderRejected,
        order_id=11,
        client_id="bob",
        security_id="MSFT",
        side="buy",
        order_type="limit",
        quantity=7,
        price_e4=PRICE_E4,
        client_order_id="mine",
        reason="insufficient_funds",
        message="no",
    )

    projections = maker.projected()

    order = projections.orders[11]
    assert (order.status, order.reason, order.is_open) == ("rejected", "insufficient_funds", False)
    assert (order.quantity, order.remaining_quantity, order.price_e4) == (7, 0, PRICE_E4)
    assert projections.accounts["bob"].held_e4 == 0
    assert projections.take_changes().order_reports == [(1, event)]


def test_a_settlement_is_the_latest_report_of_an_order_unless_it_traded_again(
    maker: EventMaker,
) -> None:
    sell = maker.accepted("alice", "sell", 2, PRICE_E4)
    buys = [maker.accepted("bob", "buy", 1, PRICE_E4) for _ in range(2)]
    first, second = (maker.traded(buy, sell, 1, PRICE_E4, "buy") for buy in buys)
    projections = maker.projected()
    settlements = [one for one in Clearing().settle(maker.events) if isinstance(one, TradeSettled)]

    projections.apply(settlements[0])

    assert known(projections, sell).latest_report == (2, second)
    assert known(projections, buys[0]).latest_report == (3, settlements[0])
    projections.apply(settlements[1])
    assert known(projections, sell).latest_report == (4, settlements[1])
    assert projections.take_changes().trades == [(1, first), (2, second)]


def test_only_the_newest_trades_are_kept_in_memory(maker: EventMaker) -> None:
    sell = maker.accepted("alice", "sell", RECENT_TRADES + 1, PRICE_E4)
    buy = maker.accepted("bob", "buy", RECENT_TRADES + 1, PRICE_E4)
    for _ in range(RECENT_TRADES):
        maker.traded(buy, sell, 1, PRICE_E4, "buy")
    security = maker.projected().securities["MSFT"]
    assert (security.older_trades, security.recent_trades[0].trade_id) == (False, 1)

    maker.traded(buy, sell, 1, PRICE_E4, "buy")

    security = maker.projected().securities["MSFT"]
    assert (security.older_trades, security.recent_trades[0].trade_id) == (True, 2)
