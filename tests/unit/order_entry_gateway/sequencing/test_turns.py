"""Who goes next: cancels before orders, clients by turns, and nobody takes all the places."""

from collections.abc import Iterable
from typing import Any

from exchange_shared.messages import CancelOrder, NewOrder
from order_entry_gateway.answers.pending import Group, Slot
from order_entry_gateway.sequencing.answer_lag import AnswerLag
from order_entry_gateway.sequencing.turns import TURN, RequestQueue


def orders(client_id: str, count: int) -> list[Slot[Any]]:
    """A batch of orders of a client, each of one share more than the one before."""
    group: Group[Any] = Group([None] * count, lambda _answers: None, 0.0)
    return [
        Slot(
            group,
            place,
            NewOrder(
                time_us=0,
                order_id=0,
                client_id=client_id,
                security_id="MSFT",
                side="buy",
                order_type="limit",
                quantity=place + 1,
                price_e4=1,
            ),
        )
        for place in range(count)
    ]


def cancel(client_id: str) -> Slot[Any]:
    command = CancelOrder(time_us=0, request_id=0, client_id=client_id, order_id=7)
    return Slot(Group([None], lambda _answers: None, 0.0), 0, command)


def clients_of(slots: Iterable[Slot[Any]]) -> list[str]:
    commands: list[Any] = [slot.command for slot in slots]
    return [command.client_id for command in commands]


def test_who_has_one_order_waits_for_one_turn_of_whoever_has_a_thousand() -> None:
    queue = RequestQueue(10_000)
    queue.add_orders("many", orders("many", 1_000))
    assert clients_of(queue.take(500, 100)) == ["many"] * 100
    queue.add_orders("one", orders("one", 1))
    assert clients_of(queue.take(500, TURN + 1)) == ["many"] * TURN + ["one"]
    assert len(queue) == 1_000 - 100 - TURN


def test_all_get_equal_parts_and_each_keeps_its_own_order() -> None:
    queue = RequestQueue(10_000)
    for client_id in "abc":
        queue.add_orders(client_id, orders(client_id, 200))
    taken: list[Slot[Any]] = []
    for _ in range(18):
        taken += queue.take(15, 15)
    found = clients_of(taken)
    assert [found.count(client_id) for client_id in "abc"] == [90, 90, 90]
    assert [slot.place for slot in taken if clients_of([slot]) == ["b"]] == list(range(90))


def test_cancels_go_before_all_orders_also_when_no_more_orders_may_go() -> None:
    queue = RequestQueue(10_000)
    queue.add_orders("many", orders("many", 50))
    for client_id in ("many", "other"):
        queue.add_cancel(client_id, cancel(client_id))
    taken = queue.take(3, 0)
    assert [type(slot.command) for slot in taken] == [CancelOrder, CancelOrder]
    queue.add_cancel("other", cancel("other"))
    assert [type(slot.command) for slot in queue.take(3, 50)] == [CancelOrder, NewOrder, NewOrder]


def test_cancels_take_turns_as_well() -> None:
    queue = RequestQueue(10)
    for _ in range(500):
        queue.add_cancel("many", cancel("many"))
    queue.add_cancel("one", cancel("one"))
    assert "one" in clients_of(queue.take(TURN + 1, 0))


def test_what_was_answered_meanwhile_is_passed_over_and_takes_no_room() -> None:
    queue = RequestQueue(100)
    first, *others = orders("alice", 4)
    queue.add_orders("alice", [first, *others])
    first.group.answer(first.place, "refused")
    assert queue.orders_of("alice") == others
    assert queue.take(2, 2) == others[:2]
    assert (queue.take(9, 9), len(queue)) == (others[2:], 0)


def test_one_client_gets_half_of_the_places_and_many_get_equal_parts_with_room_for_others() -> None:
    queue = RequestQueue(1_000)
    for client_id in [f"client {number}" for number in range(9)] * 400:
        if queue.room_for_orders(client_id, 1):
            queue.add_orders(client_id, orders(client_id, 1))
    assert len(queue) == 900
    assert queue.room_for_orders("somebody else", 1)
    assert queue.room_for_orders("somebody else", 500)
    assert not queue.room_for_orders("client 3", 1)
    alone = RequestQueue(1_000)
    while alone.room_for_orders("alice", 1):
        alone.add_orders("alice", orders("alice", 1))
    assert len(alone) == 500


def test_a_queue_without_a_place_takes_nobody() -> None:
    queue = RequestQueue(10)
    queue.add_orders("alice", orders("alice", 10))
    assert not queue.room_for_orders("bob", 1)


def test_the_lag_is_the_age_of_the_oldest_lot_without_its_last_answer() -> None:
    lag = AnswerLag()
    assert lag.seconds(5.0) == 0.0
    first, second = orders("alice", 2), orders("bob", 1)
    lag.published(10.0, first[-1])
    lag.published(11.0, second[-1])
    assert lag.seconds(12.0) == 2.0
    first[-1].group.answer(first[-1].place, "filled")
    assert lag.seconds(12.0) == 1.0
    second[-1].group.answer(second[-1].place, "filled")
    assert lag.seconds(12.0) == 0.0
