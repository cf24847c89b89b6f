"""A security: its terms, its state, its prices, and the bands around them."""

from exchange_shared.messages import AuctionKind, MarketState, Side
from exchange_shared.units import MAX_PRICE_E4, PPM
from matching_engine.core.terms import Terms


class Security:
    """What is true of a security whatever orders there are: its terms, its state and its prices.

    `auction` is the kind of auction it is in, and `until_us` the time at which its state will
    change by itself. `last_e4` is the last trade price. `band_e4` are the lowest and the highest
    price at which the current command may trade, and `limits_orders` says whether the terms refuse
    some orders in continuous trading.
    """

    __slots__ = (
        "auction",
        "band_e4",
        "last_e4",
        "limits_orders",
        "reference_price_e4",
        "security_id",
        "state",
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

    def set_terms(self, terms: Terms) -> None:
        """Let these be the security's terms from now on."""
        self.terms = terms
        self.limits_orders = terms.limit_orders
        self.band_e4: tuple[int, int] | None = None

    @property
    def gathers(self) -> bool:
        """Whether orders that come in rest without trading."""
        return self.state != "continuous"

    @property
    def mark_e4(self) -> int:
        """What a share is worth: the last trade price, and before it the reference price."""
        return self.reference_price_e4 if self.last_e4 is None else self.last_e4

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
