"""Money, fees and times: exact at every edge."""

import json
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_shared.http import encode_json
from exchange_shared.units import (
    MAX_PRICE_E4,
    MAX_QUANTITY,
    MAX_TOTAL_E4,
    PPM,
    average_e4,
    fee_e4,
    format_e4,
    format_time,
    from_e4,
    half_even,
    now_us,
    parse_time,
    to_e4,
)

amounts_e4 = st.integers(-MAX_TOTAL_E4, MAX_TOTAL_E4)


@pytest.mark.parametrize(
    ("amount", "amount_e4"),
    [
        ("0", 0),
        ("-0", 0),
        ("1", 10_000),
        ("420.01", 4_200_100),
        ("0.0001", 1),
        ("-0.0001", -1),
        ("1.50000000", 15_000),
        ("1e3", 10_000_000),
        ("1E-4", 1),
        ("899999999999.9999", 8_999_999_999_999_999),
    ],
)
def test_a_decimal_becomes_an_integer(amount: str, amount_e4: int) -> None:
    assert to_e4(Decimal(amount)) == amount_e4


@pytest.mark.parametrize("amount", ["0.00001", "1.00005", "-0.00001", "1E-5"])
def test_a_fifth_decimal_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="more than four decimals"):
        to_e4(Decimal(amount))


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_finite_number_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        to_e4(Decimal(amount))


def test_more_digits_than_a_decimal_context_holds_are_refused_and_never_rounded() -> None:
    with pytest.raises(ValueError, match="more than four decimals"):
        to_e4(Decimal("1.0000000000000000000000000000000001"))


@given(amounts_e4)
def test_an_amount_goes_out_and_comes_back(amount_e4: int) -> None:
    assert to_e4(Decimal(str(from_e4(amount_e4)))) == amount_e4


@given(amounts_e4)
def test_an_amount_in_json_is_a_number_with_every_digit(amount_e4: int) -> None:
    text = encode_json({"amount": from_e4(amount_e4)})

    amount = json.loads(text, parse_float=Decimal, parse_int=Decimal)["amount"]

    assert amount == Decimal(amount_e4).scaleb(-4)


@pytest.mark.parametrize(
    ("amount_e4", "text"),
    [
        (0, "0.00"),
        (1, "0.0001"),
        (10, "0.0010"),
        (100, "0.01"),
        (-100, "-0.01"),
        (-1, "-0.0001"),
        (4_200_100, "420.01"),
        (100_000_000, "10,000.00"),
        (-12_345_678_900, "-1,234,567.89"),
        (12_345_678_912, "1,234,567.8912"),
    ],
)
def test_an_amount_reads_well(amount_e4: int, text: str) -> None:
    assert format_e4(amount_e4) == text


@given(amounts_e4)
def test_an_amount_as_text_is_exact(amount_e4: int) -> None:
    assert to_e4(Decimal(format_e4(amount_e4).replace(",", ""))) == amount_e4


@pytest.mark.parametrize(
    ("notional_e4", "rate_ppm", "fee"),
    [
        (0, 100, 0),
        (1_000_000, 0, 0),
        (4_200_000, 100, 420),
        (5_000, 100, 0),  # 0.5 goes to the even 0
        (15_000, 100, 2),  # 1.5 goes to the even 2
        (25_000, 100, 2),  # 2.5 goes to the even 2
        (25_001, 100, 3),
        (24_999, 100, 2),
        (5_000, -100, 0),
        (15_000, -100, -2),
        (25_000, -100, -2),
    ],
)
def test_a_fee_is_rounded_half_even(notional_e4: int, rate_ppm: int, fee: int) -> None:
    assert fee_e4(notional_e4, rate_ppm) == fee


@given(st.integers(0, MAX_PRICE_E4 * MAX_QUANTITY), st.integers(-100_000, 100_000))
def test_a_fee_is_the_exact_one_rounded(notional_e4: int, rate_ppm: int) -> None:
    exact = Decimal(notional_e4) * rate_ppm / 1_000_000

    assert fee_e4(notional_e4, rate_ppm) == int(exact.to_integral_value(ROUND_HALF_EVEN))
    assert fee_e4(notional_e4, rate_ppm) == half_even(notional_e4 * rate_ppm, PPM)


@given(st.integers(), st.integers().filter(bool))
def test_a_quotient_is_the_exact_one_rounded_half_even(dividend: int, divisor: int) -> None:
    assert half_even(dividend, divisor) == round(Fraction(dividend, divisor))


@pytest.mark.parametrize(
    ("total_e4", "quantity", "average"),
    [
        (7 * 2_100_000 + 2_100_100, 8, 2_100_012),  # 12.5 goes to the even 12
        (5 * 2_100_000 + 3 * 2_100_100, 8, 2_100_038),  # 37.5 goes to the even 38
        (-5, -2, 2),
        (-7, -2, 4),
        (5, 0, None),
    ],
)
def test_an_average_is_rounded_half_even(total_e4: int, quantity: int, average: int | None) -> None:
    assert average_e4(total_e4, quantity) == average


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1_769_851_800_000_001, "2026-01-31T09:30:00.000001Z"),
        (1_709_164_800_999_999, "2024-02-29T00:00:00.999999Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_time_has_all_its_microseconds(time_us: int, text: str) -> None:
    assert format_time(time_us) == text


@given(st.integers(-(2**50), 2**53))
def test_a_time_is_read_as_it_is_written(time_us: int) -> None:
    assert parse_time(format_time(time_us)) == time_us


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:01.000001+00:00", 1_000_001),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_the_fraction_of_a_time_may_be_short(text: str, time_us: int) -> None:
    assert parse_time(text) == time_us


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31 09:30:00Z",
     "2026-01-31T09:30:00.Z", "2026-01-31T09:30:00.0000001Z", "2026-01-31T09:30:00+01:00",
     "2026-02-29T09:30:00Z", "2026-01-31T24:00:00Z", "2026-01-31T09:30:60Z",
     "0000-01-31T09:30:00Z", "2026-01-31T09:30:00Z\n", "٢026-01-31T09:30:00Z"],
)  # fmt: skip
def test_what_is_no_time_in_utc_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


def test_the_clock_counts_microseconds_of_this_century() -> None:
    first, second = now_us(), now_us()

    assert 1_700_000_000_000_000 < first <= second < 4_102_444_800_000_000
