"""Who tries wrong keys waits, and nobody who trades from the same address does."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, Request
from pydantic import SecretStr

from exchange_shared.http import ApiError, Health, HttpServer, create_app
from exchange_shared.http.addresses import UNKNOWN, address_of, network_of
from exchange_shared.http.failed_keys import WINDOW_SECONDS, FailedKeys, GivenKey
from exchange_shared.metrics import Metrics

OPERATORS = "the-operators"
KEYS = {"right", "also-right", OPERATORS}
LIMIT = 3


class Door:
    """Something with a key, at a time of the test's choice."""

    def __init__(self, per_minute: int = LIMIT) -> None:
        self.seconds = 1_000.0
        self.looks = 0
        self.wrong = 0
        self.failed_keys = FailedKeys(per_minute, SecretStr(OPERATORS), lambda: self.seconds)

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
        for _ in range(times):
            self.wrong += 1
            assert self.try_key(f"wrong-{self.wrong}", address) == "unknown_api_key"


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


def test_the_operators_key_is_always_looked_at() -> None:
    door = Door()
    door.fail()
    assert door.try_key(OPERATORS) == "in"
    assert door.try_key(OPERATORS + "x") == "too_many_failed_keys"


def test_a_wrong_key_counts_once_and_is_wrong_again() -> None:
    door = Door()
    for _ in range(2 * LIMIT):
        assert door.try_key("wrong") == "unknown_api_key"
    door.fail(times=LIMIT - 1)
    assert door.try_key("wrong") == "unknown_api_key"
    assert door.try_key("right") == "too_many_failed_keys"


def test_whose_a_key_is_is_told_only_to_who_may_try() -> None:
    door = Door()
    owners = {"right": "alice", "also-right": "bob"}

    def owner_of(api_key: str) -> str:
        if api_key not in owners:
            raise ApiError(401, "unknown_api_key", "")
        return owners[api_key]

    def owner(api_key: str | None) -> str | None:
        return door.failed_keys.owner(GivenKey(api_key, "192.0.2.1"), owner_of)

    assert owner("right") == "alice"
    assert [owner(None), *(owner(f"wrong-{number}") for number in range(LIMIT))] == [None] * 4
    assert (owner("right"), owner("also-right")) == ("alice", None)


def test_what_cannot_be_looked_up_is_no_wrong_key() -> None:
    door = Door()

    def not_ready(_api_key: str) -> str:
        raise ApiError(503, "not_ready", "")

    for number in range(2 * LIMIT):
        given = GivenKey(f"early-{number}", "192.0.2.1")
        assert door.failed_keys.owner(given, not_ready) is None
    assert door.try_key("right") == "in"


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


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", UNKNOWN),
        ("me", UNKNOWN),
        ("1" * 60_000, UNKNOWN),
        ("fe80::1%" + "x" * 60_000, UNKNOWN),
    ],
)
def test_only_an_address_is_kept_as_an_address(said: str, address: str) -> None:
    assert network_of(said) == network_of(address) == address


def test_all_that_is_no_address_is_one() -> None:
    door = Door()
    for number in range(LIMIT):
        door.fail(f"nowhere-{number}", times=1)
    assert door.try_key("right", "nowhere") == "too_many_failed_keys"


@pytest.mark.parametrize(
    ("trusted", "said", "address"),
    [
        ([], "192.0.2.1", "127.0.0.1"),
        (["10.0.0.0/8"], "192.0.2.1", "127.0.0.1"),
        (["127.0.0.1"], "192.0.2.1", "192.0.2.1"),
        (["127.0.0.0/8"], "203.0.113.9, 192.0.2.1", "192.0.2.1"),
        (["127.0.0.1"], "0.5aaaa", UNKNOWN),
    ],
)
async def test_only_a_trusted_proxy_says_where_somebody_comes_from(
    trusted: list[str], said: str, address: str
) -> None:
    app = create_app("Test", "", Health(), Metrics())

    @app.get("/where")
    async def where(place: Annotated[str, Depends(_place)]) -> str:
        return place

    server = HttpServer(app, "127.0.0.1", 0, 1, trusted_proxies=trusted)
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{server.port}/where"
        answer = await http.get(url, headers={"X-Forwarded-For": said})
    assert answer.json() == address
    await server.close()
    await serving


def _place(request: Request) -> str:
    return address_of(request)
