"""A side of the book finds its best level, however many levels came and went."""

from exchange_shared.messages import NewOrder
from matching_engine.core.accounts import Account, Position
from matching_engine.core.book.book_side import MAX_GONE_LEVELS, BookSide
from matching_engine.core.book.order import Order
from matching_engine.core.security import Security
from matching_engine.core.terms import Terms

TICK_E4 = 100


def resting_bid(side: BookSide, order_id: int, ticks: int) -> Order:
    """A bid for one share that has just come to rest."""
    request = NewOrder(
        time_us=0,
        order_id=order_id,
        client_id="alice",
        security_id="MSFT",
        side="buy",
        order_type="limit",
        quantity=1,
        price_e4=ticks * TICK_E4,
    )
    security = Security("MSFT", Terms(TICK_E4, 1_000_000, 0))
    order = Order(request, Account("alice", "key", 0), Position(security), order_id, 0, 0)
    side.add(order)
    return order


def test_levels_that_are_gone_do_not_pile_up_behind_the_best() -> None:
    side = BookSide("buy")
    best = resting_bid(side, 1, 50_000)
    second = resting_bid(side, 2, 3)
    for number in range(3, 3_000):
        side.remove(resting_bid(side, number, number + 1))
        assert len(side._heap) <= 2 * 3 + MAX_GONE_LEVELS + 1
        assert side.best is best.level
    side.check_invariants(TICK_E4)
    assert [level.price_e4 for level in side] == [50_000 * TICK_E4, 3 * TICK_E4]
    side.remove(best)
    assert side.best is second.level
    side.remove(second)
    assert side.best is None
    side.check_invariants(TICK_E4)


def test_the_totals_are_of_all_open_shares_best_price_first() -> None:
    side = BookSide("buy")
    for number, ticks in enumerate([7, 9, 7, 8], 1):
        resting_bid(side, number, ticks)
    assert list(side.totals()) == [(9 * TICK_E4, 1), (8 * TICK_E4, 1), (7 * TICK_E4, 2)]
