"""Which keys are too easily guessed."""

import pytest

from exchange_shared.auth import new_api_key, public_bot_key, weakness


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
    "api_key", ["key-of-alice-0123456789", "3f9a1c7b20d845e6", public_bot_key("bob")]
)
def test_other_keys_are_not(api_key: str) -> None:
    assert weakness(api_key, "alice") is None


def test_a_key_that_the_exchange_makes_is_not() -> None:
    assert weakness(new_api_key(), "alice") is None
