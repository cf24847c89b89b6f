"""The stops of one security that wait for the last trade price to reach them."""

from collections.abc import Iterator

from sortedcontainers import SortedDict

from exchange_shared.units import PPM
from matching_engine.core.book.order import Order


class StopBook:
    """Waiting stops, each side in the order in which they trigger.

    Trailing stops have followed the last price as far as `_followed_e4`.
    """

    __slots__ = ("_followed_e4", "_trailing", "buys", "sells")

    def __init__(self) -> None:
        self.buys: SortedDict = SortedDict()
        self.sells: SortedDict = SortedDict()
        self._trailing: dict[int, Order] = {}
        self._followed_e4: int | None = None

    def add(self, order: Order, last_e4: int) -> None:
        """Let a stop wait. A trailing stop begins at its distance from `last_e4`."""
        if order.request.order_type == "trailing_stop":
            order.stop_price_e4 = _trailed(order, last_e4)
            self._trailing[order.order_id] = order
            if last_e4 != self._followed_e4:
                self._followed_e4 = None  # they have followed different prices
        else:
            order.stop_price_e4 = order.request.stop_price_e4
        self._file(order)

    def restore(self, order: Order) -> None:
        """Let a stop wait at the stop price that it has."""
        if order.request.order_type == "trailing_stop":
            self._trailing[order.order_id] = order
            self._followed_e4 = None
        self._file(order)

    def remove(self, order: Order) -> None:
        """Take a waiting stop out; one that was taken out to be triggered may come again."""
        stops, key = self._place(order)
        stops.pop(key, None)
        self._trailing.pop(order.order_id, None)

    def take_triggered(self, last_e4: int | None) -> list[Order]:
        """Let trailing stops follow the last price, and take out what it sets off, in order."""
        if last_e4 is None or not (self.buys or self.sells):
            return []
        if last_e4 != self._followed_e4:
            for order in self._trailing.values():
                self._follow(order, last_e4)
            self._followed_e4 = last_e4
        triggered: list[Order] = []
        for stops, limit in ((self.buys, last_e4), (self.sells, -last_e4)):
            while stops and stops.peekitem(0)[0][0] <= limit:
                triggered.append(stops.popitem(0)[1])
        for order in triggered:
            self._trailing.pop(order.order_id, None)
        return triggered

    def _follow(self, order: Order, last_e4: int) -> None:
        assert order.stop_price_e4 is not None, "a stop without a price waits"
        wanted = _trailed(order, last_e4)
        if wanted < order.stop_price_e4 if order.buys else wanted > order.stop_price_e4:
            stops, key = self._place(order)
            del stops[key]
            order.stop_price_e4 = wanted
            self._file(order)

    def _place(self, order: Order) -> tuple[SortedDict, tuple[int, int]]:
        """Where a stop is filed: lowest buys first, highest sells first, then by arrival."""
        stop_price_e4 = order.stop_price_e4
        assert stop_price_e4 is not None, "a stop without a price waits"
        if order.buys:
            return self.buys, (stop_price_e4, order.arrival)
        return self.sells, (-stop_price_e4, order.arrival)

    def _file(self, order: Order) -> None:
        stops, key = self._place(order)
        stops[key] = order

    def __iter__(self) -> Iterator[Order]:
        """The waiting stops: buys, then sells, each in the order in which they trigger."""
        yield from self.buys.values()
        yield from self.sells.values()

    def check_invariants(self) -> None:
        """Raises `AssertionError` when what waits is no waiting stop."""
        for order in self:
            assert order.stop_price_e4 is not None, "a stop without a price waits"
            assert order.level is None, "a waiting stop rests in the book"

    def check_not_due(self, last_e4: int | None) -> None:
        """Raises `AssertionError` when a stop waits that should have been set off."""
        if last_e4 is None:
            return
        buys, sells = self.buys, self.sells
        assert not buys or buys.peekitem(0)[0][0] > last_e4, "a buy stop was not set off"
        assert not sells or -sells.peekitem(0)[0][0] < last_e4, "a sell stop was not set off"


def _trailed(order: Order, last_e4: int) -> int:
    """The stop price at the order's distance from a price."""
    request = order.request
    distance = request.trail_e4
    if distance is None:
        assert request.trail_ppm is not None, "a trailing stop without a distance"
        distance = last_e4 * request.trail_ppm // PPM
    return last_e4 + distance if order.buys else max(1, last_e4 - distance)
