"""Securities that are obviously right: what the events, one after another, make of each."""

from dataclasses import dataclass, field

from exchange_shared.messages import (
    AnyEvent,
    AuctionKind,
    IndicativeChanged,
    MarketState,
    MarketStateChanged,
    SecurityListed,
    TradeExecuted,
)

NO_INDICATIVE: tuple[int | None, int, int] = (None, 0, 0)


@dataclass
class ReferenceSecurity:
    """A security: its latest terms, its state, its prices.

    `indicative` is the price, quantity and surplus of the auction that it is in.
    """

    terms: SecurityListed
    state: MarketState
    auction: AuctionKind | None
    reference_price_e4: int
    until_us: int | None = None
    last_e4: int | None = None
    indicative: tuple[int | None, int, int] = NO_INDICATIVE

    @property
    def mark_e4(self) -> int:
        """Its last trade price, or the reference price before the first."""
        return self.reference_price_e4 if self.last_e4 is None else self.last_e4


@dataclass
class ReferenceSecurities:
    """Every listed security, by its id."""

    securities: dict[str, ReferenceSecurity] = field(default_factory=dict)

    def apply(self, event: AnyEvent) -> None:
        """Take in the next event."""
        match event:
            case SecurityListed():
                self._list(event)
            case MarketStateChanged():
                security = self.securities[event.security_id]
                security.state, security.auction = event.state, event.auction
                security.until_us = event.until_us
                security.reference_price_e4 = event.reference_price_e4
                security.indicative = NO_INDICATIVE
            case TradeExecuted():
                self.securities[event.security_id].last_e4 = event.price_e4
            case IndicativeChanged():
                indicative = (event.price_e4, event.quantity, event.surplus)
                self.securities[event.security_id].indicative = indicative

    def _list(self, event: SecurityListed) -> None:
        security = self.securities.get(event.security_id)
        if security is None:
            self.securities[event.security_id] = ReferenceSecurity(
                event, event.state, event.auction, event.reference_price_e4
            )
        else:
            security.terms = event
            security.reference_price_e4 = event.reference_price_e4
