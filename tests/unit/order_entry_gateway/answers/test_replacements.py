"""What a replacement is answered with."""

from typing import Any

import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import (
    ReplaceOrder,
    RequestRejected,
)
from order_entry_gateway.answers.answers import (
    Fill,
    ReplaceAnswer,
)
from tests.support.gateway_events import (
    TIME_US,
    Desk,
    cancelled,
    replaced,
    trade,
)


def replace(request_id: int, order_id: int = 1) -> ReplaceOrder:
    """A replacement of an order of alice."""
    return ReplaceOrder(
        time_us=TIME_US, request_id=request_id, client_id="alice", order_id=order_id, quantity=6
    )


def replace_answer(seq: int, **changes: Any) -> ReplaceAnswer:
    """The answer to a replacement after which nothing traded."""
    fields: dict[str, Any] = {
        "order_id": 1,
        "client_order_id": "order 1",
        "security_id": "MSFT",
        "quantity": 6,
        "price": 421.0,
        "status": "partially_filled",
        "filled_quantity": 2,
        "remaining_quantity": 4,
        "average_price": 419.0,
        "fills": [],
        "kept_priority": False,
    }
    return ReplaceAnswer(seq=seq, **(fields | changes))


def test_a_replaced_order_is_answered_with_what_it_is_now() -> None:
    desk = Desk()
    desk.ask(replace(7))
    assert desk.message(replaced(5, 7, 1), 6) == [[replace_answer(6)]]
    desk.ask(replace(8, 9))
    unnamed = replaced(7, 8, 9, remaining_quantity=6, kept_priority=True, notional_e4=0)
    (answer,) = desk.message(unnamed)
    assert answer == [
        replace_answer(
            7,
            order_id=9,
            client_order_id=None,
            status="new",
            filled_quantity=0,
            remaining_quantity=6,
            average_price=None,
            kept_priority=True,
        )
    ]


def test_a_replaced_order_tells_the_fills_and_the_average_price_of_all_its_trades() -> None:
    desk = Desk()
    desk.message(trade(4, 1, 8, 2, 4_190_000, buy_remaining_quantity=8))
    desk.ask(replace(7))
    events = [
        replaced(5, 7, 1),
        trade(6, 1, 8, 3, 4_200_000, buy_remaining_quantity=1),
        trade(7, 50, 51, 1, 4_200_000),
        cancelled(8, 1, 1, reason="self_trade"),
    ]
    assert desk.message(*events) == [
        [
            replace_answer(
                8,
                status="cancelled",
                filled_quantity=5,
                remaining_quantity=0,
                average_price=419.6,
                fills=[Fill(400, 419.0, 2, 0.0042), Fill(600, 420.0, 3, 0.0042)],
                reason="self_trade",
            )
        ]
    ]


def test_without_the_fills_before_the_gateways_run_the_average_price_is_of_all_of_them() -> None:
    desk = Desk()
    desk.ask(replace(7))
    filled = trade(6, 1, 8, 4, 4_220_000)
    ((answer,),) = desk.message(replaced(5, 7, 1), filled)
    assert answer == replace_answer(
        6,
        status="filled",
        filled_quantity=6,
        remaining_quantity=0,
        average_price=421.0,
        fills=[Fill(600, 422.0, 4, 0.0042)],
    )


def test_an_engine_that_does_not_tell_the_fills_leaves_the_average_price_unknown() -> None:
    desk = Desk()
    desk.ask(replace(7), replace(8, 9))
    untold = replaced(5, 7, 1, notional_e4=None)
    filled = trade(6, 1, 8, 4, 4_220_000)
    new = replaced(7, 8, 9, notional_e4=None, remaining_quantity=6)
    half = trade(8, 9, 8, 3, 4_220_000, buy_remaining_quantity=3)
    ((first, second),) = desk.message(untold, filled, new, half)
    assert isinstance(first, ReplaceAnswer)
    assert isinstance(second, ReplaceAnswer)
    assert (first.filled_quantity, first.average_price) == (6, None)
    assert (second.filled_quantity, second.average_price) == (3, 422.0)


@pytest.mark.parametrize(
    ("reason", "status", "field_name"),
    [
        ("unknown_order", 404, "order_id"),
        ("not_replaceable", 409, "order_id"),
        ("quantity_filled", 409, "quantity"),
        ("price_off_tick", 422, "price"),
        ("would_take", 422, "price"),
        ("insufficient_shares", 422, None),
    ],
)
def test_a_refused_replacement_has_its_status_and_field(
    reason: Any, status: int, field_name: str | None
) -> None:
    desk = Desk()
    desk.ask(replace(7))
    refusal = RequestRejected(
        seq=5,
        time_us=TIME_US,
        request_id=7,
        reason=reason,
        message="because",
        client_id="alice",
        order_id=1,
    )
    ((answer,),) = desk.message(refusal)
    assert isinstance(answer, ApiError)
    assert (answer.status, answer.code, answer.field) == (status, reason, field_name)
