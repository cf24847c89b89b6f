"""What the gateway answers when others are slow or gone, or ask for too much."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus import ORDER_ENTRY
from exchange_shared.messages import (
    CancelOrder,
    NewOrder,
)
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    SELL,
    Gateway,
    bearer,
    error,
    market_with_rate,
    order,
    order_reports,
    records_in,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

# When others are slow or gone


async def test_before_the_engine_has_answered_the_gateway_is_not_ready(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answering.clear()
    async with running_gateway(bus, tmp_path) as gateway:
        answer = await gateway.http.post("/clients", json={"client_id": "alice"})
        assert error(answer) == (503, "not_ready", None)
        assert answer.headers["Retry-After"] == "1"
        ready = await gateway.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["dependencies"]["matching_engine"] != "ok"
        assert (await gateway.http.get("/healthz")).status_code == 200
        engine.answering.set()
        await gateway.until_ready()
        await gateway.open_account("alice")


async def test_without_an_answer_in_time_a_confirmed_request_is_pending(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, answer_seconds=1.0) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        engine.answering.clear()
        answer = await order(gateway, api_key, SELL)
        (command,) = [
            one for one in await records_in(bus, ORDER_ENTRY) if isinstance(one, NewOrder)
        ]
        assert answer.status_code == 202
        assert answer.json() == {"order_id": command.order_id, "status": "pending"}
        cancel = await gateway.http.delete("/orders/7", headers=bearer(api_key))
        assert (cancel.status_code, cancel.json()) == (202, {"order_id": 7, "status": "pending"})
        chosen = {"client_id": "bob", "api_key": "key-of-bob-0123456789"}
        account = await gateway.http.post("/clients", json=chosen)
        assert (account.status_code, account.json()) == (202, {**chosen, "status": "pending"})
        engine.answering.set()


async def test_without_a_confirm_the_outcome_is_unknown(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, answer_seconds=1.0) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        engine.answering.clear()
        bus.confirming.clear()
        named, account = await asyncio.gather(
            order(gateway, api_key, {**SELL, "client_order_id": "first"}),
            gateway.http.post("/clients", json={"client_id": "bob"}),
        )
        for answer in (named, account):
            assert error(answer) == (503, "outcome_unknown", None)
            assert answer.headers["Retry-After"] == "1"
        assert "same client_order_id first" in named.json()["error"]["message"]
        assert named.json()["order_id"] > 0
        assert account.json()["client_id"] == "bob"
        assert account.json()["api_key"].startswith("ex_")
        bus.confirming.set()
        engine.answering.set()


async def test_what_waits_behind_an_unconfirmed_message_is_not_sent_after_its_refusal(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, answer_seconds=0.5, max_lag_seconds=0) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        engine.answering.clear()
        bus.confirming.clear()
        under_way = asyncio.create_task(order(gateway, api_key, SELL))
        while not any(isinstance(one, NewOrder) for one in await records_in(bus, ORDER_ENTRY)):
            await asyncio.sleep(0)
        waiting, cancel = await asyncio.gather(
            order(gateway, api_key, {**SELL, "quantity": 1}),
            gateway.http.delete("/orders/7", headers=bearer(api_key)),
        )
        assert error(await under_way) == (503, "outcome_unknown", None)
        for answer in (waiting, cancel):
            assert error(answer) == (503, "overloaded", None)
            assert answer.headers["Retry-After"] == "1"
        bus.confirming.set()
        engine.answering.set()
        assert (await order(gateway, api_key, {**SELL, "quantity": 2})).status_code == 201
        orders = [one for one in await records_in(bus, ORDER_ENTRY) if isinstance(one, NewOrder)]
        assert [one.quantity for one in orders] == [10, 2]
        assert not any(isinstance(one, CancelOrder) for one in await records_in(bus, ORDER_ENTRY))


async def test_while_the_bus_is_down_nothing_is_taken_in(gateway: Gateway, bus: MemoryBus) -> None:
    api_key = await gateway.open_account("alice")
    before = await records_in(bus, ORDER_ENTRY)
    bus.reason = "the broker is gone"
    assert error(await order(gateway, api_key, SELL)) == (503, "bus_unavailable", None)
    ready = await gateway.http.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["dependencies"]["message_bus"] == "the broker is gone"
    bus.reason = None
    assert await records_in(bus, ORDER_ENTRY) == before
    assert (await order(gateway, api_key, SELL)).status_code == 201


@pytest.mark.parametrize("limit", ["max_waiting_requests", "max_unpublished_records"])
async def test_beyond_the_limits_of_its_queues_the_gateway_refuses(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path, limit: str
) -> None:
    settings: dict[str, Any] = {"answer_seconds": 1.0, limit: 10}
    async with running_gateway(bus, tmp_path, **settings) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        await order_reports(bus, 0)
        engine.answering.clear()
        bus.confirming.clear()
        headers = bearer(api_key)
        path, six = "/orders/batch", {"orders": [SELL] * 6}
        first, second = await asyncio.gather(
            gateway.http.post(path, headers=headers, json=six),
            gateway.http.post(path, headers=headers, json=six),
        )
        refused, taken = (first, second) if first.status_code == 503 else (second, first)
        assert error(refused) == (503, "overloaded", None)
        assert [one["error"]["code"] for one in taken.json()["answers"]] == ["outcome_unknown"] * 6
        bus.confirming.set()
        engine.answering.set()


async def test_what_was_taken_in_is_published_before_the_gateway_ends(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, answer_seconds=1.0) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        bus.confirming.clear()
        engine.answering.clear()
        await gateway.http.post(
            "/orders/batch", headers=bearer(api_key), json={"orders": [SELL] * 5}
        )
        bus.confirming.set()
    reports = await order_reports(bus, 5)
    assert [report.status for report in reports] == ["confirmed"] * 5


# Rate limits


async def test_orders_over_the_rate_are_refused_and_reported(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, market=market_with_rate(3)) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        batch = {"orders": [SELL] * 30}
        first, second = [
            await gateway.http.post("/orders/batch", headers=bearer(api_key), json=batch)
            for _ in range(2)
        ]
        assert first.status_code == 200
        assert error(second) == (429, "rate_limited", None)
        assert second.headers["Retry-After"] in ("9", "10")
        assert sum(isinstance(command, NewOrder) for command in engine.commands) == 30
        bob = await gateway.open_account("bob")
        assert (await order(gateway, bob, SELL)).status_code == 201


async def test_a_refusal_by_rate_is_reported_as_long_as_reports_are_within_it(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, market=market_with_rate(1)) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        statuses = {(await order(gateway, api_key, SELL)).status_code for _ in range(20)}
        assert statuses == {201, 429}
        reports = await order_reports(bus, 2)
        assert {"confirmed", "denied"} == {report.status for report in reports}
        denied = next(report for report in reports if report.status == "denied")
        assert (denied.reason, denied.quantity, denied.price_e4) == ("rate_limited", 10, 4_205_000)


async def test_accounts_are_opened_no_faster_than_the_rate(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, new_clients_per_second=1) as gateway:
        await gateway.until_ready()
        names = [{"client_id": f"client-{number}"} for number in range(20)]
        answers = [await gateway.http.post("/clients", json=name) for name in names]
        assert {answer.status_code for answer in answers} == {201, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert error(refused) == (429, "rate_limited", None)


async def test_a_limit_of_zero_limits_nothing(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(
        bus, tmp_path, market=market_with_rate(0), new_clients_per_second=0
    ) as gateway:
        await gateway.until_ready()
        keys = [await gateway.open_account(f"client-{number}") for number in range(30)]
        answers = [await order(gateway, api_key, SELL) for api_key in keys]
        assert [answer.status_code for answer in answers] == [201] * 30
