"""The market in one security: its terms and its state, both sides of the book, and what waits."""

from exchange_shared.messages import AuctionKind, MarketState, Side
from exchange_shared.units import MAX_PRICE_E4, PPM
from matching_engine.core.book.book_side import BookSide, PriceLevel
from matching_engine.core.book.equilibrium import NO_INDICATIVE, Equilibrium, Indicative
from matching_engine.core.book.order import Order
from matching_engine.core.book.stops import StopBook
from matching_engine.core.terms import Terms

Price = tuple[int | None, int | None, int | None]
"""The best displayed bid, the best displayed ask, and the last trade price."""


class OrderBook:
    """Both sides of one security's book, what waits beside it, its terms, state, and last trade.

    `closing` are the orders that wait for the closing auction. `auction` is the kind of auction it
    is in, and `until_us` the time at which its state will change by itself. `band_e4` are the
    lowest and the highest price at which the current command may trade, and `limits_orders` says
    whether the terms refuse some orders in continuous trading.
    """

    __slots__ = (
        "asks",
        "auction",
        "band_e4",
        "bids",
        "closing",
        "last_e4",
        "limits_orders",
        "published_indicative",
        "published_price",
        "reference_price_e4",
        "security_id",
        "state",
        "stops",
        "terms",
        "until_us",
    )

    def __init__(self, security_id: str, terms: Terms) -> None:
        self.security_id = security_id
        self.reference_price_e4 = terms.reference_price_e4
        self.set_terms(terms)
        self.last_e4: int | None = None
        self.state: MarketState = "continuous"
        self.auction: AuctionKind | None = None
        self.until_us: int | None = None
        self.bids = BookSide("buy")
        self.asks = BookSide("sell")
        self.stops = StopBook()
        self.closing: dict[int, Order] = {}
        self.published_price: Price = (None, None, None)
        self.published_indicative = NO_INDICATIVE

    def set_terms(self, terms: Terms) -> None:
        """Let these be the security's terms from now on."""
        self.terms = terms
        self.limits_orders = terms.limit_orders
        self.band_e4: tuple[int, int] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no order is open, waiting ones included."""
        waiting = self.stops.buys or self.stops.sells or self.closing
        return not (self.bids.best or self.asks.best or waiting)

    @property
    def is_crossed(self) -> bool:
        """Whether resting orders could trade with one another."""
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid.price_e4 >= ask.price_e4

    @property
    def gathers(self) -> bool:
        """Whether orders that come in rest without trading."""
        return self.state != "continuous"

    @property
    def mark_e4(self) -> int:
        """What a share is worth: the last trade price, and before it the reference price."""
        return self.reference_price_e4 if self.last_e4 is None else self.last_e4

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
            [*resting, *self.stops, *self.closing.values()], key=lambda order: order.arrival
        )

    def outside_static_band(self, price_e4: int) -> bool:
        """Whether a limit price is too far from the reference price."""
        band_ppm, reference_e4 = self.terms.static_band_ppm, self.reference_price_e4
        if band_ppm is None:
            return False
        return abs(price_e4 - reference_e4) > self.terms.width_e4(reference_e4, band_ppm)

    def collar_e4(self, side: Side) -> int:
        """The limit of an auction order that has none of its own."""
        tick_e4, reference_e4 = self.terms.tick_e4, self.reference_price_e4
        band_ppm = self.terms.static_band_ppm
        width_e4 = self.terms.width_e4(reference_e4, PPM if band_ppm is None else band_ppm)
        if side == "buy":
            price_e4 = (reference_e4 + width_e4) // tick_e4 * tick_e4
        else:
            price_e4 = -(-(reference_e4 - width_e4) // tick_e4) * tick_e4
        return min(max(price_e4, tick_e4), MAX_PRICE_E4 // tick_e4 * tick_e4)

    def fix_band(self) -> None:
        """Let the dynamic band be around the present mark, for all trades of a command."""
        band_ppm = self.terms.dynamic_band_ppm
        if band_ppm is not None:
            mark_e4 = self.mark_e4
            width_e4 = self.terms.width_e4(mark_e4, band_ppm)
            self.band_e4 = (mark_e4 - width_e4, mark_e4 + width_e4)

    def quote(self) -> tuple[PriceLevel | None, PriceLevel | None]:
        """The best displayed bid and ask, which there are only in continuous trading."""
        if self.state != "continuous":
            return None, None
        bid, ask = self.bids.best, self.asks.best
        if bid is not None and not bid.quantity:
            bid = self.bids.best_displayed()
        if ask is not None and not ask.quantity:
            ask = self.asks.best_displayed()
        return bid, ask

    def follow_equilibrium(self) -> None:
        """Find the price of an auction, and keep it up to date from now on, if it is in one."""
        found = Equilibrium(self.bids, self.asks) if self.state == "auction" else None
        self.bids.equilibrium = self.asks.equilibrium = found

    def indicative(self) -> Indicative:
        """What an uncross would do now: its price, the quantity that would trade, the surplus."""
        equilibrium = self.bids.equilibrium or Equilibrium(self.bids, self.asks)
        return equilibrium.indicative(self.terms.tick_e4, self.mark_e4)

    def check_invariants(self) -> None:
        """Raises `AssertionError` when the book contradicts itself."""
        self.bids.check_invariants(self.terms.tick_e4)
        self.asks.check_invariants(self.terms.tick_e4)
        if self.state == "auction":
            assert self.indicative() == self.published_indicative, "an auction's price is stale"
            self.follow_equilibrium()
            assert self.indicative() == self.published_indicative, "an auction's price is wrong"
        assert (self.state == "auction") == (self.auction is not None), "an auction of no kind"
        assert self.closing == {} or self.state != "closed", "an order waits for no auction"
        for order in self.closing.values():
            assert order.request.time_in_force == "cls", "another order waits for the closing"
            assert order.level is None, "a waiting order rests in the book"
        if self.state == "continuous":
            assert not self.is_crossed, "the book is crossed"
            self.stops.check_not_due(self.last_e4)
        self.stops.check_invariants()
