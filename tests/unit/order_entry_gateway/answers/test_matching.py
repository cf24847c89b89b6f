"""Nobody is told what became of another's request, whatever its id."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from exchange_shared.messages import (
    AccountOpened,
    CancelOrder,
    MassCancel,
    OpenAccount,
    OrderRepeated,
    RequestRejected,
)
from tests.support.gateway_events import (
    TIME_US,
    Desk,
    accepted,
    cancelled,
    mass_cancelled,
    order,
    order_answer,
    rejected,
)


def opened(client_id: str, api_key_hash: str = "h") -> AccountOpened:
    return AccountOpened(5, TIME_US, 1, 7, client_id, api_key_hash, 0, {})


def repeated(client_id: str, name: str) -> OrderRepeated:
    return OrderRepeated(5, TIME_US, 1, 9, client_id, name, "MSFT", "new", 0, 10, 0)


def refused(client_id: str, order_id: int | None = None) -> RequestRejected:
    return RequestRejected(5, TIME_US, 7, "unknown_order", "because", client_id, order_id)


OPEN = OpenAccount(time_us=TIME_US, request_id=7, client_id="alice", api_key_hash="h")
CANCEL = CancelOrder(time_us=TIME_US, request_id=7, client_id="alice", order_id=3)


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (order(1), accepted(5, order(1, client_id="bob"))),
        (order(1), accepted(5, order(1, client_order_id="order 2"))),
        (order(1), accepted(5, order(1, security_id="AAPL"))),
        (order(1), accepted(5, order(1, side="sell"))),
        (order(1), accepted(5, order(1, 11))),
        (order(1), rejected(5, order(1, client_id="bob"), "would_take")),
        (order(1), repeated("bob", "order 1")),
        (order(1), repeated("alice", "order 2")),
        (order(7), opened("alice")),
        (OPEN, opened("bob")),
        (OPEN, opened("alice", "another key")),
        (OPEN, refused("bob")),
        (CANCEL, cancelled(5, 3, 10, client_id="bob", request_id=7)),
        (CANCEL, cancelled(5, 4, 10, request_id=7)),
        (CANCEL, refused("alice", 4)),
        (CANCEL, mass_cancelled(5, 7, 0)),
    ],
)
def test_what_another_gateway_asked_for_under_the_same_id_answers_nobody_here(
    command: Any, event: Any
) -> None:
    desk = Desk()
    desk.ask(command)
    with capture_logs() as logs:
        assert desk.message(event, 6) == []
    assert [(line["event"], line["log_level"]) for line in logs] == [("answer_of_another", "error")]
    assert len(desk.pending) == 1


def test_the_own_answer_is_told_after_that_of_another() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = (accepted(5, order(1, client_id="bob")), accepted(6, order(1)))
    assert desk.message(*events) == [[order_answer(order(1), 6)]]


def test_orders_that_another_mass_cancel_took_out_are_not_told() -> None:
    desk = Desk()
    desk.ask(MassCancel(time_us=TIME_US, request_id=7, client_id="alice"))
    desk.message(
        cancelled(5, 3, 10, client_id="bob", request_id=7), mass_cancelled(6, 7, 1, client_id="bob")
    )
    ((answer,),) = desk.message(mass_cancelled(7, 7, 0))
    assert answer.order_ids == []  # type: ignore[union-attr]
