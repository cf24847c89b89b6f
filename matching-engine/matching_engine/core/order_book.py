"""The order book of one security: price-time priority, and removal of any order at once."""

from collections.abc import Iterator

from sortedcontainers import SortedDict

from exchange_shared.messages import Side
from matching_engine.core.order import Order


class PriceLevel:
    """The orders at one price, first come first, and how many shares they have open together."""

    __slots__ = ("orders", "price_e4", "quantity")

    def __init__(self, price_e4: int) -> None:
        self.price_e4 = price_e4
        self.quantity = 0
        self.orders: dict[int, Order] = {}


class BookSide:
    """All bids or all asks. Levels are sorted so that the best is the first."""

    __slots__ = ("_levels", "_sign")

    def __init__(self, side: Side) -> None:
        self._sign = -1 if side == "buy" else 1
        self._levels: SortedDict = SortedDict()

    def best(self) -> PriceLevel | None:
        """The level that trades first."""
        levels = self._levels
        return levels.peekitem(0)[1] if levels else None

    def add(self, order: Order, price_e4: int) -> None:
        """Put an order at the end of the queue at its price."""
        key = self._sign * price_e4
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = PriceLevel(price_e4)
        level.orders[order.order_id] = order
        level.quantity += order.remaining_quantity

    def reduce(self, level: PriceLevel, order: Order, quantity: int) -> None:
        """Take traded shares off an order, and the order out when none are left."""
        order.remaining_quantity -= quantity
        level.quantity -= quantity
        if order.remaining_quantity == 0:
            self._remove_from(level, order)

    def remove(self, order: Order, price_e4: int) -> None:
        """Take an order out with all that is open of it."""
        level = self._levels[self._sign * price_e4]
        level.quantity -= order.remaining_quantity
        self._remove_from(level, order)

    def _remove_from(self, level: PriceLevel, order: Order) -> None:
        del level.orders[order.order_id]
        if not level.orders:
            del self._levels[self._sign * level.price_e4]

    def __iter__(self) -> Iterator[PriceLevel]:
        """The levels, best first."""
        return iter(self._levels.values())

    def __len__(self) -> int:
        """How many levels there are."""
        return len(self._levels)


class OrderBook:
    """Both sides of one security's book, its terms, and its last trade."""

    __slots__ = (
        "asks",
        "bids",
        "granted_quantity",
        "last_e4",
        "published_price",
        "reference_price_e4",
        "security_id",
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
        self.published_price: tuple[int | None, int | None, int | None] = (None, None, last_e4)

    def side(self, side: Side) -> BookSide:
        """Where orders of this side rest."""
        return self.bids if side == "buy" else self.asks

    def opposite(self, side: Side) -> BookSide:
        """What an order of this side trades against."""
        return self.asks if side == "buy" else self.bids

    def price(self) -> tuple[int | None, int | None, int | None]:
        """The best bid price, the best ask price and the last trade price."""
        bid, ask = self.bids.best(), self.asks.best()
        return (bid.price_e4 if bid else None, ask.price_e4 if ask else None, self.last_e4)

    def check_invariants(self) -> None:
        """Raises `AssertionError` when the book contradicts itself."""
        bid, ask = self.bids.best(), self.asks.best()
        assert bid is None or ask is None or bid.price_e4 < ask.price_e4, "the book is crossed"
        for side, name in ((self.bids, "buy"), (self.asks, "sell")):
            for level in side:
                assert level.orders, "an empty level was kept"
                open_quantity = sum(order.remaining_quantity for order in level.orders.values())
                assert level.quantity == open_quantity, "a level lost count"
                for order in level.orders.values():
                    assert order.remaining_quantity > 0, "a filled order rests"
                    assert order.request.side == name, "an order rests on the wrong side"
                    assert order.request.price_e4 == level.price_e4, "an order rests elsewhere"
                    assert level.price_e4 % self.tick_e4 == 0, "an order rests off the tick"
