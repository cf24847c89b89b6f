"""Records about an order or a security whose own record could not be read: counted, passed over."""

from collections.abc import Callable

import pytest

from exchange_shared.messages import OrderAccepted, OrderReduced, OrderReplaced, OrderTriggered
from market_data_feed.projections import Projections
from tests.support.feed_events import REFERENCE_E4, EventMaker
from tests.support.feed_log import Clearing

PRICE_E4 = REFERENCE_E4


def triggered(maker: EventMaker, order: OrderAccepted) -> None:
    maker.made(
        OrderTriggered,
        order_id=order.order_id,
        client_id=order.client_id,
        security_id="MSFT",
        last_e4=PRICE_E4,
    )


def replaced(maker: EventMaker, order: OrderAccepted) -> None:
    maker.made(
        OrderReplaced,
        request_id=9,
        order_id=order.order_id,
        client_id=order.client_id,
        security_id="MSFT",
        quantity=5,
        price_e4=PRICE_E4,
        remaining_quantity=5,
        unit_hold_e4=PRICE_E4,
        kept_priority=True,
    )


def reduced(maker: EventMaker, order: OrderAccepted) -> None:
    maker.made(
        OrderReduced,
        order_id=order.order_id,
        client_id=order.client_id,
        security_id="MSFT",
        quantity=1,
        remaining_quantity=9,
    )


def cancelled(maker: EventMaker, order: OrderAccepted) -> None:
    maker.cancelled(order, "requested")


@pytest.mark.parametrize("change", [triggered, replaced, reduced, cancelled])
def test_a_change_of_an_unknown_order_changes_nothing(
    change: Callable[[EventMaker, OrderAccepted], None],
) -> None:
    maker = EventMaker()
    maker.listed()
    maker.opened("bob")
    unread = maker.accepted("bob", "buy", 10, PRICE_E4)
    maker.events.remove(unread)
    change(maker, unread)

    projections = maker.projected()

    assert projections.orphans == 1
    assert projections.orders == projections.take_changes().orders == {}
    assert projections.accounts["bob"].held_e4 == 0
    assert projections.securities["MSFT"].book.levels(10) == ([], [])


def test_the_trade_of_an_unknown_order_counts_for_the_clients_and_the_other_order() -> None:
    maker = EventMaker()
    maker.listed()
    maker.opened("alice")
    maker.opened("bob")
    unread = maker.accepted("bob", "buy", 4, PRICE_E4)
    sell = maker.accepted("alice", "sell", 10, PRICE_E4)
    trade = maker.traded(unread, sell, 4, PRICE_E4)
    maker.events.remove(unread)

    projections = maker.projected()
    for report in Clearing().settle(maker.events):
        projections.apply(report)

    assert projections.orphans == 1
    assert projections.accounts["bob"].holdings["MSFT"].settled_quantity == 104
    assert projections.orders.keys() == {sell.order_id}
    assert projections.orders[sell.order_id].remaining_quantity == 6
    assert projections.securities["MSFT"].recent_trades[0] == trade


def test_of_an_unknown_security_the_orders_and_accounts_are_kept() -> None:
    maker = EventMaker()
    maker.opened("alice")
    maker.opened("bob")
    buy = maker.accepted("bob", "buy", 10, PRICE_E4)
    sell = maker.accepted("alice", "sell", 4, PRICE_E4)
    maker.traded(buy, sell, 4, PRICE_E4, "sell")
    maker.price((PRICE_E4, 6), None, PRICE_E4)
    maker.cancelled(buy, "requested")

    projections = Projections()
    counts = []
    for event in maker.events:
        projections.apply(event)
        counts.append(projections.orphans)

    assert counts == [0, 0, 1, 2, 3, 4, 4]
    assert projections.securities == {}
    assert (projections.orders[buy.order_id].status, projections.accounts["bob"].held_e4) == (
        "cancelled",
        0,
    )
    assert projections.accounts["bob"].holdings["MSFT"].quantity == 104
