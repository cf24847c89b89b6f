"""One side of an order book: price-time priority, and removal of any order at once."""

import heapq
import itertools
from collections.abc import Iterator

from exchange_shared.messages import Side
from matching_engine.core.book.equilibrium import Equilibrium
from matching_engine.core.book.order import Order, PriceLevel

MAX_GONE_LEVELS = 64
"""Keys of levels that are gone that a heap may have, beside as many as there are levels."""


class BookSide:
    """All bids or all asks. `best` is the level that trades first.

    `places` counts the places in queues that were given so far. `equilibrium`, in an auction, is
    told of each order that comes or goes. Levels are found by a key that is lowest for the best;
    `_heap` has the keys of all levels, and of some that are gone.
    """

    __slots__ = ("_heap", "_levels", "_side", "_sign", "best", "equilibrium", "places")

    def __init__(self, side: Side) -> None:
        self._side = side
        self._sign = -1 if side == "buy" else 1
        self._levels: dict[int, PriceLevel] = {}
        self._heap: list[int] = []
        self.best: PriceLevel | None = None
        self.places = 0
        self.equilibrium: Equilibrium | None = None

    def add(self, order: Order) -> None:
        """Put a limit order at the end of the queue at its price."""
        price_e4 = order.price_e4
        assert price_e4 is not None, "only an order with a limit rests"
        key = self._sign * price_e4
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = PriceLevel(price_e4)
            self._remember(key)
            best = self.best
            if best is None or key < self._sign * best.price_e4:
                self.best = level
        self.places += 1
        order.place = self.places
        level.link(order)
        if order.hidden:
            level.undisplayed += order.remaining_quantity
        else:
            shown = order.displayed_quantity
            if shown is None:
                level.quantity += order.remaining_quantity
            else:
                level.quantity += shown
                level.undisplayed += order.remaining_quantity - shown
        if self.equilibrium is not None:
            self.equilibrium.change(self._side, price_e4, order.remaining_quantity)

    def _remember(self, key: int) -> None:
        """Put a key on the heap, which forgets those of levels that are gone now and then."""
        if len(self._heap) > 2 * len(self._levels) + MAX_GONE_LEVELS:
            self._heap = list(self._levels)
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, key)

    def fill(self, order: Order, quantity: int) -> None:
        """Take traded shares, no more than it shows, off a resting order.

        One with nothing left is out. An iceberg whose displayed part is traded away shows the next
        part, at the end of the queue.
        """
        level = order.level
        assert level is not None, "an order that does not rest was filled"
        remaining = order.remaining_quantity = order.remaining_quantity - quantity
        if order.hidden:
            level.undisplayed -= quantity
        else:
            level.quantity -= quantity
        if remaining == 0:
            self._take_out(level, order)
        elif order.displayed_quantity is not None:
            order.displayed_quantity -= quantity
            if order.displayed_quantity == 0:
                level.unlink(order)
                order.show_next_part()
                self.places += 1
                order.place = self.places
                level.link(order)
                level.quantity += order.displayed_quantity
                level.undisplayed -= order.displayed_quantity

    def shrink(self, order: Order, quantity: int) -> None:
        """Take open shares, also undisplayed ones, off a resting order that keeps its place.

        One with nothing left is out.
        """
        level = order.level
        assert level is not None, "an order that does not rest was shrunk"
        shown = 0 if order.hidden else order.shown_quantity
        order.remaining_quantity -= quantity
        if order.displayed_quantity is not None:
            order.displayed_quantity = min(order.displayed_quantity, order.remaining_quantity)
        lost = 0 if order.hidden else shown - order.shown_quantity
        level.quantity -= lost
        level.undisplayed -= quantity - lost
        if self.equilibrium is not None:
            self.equilibrium.change(self._side, level.price_e4, -quantity)
        if order.remaining_quantity == 0:
            self._take_out(level, order)

    def remove(self, order: Order) -> None:
        """Take an order out with all that is open of it."""
        level = order.level
        assert level is not None, "an order that does not rest was taken out"
        shown = 0 if order.hidden else order.shown_quantity
        level.quantity -= shown
        level.undisplayed -= order.remaining_quantity - shown
        if self.equilibrium is not None:
            self.equilibrium.change(self._side, level.price_e4, -order.remaining_quantity)
        self._take_out(level, order)

    def _take_out(self, level: PriceLevel, order: Order) -> None:
        level.unlink(order)
        if level.first is None:
            del self._levels[self._sign * level.price_e4]
            if level is self.best:
                self._find_best()

    def _find_best(self) -> None:
        heap, levels = self._heap, self._levels
        while heap and heap[0] not in levels:
            heapq.heappop(heap)
        self.best = levels[heap[0]] if heap else None

    def best_displayed(self) -> PriceLevel | None:
        """The best level that shows something."""
        return next((level for level in self if level.quantity), None)

    def __iter__(self) -> Iterator[PriceLevel]:
        """The levels, best first."""
        heap, before = self._heap.copy(), None
        while heap:
            key = heapq.heappop(heap)
            level = self._levels.get(key)
            if level is not None and key != before:
                before = key
                yield level

    def totals(self) -> Iterator[tuple[int, int]]:
        """Each price, and all open shares at it, best first."""
        return ((level.price_e4, level.total) for level in self)

    def check_invariants(self, tick_e4: int) -> None:
        """Raises `AssertionError` when this side contradicts itself."""
        assert self.best is next(iter(self), None), "the best level is another"
        assert len(list(self)) == len(self._levels), "the heap misses a level"
        for level in self:
            orders = list(level)
            assert orders, "an empty level was kept"
            assert orders == sorted(orders, key=lambda order: order.hidden), "a hidden one is first"
            assert level.last is orders[-1], "the last order is another"
            for one, another in itertools.pairwise(orders):
                assert one.hidden != another.hidden or one.place < another.place, "out of order"
            assert all(0 < order.place <= self.places for order in orders), "an unknown place"
            displayed = [order for order in orders if not order.hidden]
            assert level.last_displayed is (displayed[-1] if displayed else None), (
                "the last displayed order is another"
            )
            assert level.price_e4 % tick_e4 == 0, "an order rests off the tick"
            shown = sum(order.shown_quantity for order in displayed)
            assert level.quantity == shown, "a level lost count of what it shows"
            in_all = sum(order.remaining_quantity for order in orders)
            assert level.quantity + level.undisplayed == in_all, "a level lost count"
            for order in orders:
                assert 0 < order.shown_quantity <= order.remaining_quantity, "nothing is shown"
                assert order.level is level, "an order rests elsewhere"
                assert order.request.side == self._side, "an order rests on the wrong side"
                assert order.price_e4 == level.price_e4, "an order rests at another price"
