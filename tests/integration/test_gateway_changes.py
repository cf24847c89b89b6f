"""Replacements and cancels through the gateway, answered by the real matching core."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus import ORDER_ENTRY
from exchange_shared.messages import MassCancel, ReplaceOrder
from tests.support.core_engine import CoreEngine
from tests.support.gateway_traders import BUY, SELL, Trader, outcome
from tests.support.gateways import (
    JSON,
    Gateway,
    bearer,
    records_in,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[CoreEngine]:
    engine = CoreEngine()
    async with running_engine(bus, engine):
        yield engine


@pytest.fixture
async def alice(gateway: Gateway) -> Trader:
    return Trader(gateway, "alice", await gateway.open_account("alice"))


@pytest.fixture
async def bob(gateway: Gateway) -> Trader:
    return Trader(gateway, "bob", await gateway.open_account("bob"))


async def test_an_order_is_replaced(alice: Trader, bob: Trader, engine: CoreEngine) -> None:
    order_id = (await alice.order(SELL, client_order_id="mine"))["order_id"]
    fills = (await bob.order(BUY, quantity=2))["fills"]
    answer = await alice.request("PATCH", f"/orders/{order_id}", {"quantity": 6})
    assert answer.status_code == 200
    assert answer.json() == {
        "order_id": order_id,
        "client_order_id": "mine",
        "security_id": "MSFT",
        "quantity": 6,
        "price": 420,
        "status": "partially_filled",
        "filled_quantity": 2,
        "remaining_quantity": 4,
        "average_price": 420,
        "fills": fills,
        "kept_priority": True,
        "seq": engine.seq,
    }
    await bob.order(BUY, price=418, quantity=1)
    moved = (await alice.request("PATCH", f"/orders/{order_id}", {"price": "418"})).json()
    assert outcome(moved) == ("partially_filled", 3, 3, None)
    assert (moved["price"], moved["kept_priority"]) == (418, False)
    assert moved["average_price"] == 419.3333
    assert [(fill["price"], fill["quantity"]) for fill in moved["fills"]] == [(420, 2), (418, 1)]


async def test_an_order_that_is_repeated_after_all_is_told_as_it_is_now(
    alice: Trader, bob: Trader, engine: CoreEngine
) -> None:
    named = {**SELL, "client_order_id": "mine"}
    order_id = (await alice.order(named))["order_id"]
    fills = (await bob.order(BUY, quantity=2))["fills"]
    path = f"/orders/{order_id}"
    await alice.request("PATCH", path, {"quantity": 6, "price": "421.50"})
    assert (await alice.request("DELETE", path)).status_code == 200
    again = await alice.request("POST", "/orders", named)
    assert again.json() == {
        "order_id": order_id,
        "client_order_id": "mine",
        "security_id": "MSFT",
        "side": "sell",
        "type": "limit",
        "quantity": 6,
        "price": 421.5,
        "status": "cancelled",
        "filled_quantity": 2,
        "remaining_quantity": 0,
        "average_price": 420,
        "fills": fills,
        "repeated": True,
        "seq": engine.seq,
    }


async def test_a_replacement_that_cannot_be_is_refused(alice: Trader, bob: Trader) -> None:
    order_id = (await alice.order(SELL, post_only=True))["order_id"]
    stop = {"security_id": "MSFT", "side": "sell", "type": "stop", "quantity": 1, "stop_price": 1}
    stop_id = (await alice.order(stop))["order_id"]
    await bob.order(BUY, quantity=2)
    await bob.order(BUY, price=419)
    path = f"/orders/{order_id}"
    cases = [
        (path, {"quantity": 2}, (409, "quantity_filled", "quantity")),
        (path, {"price": 419}, (422, "would_take", "price")),
        (path, {"price": "420.001"}, (422, "price_off_tick", "price")),
        (path, {"quantity": 1_000}, (422, "insufficient_shares", None)),
        (f"/orders/{stop_id}", {"quantity": 2}, (409, "not_replaceable", "order_id")),
        ("/orders/7", {"quantity": 2}, (404, "unknown_order", "order_id")),
        (path, {}, (422, "missing_field", "quantity")),
        (path, {"quantity": 0}, (422, "invalid_field", "quantity")),
        (path, {"price": "x"}, (422, "invalid_field", "price")),
        (path, {"side": "buy"}, (422, "unknown_field", "side")),
        (path, [5], (422, "invalid_field", None)),
        ("/orders/x", {"quantity": 2}, (422, "invalid_field", "order_id")),
    ]
    for where, content, expected in cases:
        assert await alice.refused("PATCH", where, content) == expected, (where, content)
    malformed = await alice._http.patch(
        path, headers={**bearer(alice.api_key), **JSON}, content=b"{"
    )
    assert (malformed.status_code, malformed.json()["error"]["code"]) == (400, "malformed_json")


async def test_many_orders_are_cancelled_at_once(
    alice: Trader, bob: Trader, engine: CoreEngine
) -> None:
    await bob.order(BUY, price=400)
    apple = {"security_id": "AAPL", "price": 230, "quantity": 1}
    ids = [
        (await alice.order({**content, **changes}))["order_id"]
        for content, changes in (
            (SELL, {}), (BUY, {"price": 410}), (SELL, apple), (BUY, {**apple, "price": 220}),
            (SELL, {"type": "stop", "price": None, "stop_price": 400}),
        )
    ]  # fmt: skip
    steps = [
        ("?security_id=AAPL&side=buy", [ids[3]]),
        ("?side=buy", [ids[1]]),
        ("?security_id=AAPL", [ids[2]]),
        ("", [ids[0], ids[4]]),
        ("", []),
    ]
    for query, expected in steps:
        answer = await alice.request("DELETE", f"/orders{query}")
        assert answer.status_code == 200
        assert answer.json() == {
            "cancelled": len(expected),
            "order_ids": expected,
            "seq": engine.seq,
        }
    assert engine.exchange.open_orders == 1


async def test_a_malformed_mass_cancel_cancels_nothing(alice: Trader, engine: CoreEngine) -> None:
    await alice.order(SELL)
    cases = [
        ("/orders?security_id=NONE", (404, "unknown_security", "security_id")),
        ("/orders?security_id=", (422, "invalid_field", "security_id")),
        ("/orders?side=both", (422, "invalid_field", "side")),
        ("/orders?order_id=7", (422, "unknown_field", "order_id")),
        ("/orders/", (404, "not_found", None)),
        ("/orders/?side=sell", (404, "not_found", None)),
    ]
    for path, expected in cases:
        assert await alice.refused("DELETE", path) == expected, path
    assert engine.exchange.open_orders == 1


async def test_without_a_key_nothing_is_changed(gateway: Gateway, bus: MemoryBus) -> None:
    for method, path in (("PATCH", "/orders/7"), ("DELETE", "/orders")):
        answer = await gateway.http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "no_api_key")
    commands = await records_in(bus, ORDER_ENTRY)
    assert not any(isinstance(command, ReplaceOrder | MassCancel) for command in commands)


async def test_without_an_answer_in_time_changes_are_pending(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, answer_seconds=0.5) as gateway:
        await gateway.until_ready()
        alice = Trader(gateway, "alice", await gateway.open_account("alice"))
        engine.answering.clear()
        replace = await alice.request("PATCH", "/orders/7", {"quantity": 1})
        cancel = await alice.request("DELETE", "/orders")
        assert (replace.status_code, replace.json()) == (202, {"order_id": 7, "status": "pending"})
        assert (cancel.status_code, cancel.json()) == (202, {"status": "pending"})
        engine.answering.set()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "/orders/7", {"quantity": 1}), ("DELETE", "/orders", None)],
)
async def test_without_a_confirm_in_time_changes_are_unknown(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, method: str, path: str, body: Any
) -> None:
    async with running_gateway(bus, tmp_path, answer_seconds=0.5) as gateway:
        await gateway.until_ready()
        alice = Trader(gateway, "alice", await gateway.open_account("alice"))
        engine.answering.clear()
        bus.confirming.clear()
        assert await alice.refused(method, path, body) == (503, "outcome_unknown", None)
        bus.confirming.set()
        engine.answering.set()
