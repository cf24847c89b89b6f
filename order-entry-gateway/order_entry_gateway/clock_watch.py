"""Whether this gateway's clock is the market's, as far as the matching engine says."""

from collections.abc import Callable
from typing import Any

import structlog

from exchange_shared.market import MAX_TIME_STEP_US
from exchange_shared.messages import MarketClockChanged
from exchange_shared.units import apart, format_time
from order_entry_gateway.readiness import Readiness

log = structlog.get_logger()


class ClockWatch:
    """Compares this gateway's clock with the market's whenever the engine tells about that.

    `on_set` is called when the market's clock was set: a phase of the day that it did not let begin
    may begin then. `ahead_us` is how far this gateway is ahead (below zero: behind).
    """

    def __init__(
        self, readiness: Readiness, clock_us: Callable[[], int], on_set: Callable[[], None]
    ) -> None:
        self._readiness = readiness
        self._clock_us = clock_us
        self._on_set = on_set
        self.ahead_us = 0
        self.handlers: dict[type, Callable[[Any], None]] = {MarketClockChanged: self._changed}

    def _changed(self, event: MarketClockChanged) -> None:
        ahead_us = self._clock_us() - event.clock_us
        if not event.held_back_us or abs(ahead_us) <= MAX_TIME_STEP_US:
            ahead_us = 0
        self.ahead_us = ahead_us
        self._readiness.clock_is_ahead = ahead_us > 0
        self._readiness.market_clock = None
        if ahead_us:
            self._readiness.market_clock = (
                f"this gateway's clock is {apart(ahead_us)} the market's: correct it, or confirm"
                " its time with POST /admin/clock"
            )
            market = format_time(event.clock_us)
            log.warning("clock_differs", ahead_seconds=ahead_us / 1_000_000, market=market)
        if event.reason in ("believed", "confirmed"):
            log.info("market_clock_set", reason=event.reason, market=format_time(event.clock_us))
            self._on_set()
