"""The market's clock follows the times of the commands, but not wherever one of them leaps.

A time further from the clock than the market's terms allow is held back: the clock goes on from
where it was, at the speed of the commands that tell it. When a time ahead is all that is told for a
while, the market has stood still, or the machine was asleep, and the time is believed. A clock that
is ahead of others is never: they contradict it. Only an operator sets the market's clock back.
"""

from exchange_shared.messages import (
    ClockReason,
    ConfirmTime,
    MarketClockChanged,
    MarketStateChanged,
)
from matching_engine.core.commands.market_states import pass_time
from matching_engine.core.market import Market

SILENCES_PER_STEP = 6
"""A time ahead is believed when for this part of the longest step nobody contradicts it, and no
longer noted when for as long nobody tells it."""

MAX_BELIEVED_US = 366 * 86_400_000_000
"""No exchange stands still for longer without an operator who can confirm the time."""


def keep_time(market: Market, time_us: int) -> None:
    """Let the clock follow a time that it does not follow at once."""
    step_us, max_step_us = time_us - market.clock_us, market.max_step_us
    if abs(step_us) <= max_step_us:
        market.clock_us = max(market.clock_us, time_us)
        market.agreed_us = market.clock_us
        if market.held_back_us and _silent(market, market.doubted_us):
            market.hold_back(0)
            report_clock(market, "agreed")
        return
    ahead_us = step_us - market.held_back_us
    if not market.held_back_us or abs(ahead_us) > max_step_us:
        market.hold_back(step_us)
        market.agreed_us = market.doubted_us = market.clock_us
        report_clock(market, "held_back")
        return
    market.clock_us += max(0, ahead_us)
    market.doubted_us = market.clock_us
    if 0 < market.held_back_us <= MAX_BELIEVED_US and _silent(market, market.agreed_us):
        _set(market, time_us, "believed")


def _silent(market: Market, heard_us: int) -> bool:
    """Whether for long enough nothing was heard of one side."""
    return market.clock_us - heard_us >= market.max_step_us // SILENCES_PER_STEP


def confirm_time(market: Market, command: ConfirmTime) -> None:
    """Set the clock to the time of an operator's command, ahead or back."""
    _set(market, command.time_us, "confirmed", command.request_id)
    if market.due_us <= market.clock_us:
        pass_time(market)


def _set(market: Market, time_us: int, reason: ClockReason, request_id: int | None = None) -> None:
    """Set the clock. What was to last for a while then lasts for what is left of it.

    A phase that began later than it is now may begin again.
    """
    moved_us = time_us - market.clock_us
    market.clock_us = time_us
    market.hold_back(0)
    if market.phase_begins_us > time_us:
        market.phase_begins_us = 0
    report_clock(market, reason, request_id)
    for book in market.books.values():
        security = book.security
        if security.until_us is not None:
            security.until_us += moved_us
            market.touched[security.security_id] = book
            market.events.append(
                MarketStateChanged(
                    seq=market.next_seq(),
                    time_us=market.time_us,
                    security_id=security.security_id,
                    state=security.state,
                    auction=security.auction,
                    until_us=security.until_us,
                    reason="clock",
                    reference_price_e4=security.reference_price_e4,
                )
            )
    market.find_next_due()


def report_clock(market: Market, reason: ClockReason, request_id: int | None = None) -> None:
    """Report what the clock shows, and how much is held back."""
    market.events.append(
        MarketClockChanged(
            seq=market.next_seq(),
            time_us=market.time_us,
            clock_us=market.clock_us,
            held_back_us=market.held_back_us,
            reason=reason,
            request_id=request_id,
        )
    )
