"""The gateway over HTTP, with a fake engine behind it: accounts, orders, cancels and keys."""

from pathlib import Path
from typing import Any

from exchange_shared.bus import Bus
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.messages import (
    OpenAccount,
)
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    BUY,
    SELL,
    Gateway,
    bearer,
    error,
    exact,
    order,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

# Accounts


async def test_an_account_is_opened_with_what_the_engine_granted(
    gateway: Gateway, engine: FakeEngine
) -> None:
    chosen = {"client_id": "alice", "api_key": "a-key-of-my-choice"}
    answer = await gateway.http.post("/clients", json=chosen)
    assert answer.status_code == 201
    assert answer.json() == {
        "client_id": "alice",
        "api_key": "a-key-of-my-choice",
        "balance": 10_000,
        "holdings": {"MSFT": 100, "AAPL": 100},
        "seq": engine.seq,
        "opened": True,
    }


async def test_the_same_account_with_the_same_key_is_there_already(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    again = {"client_id": "alice", "api_key": api_key}
    answer = await gateway.http.post("/clients", json=again)
    assert answer.status_code == 200
    assert {**answer.json(), "seq": 0} == {
        "client_id": "alice",
        "api_key": api_key,
        "balance": 10_000,
        "holdings": {"MSFT": 100, "AAPL": 100},
        "seq": 0,
        "opened": False,
    }


async def test_a_key_that_the_exchange_made_opens_the_account(gateway: Gateway) -> None:
    answer = await gateway.http.post("/clients", json={"client_id": "alice"})
    api_key = answer.json()["api_key"]
    assert len(api_key) >= 40
    assert (await order(gateway, api_key, SELL)).status_code == 201


BAD_ACCOUNTS: list[tuple[Any, str, str | None]] = [
    ({}, "missing_field", "client_id"),
    ({"client_id": ""}, "invalid_field", "client_id"),
    ({"client_id": "a" * 33}, "invalid_field", "client_id"),
    ({"client_id": 7}, "invalid_field", "client_id"),
    ({"client_id": "alice", "api_key": "too-short"}, "invalid_field", "api_key"),
    ({"client_id": "alice", "api_key": 1234567890123456}, "invalid_field", "api_key"),
    ({"client_id": "alice", "balance": 1}, "unknown_field", "balance"),
    (["alice"], "invalid_field", None),
]


async def test_a_malformed_account_is_refused(gateway: Gateway, engine: FakeEngine) -> None:
    for content, code, field in BAD_ACCOUNTS:
        answer = await gateway.http.post("/clients", json=content)
        assert error(answer) == (422, code, field), content
    assert not any(isinstance(command, OpenAccount) for command in engine.commands)


# Orders


async def test_a_resting_order_is_new(gateway: Gateway, engine: FakeEngine) -> None:
    api_key = await gateway.open_account("alice")
    answer = await order(gateway, api_key, {**SELL, "client_order_id": "first"})
    assert answer.status_code == 201
    assert answer.json() == {
        "order_id": engine.commands[-1].order_id,
        "client_order_id": "first",
        "security_id": "MSFT",
        "side": "sell",
        "type": "limit",
        "quantity": 10,
        "price": 420.5,
        "status": "new",
        "filled_quantity": 0,
        "remaining_quantity": 10,
        "average_price": None,
        "fills": [],
        "seq": engine.seq,
    }


async def test_an_order_trades_with_what_rests(gateway: Gateway, engine: FakeEngine) -> None:
    alice, bob = await gateway.open_account("alice"), await gateway.open_account("bob")
    await order(gateway, alice, {**SELL, "quantity": 3, "price": 420})
    await order(gateway, alice, {**SELL, "quantity": 3, "price": "420.01"})
    answer = await order(gateway, bob, BUY)
    assert answer.status_code == 201
    assert answer.json() == {
        "order_id": engine.commands[-1].order_id,
        "client_order_id": None,
        "security_id": "MSFT",
        "side": "buy",
        "type": "limit",
        "quantity": 10,
        "price": 420.5,
        "status": "partially_filled",
        "filled_quantity": 6,
        "remaining_quantity": 4,
        "average_price": 420.005,
        "fills": [
            {"trade_id": 1, "price": 420.0, "quantity": 3, "fee": 0},
            {"trade_id": 2, "price": 420.01, "quantity": 3, "fee": 0},
        ],
        "seq": engine.seq,
    }


async def test_what_may_not_rest_is_cancelled_and_tells_why(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    market = {"security_id": "MSFT", "side": "buy", "type": "market", "quantity": 5}
    answers = [
        (await order(gateway, api_key, content)).json()
        for content in (market, {**BUY, "time_in_force": "ioc"})
    ]
    assert [(one["status"], one["remaining_quantity"], one["reason"]) for one in answers] == [
        ("cancelled", 0, "no_liquidity"),
        ("cancelled", 0, "immediate_or_cancel"),
    ]


BAD_BATCHES: list[tuple[Any, str, str | None]] = [
    ({}, "missing_field", "orders"),
    ({"orders": []}, "invalid_field", "orders"),
    ({"orders": [SELL] * 501}, "invalid_field", "orders"),
    ({"orders": "SELL"}, "invalid_field", "orders"),
    ({"orders": [SELL], "x": 1}, "unknown_field", "x"),
    ([SELL], "invalid_field", None),
]


async def test_a_malformed_batch_is_refused_as_a_whole(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    for content, code, field in BAD_BATCHES:
        answer = await gateway.http.post("/orders/batch", headers=bearer(api_key), json=content)
        assert error(answer) == (422, code, field), content


# Cancels


async def test_an_own_order_is_cancelled(gateway: Gateway, engine: FakeEngine) -> None:
    api_key = await gateway.open_account("alice")
    order_id = (await order(gateway, api_key, SELL)).json()["order_id"]
    answer = await gateway.http.delete(f"/orders/{order_id}", headers=bearer(api_key))
    assert answer.status_code == 200
    assert answer.json() == {
        "order_id": order_id,
        "security_id": "MSFT",
        "status": "cancelled",
        "cancelled_quantity": 10,
        "seq": engine.seq,
    }
    again = await gateway.http.delete(f"/orders/{order_id}", headers=bearer(api_key))
    assert error(again) == (404, "unknown_order", "order_id")


async def test_somebody_elses_order_is_answered_like_an_unknown_one(gateway: Gateway) -> None:
    alice, bob = await gateway.open_account("alice"), await gateway.open_account("bob")
    order_id = (await order(gateway, alice, SELL)).json()["order_id"]
    foreign = await gateway.http.delete(f"/orders/{order_id}", headers=bearer(bob))
    unknown = await gateway.http.delete(f"/orders/{order_id + 1}", headers=bearer(bob))
    assert foreign.status_code == unknown.status_code == 404
    one, other = foreign.json(), unknown.json()
    assert one["error"]["message"] == other["error"]["message"].replace(
        str(order_id + 1), str(order_id)
    )
    assert {**one, "error": 0, "seq": 0, "order_id": 0} == {
        **other,
        "error": 0,
        "seq": 0,
        "order_id": 0,
    }


BAD_IDS = ["0", "-1", "x", "1.0", "1e3", str(2**53), "%D9%A3", "+7", "9" * 5_000, "7%20", "None"]


async def test_a_malformed_order_id_is_refused(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    for order_id in BAD_IDS:
        answer = await gateway.http.delete(f"/orders/{order_id}", headers=bearer(api_key))
        assert error(answer) == (422, "invalid_field", "order_id"), order_id


# Keys


BAD_KEYS: list[tuple[Any, str]] = [
    ({}, "no_api_key"),
    ({"Authorization": "Bearer"}, "no_api_key"),
    ({"Authorization": "Basic key-of-alice-0123456789"}, "no_api_key"),
    ({"Authorization": "Bearer key-of-nobody-0123456789"}, "unknown_api_key"),
    ({"Authorization": b"Bearer \xff\xfe"}, "unknown_api_key"),
]


async def test_without_a_known_key_nothing_happens(gateway: Gateway, engine: FakeEngine) -> None:
    await gateway.open_account("alice")
    before = len(engine.commands)
    for method, path in (("POST", "/orders"), ("POST", "/orders/batch"), ("DELETE", "/orders/1")):
        for headers, code in BAD_KEYS:
            answer = await gateway.http.request(method, path, headers=headers)
            assert error(answer) == (401, code, None), (method, path, headers)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert len(engine.commands) == before


# Browsers


async def test_only_pages_of_allowed_origins_may_read_answers(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, allowed_origins=["https://my.site"]) as gateway:
        allowed = await gateway.http.get("/healthz", headers={"Origin": "https://my.site"})
        foreign = await gateway.http.get("/healthz", headers={"Origin": "https://evil.site"})
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://my.site"
        assert "Access-Control-Allow-Origin" not in foreign.headers


# The embedded log


async def test_the_same_works_on_the_embedded_log(tmp_path: Path) -> None:
    bus: Bus = await SQLiteBus.open(str(tmp_path / "log.db"))
    async with running_engine(bus) as engine, running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        alice, bob = await gateway.open_account("alice"), await gateway.open_account("bob")
        await order(gateway, alice, SELL)
        answer = await order(gateway, bob, BUY)
        assert (answer.status_code, exact(answer)["status"]) == (201, "filled")
        assert answer.json()["seq"] == engine.seq
    await bus.close()
