"""Which keys the gateway takes for an account, and by which names it may be asked."""

from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from exchange_shared.auth import public_bot_key
from exchange_shared.messages import OpenAccount
from tests.support.core_engine import CoreEngine
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    JSON,
    OPERATOR_KEY,
    SELL,
    Gateway,
    bearer,
    error,
    order,
    receive,
    running_engine,
    running_gateway,
    send,
    session,
)
from tests.support.memory_bus import MemoryBus

WRONG = "a-key-that-nobody-has-"
LIMIT = 3
WEAK_KEYS = ("alice-alice-alice-1", "abababababababab", public_bot_key("alice"))


async def open_account(gateway: Gateway, client_id: str, api_key: str | None) -> httpx.Response:
    wanted = {"client_id": client_id} | ({} if api_key is None else {"api_key": api_key})
    return await gateway.http.post("/clients", json=wanted)


async def test_a_key_that_is_easily_guessed_opens_no_account(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, operator_key=OPERATOR_KEY) as gateway:
        await gateway.until_ready()
        for key in WEAK_KEYS:
            answer = await open_account(gateway, "alice", key)
            assert error(answer) == (422, "weak_api_key", "api_key"), key
        answer = await open_account(gateway, "alice", OPERATOR_KEY)
        assert error(answer) == (409, "api_key_in_use", "api_key")
        assert not any(isinstance(command, OpenAccount) for command in engine.commands)


async def test_an_account_that_has_such_a_key_keeps_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    api_key = await gateway.open_account("alice")
    weak = "order_entry_gateway.api.accounts.weakness"
    monkeypatch.setattr(weak, lambda *_: "everybody knows this key")
    assert (await open_account(gateway, "alice", api_key)).status_code == 200
    assert error(await open_account(gateway, "bob", api_key)) == (422, "weak_api_key", "api_key")


async def test_after_too_many_wrong_keys_an_address_waits_but_who_was_there_trades_on(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(
        bus, tmp_path, operator_key=OPERATOR_KEY, failed_keys_per_minute=LIMIT
    ) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        bob = (await open_account(gateway, "bob", None)).json()["api_key"]
        carol = await key_from_elsewhere(gateway, "carol")
        async with gateway.connect() as guesser:
            await send(guesser, type="login", api_key=WRONG + "1")
            assert (await receive(guesser))["error"]["code"] == "unknown_api_key"
        assert error(await open_account(gateway, "alice", WRONG + "2"))[1] == "client_id_taken"
        status = await gateway.http.get("/admin/status", headers=bearer(WRONG + "3"))
        assert error(status) == (401, "unknown_api_key", None)

        for key in (WRONG + "4", carol):
            refused = await order(gateway, key, SELL)
            assert error(refused) == (429, "too_many_failed_keys", None)
            assert 0 < int(refused.headers["Retry-After"]) <= 60
            refused = await gateway.http.get("/admin/status", headers=bearer(key))
            assert error(refused) == (429, "too_many_failed_keys", None)
        assert error(await open_account(gateway, "erin", WRONG + "5"))[0] == 429
        with pytest.raises(InvalidStatus) as no_session:
            await gateway.connect(carol)
        assert no_session.value.response.status_code == 429

        dave = (await open_account(gateway, "dave", None)).json()["api_key"]
        for key in (alice, bob, dave):
            assert (await order(gateway, key, SELL)).status_code == 201
            async with session(gateway, key):
                pass
        status = await gateway.http.get("/admin/status", headers=bearer(OPERATOR_KEY))
        assert status.status_code == 200


async def test_a_key_on_a_path_that_does_not_ask_for_one_is_a_try_too(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, failed_keys_per_minute=LIMIT) as gateway:
        await gateway.until_ready()
        alice, carol = [await key_from_elsewhere(gateway, name) for name in ("alice", "carol")]
        assert (await gateway.http.get("/nope", headers=bearer(alice))).status_code == 404
        assert await clients_connected(gateway) == "1.0"
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as guesser:
            for number in range(LIMIT):
                wrong = bearer(f"{WRONG}{number}")
                assert (await guesser.get("/nope", headers=wrong)).status_code == 404
            assert error(await order(gateway, WRONG + "9", SELL))[0] == 429
            assert (await guesser.get("/nope", headers=bearer(carol))).status_code == 404
            assert await clients_connected(gateway) == "1.0"
            assert error(await order(gateway, carol, SELL))[0] == 429
            assert (await order(gateway, alice, SELL)).status_code == 201


async def test_chosen_keys_are_no_way_to_guess_those_of_others(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(
        bus, tmp_path, failed_keys_per_minute=LIMIT, new_clients_per_second=0
    ) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        answers = [
            await open_account(gateway, f"guesser-{number}", f"{WRONG}{number}")
            for number in range(5 * LIMIT)
        ]
        assert [one.status_code for one in answers] == [201] * (5 * LIMIT - 1) + [429]
        assert error(answers[-1]) == (429, "rate_limited", None)
        assert 10 <= int(answers[-1].headers["Retry-After"]) <= 20
        for key in (alice, "alice-1234567890"):
            assert error(await open_account(gateway, "guesser", key))[:2] == (429, "rate_limited")
        assert (await open_account(gateway, "alice", alice)).status_code == 200
        assert (await open_account(gateway, "bob", None)).status_code == 201


async def key_from_elsewhere(gateway: Gateway, client_id: str) -> str:
    """The key of an account that was opened from another address."""
    elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx.AsyncClient(base_url=gateway.url, transport=elsewhere) as http:
        answer = await http.post("/clients", json={"client_id": client_id})
        return str(answer.json()["api_key"])


async def clients_connected(gateway: Gateway) -> str:
    """How many connections count as those of clients."""
    page = (await gateway.http.get("/metrics")).text.splitlines()
    name = 'exchange_connections{kind="client"} '
    return next(line.removeprefix(name) for line in page if line.startswith(name))


async def test_names_that_differ_only_by_case_are_one(bus: MemoryBus, tmp_path: Path) -> None:
    async with running_engine(bus, CoreEngine()), running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        for key in (None, api_key, "another-key-than-hers"):
            answer = await open_account(gateway, "Alice", key)
            assert error(answer) == (409, "client_id_taken", "client_id")


async def test_what_a_page_of_another_site_can_send_changes_nothing(
    engine: FakeEngine, gateway: Gateway
) -> None:
    await gateway.until_ready()
    body = b'{"client_id": "mallory"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"Content-Type": kind, "Origin": "http://evil.example"}
        answer = await gateway.http.post("/clients", headers=headers, content=body)
        assert error(answer) == (415, "unsupported_media_type", "Content-Type")
    evil = {"Host": "evil.example", "Origin": "http://evil.example"}
    answer = await gateway.http.post("/clients", headers={**JSON, **evil}, content=body)
    assert error(answer) == (421, "host_not_allowed", "Host")
    with pytest.raises(InvalidStatus) as refused:
        await gateway.connect(headers=evil)
    assert refused.value.response.status_code == 421
    assert not any(isinstance(command, OpenAccount) for command in engine.commands)


async def test_a_gateway_can_be_asked_by_a_name_that_is_set(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, allowed_hosts=["market.example"]) as gateway:
        await gateway.until_ready()
        headers = {"Host": "market.example:2400"}
        answer = await gateway.http.post("/clients", headers=headers, json={"client_id": "alice"})
        assert answer.status_code == 201
