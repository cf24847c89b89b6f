"""From the engine's events about new orders to the answers of who asked."""

from typing import Any

import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import (
    CancelOrder,
    OrderRepeated,
)
from order_entry_gateway.answers.answers import (
    CancelAnswer,
    Fill,
    OrderAnswer,
)
from tests.support.gateway_events import (
    TIME_US,
    Desk,
    accepted,
    cancelled,
    order,
    order_answer,
    rejected,
    trade,
)


def test_a_resting_order_is_new_at_the_seq_of_the_commands_last_event() -> None:
    desk = Desk()
    desk.ask(order(1))
    assert desk.message(accepted(5, order(1)), 6) == [[order_answer(order(1), 6)]]
    assert len(desk.pending) == 0


def test_fills_are_listed_and_averaged_to_four_decimals() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [
        accepted(5, order(1)),
        trade(6, 1, 8, 1, 4_200_000, buy_remaining_quantity=9),
        trade(7, 1, 9, 2, 4_200_001, buy_remaining_quantity=7),
    ]
    assert desk.message(*events, 8) == [
        [
            order_answer(
                order(1),
                8,
                status="partially_filled",
                filled_quantity=3,
                remaining_quantity=7,
                average_price=420.0001,
                fills=[Fill(600, 420.0, 1, 0.0042), Fill(700, 420.0001, 2, 0.0042)],
            )
        ]
    ]


def test_a_filled_order_has_nothing_remaining() -> None:
    desk = Desk()
    desk.ask(order(1))
    (answer,) = desk.message(accepted(5, order(1)), trade(6, 1, 8, 10, 4_200_000))
    assert answer == [
        order_answer(
            order(1),
            6,
            status="filled",
            filled_quantity=10,
            remaining_quantity=0,
            average_price=420.0,
            fills=[Fill(600, 420.0, 10, 0.0042)],
        )
    ]


def test_the_cancelled_rest_of_an_order_keeps_its_fills_and_tells_why() -> None:
    desk = Desk()
    market = order(1, order_type="market", price_e4=None, client_order_id=None)
    desk.ask(market)
    (answer,) = desk.message(
        accepted(5, market),
        trade(6, 1, 8, 4, 4_200_000),
        cancelled(7, 1, 6, reason="no_liquidity"),
        8,
    )
    assert answer == [
        order_answer(
            market,
            8,
            status="cancelled",
            filled_quantity=4,
            remaining_quantity=0,
            average_price=420.0,
            fills=[Fill(600, 420.0, 4, 0.0042)],
            reason="no_liquidity",
        )
    ]


def test_what_happens_to_an_order_through_a_later_command_is_not_in_its_answer() -> None:
    desk = Desk()
    desk.ask(order(1))
    bobs = order(2, client_id="bob", side="sell")
    answers = desk.message(accepted(5, order(1)), 6, accepted(7, bobs), trade(8, 1, 2, 10, 1), 9)
    assert answers == [[order_answer(order(1), 6)]]


def test_a_batch_is_answered_once_in_its_own_order_when_the_last_answer_is_there() -> None:
    desk = Desk()
    refused = ApiError(422, "invalid_field", "no")
    desk.ask(order(1), order(2), answers=[None, refused, None])
    assert desk.message(accepted(5, order(2))) == []
    assert desk.message(accepted(6, order(1))) == [
        [order_answer(order(1), 6), refused, order_answer(order(2), 5)]
    ]


def test_events_that_nobody_waits_for_are_passed_over() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [accepted(5, order(3)), trade(6, 3, 4, 10, 1), cancelled(7, 3, 1), 8]
    assert desk.message(*events) == []
    assert len(desk.pending) == 1


@pytest.mark.parametrize(
    ("reason", "status", "field_name"),
    [
        ("insufficient_funds", 422, None),
        ("insufficient_shares", 422, None),
        ("price_off_tick", 422, "price"),
        ("unknown_security", 404, "security_id"),
        ("unknown_client", 404, None),
        ("client_order_id_reused", 409, "client_order_id"),
        ("would_take", 422, "price"),
        ("expired", 422, "expires_at"),
    ],
)
def test_a_refusal_of_the_engine_has_its_status_field_and_ids(
    reason: Any, status: int, field_name: str | None
) -> None:
    desk = Desk()
    desk.ask(order(1))
    ((answer,),) = desk.message(rejected(5, order(1), reason))
    assert isinstance(answer, ApiError)
    assert answer.status == status
    assert answer.body() == {
        "error": {"code": reason, "message": "because", "field": field_name},
        "order_id": 1,
        "seq": 5,
    }


def test_a_repeated_order_shows_the_first_one_as_it_is_now() -> None:
    desk = Desk()
    desk.ask(order(2, client_order_id="same"))
    event = OrderRepeated(
        seq=9,
        time_us=TIME_US,
        request_id=2,
        order_id=1,
        client_id="alice",
        client_order_id="same",
        security_id="MSFT",
        status="cancelled",
        filled_quantity=3,
        remaining_quantity=0,
        notional_e4=3 * 4_200_000,
        quantity=8,
        price_e4=4_210_000,
    )
    first = order_answer(
        order(1, quantity=8, price_e4=4_210_000, client_order_id="same"),
        9,
        status="cancelled",
        filled_quantity=3,
        remaining_quantity=0,
        average_price=420.0,
        fills=[Fill(400, 419.0, 1, 0.0042), Fill(500, 420.5, 2, 0.0042)],
        repeated=True,
    )
    before = [
        trade(4, 1, 8, 1, 4_190_000, buy_remaining_quantity=9),
        trade(5, 1, 8, 2, 4_205_000, buy_remaining_quantity=5),
        cancelled(6, 1, 5),
    ]
    assert desk.message(*before, event) == [[first]]


def test_an_engine_that_does_not_tell_what_a_repeated_order_became_tells_what_was_asked() -> None:
    desk = Desk()
    desk.ask(order(2, client_order_id="same"))
    event = OrderRepeated(
        seq=9,
        time_us=TIME_US,
        request_id=2,
        order_id=1,
        client_id="alice",
        client_order_id="same",
        security_id="MSFT",
        status="new",
        filled_quantity=0,
        remaining_quantity=10,
        notional_e4=0,
    )
    asked = order(1, client_order_id="same")
    assert desk.message(event) == [[order_answer(asked, 9, repeated=True)]]


def test_a_cancel_tells_what_was_still_open() -> None:
    desk = Desk()
    desk.ask(CancelOrder(time_us=TIME_US, request_id=7, client_id="alice", order_id=1))
    assert desk.message(cancelled(5, 1, 4, request_id=7), 6) == [
        [CancelAnswer(1, "MSFT", "cancelled", 4, 6)]
    ]


def test_an_average_price_is_rounded_half_even() -> None:
    desk = Desk()
    desk.ask(order(1))
    ((answer,),) = desk.message(
        accepted(5, order(1)),
        trade(6, 1, 8, 7, 2_100_000, buy_remaining_quantity=3),
        trade(7, 1, 9, 1, 2_100_100, buy_remaining_quantity=2),
    )
    assert isinstance(answer, OrderAnswer)
    assert answer.average_price == 210.0012
