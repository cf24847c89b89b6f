"""How the naive exchange's clock follows the times of the commands, or does not."""

from exchange_shared.messages import ClockReason, ConfirmTime, MarketClockChanged
from tests.support.naive_market import NaiveMarket

SILENCES = 6
YEAR_US = 366 * 24 * 60 * 60 * 1_000_000


def follow_time(market: NaiveMarket, told_us: int) -> None:
    """Let the clock go to a time that a command tells, as far as that is believed."""
    longest_us = market.terms.max_time_step_us
    if longest_us is None or abs(told_us - market.time_us) <= longest_us:
        market.time_us = max(market.time_us, told_us)
        market.agreed_us = market.time_us
        if market.held_back_us != 0 and _is_silent(market, longest_us, market.doubted_us):
            market.held_back_us = 0
            tell_clock(market, "agreed")
        return
    expected_us = market.time_us + market.held_back_us
    if market.held_back_us == 0 or abs(told_us - expected_us) > longest_us:
        market.held_back_us = told_us - market.time_us
        market.agreed_us = market.doubted_us = market.time_us
        tell_clock(market, "held_back")
        return
    if told_us > expected_us:
        market.time_us += told_us - expected_us
    market.doubted_us = market.time_us
    believable = 0 < market.held_back_us <= YEAR_US
    if believable and _is_silent(market, longest_us, market.agreed_us):
        set_clock(market, told_us, "believed")


def _is_silent(market: NaiveMarket, longest_us: int | None, heard_us: int) -> bool:
    return longest_us is None or market.time_us - heard_us >= longest_us // SILENCES


def set_clock(
    market: NaiveMarket, time_us: int, reason: ClockReason, command: ConfirmTime | None = None
) -> None:
    """Set the clock, and move the ends of all states with it."""
    moved_us = time_us - market.time_us
    market.time_us = time_us
    market.held_back_us = 0
    if market.phase.begins_us > time_us:
        market.phase_begins_anew = True
    tell_clock(market, reason, command)
    for security in market.securities:
        if security.until_us is not None:
            security.until_us += moved_us
            market.tell_state(security, "clock")


def tell_clock(
    market: NaiveMarket, reason: ClockReason, command: ConfirmTime | None = None
) -> None:
    """Tell what the clock shows, and how much of the time is held back."""
    market.publish(
        MarketClockChanged,
        clock_us=market.time_us,
        held_back_us=market.held_back_us,
        reason=reason,
        request_id=None if command is None else command.request_id,
    )
