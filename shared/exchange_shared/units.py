"""Money, prices, quantities and times as integers, and their exact conversion at the edges.

Inside the exchange money and prices are integers in 1/10,000 of a currency unit (names end in
`_e4`, the "price(4)" of the ITCH and OUCH protocols), quantities are whole shares, times are
microseconds since 1970-01-01 UTC (`_us`) and rates are parts per million (`_ppm`; one basis point
is 100 ppm).
"""

import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow

E4 = 10_000
"""How many units of 1/10,000 make one currency unit."""

PPM = 1_000_000

MAX_PRICE_E4 = 1_000_000 * E4
"""The highest price of an order: 1,000,000.00."""

MAX_QUANTITY = 10_000_000
"""The most shares in one order."""

MAX_TOTAL_E4 = 900_000_000_000 * E4
"""No account's cash may reach this: every amount then fits an integer of 53 bits."""

_EXACT_FLOAT_E4 = 10**15
_EXACT = Context(prec=40, Emax=40, Emin=-40, traps=[Inexact, InvalidOperation, Overflow])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)


def to_e4(amount: Decimal) -> int:
    """The integer in 1/10,000 for a decimal amount.

    Raises:
        ValueError: the amount is not finite, has more than four decimals, or is beyond 10^40.
    """
    if not amount.is_finite():
        raise ValueError(f"{amount} is not a finite number")
    try:
        scaled = _EXACT.multiply(amount, Decimal(E4))
        whole = int(scaled)
    except DecimalException:
        raise ValueError(f"{amount} has too many digits") from None
    if whole != scaled:
        raise ValueError(f"{amount} has more than four decimals")
    return whole


def exact_number(text: str) -> Decimal:
    """A number with a fraction or an exponent; one beyond all bounds is not a number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def from_e4(amount_e4: int) -> float | Decimal:
    """The number to write as JSON for an amount in 1/10,000, exact to its last digit.

    A binary float prints 15 significant digits faithfully; larger amounts become a `Decimal`,
    which the JSON encoder of `exchange_shared.http` writes as a number too.
    """
    if -_EXACT_FLOAT_E4 < amount_e4 < _EXACT_FLOAT_E4:
        return amount_e4 / E4
    return Decimal(amount_e4) / E4


def format_e4(amount_e4: int) -> str:
    """An amount in 1/10,000 as text for people: two decimals, or four where they are needed."""
    sign = "-" if amount_e4 < 0 else ""
    units, fraction = divmod(abs(amount_e4), E4)
    decimals = f"{fraction:04d}"
    return f"{sign}{units:,}.{decimals[:2] if decimals.endswith('00') else decimals}"


def fee_e4(notional_e4: int, rate_ppm: int) -> int:
    """The fee on a trade: notional × rate, rounded half-even to 1/10,000; negative for a rebate.

    The rounding of `half_even` is written out here, because every trade asks for it twice.
    """
    quotient, remainder = divmod(notional_e4 * rate_ppm, PPM)
    doubled = 2 * remainder
    if doubled > PPM or (doubled == PPM and quotient & 1):
        return quotient + 1
    return quotient


def half_even(dividend: int, divisor: int) -> int:
    """The quotient as the nearest integer, and of two that are equally near the even one.

    The divisor may be below zero, but not zero.
    """
    if divisor < 0:
        dividend, divisor = -dividend, -divisor
    quotient, remainder = divmod(dividend, divisor)
    doubled = 2 * remainder
    return quotient + (doubled > divisor or (doubled == divisor and quotient & 1))


def average_e4(total_e4: int, quantity: int) -> int | None:
    """Total ÷ quantity, rounded half-even to 1/10,000; `None` without a quantity.

    Both are below zero for a short position.
    """
    return half_even(total_e4, quantity) if quantity else None


def now_us() -> int:
    """The wall clock, in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000


def apart(ahead_us: int) -> str:
    """How far a clock is ahead of another (below zero: behind), in words."""
    seconds = abs(ahead_us) / 1_000_000
    return f"{seconds:,.0f} seconds {'ahead of' if ahead_us > 0 else 'behind'}"


def format_time(time_us: int) -> str:
    """RFC 3339 in UTC with microseconds: `2026-01-31T09:30:00.000001Z`."""
    moment = _EPOCH + timedelta(microseconds=time_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> int:
    """The microseconds since 1970-01-01 UTC of a time as `format_time` writes it.

    The fraction may have fewer digits, or be left out, and `+00:00` may stand for `Z`.

    Raises:
        ValueError: the text is not of this form, or there is no such time.
    """
    if not _UTC_TIME.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a time like 2026-01-31T09:30:00Z")
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
