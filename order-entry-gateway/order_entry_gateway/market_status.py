"""What the gateway knows of the listed securities: their states, and the terms that it needs."""

from collections.abc import Callable
from typing import Any

import msgspec

from exchange_shared.messages import AuctionKind, MarketState, MarketStateChanged, SecurityListed


class SecurityStatus(msgspec.Struct):
    """A security now. `until_us` is when its state changes by itself, if it does."""

    security_id: str
    tick_e4: int
    lot_quantity: int
    reference_price_e4: int
    state: MarketState
    auction: AuctionKind | None
    until_us: int | None


class MarketStatus:
    """The securities, by id; begun with what is stored, and kept up to date by events.

    `seq` is the last event that was seen.
    """

    def __init__(self) -> None:
        self.securities: dict[str, SecurityStatus] = {}
        self.seq = 0
        self.handlers: dict[type, Callable[[Any], None]] = {
            SecurityListed: self._listed,
            MarketStateChanged: self._changed,
        }

    def add(self, security: SecurityStatus) -> None:
        """Begin with what is stored of a security."""
        self.securities[security.security_id] = security

    def _listed(self, event: SecurityListed) -> None:
        """A listing that is repeated does not say for how long the state lasts: as was known."""
        known = self.securities.get(event.security_id)
        self.securities[event.security_id] = SecurityStatus(
            event.security_id,
            event.tick_e4,
            event.lot_quantity,
            event.reference_price_e4,
            event.state,
            event.auction,
            None if known is None else known.until_us,
        )

    def _changed(self, event: MarketStateChanged) -> None:
        security = self.securities.get(event.security_id)
        if security is None:
            return  # its listing, which this gateway has not seen, will come again
        security.state = event.state
        security.auction = event.auction
        security.until_us = event.until_us
        security.reference_price_e4 = event.reference_price_e4
