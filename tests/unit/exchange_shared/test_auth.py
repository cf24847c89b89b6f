"""Which keys are too easily guessed."""

from random import Random
from string import ascii_letters

import pytest

from exchange_shared.auth import MIN_DIFFERENT_CHARACTERS, new_api_key, public_bot_key, weakness


@pytest.mark.parametrize(
    ("api_key", "reason"),
    [
        ("alice-secret-key-1", "everybody knows this key"),
        ("Local-Operator-Key", "everybody knows this key"),
        ("0123456789abcdef", "everybody knows this key"),
        (public_bot_key("alice"), "everybody knows this key"),
        ("alice-alice-alice", "alice with digits is too easily guessed"),
        ("ALICE-2026-11-25-1", "alice with digits is too easily guessed"),
        ("abcdefgabcdefgabcdefg", "at least 8 different characters are expected"),
        ("1111111111111111", "at least 8 different characters are expected"),
    ],
)
def test_a_key_that_is_easily_guessed_is_told_why(api_key: str, reason: str) -> None:
    assert weakness(api_key, "alice") == reason


@pytest.mark.parametrize(
    "api_key",
    [
        "1234567890123456789",
        "9876543210987654",
        "password12345678",
        "Passw0rd-87654321",
        "qwertyuiop123456",
        "QWERTZUIOPasdfghjkl",
        "1q2w3e4r5t6y7u8i",
        "1qaz2wsx3edc4rfv",
        "abcdefghijklmnopq",
        "changeme-changeme",
        "0123456789abcdef0",
        "monkey12monkey12",
    ],
)
def test_a_key_of_runs_repetitions_and_common_words_is_weak(api_key: str) -> None:
    reason = "it is little more than runs, repetitions and words that everybody tries"
    assert weakness(api_key, "alice") == reason


def test_a_name_with_such_things_is_weak() -> None:
    reason = "alice with digits is too easily guessed"
    assert weakness("alice-password-12345678", "alice") == reason


def test_random_keys_are_not_weak_by_chance() -> None:
    random = Random(7)
    for digits in ("0123456789abcdef", ascii_letters + "0123456789"):
        for length in (16, 24, 43):
            keys = ["".join(random.choices(digits, k=length)) for _ in range(1_000)]
            strong = [key for key in keys if len(set(key)) >= MIN_DIFFERENT_CHARACTERS]
            assert [key for key in strong if weakness(key, "alice")] == []


@pytest.mark.parametrize(
    "api_key", ["key-of-alice-0123456789", "3f9a1c7b20d845e6", public_bot_key("bob")]
)
def test_other_keys_are_not(api_key: str) -> None:
    assert weakness(api_key, "alice") is None


def test_a_key_that_the_exchange_makes_is_not() -> None:
    assert weakness(new_api_key(), "alice") is None
