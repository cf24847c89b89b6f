"""The order book of one security: price-time priority, and removal of any order at once."""

from collections.abc import Iterator
from itertools import chain

from sortedcontainers import SortedDict

from exchange_shared.messages import Side
from matching_engine.core.order import Order
from matching_engine.core.stops import StopBook

Price = tuple[int | None, int | None, int | None]
"""The best displayed bid, the best displayed ask, and the last trade price."""


class PriceLevel:
    """The orders at one price, first come first: displayed ones, and behind them hidden ones.

    `quantity` is what the displayed orders show together.
    """

    __slots__ = ("displayed", "hidden", "price_e4", "quantity")

    def __init__(self, price_e4: int) -> None:
        self.price_e4 = price_e4
        self.quantity = 0
        self.displayed: dict[int, Order] = {}
        self.hidden: dict[int, Order] = {}

    def first(self) -> Order:
        """The order that trades first."""
        return next(iter(self.displayed.values() if self.displayed else self.hidden.values()))

    def __iter__(self) -> Iterator[Order]:
        """The orders, in the order in which they trade."""
        return chain(self.displayed.values(), self.hidden.values())


class BookSide:
    """All bids or all asks. `best` is the level that trades first."""

    __slots__ = ("_levels", "_sign", "best")

    def __init__(self, side: Side) -> None:
        self._sign = -1 if side == "buy" else 1
        self._levels: SortedDict = SortedDict()
        self.best: PriceLevel | None = None

    def add(self, order: Order) -> None:
        """Put a limit order at the end of the queue at its price."""
        price_e4 = order.price_e4
        assert price_e4 is not None, "only an order with a limit rests"
        key = self._sign * price_e4
        level: PriceLevel | None = self._levels.get(key)
        if level is None:
            level = self._levels[key] = PriceLevel(price_e4)
            best = self.best
            if best is None or key < self._sign * best.price_e4:
                self.best = level
        order.level = level
        if order.request.hidden:
            level.hidden[order.order_id] = order
        else:
            level.displayed[order.order_id] = order
            level.quantity += order.shown_quantity

    def fill(self, order: Order, quantity: int) -> None:
        """Take traded shares, no more than it shows, off a resting order.

        One with nothing left is out. An iceberg whose displayed part is traded away shows the next
        part, at the end of the queue.
        """
        level = order.level
        assert level is not None, "an order that does not rest was filled"
        order.remaining_quantity -= quantity
        if not order.request.hidden:
            level.quantity -= quantity
        if order.displayed_quantity is not None:
            order.displayed_quantity -= quantity
        if order.remaining_quantity == 0:
            self._take_out(level, order)
        elif order.displayed_quantity == 0:
            del level.displayed[order.order_id]
            order.show_next_part()
            level.displayed[order.order_id] = order
            level.quantity += order.displayed_quantity

    def shrink(self, order: Order, quantity: int) -> None:
        """Take open shares off a resting order, which keeps its place and something open."""
        level = order.level
        assert level is not None, "an order that does not rest was shrunk"
        shown = order.shown_quantity
        order.remaining_quantity -= quantity
        if order.displayed_quantity is not None:
            order.displayed_quantity = min(order.displayed_quantity, order.remaining_quantity)
        if not order.request.hidden:
            level.quantity -= shown - order.shown_quantity

    def remove(self, order: Order) -> None:
        """Take an order out with all that is open of it."""
        level = order.level
        assert level is not None, "an order that does not rest was taken out"
        if not order.request.hidden:
            level.quantity -= order.shown_quantity
        self._take_out(level, order)

    def _take_out(self, level: PriceLevel, order: Order) -> None:
        order.level = None
        del (level.hidden if order.request.hidden else level.displayed)[order.order_id]
        if not level.displayed and not level.hidden:
            levels = self._levels
            del levels[self._sign * level.price_e4]
            if level is self.best:
                self.best = levels.peekitem(0)[1] if levels else None

    def best_displayed(self) -> PriceLevel | None:
        """The best level that shows something."""
        best = self.best
        if best is None or best.quantity:
            return best
        return next((level for level in self if level.quantity), None)

    def __iter__(self) -> Iterator[PriceLevel]:
        """The levels, best first."""
        return iter(self._levels.values())

    def __len__(self) -> int:
        """How many levels there are."""
        return len(self._levels)


class OrderBook:
    """Both sides of one security's book, its waiting stops, its terms, and its last trade."""

    __slots__ = (
        "asks",
        "bids",
        "granted_quantity",
        "last_e4",
        "published_price",
        "reference_price_e4",
        "security_id",
        "stops",
        "tick_e4",
    )

    def __init__(
        self,
        security_id: str,
        tick_e4: int,
        reference_price_e4: int,
        granted_quantity: int,
        last_e4: int | None = None,
    ) -> None:
        self.security_id = security_id
        self.tick_e4 = tick_e4
        self.reference_price_e4 = reference_price_e4
        self.granted_quantity = granted_quantity
        self.last_e4 = last_e4
        self.bids = BookSide("buy")
        self.asks = BookSide("sell")
        self.stops = StopBook()
        self.published_price: Price = (None, None, last_e4)

    @property
    def is_empty(self) -> bool:
        """Whether no order is open, waiting stops included."""
        return not (self.bids or self.asks or self.stops)

    def side(self, side: Side) -> BookSide:
        """Where orders of this side rest."""
        return self.bids if side == "buy" else self.asks

    def opposite(self, side: Side) -> BookSide:
        """What an order of this side trades against."""
        return self.asks if side == "buy" else self.bids

    def would_trade(self, side: Side, price_e4: int) -> bool:
        """Whether a limit order could trade with any resting one."""
        best = self.opposite(side).best
        if best is None:
            return False
        return best.price_e4 <= price_e4 if side == "buy" else best.price_e4 >= price_e4

    def price(self) -> Price:
        """What is told of the price to everybody."""
        bid, ask = self.bids.best_displayed(), self.asks.best_displayed()
        return (bid.price_e4 if bid else None, ask.price_e4 if ask else None, self.last_e4)

    def check_invariants(self) -> None:
        """Raises `AssertionError` when the book contradicts itself."""
        bid, ask = self.bids.best, self.asks.best
        assert bid is None or ask is None or bid.price_e4 < ask.price_e4, "the book is crossed"
        for side, name in ((self.bids, "buy"), (self.asks, "sell")):
            assert side.best is next(iter(side), None), "the best level is another"
            for level in side:
                assert level.displayed or level.hidden, "an empty level was kept"
                shown = sum(order.shown_quantity for order in level.displayed.values())
                assert level.quantity == shown, "a level lost count"
                for order in level:
                    assert 0 < order.shown_quantity <= order.remaining_quantity, "nothing is shown"
                    assert order.level is level, "an order rests elsewhere"
                    assert order.request.side == name, "an order rests on the wrong side"
                    assert order.price_e4 == level.price_e4, "an order rests at another price"
                    assert level.price_e4 % self.tick_e4 == 0, "an order rests off the tick"
        self.stops.check_invariants(self.last_e4)
