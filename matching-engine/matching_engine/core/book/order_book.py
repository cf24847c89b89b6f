"""The orders in one security: both sides of the book, what waits beside it, what was published."""

from exchange_shared.messages import Side
from matching_engine.core.book.book_side import BookSide
from matching_engine.core.book.equilibrium import NO_INDICATIVE, Equilibrium, Indicative
from matching_engine.core.book.order import Order, PriceLevel
from matching_engine.core.book.stops import StopBook
from matching_engine.core.security import Security

Price = tuple[int | None, int | None, int | None]
"""The best displayed bid, the best displayed ask, and the last trade price."""


class OrderBook:
    """Both sides of one security's book, what waits beside it, and what was published of it.

    `at_close` are the orders that wait for the closing auction.
    """

    __slots__ = (
        "asks",
        "at_close",
        "bids",
        "published_indicative",
        "published_price",
        "security",
        "stops",
    )

    def __init__(self, security: Security) -> None:
        self.security = security
        self.bids = BookSide("buy")
        self.asks = BookSide("sell")
        self.stops = StopBook()
        self.at_close: dict[int, Order] = {}
        self.published_price: Price = (None, None, None)
        self.published_indicative = NO_INDICATIVE

    @property
    def is_empty(self) -> bool:
        """Whether no order is open, waiting ones included."""
        waiting = self.stops.buys or self.stops.sells or self.at_close
        return not (self.bids.best or self.asks.best or waiting)

    @property
    def is_crossed(self) -> bool:
        """Whether resting orders could trade with one another."""
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid.price_e4 >= ask.price_e4

    def opposite(self, side: Side) -> BookSide:
        """What an order of this side trades against."""
        return self.asks if side == "buy" else self.bids

    def would_trade(self, side: Side, price_e4: int) -> bool:
        """Whether a limit order could trade with any resting one."""
        best = self.opposite(side).best
        if best is None:
            return False
        return best.price_e4 <= price_e4 if side == "buy" else best.price_e4 >= price_e4

    def orders(self) -> list[Order]:
        """All open orders, waiting ones included, in the order of acceptance."""
        resting = [order for side in (self.bids, self.asks) for level in side for order in level]
        return sorted(
            [*resting, *self.stops, *self.at_close.values()], key=lambda order: order.arrival
        )

    def quote(self) -> tuple[PriceLevel | None, PriceLevel | None]:
        """The best displayed bid and ask, which there are only in continuous trading."""
        if self.security.state != "continuous":
            return None, None
        bid, ask = self.bids.best, self.asks.best
        if bid is not None and not bid.quantity:
            bid = self.bids.best_displayed()
        if ask is not None and not ask.quantity:
            ask = self.asks.best_displayed()
        return bid, ask

    def follow_equilibrium(self) -> None:
        """Find the price of an auction, and keep it up to date from now on, if it is in one."""
        found = self._equilibrium() if self.security.state == "auction" else None
        self.bids.equilibrium = self.asks.equilibrium = found

    def _equilibrium(self) -> Equilibrium:
        return Equilibrium(self.bids.totals(), self.asks.totals())

    def indicative(self) -> Indicative:
        """What an uncross would do now: its price, the quantity that would trade, the surplus."""
        equilibrium = self.bids.equilibrium or self._equilibrium()
        return equilibrium.indicative(self.security.terms.tick_e4, self.security.mark_e4)

    def check_invariants(self) -> None:
        """Raises `AssertionError` when the book contradicts itself."""
        security = self.security
        state, tick_e4 = security.state, security.terms.tick_e4
        self.bids.check_invariants(tick_e4)
        self.asks.check_invariants(tick_e4)
        if state == "auction":
            assert self.indicative() == self.published_indicative, "an auction's price is stale"
            self.follow_equilibrium()
            assert self.indicative() == self.published_indicative, "an auction's price is wrong"
        assert (state == "auction") == (security.auction is not None), "an auction of no kind"
        assert self.at_close == {} or state != "closed", "an order waits for no auction"
        for order in self.at_close.values():
            assert order.request.time_in_force == "cls", "another order waits for the closing"
            assert order.level is None, "a waiting order rests in the book"
        if state == "continuous":
            assert not self.is_crossed, "the book is crossed"
            self.stops.check_not_due(security.last_e4)
        self.stops.check_invariants()
