"""One listed security: its terms, its price, its book, and its latest trades."""

from collections import deque
from dataclasses import dataclass, field

from exchange_shared.messages import PriceChanged, TradeExecuted
from market_data_feed.projections.book import Book

RECENT_TRADES = 1_000
"""How many trades of each security are kept in memory."""


def _recent() -> deque[TradeExecuted]:
    return deque(maxlen=RECENT_TRADES)


@dataclass(slots=True)
class Security:
    """A security. `seq` and `time_us` are those of the last change of its price or terms.

    `recent_trades` are oldest first, and all there ever were unless `older_trades`.
    """

    security_id: str
    tick_e4: int
    reference_price_e4: int
    granted_quantity: int
    last_e4: int | None = None
    volume: int = 0
    trades: int = 0
    seq: int = 0
    time_us: int = 0
    book: Book = field(default_factory=Book)
    recent_trades: deque[TradeExecuted] = field(default_factory=_recent)
    changed: bool = field(default=False, compare=False)

    @property
    def mark_e4(self) -> int:
        """What a share is worth: the last trade's price, before the first one the reference."""
        return self.reference_price_e4 if self.last_e4 is None else self.last_e4

    @property
    def older_trades(self) -> bool:
        """Whether there were trades before those in `recent_trades`."""
        return self.trades > len(self.recent_trades)

    def trade(self, event: TradeExecuted) -> None:
        """Shares of it changed hands."""
        self.last_e4 = event.price_e4
        self.volume += event.quantity
        self.trades += 1
        self.recent_trades.append(event)

    def price(self, event: PriceChanged) -> None:
        """The best prices or the last price changed."""
        self.seq = event.seq
        self.time_us = event.time_us
