"""The state of a security: how it is changed, without what follows from it for orders."""

from exchange_shared.messages import (
    AuctionKind,
    MarketState,
    MarketStateChanged,
    Phase,
    StateReason,
)
from matching_engine.core.book.equilibrium import NO_INDICATIVE
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import Market

PHASE_STATES: dict[Phase, tuple[MarketState, AuctionKind | None]] = {
    "pre_open": ("pre_open", None),
    "opening_auction": ("auction", "opening"),
    "continuous": ("continuous", None),
    "closing_auction": ("auction", "closing"),
    "closed": ("closed", None),
}
"""The state of every security in each phase of the trading day."""


def become(
    market: Market,
    book: OrderBook,
    state: MarketState,
    reason: StateReason,
    auction: AuctionKind | None = None,
    lasts_us: int | None = None,
) -> None:
    """Put a security into a state, for so long if that is said, and report it."""
    security = book.security
    security.state = state
    security.auction = auction
    security.until_us = None if lasts_us is None else market.clock_us + lasts_us
    book.published_indicative = NO_INDICATIVE
    book.follow_equilibrium()
    if security.until_us is not None:
        market.note_due(security.until_us)
    market.touched[security.security_id] = book
    market.events.append(
        MarketStateChanged(
            seq=market.next_seq(),
            time_us=market.time_us,
            security_id=security.security_id,
            state=state,
            auction=auction,
            until_us=security.until_us,
            reason=reason,
            reference_price_e4=security.reference_price_e4,
        )
    )


def halt_by_circuit_breaker(market: Market, book: OrderBook) -> None:
    """Halt a security instead of a trade outside its dynamic band."""
    become(market, book, "halted", "circuit_breaker", lasts_us=book.security.terms.halt_us)
