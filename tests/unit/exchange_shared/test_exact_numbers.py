"""Decimals from JSON are exact, and what is no number reaches the checks of its field."""

import math
from decimal import Decimal

import pytest

from exchange_shared.http import ApiError, decode_json
from exchange_shared.units import to_e4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("420.5", 4_205_000),
        ("0.0001", 1),
        ("1e2", 1_000_000),
        ("100.00000", 1_000_000),
        ("-1", -10_000),
    ],
)
def test_an_exact_amount_becomes_an_integer(text: str, expected: int) -> None:
    assert to_e4(Decimal(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["0.00001", "100.00000000000000000000000000001", f"1.{'0' * 60}1", "1e400", "1e-400",
     "1e999999", "NaN", "sNaN", "Infinity", "-Infinity"],
)  # fmt: skip
def test_an_amount_that_is_not_exact_or_not_finite_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimals|digits|finite"):
        to_e4(Decimal(text))


def test_json_numbers_with_a_fraction_are_decimals_and_others_integers() -> None:
    decoded = decode_json(b"[0.1, 100.00000000000000001, 7, 12345678901234567890123]")
    assert decoded == [
        Decimal("0.1"),
        Decimal("100.00000000000000001"),
        7,
        12345678901234567890123,
    ]
    assert [type(number) for number in decoded] == [Decimal, Decimal, int, int]


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999"])
def test_what_is_no_finite_number_is_a_decimal_that_no_field_takes(word: str) -> None:
    decoded = decode_json(f'{{"price": {word}}}')
    assert isinstance(decoded["price"], Decimal)
    assert not math.isfinite(decoded["price"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN,",
        b'{"a": NaN',
        b"nan",
        b"\xff",
        b'["\\ud800", NaN]',
        b"[" * 100_000,
        b"\x00",
    ],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        decode_json(body)
    assert (caught.value.status, caught.value.code) == (400, "malformed_json")
