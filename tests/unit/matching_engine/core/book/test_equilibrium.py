"""The engine keeps the price of an auction up to date; the naive exchange finds it anew."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_shared.messages import Side
from matching_engine.core.book.equilibrium import Equilibrium
from tests.support.naive_auction import best_outcome

CHANGES = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 25), st.integers(-9, 9)),
    min_size=1,
    max_size=60,
)
"""A side, the ticks of a price, and how many shares more; below zero all of that price go."""


@settings(max_examples=500, deadline=None)
@given(
    changes=CHANGES,
    tick_e4=st.sampled_from([1, 4, 10]),
    mark_e4=st.integers(1, 260),
    looks_after=st.sets(st.integers(0, 59)),
)
def test_the_price_is_the_best_of_all_however_the_book_came_to_be(
    changes: list[tuple[Side, int, int]],
    tick_e4: int,
    mark_e4: int,
    looks_after: set[int],
) -> None:
    equilibrium = Equilibrium((), ())
    shares: dict[Side, Counter[int]] = {"buy": Counter(), "sell": Counter()}
    for number, (side, ticks, more) in enumerate(changes):
        price_e4 = ticks * tick_e4
        change = more if more > 0 else -shares[side][price_e4]
        if change:
            shares[side][price_e4] += change
            equilibrium.change(side, price_e4, change)
        if number in looks_after or number == len(changes) - 1:
            assert equilibrium.indicative(tick_e4, mark_e4) == best_outcome(
                list(shares["buy"].items()),
                list(shares["sell"].items()),
                tick_e4=tick_e4,
                mark_e4=mark_e4,
            )
