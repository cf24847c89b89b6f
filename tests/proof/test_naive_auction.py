"""The naive exchange tries only a few prices of an auction; they are enough."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.naive_auction import best_outcome

TICKS = st.integers(1, 12)
LIMITS_AND_QUANTITIES = st.lists(st.tuples(TICKS, st.integers(1, 9)), max_size=6)


@settings(max_examples=500, deadline=None)
@given(
    buys=LIMITS_AND_QUANTITIES,
    sells=LIMITS_AND_QUANTITIES,
    tick_e4=st.sampled_from([1, 10]),
    mark_e4=st.integers(1, 130),
)
def test_no_other_multiple_of_the_tick_is_a_better_price(
    buys: list[tuple[int, int]], sells: list[tuple[int, int]], tick_e4: int, mark_e4: int
) -> None:
    buys = [(ticks * tick_e4, quantity) for ticks, quantity in buys]
    sells = [(ticks * tick_e4, quantity) for ticks, quantity in sells]
    best_price_e4, best = None, (0, 0, 0)
    for price_e4 in range(tick_e4, 20 * tick_e4, tick_e4):
        demand = sum(quantity for limit_e4, quantity in buys if limit_e4 >= price_e4)
        supply = sum(quantity for limit_e4, quantity in sells if limit_e4 <= price_e4)
        rank = (min(demand, supply), -abs(demand - supply), -abs(price_e4 - mark_e4))
        if rank[0] and rank >= best:
            best_price_e4, best, surplus = price_e4, rank, demand - supply
    outcome = best_outcome(buys, sells, tick_e4=tick_e4, mark_e4=mark_e4)
    assert outcome == ((None, 0, 0) if best_price_e4 is None else (best_price_e4, best[0], surplus))
