"""The gateway over HTTP, with a fake engine behind it: every call, and every way to be refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from exchange_shared.bus import ORDER_ENTRY, Bus
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.messages import (
    BeginPhase,
    ConfigureMarket,
    ListSecurity,
    NewOrder,
    OpenAccount,
    OrderReport,
)
from tests.support.bad_orders import GOOD_ORDER, OPTIONS, bad_orders, json_text
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    Gateway,
    bearer,
    exact,
    order_reports,
    records_in,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

SELL = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 10, "price": 420.5}
BUY = {**SELL, "side": "buy"}


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[FakeEngine]:
    async with running_engine(bus) as running:
        yield running


@pytest.fixture
async def gateway(bus: MemoryBus, engine: FakeEngine, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(bus, tmp_path) as running:
        await running.until_ready()
        yield running


async def order(gateway: Gateway, api_key: str, content: Any) -> httpx.Response:
    """Send an order."""
    return await gateway.http.post("/orders", headers=bearer(api_key), json=content)


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal, which must have the one shape."""
    problem = answer.json()["error"]
    assert set(problem) == {"code", "message", "field"}
    assert problem["message"]
    return answer.status_code, problem["code"], problem["field"]


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


# Bad input


async def test_bad_orders_are_refused_reported_and_never_reach_the_engine(
    gateway: Gateway, bus: MemoryBus
) -> None:
    api_key = await gateway.open_account("alice")
    before = await records_in(bus, ORDER_ENTRY)
    cases = bad_orders()
    for value, code, field in cases:
        body = json_text(value)
        answer = await gateway.http.post("/orders", headers=bearer(api_key), content=body)
        assert error(answer) == (422, code, field or None), body
    assert await records_in(bus, ORDER_ENTRY) == before
    reports = await order_reports(bus, len(cases))
    assert [(report.status, report.client_id, report.reason) for report in reports] == [
        ("denied", "alice", code) for _, code, _ in cases
    ]
    assert (await order(gateway, api_key, SELL)).status_code == 201


NO_JSON = [b"", b"{", b"nan", b"\xff\xfe", b"{'a': 1}", b"[" * 10_000, b"{}{}", b'{"a":"\\ud800"}']


async def test_what_is_not_json_is_malformed(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    for path in ("/orders", "/orders/batch", "/clients"):
        for body in NO_JSON:
            answer = await gateway.http.post(path, headers=bearer(api_key), content=body)
            assert error(answer) == (400, "malformed_json", None), (path, body)


async def test_a_body_that_is_too_large_is_not_read(gateway: Gateway) -> None:
    headers = bearer(await gateway.open_account("alice"))
    limits = {"/orders": 16_384, "/clients": 16_384, "/orders/batch": 262_144}
    for path, limit in limits.items():
        body = b'"' + b"x" * limit + b'"'

        async def chunks(body: bytes = body) -> AsyncIterator[bytes]:
            yield body[:10_000]
            yield body[10_000:]

        for content in (body, chunks()):
            answer = await gateway.http.post(path, headers=headers, content=content)
            assert error(answer) == (413, "body_too_large", None), path


async def test_unknown_paths_and_methods_have_the_one_error_shape(gateway: Gateway) -> None:
    assert error(await gateway.http.get("/nothing")) == (404, "not_found", None)
    assert error(await gateway.http.put("/orders")) == (405, "method_not_allowed", None)


# What the gateway reports and publishes


async def test_each_order_in_the_log_is_reported_as_confirmed(
    gateway: Gateway, bus: MemoryBus
) -> None:
    api_key = await gateway.open_account("alice")
    answer = await order(gateway, api_key, {**SELL, "client_order_id": "first"})
    assert await order_reports(bus, 1) == [
        OrderReport(
            time_us=0,
            status="confirmed",
            client_id="alice",
            order_id=answer.json()["order_id"],
            security_id="MSFT",
            side="sell",
            quantity=10,
            price_e4=4_205_000,
            client_order_id="first",
        )
    ]


async def test_a_denied_order_is_reported_with_its_well_formed_fields(
    gateway: Gateway, bus: MemoryBus
) -> None:
    api_key = await gateway.open_account("alice")
    answer = await order(gateway, api_key, {**SELL, "quantity": 0, "client_order_id": "first"})
    assert await order_reports(bus, 1) == [
        OrderReport(
            time_us=0,
            status="denied",
            client_id="alice",
            security_id="MSFT",
            side="sell",
            price_e4=4_205_000,
            client_order_id="first",
            reason="invalid_field",
            message=answer.json()["error"]["message"],
        )
    ]


async def test_the_market_is_published_before_anything_else(
    gateway: Gateway, engine: FakeEngine
) -> None:
    phase, configure, microsoft, apple = engine.commands
    assert phase == BeginPhase(
        time_us=phase.time_us, schedule_id="", begins_us=0, phase="continuous"
    )
    assert configure == ConfigureMarket(
        time_us=configure.time_us,
        request_id=configure.request_id,
        initial_balance_e4=100_000_000,
        maker_fee_ppm=0,
        taker_fee_ppm=0,
    )
    assert microsoft == ListSecurity(
        time_us=configure.time_us,
        request_id=configure.request_id + 1,
        security_id="MSFT",
        tick_e4=100,
        reference_price_e4=4_200_000,
        granted_quantity=100,
        halt_us=30_000_000,
        auction_us=30_000_000,
    )
    assert apple.security_id == "AAPL"


async def test_the_root_leads_to_the_api_page_which_needs_no_other_site(gateway: Gateway) -> None:
    page = await gateway.http.get("/", follow_redirects=True)
    assert page.url.path == "/docs"
    assert page.status_code == 200
    assert "https://" not in page.text


async def test_the_openapi_page_describes_bodies_and_answers(gateway: Gateway) -> None:
    paths = (await gateway.http.get("/openapi.json")).json()["paths"]
    assert {"/clients", "/orders", "/orders/batch", "/orders/{order_id}"} <= set(paths)
    post = paths["/orders"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == set(GOOD_ORDER) | OPTIONS
    assert {"200", "201", "202", "401", "422", "503"} <= set(post["responses"])
    fills = post["responses"]["201"]["content"]["application/json"]["schema"]["properties"]["fills"]
    assert set(fills["items"]["properties"]) == {"trade_id", "price", "quantity", "fee"}
    admin = {path: set(calls) for path, calls in paths.items() if path.startswith("/admin/")}
    assert admin == {
        "/admin/securities": {"post"},
        "/admin/state": {"post"},
        "/admin/status": {"get"},
        "/admin/clients/{client_id}/limits": {"put"},
        "/admin/clients/{client_id}/kill-switch": {"put"},
    }
    listing = paths["/admin/securities"]["post"]["requestBody"]["content"]["application/json"]
    assert {"security_id", "reference_price", "lot", "static_band_percent"} <= set(
        listing["schema"]["properties"]
    )


async def test_the_metrics_count_orders_and_denials(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    await order(gateway, api_key, SELL)
    await order(gateway, api_key, {})
    page = (await gateway.http.get("/metrics")).text
    assert "exchange_orders_sequenced_total 1.0" in page
    assert 'exchange_orders_denied_total{code="missing_field"} 1.0' in page
    assert "exchange_waiting_requests 0.0" in page


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
        named, unnamed, account, cancel = await asyncio.gather(
            order(gateway, api_key, {**SELL, "client_order_id": "first"}),
            order(gateway, api_key, SELL),
            gateway.http.post("/clients", json={"client_id": "bob"}),
            gateway.http.delete("/orders/7", headers=bearer(api_key)),
        )
        for answer in (named, unnamed, account, cancel):
            assert error(answer) == (503, "outcome_unknown", None)
            assert answer.headers["Retry-After"] == "1"
        assert "same client_order_id first" in named.json()["error"]["message"]
        assert named.json()["order_id"] != unnamed.json()["order_id"]
        assert account.json()["client_id"] == "bob"
        assert account.json()["api_key"].startswith("ex_")
        bus.confirming.set()
        engine.answering.set()


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
        await asyncio.gather(*(order(gateway, api_key, SELL) for _ in range(5)))
        bus.confirming.set()
    reports = await order_reports(bus, 5)
    assert [report.status for report in reports] == ["confirmed"] * 5


# Rate limits


async def test_orders_over_the_rate_are_refused_and_reported(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, orders_per_second=3) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        answer = await gateway.http.post(
            "/orders/batch", headers=bearer(api_key), json={"orders": [SELL] * 4}
        )
        assert error(answer) == (429, "rate_limited", None)
        assert answer.headers["Retry-After"] == "1"
        assert not any(isinstance(command, NewOrder) for command in engine.commands)
        bob = await gateway.open_account("bob")
        assert (await order(gateway, bob, SELL)).status_code == 201


async def test_a_refusal_by_rate_is_reported_as_long_as_reports_are_within_it(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, orders_per_second=1) as gateway:
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
        bus, tmp_path, orders_per_second=0, new_clients_per_second=0
    ) as gateway:
        await gateway.until_ready()
        keys = [await gateway.open_account(f"client-{number}") for number in range(30)]
        answers = [await order(gateway, api_key, SELL) for api_key in keys]
        assert [answer.status_code for answer in answers] == [201] * 30


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
