"""The numbers and times in every answer."""

from typing import Any

from exchange_shared.units import format_time, from_e4

Number = Any


def amount(amount_e4: int | None) -> Number:
    """An amount as a JSON number, or null."""
    return None if amount_e4 is None else from_e4(amount_e4)


def percent(rate_ppm: int | None) -> Number:
    """A rate as a JSON number in percent, of which one is 10,000 ppm, or null."""
    return amount(rate_ppm)


def seconds(duration_us: int) -> Number:
    """A duration as a JSON number in seconds."""
    return duration_us / 1_000_000


def time(time_us: int | None) -> str | None:
    """A time as RFC 3339, or null."""
    return None if time_us is None else format_time(time_us)
