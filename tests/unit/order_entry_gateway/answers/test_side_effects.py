"""Answers of commands that do something to other orders too, or stand among what others did."""

from typing import Any

import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import (
    SecurityListed,
)
from order_entry_gateway.answers.answers import (
    Fill,
)
from tests.support.gateway_events import (
    TIME_US,
    Desk,
    accepted,
    cancelled,
    order,
    order_answer,
    reduced,
    rejected,
    trade,
    triggered,
)

STOP: dict[str, Any] = {"order_type": "stop", "price_e4": None, "stop_price_e4": 4_200_000}


def test_a_stop_waits() -> None:
    desk = Desk()
    stop = order(1, **STOP)
    desk.ask(stop)
    assert desk.message(accepted(5, stop)) == [[order_answer(stop, 5, status="pending_trigger")]]


def test_a_stop_that_triggers_at_once_is_answered_with_what_it_became() -> None:
    desk = Desk()
    stop = order(1, **STOP)
    desk.ask(stop)
    events = [
        accepted(5, stop),
        triggered(6, 1),
        cancelled(7, 30, 5, reason="one_cancels_other"),
        trade(8, 1, 8, 4, 4_200_000, buy_remaining_quantity=6),
        cancelled(9, 1, 6, reason="no_liquidity"),
    ]
    assert desk.message(*events, 10) == [
        [
            order_answer(
                stop,
                10,
                status="cancelled",
                filled_quantity=4,
                remaining_quantity=0,
                average_price=420.0,
                fills=[Fill(800, 420.0, 4, 0.0042)],
                reason="no_liquidity",
            )
        ]
    ]


def test_a_stop_limit_that_triggers_at_once_is_new() -> None:
    desk = Desk()
    stop = order(1, order_type="stop_limit", stop_price_e4=4_200_000)
    desk.ask(stop)
    assert desk.message(accepted(5, stop), triggered(6, 1), 7) == [[order_answer(stop, 7)]]


def test_what_a_command_does_to_other_orders_is_not_in_its_answer_but_counts_for_its_seq() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [
        accepted(5, order(1)),
        trade(6, 1, 8, 4, 4_200_000, buy_remaining_quantity=6),
        cancelled(7, 30, 5, reason="one_cancels_other"),
        triggered(8, 40),
        trade(9, 40, 41, 3, 4_210_000),
        reduced(10, 42, 1, 2),
        cancelled(11, 40, 5, reason="no_liquidity"),
    ]
    assert desk.message(*events, 12) == [
        [
            order_answer(
                order(1),
                12,
                status="partially_filled",
                filled_quantity=4,
                remaining_quantity=6,
                average_price=420.0,
                fills=[Fill(600, 420.0, 4, 0.0042)],
            )
        ]
    ]


def test_what_the_rest_of_an_order_trades_with_stops_that_it_set_off_is_in_its_answer() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [
        accepted(5, order(1)),
        trade(6, 1, 8, 4, 4_200_000, buy_remaining_quantity=6),
        triggered(7, 40),
        trade(8, 1, 40, 6, 4_205_000, aggressor_side="sell"),
        cancelled(9, 40, 1, reason="no_liquidity"),
    ]
    assert desk.message(*events, 10) == [
        [
            order_answer(
                order(1),
                10,
                status="filled",
                filled_quantity=10,
                remaining_quantity=0,
                average_price=420.3,
                fills=[Fill(600, 420.0, 4, 0.0042), Fill(800, 420.5, 6, 0.0042)],
            )
        ]
    ]


def test_an_order_that_was_reduced_is_smaller_in_its_answer() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [accepted(5, order(1)), cancelled(6, 9, 4, reason="self_trade"), reduced(7, 1, 4, 6)]
    assert desk.message(*events) == [[order_answer(order(1), 7, quantity=6, remaining_quantity=6)]]


def test_expiries_belong_to_the_command_before_whose_first_event_they_stand() -> None:
    desk = Desk()
    desk.ask(order(1, time_in_force="day"), order(2))
    events = [
        accepted(5, order(1, time_in_force="day")),
        6,
        cancelled(7, 1, 10, reason="expired"),
        cancelled(8, 30, 10, reason="expired"),
        accepted(9, order(2)),
        10,
        cancelled(11, 2, 10, reason="expired"),
        12,
    ]
    assert desk.message(*events) == [[order_answer(order(1), 6), order_answer(order(2), 10)]]


@pytest.mark.parametrize(
    ("limit_e4", "stop_e4", "field_name"),
    [(None, 4_200_001, "stop_price"), (4_200_000, 4_200_001, "stop_price"), (1, 100, "price")],
)
def test_a_price_off_the_tick_is_named(limit_e4: int | None, stop_e4: int, field_name: str) -> None:
    desk = Desk()
    desk.message(
        SecurityListed(
            seq=1,
            time_us=TIME_US,
            request_id=99,
            security_id="MSFT",
            tick_e4=100,
            reference_price_e4=4_200_000,
            granted_quantity=1,
        )
    )
    order_type = "stop" if limit_e4 is None else "stop_limit"
    stop = order(1, order_type=order_type, price_e4=limit_e4, stop_price_e4=stop_e4)
    desk.ask(stop)
    ((answer,),) = desk.message(rejected(5, stop, "price_off_tick"))
    assert isinstance(answer, ApiError)
    assert (answer.status, answer.field) == (422, field_name)
