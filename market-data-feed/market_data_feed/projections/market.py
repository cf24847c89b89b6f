"""One listed security: its terms, its state, its price, its book, and its latest trades."""

from collections import deque
from dataclasses import dataclass, field

import msgspec

from exchange_shared.messages import (
    AuctionKind,
    IndicativeChanged,
    MarketState,
    MarketStateChanged,
    PriceChanged,
    SecurityListed,
    SecurityTerms,
    TradeExecuted,
)
from exchange_shared.units import PPM
from market_data_feed.projections.book import Book

RECENT_TRADES = 1_000
"""How many trades of each security are kept in memory."""


def terms_of(event: SecurityListed) -> SecurityTerms:
    """The terms that an event tells."""
    return msgspec.convert(event, SecurityTerms, from_attributes=True)


def _recent() -> deque[TradeExecuted]:
    return deque(maxlen=RECENT_TRADES)


@dataclass(slots=True)
class Security:
    """A security. `seq` and `time_us` are those of the last change of its price, state or terms.

    `auction` is the kind of auction it is in, and the indicative numbers are what that would do
    now; `until_us` is when the state changes by itself. `recent_trades` are oldest first, and all
    there ever were unless `older_trades`.
    """

    security_id: str
    terms: SecurityTerms
    last_e4: int | None = None
    volume: int = 0
    trades: int = 0
    seq: int = 0
    time_us: int = 0
    state: MarketState = "continuous"
    auction: AuctionKind | None = None
    until_us: int | None = None
    indicative_price_e4: int | None = None
    indicative_quantity: int = 0
    surplus: int = 0
    book: Book = field(default_factory=Book)
    recent_trades: deque[TradeExecuted] = field(default_factory=_recent)
    changed: bool = field(default=False, compare=False)

    @property
    def reference_price_e4(self) -> int:
        """What its static band is around: its terms have the latest one."""
        return self.terms.reference_price_e4

    @property
    def mark_e4(self) -> int:
        """What a share is worth: the last trade's price, before the first one the reference."""
        return self.reference_price_e4 if self.last_e4 is None else self.last_e4

    @property
    def older_trades(self) -> bool:
        """Whether there were trades before those in `recent_trades`."""
        return self.trades > len(self.recent_trades)

    def short_margin_e4(self, position: int, offered: int) -> int:
        """The cash kept back from a client with so many shares, who offers so many to sell.

        The formula is that of "Short selling" in `docs/trading-rules.md`.
        """
        rate_ppm = self.terms.short_margin_ppm
        if rate_ppm is None:
            return 0
        short = max(0, -position)
        uncovered = max(0, offered - max(0, position))
        price_e4 = max(self.mark_e4, self.reference_price_e4)
        return -(-price_e4 * (short * (PPM + rate_ppm) + uncovered * rate_ppm) // PPM)

    def trade(self, event: TradeExecuted) -> None:
        """Shares of it changed hands."""
        self.last_e4 = event.price_e4
        self.volume += event.quantity
        self.trades += 1
        self.recent_trades.append(event)

    def listed(self, event: SecurityListed) -> None:
        """It was listed, or listed again, which need not change anything."""
        told = (terms_of(event), event.state, event.auction)
        if told != (self.terms, self.state, self.auction):
            self.terms, self.state, self.auction = told
            self.seq, self.time_us = event.seq, event.time_us

    def change(self, event: PriceChanged | MarketStateChanged | IndicativeChanged) -> None:
        """Its best prices, its last price, its state, or what its auction would do changed."""
        self.seq, self.time_us = event.seq, event.time_us
        if isinstance(event, MarketStateChanged):
            self.state = event.state
            self.auction = event.auction
            self.until_us = event.until_us
            reference_e4 = event.reference_price_e4
            self.terms = msgspec.structs.replace(self.terms, reference_price_e4=reference_e4)
            self.indicative_price_e4, self.indicative_quantity, self.surplus = None, 0, 0
        elif isinstance(event, IndicativeChanged):
            self.indicative_price_e4 = event.price_e4
            self.indicative_quantity = event.quantity
            self.surplus = event.surplus
