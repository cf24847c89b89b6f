"""Requests that wait for an answer."""

from order_entry_gateway.answers.answers import (
    Answer,
)
from order_entry_gateway.answers.pending import Pending
from tests.support.gateway_events import (
    Desk,
    accepted,
    order,
)


def test_a_group_that_is_given_up_takes_no_answer_any_more() -> None:
    desk = Desk()
    group = desk.ask(order(1), order(2))
    desk.message(accepted(5, order(2)))
    given_up = desk.pending.give_up(group)
    assert [(slot.place, slot.command) for slot in given_up] == [(0, order(1))]
    assert desk.message(accepted(6, order(1))) == []
    assert len(desk.pending) == 0


def test_pending_requests_are_limited() -> None:
    pending: Pending[Answer] = Pending(2)
    desk = Desk(pending)
    desk.ask(order(1))
    assert pending.room_for(1)
    assert not pending.room_for(2)
