"""What the naive exchange knows of an order, a security, and an account."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Literal

from exchange_shared.messages import (
    AuctionKind,
    ListSecurity,
    MarketState,
    NewOrder,
    OrderStatus,
    Phase,
    SetClientLimits,
)
from exchange_shared.messages.commands import AUCTION_ONLY, STOP_TYPES
from exchange_shared.units import PPM

DAY_US = 24 * 60 * 60 * 1_000_000

Whereabouts = Literal["incoming", "waiting", "set_off", "book", "filled", "cancelled", "expired"]
OPEN = ("incoming", "waiting", "set_off", "book")

Indicative = tuple[int | None, int, int]
"""The price of an auction, the shares that would trade at it, and the surplus."""
NO_INDICATIVE: Indicative = (None, 0, 0)


@dataclass(eq=False)
class NaiveOrder:
    """An accepted order; `shown` is the displayed part of an iceberg, `place` its turn.

    `price_e4` is its limit, which for a market order in an auction is the collar.
    """

    request: NewOrder
    accepted: int
    maker_ppm: int
    taker_ppm: int
    open: int
    price_e4: int | None
    stop_e4: int | None = None
    filled: int = 0
    notional_e4: int = 0
    where: Whereabouts = "incoming"
    shown: int = 0
    place: int = 0

    def higher_ppm(self) -> int:
        """The higher of its fee rates."""
        return max(self.maker_ppm, self.taker_ppm)

    def unit_cost_e4(self, price_e4: int) -> int:
        """The most that one share can cost at this price."""
        return price_e4 + ceil(price_e4 * Fraction(self.higher_ppm(), PPM))

    def unit_hold_e4(self) -> int:
        """The cash held for each open share."""
        if self.request.side == "sell" or self.price_e4 is None:
            return 0
        return self.unit_cost_e4(self.price_e4)

    def is_stop(self) -> bool:
        """Whether it came as a stop of any kind."""
        return self.request.order_type in STOP_TYPES

    def is_hidden(self) -> bool:
        """Whether nobody is told of it."""
        without_limit = self.request.order_type == "market"
        return self.request.hidden or without_limit or self.request.time_in_force in AUCTION_ONLY

    def tradable(self) -> int:
        """How much one trade can take of it while it rests."""
        return self.open if self.request.display_quantity is None else self.shown

    def show_next_part(self) -> None:
        """Display a whole part of an iceberg, or all that is left."""
        if self.request.display_quantity is not None:
            self.shown = min(self.request.display_quantity, self.open)

    def expires_us(self, *, day_ends_at_close: bool) -> int | None:
        """When it expires by the clock, if it does."""
        if self.request.time_in_force == "day" and day_ends_at_close:
            return None
        if self.request.time_in_force == "day":
            return (self.request.time_us // DAY_US + 1) * DAY_US
        return self.request.expires_us

    def status(self) -> OrderStatus:
        """As the messages name it."""
        if self.where in ("waiting", "set_off") and self.is_stop():
            return "pending_trigger"
        if self.where in ("filled", "cancelled", "expired"):
            return self.where
        return "partially_filled" if self.filled else "new"


@dataclass
class NaiveSecurity:
    """A listed security. `terms` is its latest listing.

    `band_mark_e4` is what the dynamic band is measured from; `published` are the prices, and
    `indicative` what an auction would do, as they were last told.
    """

    terms: ListSecurity
    reference_price_e4: int
    state: MarketState
    auction: AuctionKind | None
    until_us: int | None = None
    last_e4: int | None = None
    band_mark_e4: int = 0
    published: tuple[int | None, int | None, int | None] = (None, None, None)
    indicative: Indicative = NO_INDICATIVE

    @property
    def security_id(self) -> str:
        """Its name."""
        return self.terms.security_id

    def mark_e4(self) -> int:
        """What a share is worth: its last trade price, or its reference price before any."""
        return self.reference_price_e4 if self.last_e4 is None else self.last_e4

    def static_band_e4(self) -> tuple[int, int] | None:
        """Between which prices a limit may be."""
        return self._band_e4(self.reference_price_e4, self.terms.static_band_ppm)

    def dynamic_band_e4(self) -> tuple[int, int] | None:
        """Between which prices trades may print."""
        return self._band_e4(self.band_mark_e4, self.terms.dynamic_band_ppm)

    def _band_e4(self, middle_e4: int, width_ppm: int | None) -> tuple[int, int] | None:
        if width_ppm is None:
            return None
        width_e4 = max(middle_e4 * width_ppm // PPM, self.terms.tick_e4)
        return middle_e4 - width_e4, middle_e4 + width_e4

    def gathers(self) -> bool:
        """Whether orders that come gather, and do not trade."""
        return self.state in ("pre_open", "auction")


@dataclass
class NaiveAccount:
    """A client's cash, shares and limits, and its named orders that finished, oldest first."""

    client_id: str
    api_key_hash: str
    cash_e4: int
    shares: dict[str, int]
    granted_e4: int
    limits: SetClientLimits
    suspended: bool = False
    finished: list[NaiveOrder] = field(default_factory=list)
    refusals: list[tuple[str, int]] = field(default_factory=list)
    """The name of each refused order, and the event that last refused it; oldest first."""

    forgotten_seq: int = 0
    """The latest of the refusals that are not remembered."""


def is_outside(price_e4: int, band_e4: tuple[int, int] | None) -> bool:
    """Whether a price is outside a band; without a band none is."""
    return band_e4 is not None and not band_e4[0] <= price_e4 <= band_e4[1]


def state_of_phase(phase: Phase) -> tuple[MarketState, AuctionKind | None]:
    """The state of a security in a phase, and the kind of auction."""
    match phase:
        case "opening_auction":
            return "auction", "opening"
        case "closing_auction":
            return "auction", "closing"
    return phase, None
