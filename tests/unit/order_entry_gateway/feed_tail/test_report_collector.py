"""From the engine's events to the reports of who listens."""

from typing import Any

import msgspec

from order_entry_gateway.answers.answers import (
    encode_answer,
)
from order_entry_gateway.feed_tail.execution_reports import (
    AcceptedReport,
    CancelledReport,
    MassCancelledReport,
    ReducedReport,
    RejectedReport,
    ReplacedReport,
    TradeReport,
    TriggeredReport,
)
from tests.support.gateway_events import (
    TIME,
    TIME_US,
    Listeners,
    accepted,
    cancelled,
    mass_cancelled,
    order,
    reduced,
    rejected,
    replaced,
    trade,
    triggered,
)


def test_both_sides_of_a_trade_get_their_own_report() -> None:
    listeners = Listeners("alice", "bob")
    listeners.message(accepted(1, order(2, client_id="bob", side="sell", client_order_id="b")))
    assert listeners.message(accepted(5, order(1)), trade(6, 1, 2, 10, 4_200_000)) == {
        "alice": [
            AcceptedReport(
                seq=5,
                time=TIME,
                order_id=1,
                client_order_id="order 1",
                security_id="MSFT",
                side="buy",
                type="limit",
                time_in_force="gtc",
                price=420.5,
                quantity=10,
                remaining_quantity=10,
            ),
            TradeReport(
                seq=6,
                time=TIME,
                order_id=1,
                client_order_id="order 1",
                security_id="MSFT",
                side="buy",
                trade_id=600,
                price=420.0,
                quantity=10,
                filled_quantity=10,
                remaining_quantity=0,
                fee=0.0042,
                liquidity="taker",
            ),
        ],
        "bob": [
            TradeReport(
                seq=6,
                time=TIME,
                order_id=2,
                client_order_id="b",
                security_id="MSFT",
                side="sell",
                trade_id=600,
                price=420.0,
                quantity=10,
                filled_quantity=12,
                remaining_quantity=5,
                fee=0.0,
                liquidity="maker",
            )
        ],
    }
    assert listeners.message() == {}


def test_refusals_and_cancels_are_reported_with_their_reason() -> None:
    listeners = Listeners("alice")
    listeners.message(accepted(5, order(1)))
    refused = rejected(6, order(2), "insufficient_funds")
    assert listeners.message(refused, cancelled(7, 1, 4), cancelled(8, 1, 4)) == {
        "alice": [
            RejectedReport(
                seq=6,
                time=TIME,
                order_id=2,
                client_order_id="order 2",
                security_id="MSFT",
                side="buy",
                type="limit",
                price=420.5,
                quantity=10,
                remaining_quantity=0,
                reason="insufficient_funds",
                message="because",
            ),
            CancelledReport(
                seq=7,
                time=TIME,
                order_id=1,
                client_order_id="order 1",
                security_id="MSFT",
                quantity=4,
                remaining_quantity=0,
                reason="requested",
            ),
            CancelledReport(
                seq=8,
                time=TIME,
                order_id=1,
                client_order_id=None,
                security_id="MSFT",
                quantity=4,
                remaining_quantity=0,
                reason="requested",
            ),
        ]
    }


def test_nothing_is_built_for_clients_that_are_not_connected() -> None:
    listeners = Listeners("carol")
    events = [accepted(5, order(1)), trade(6, 1, 2, 10, 1), cancelled(7, 1, 1)]
    assert listeners.message(*events) == {}


def test_the_names_of_the_oldest_open_orders_are_forgotten_beyond_the_limit() -> None:
    listeners = Listeners("alice", max_remembered=2)
    listeners.message(*(accepted(number, order(number)) for number in (1, 2, 3)))
    reports = listeners.message(*(cancelled(number + 3, number, 1) for number in (1, 2, 3)))
    assert [report.client_order_id for report in reports["alice"]] == [None, "order 2", "order 3"]


def test_every_change_of_an_order_is_reported() -> None:
    listeners = Listeners("alice")
    listeners.message(accepted(1, order(1)))
    about: dict[str, Any] = {
        "time": TIME,
        "order_id": 1,
        "client_order_id": "order 1",
        "security_id": "MSFT",
    }
    events = [
        triggered(5, 1),
        replaced(6, 7, 1),
        reduced(7, 1, 3, 1),
        cancelled(8, 1, 1, reason="expired"),
        mass_cancelled(9, 10, 2),
    ]
    assert listeners.message(*events) == {
        "alice": [
            TriggeredReport(seq=5, last=420.0, **about),
            ReplacedReport(
                seq=6, price=421.0, quantity=6, remaining_quantity=4, kept_priority=False, **about
            ),
            ReducedReport(seq=7, quantity=3, remaining_quantity=1, **about),
            CancelledReport(seq=8, quantity=1, remaining_quantity=0, reason="expired", **about),
            MassCancelledReport(seq=9, time=TIME, count=2),
        ]
    }
    assert Listeners("bob").message(*events) == {}


def test_the_report_of_an_accepted_order_has_the_options_that_it_uses() -> None:
    listeners = Listeners("alice")
    trailing = order(
        1,
        order_type="trailing_stop",
        price_e4=None,
        trail_ppm=25_000,
        time_in_force="gtd",
        expires_us=TIME_US,
        oco_group="exit",
    )
    ((report,),) = listeners.message(accepted(5, trailing)).values()
    assert msgspec.json.decode(encode_answer(report)) == {
        "event": "accepted",
        "seq": 5,
        "time": TIME,
        "order_id": 1,
        "client_order_id": "order 1",
        "security_id": "MSFT",
        "side": "buy",
        "type": "trailing_stop",
        "time_in_force": "gtd",
        "price": None,
        "quantity": 10,
        "remaining_quantity": 10,
        "trail_percent": 2.5,
        "expires_at": TIME,
        "oco_group": "exit",
    }
