"""Which fills are remembered, and for how long."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from order_entry_gateway.answers.answers import Fill
from order_entry_gateway.answers.known_fills import KnownFills
from tests.support.gateway_events import cancelled, trade

NAMED = {1: "one", 2: "two"}


def known(*events: Any, max_of_order: int = 100, max_fills: int = 100) -> KnownFills:
    """What is known after some events."""
    fills = KnownFills(NAMED.get, max_of_order, max_fills)
    for event in events:
        fills.handlers[type(event)](event)
    return fills


def partial(seq: int, buy_id: int, sell_id: int, **changes: Any) -> Any:
    """A trade of one share at 420, which leaves both orders open."""
    return trade(seq, buy_id, sell_id, 1, 4_200_000, buy_remaining_quantity=1, **changes)


def ids(fills: KnownFills, order_id: int) -> list[int]:
    """The trades of an order that are known."""
    return [fill.trade_id for fill in fills.of(order_id)]


def test_both_orders_of_a_trade_have_a_fill_with_their_own_fee() -> None:
    fills = known(partial(5, 10, 11, buyer_fee_e4=420, seller_fee_e4=-210))
    assert fills.of(10) == [Fill(500, 420.0, 1, 0.042)]
    assert fills.of(11) == [Fill(500, 420.0, 1, -0.021)]
    assert fills.of(12) == []
    assert len(fills) == 2


def test_the_fills_of_an_order_are_the_latest_oldest_first() -> None:
    fills = known(*(partial(seq, 10, 100 + seq) for seq in range(1, 6)), max_of_order=3)
    assert ids(fills, 10) == [300, 400, 500]
    assert len(fills) == 3 + 5


def test_an_order_that_ends_is_forgotten_unless_it_can_be_repeated_by_its_name() -> None:
    events = [partial(seq, seq, 10 + seq) for seq in (1, 2, 3, 4)]
    full = {"buy_remaining_quantity": 0}
    ends = [trade(5, 1, 20, 1, 4_200_000, **full), cancelled(6, 2, 1)]
    ends += [trade(7, 3, 20, 1, 4_200_000, **full), cancelled(8, 4, 1)]
    fills = known(*events, *ends)
    assert [ids(fills, order_id) for order_id in (1, 2, 3, 4)] == [[100, 500], [200], [], []]
    assert ids(fills, 20) == [500, 700]
    assert len(fills) == 3 + 4 + 2


def test_beyond_the_limit_the_order_that_traded_first_is_forgotten() -> None:
    fills = known(partial(1, 1, 2), partial(2, 1, 3), partial(3, 4, 3), max_fills=5)
    assert [ids(fills, order_id) for order_id in (1, 2, 3, 4)] == [[], [100], [200, 300], [300]]
    assert len(fills) == 4


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(5, 8), st.booleans(), st.booleans())
        | st.integers(1, 8)
    )
)
def test_there_are_never_more_than_the_limits(
    steps: list[tuple[int, int, bool, bool] | int],
) -> None:
    fills = known(*_events(steps), max_of_order=3, max_fills=7)
    of_orders = [len(fills.of(order_id)) for order_id in range(1, 9)]
    assert sum(of_orders) == len(fills) <= 7
    assert max(of_orders) <= 3


def _events(steps: list[tuple[int, int, bool, bool] | int]) -> Iterator[Any]:
    for seq, step in zip(count(1), steps, strict=False):
        if isinstance(step, int):
            yield cancelled(seq, step, 1)
        else:
            buy_id, sell_id, buy_ends, sell_ends = step
            changes = {
                "buy_remaining_quantity": 0 if buy_ends else 1,
                "sell_remaining_quantity": 0 if sell_ends else 1,
            }
            yield trade(seq, buy_id, sell_id, 1, 4_200_000, **changes)
