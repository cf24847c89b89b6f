"""What was acknowledged, held against what is stored."""

from random import Random
from typing import Any

import pytest

from tests.chaos.checks import unkept_promises
from tests.support.traders import PersistentTrader


def answer(order_id: int, name: str, status: str = "new", filled: int = 0) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "client_order_id": name,
        "status": status,
        "filled_quantity": filled,
    }


def trader(*answers: dict[str, Any]) -> PersistentTrader:
    outcomes = {one["client_order_id"]: one for one in answers}
    return PersistentTrader("alice", ["http://127.0.0.1:1"], Random(1), outcomes=outcomes)


REFUSED = {"error": {"code": "insufficient_cash"}, "order_id": 3, "client_order_id": "c"}


def test_what_came_of_an_order_later_is_no_violation() -> None:
    told = trader(answer(1, "a"), answer(2, "b", "partially_filled", 2), REFUSED)
    rows = [answer(1, "a", "filled", 5), answer(2, "b", "cancelled", 2), answer(3, "c", "rejected")]
    assert unkept_promises(rows, [told]) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "a should be stored 1 times"),
        ([answer(1, "a"), answer(2, "a")], "a should be stored 1 times"),
        ([answer(2, "a")], "a was answered by"),
        ([answer(1, "b")], "a should be stored 1 times"),
        ([answer(1, "a"), answer(2, "b")], "b was never acknowledged"),
    ],
)
def test_an_order_lost_doubled_or_mixed_up_is_one(rows: list[dict[str, Any]], said: str) -> None:
    found = unkept_promises(rows, [trader(answer(1, "a"))])
    assert [one for one in found if said in one]


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        (("filled", 5), ("cancelled", 5)),
        (("cancelled", 2), ("cancelled", 3)),
        (("partially_filled", 3), ("partially_filled", 2)),
    ],
)
def test_an_outcome_that_changed_is_one(told: tuple[str, int], stored: tuple[str, int]) -> None:
    found = unkept_promises([answer(1, "a", *stored)], [trader(answer(1, "a", *told))])
    assert len(found) == 1
    assert "a was answered by" in found[0]


def test_a_refused_order_that_is_stored_as_another_is_one() -> None:
    assert "c was refused" in unkept_promises([], [trader(REFUSED)])[0]
    assert "c was refused" in unkept_promises([answer(3, "d", "rejected")], [trader(REFUSED)])[0]
    found = unkept_promises([answer(3, "c", "new")], [trader(REFUSED)])
    assert "c should be stored 0 times" in found[0]
