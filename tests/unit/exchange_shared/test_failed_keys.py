"""Who tries wrong keys waits, and nobody who trades from the same address does."""

import pytest

from exchange_shared.http import ApiError
from exchange_shared.http.failed_keys import WINDOW_SECONDS, FailedKeys, GivenKey

KEYS = {"right", "also-right"}
LIMIT = 3


class Door:
    """Something with a key, at a time of the test's choice."""

    def __init__(self, per_minute: int = LIMIT) -> None:
        self.seconds = 1_000.0
        self.looks = 0
        self.failed_keys = FailedKeys(per_minute, lambda: self.seconds)

    def try_key(self, api_key: str | None, address: str = "192.0.2.1") -> str:
        try:
            with self.failed_keys.checking(GivenKey(api_key, address)):
                self.looks += 1
                if api_key not in KEYS:
                    raise ApiError(401, "unknown_api_key" if api_key else "no_api_key", "")
        except ApiError as refusal:
            return refusal.code
        return "in"

    def fail(self, address: str = "192.0.2.1", times: int = LIMIT) -> None:
        for number in range(times):
            assert self.try_key(f"wrong-{number}", address) == "unknown_api_key"


def test_after_so_many_wrong_keys_an_address_waits() -> None:
    door = Door()
    door.fail()
    looks = door.looks
    assert door.try_key("wrong") == "too_many_failed_keys"
    assert door.try_key("right") == "too_many_failed_keys", "a guess that is right is not told"
    assert door.looks == looks


def test_a_key_that_was_right_from_there_before_still_is() -> None:
    door = Door()
    assert door.try_key("right") == "in"
    door.fail()
    assert door.try_key("right") == "in"
    assert door.try_key("also-right") == "too_many_failed_keys"


def test_others_do_not_wait() -> None:
    door = Door()
    door.fail()
    assert door.try_key("right", "192.0.2.2") == "in"


def test_a_request_without_a_key_is_no_guess() -> None:
    door = Door()
    for _ in range(2 * LIMIT):
        assert door.try_key(None) == "no_api_key"
    door.fail()
    assert door.try_key(None) == "no_api_key"


def test_a_minute_after_the_oldest_failure_one_more_may_be_tried() -> None:
    door = Door()
    door.fail(times=1)
    door.seconds += 20
    door.fail(times=LIMIT - 1)
    with pytest.raises(ApiError) as refusal:
        door.failed_keys.check(GivenKey("right", "192.0.2.1"))
    assert (refusal.value.status, refusal.value.retry_after_seconds) == (429, WINDOW_SECONDS - 20)
    door.seconds += WINDOW_SECONDS - 20
    assert door.try_key("wrong") == "unknown_api_key"
    assert door.try_key("right") == "too_many_failed_keys"


def test_a_network_of_ipv6_addresses_is_one_address() -> None:
    door = Door()
    for number in range(LIMIT):
        door.fail(f"2001:db8::{number:x}", times=1)
    assert door.try_key("right", "2001:db8::ffff:1") == "too_many_failed_keys"
    assert door.try_key("right", "2001:db8:0:1::1") == "in"
    door.fail("::ffff:192.0.2.7")
    assert door.try_key("right", "192.0.2.7") == "too_many_failed_keys"


def test_the_limit_can_be_turned_off() -> None:
    door = Door(0)
    door.fail(times=1_000)
    assert door.try_key("right") == "in"
