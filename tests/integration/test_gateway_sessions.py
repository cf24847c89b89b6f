"""The gateway's WebSocket sessions: logging in, requests with their refs, reports, and limits."""

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from exchange_shared.bus import ORDER_ENTRY
from exchange_shared.messages import NewOrder
from tests.support.bad_orders import bad_orders, json_text
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    SELL,
    Gateway,
    bearer,
    closed,
    order_reports,
    receive,
    receive_until,
    records_in,
    running_gateway,
    send,
    session,
)
from tests.support.memory_bus import MemoryBus

# Logging in


async def test_the_first_message_can_log_in(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    async with gateway.connect() as connection:
        await send(connection, type="ping", ref=1)
        assert await receive(connection) == {"type": "pong", "ref": 1}
        await send(connection, type="login", ref=2, api_key=api_key)
        assert await receive(connection) == {"type": "logged_in", "ref": 2, "client_id": "alice"}
        await send(connection, type="login", ref=3, api_key=api_key)
        assert (await receive(connection))["error"]["code"] == "already_logged_in"


async def test_a_header_logs_in(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    async with gateway.connect(api_key) as connection:
        assert await receive(connection) == {"type": "logged_in", "ref": None, "client_id": "alice"}


async def test_a_wrong_key_in_a_header_is_refused_before_the_session_begins(
    gateway: Gateway,
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with gateway.connect("key-of-nobody-0123456789"):
            pass
    response = caught.value.response
    assert response.status_code == 401
    assert json.loads(response.body or b"")["error"]["code"] == "unknown_api_key"


async def test_a_wrong_key_in_a_login_ends_the_session(gateway: Gateway) -> None:
    async with gateway.connect() as connection:
        await send(connection, type="login", ref=1, api_key="key-of-nobody-0123456789")
        frame = await receive(connection)
        assert (frame["type"], frame["ref"]) == ("error", 1)
        assert frame["error"]["code"] == "unknown_api_key"
        assert await closed(connection) == (1008, "unknown_api_key")


async def test_without_a_login_nothing_can_be_ordered(gateway: Gateway, bus: MemoryBus) -> None:
    before = await records_in(bus, ORDER_ENTRY)
    async with gateway.connect() as connection:
        await send(connection, type="new", ref=1, order=SELL)
        await send(connection, type="batch", ref=2, orders=[SELL])
        await send(connection, type="cancel", ref=3, order_id=7)
        frames = [await receive(connection) for _ in range(3)]
    assert [(frame["ref"], frame["error"]["code"]) for frame in frames] == [
        (1, "not_logged_in"),
        (2, "not_logged_in"),
        (3, "not_logged_in"),
    ]
    assert await records_in(bus, ORDER_ENTRY) == before


async def test_a_session_that_does_not_log_in_is_ended(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with (
        running_gateway(bus, tmp_path, login_seconds=0.05) as gateway,
        gateway.connect() as connection,
    ):
        assert (await receive(connection))["error"]["code"] == "login_timeout"
        assert await closed(connection) == (1008, "login_timeout")


async def test_a_session_that_logged_in_outlives_the_time_for_the_login(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, login_seconds=0.3) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        async with session(gateway, api_key) as connection:
            async with gateway.connect() as silent:
                await closed(silent)
            await send(connection, type="ping", ref=1)
            assert await receive(connection) == {"type": "pong", "ref": 1}


# Browsers


async def test_pages_of_other_origins_are_refused_before_the_session_begins(
    gateway: Gateway,
) -> None:
    for origin in ("https://evil.site", "null", "http://[", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as caught:
            async with gateway.connect(origin=origin):
                pass
        assert caught.value.response.status_code == 403
        content = json.loads(caught.value.response.body or b"")
        assert content["error"]["code"] == "origin_not_allowed"


async def test_the_gateways_own_origin_and_allowed_ones_may_connect(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, allowed_origins=["https://my.site"]) as gateway:
        for origin in (gateway.url, "https://my.site"):
            async with gateway.connect(origin=origin) as connection:
                await send(connection, type="ping")
                assert await receive(connection) == {"type": "pong", "ref": None}


# Requests


async def test_an_order_is_answered_as_over_http_with_its_ref(
    gateway: Gateway, engine: FakeEngine
) -> None:
    api_key = await gateway.open_account("alice")
    named = {**SELL, "client_order_id": "first"}
    async with session(gateway, api_key) as connection:
        await send(connection, type="new", ref="mine", order=named)
        answer = await receive_until(connection, "mine")
        over_http = await gateway.http.post("/orders", headers=bearer(api_key), json=named)
    expected = over_http.json()
    del expected["repeated"]
    order = answer.pop("answer")
    assert answer == {"type": "new", "ref": "mine"}
    assert {**order, "price": float(order["price"])} == {**expected, "seq": engine.seq - 1}


async def test_a_batch_is_answered_in_order_and_one_bad_order_spoils_no_other(
    gateway: Gateway, engine: FakeEngine
) -> None:
    api_key = await gateway.open_account("alice")
    orders = [SELL, {**SELL, "quantity": True}, {**SELL, "security_id": "NOPE"}, SELL]
    async with session(gateway, api_key) as connection:
        await send(connection, type="batch", ref=7, orders=orders)
        answers = (await receive_until(connection, 7))["answers"]
    assert [answer.get("status") or answer["error"]["code"] for answer in answers] == [
        "new",
        "invalid_field",
        "unknown_security",
        "new",
    ]
    ids = [command.order_id for command in engine.commands if isinstance(command, NewOrder)]
    assert [answer.get("order_id") for answer in answers] == [ids[0], None, ids[1], ids[2]]


async def test_an_own_order_can_be_cancelled_and_a_foreign_one_is_unknown(
    gateway: Gateway,
) -> None:
    alice, bob = await gateway.open_account("alice"), await gateway.open_account("bob")
    async with session(gateway, alice) as alices, session(gateway, bob) as bobs:
        await send(alices, type="new", ref=1, order=SELL)
        order_id = (await receive_until(alices, 1))["answer"]["order_id"]
        await send(bobs, type="cancel", ref=2, order_id=order_id)
        foreign = await receive_until(bobs, 2)
        await send(alices, type="cancel", ref=3, order_id=order_id)
        own = await receive_until(alices, 3)
    assert (foreign["type"], foreign["error"]["code"]) == ("error", "unknown_order")
    assert (own["type"], {**own["answer"], "seq": 0}) == (
        "cancel",
        {
            "order_id": order_id,
            "security_id": "MSFT",
            "status": "cancelled",
            "cancelled_quantity": 10,
            "seq": 0,
        },
    )


FRAMES: list[dict[str, Any]] = [
    {"type": "login", "api_key": "key-of-alice-0123456789"},
    {"type": "new", "order": SELL},
    {"type": "batch", "orders": [SELL]},
    {"type": "replace", "order_id": 7, "quantity": 5},
    {"type": "cancel", "order_id": 7},
    {"type": "mass_cancel"},
    {"type": "ping"},
]
"""One of each type."""


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame["type"])
async def test_an_unknown_field_of_a_frame_is_refused_and_nothing_done(
    gateway: Gateway, bus: MemoryBus, frame: dict[str, Any]
) -> None:
    api_key = await gateway.open_account("alice")
    before = await records_in(bus, ORDER_ENTRY)
    async with session(gateway, api_key) as connection:
        await send(connection, **frame, ref=1, security="MSFT")
        refused = await receive(connection)
        assert (refused["type"], refused["ref"]) == ("error", 1)
        problem = refused["error"]
        assert (problem["code"], problem["field"]) == ("unknown_field", "security")
    assert await records_in(bus, ORDER_ENTRY) == before


async def test_a_session_that_asks_for_more_than_there_is_is_refused(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    with pytest.raises(InvalidStatus) as caught:
        async with gateway.connect(api_key, query="?symbol=MSFT"):
            pass
    answer = caught.value.response
    problem = json.loads(answer.body)["error"]
    assert (answer.status_code, problem["code"], problem["field"]) == (
        422,
        "unknown_field",
        "symbol",
    )


BAD_FRAMES: list[tuple[bytes, int | None, str, str | None]] = [
    (b"", None, "malformed_json", None),
    (b"{", None, "malformed_json", None),
    (b"[" * 10_000, None, "malformed_json", None),
    (b"7", None, "invalid_field", "type"),
    (b"{}", None, "invalid_field", "type"),
    (b'{"type": "buy", "ref": 1}', 1, "invalid_field", "type"),
    (b'{"type": ["new"], "ref": 1}', 1, "invalid_field", "type"),
    (b'{"type": "new", "ref": 1}', 1, "missing_field", "order"),
    (b'{"type": "new", "ref": 1, "order": null}', 1, "invalid_field", None),
    (b'{"type": "new", "ref": 1, "order": {}, "x": 1}', 1, "unknown_field", "x"),
    (b'{"type": "new", "ref": 1.5, "order": {}}', None, "invalid_field", "ref"),
    (b'{"type": "new", "ref": NaN, "order": {}}', None, "invalid_field", "ref"),
    (b'{"type": "ping", "ref": true}', None, "invalid_field", "ref"),
    (b'{"type": "ping", "ref": 99999999999999999999999}', None, "invalid_field", "ref"),
    (b'{"type": "batch", "ref": 1, "orders": []}', 1, "invalid_field", "orders"),
    (b'{"type": "batch", "ref": 1, "orders": {}}', 1, "invalid_field", "orders"),
    (b'{"type": "batch", "ref": 1}', 1, "missing_field", "orders"),
    (b'{"type": "cancel", "ref": 1}', 1, "missing_field", "order_id"),
    (b'{"type": "cancel", "ref": 1, "order_id": "7"}', 1, "invalid_field", "order_id"),
    (b'{"type": "cancel", "ref": 1, "order_id": 7.0}', 1, "invalid_field", "order_id"),
    (b'{"type": "cancel", "ref": 1, "order_id": -7}', 1, "invalid_field", "order_id"),
    (b'{"type": "login", "ref": 1}', 1, "missing_field", "api_key"),
]


async def test_a_bad_frame_is_refused_with_its_ref_and_the_session_goes_on(
    gateway: Gateway, bus: MemoryBus
) -> None:
    api_key = await gateway.open_account("alice")
    before = await records_in(bus, ORDER_ENTRY)
    async with session(gateway, api_key) as connection:
        for body, ref, code, field in BAD_FRAMES:
            for text in (True, False):
                await connection.send(body, text=text)
                frame = await receive(connection)
                problem = frame["error"]
                assert (frame["type"], frame["ref"]) == ("error", ref), body
                assert (problem["code"], problem["field"]) == (code, field), body
        await send(connection, type="ping", ref=1)
        assert await receive(connection) == {"type": "pong", "ref": 1}
    assert await records_in(bus, ORDER_ENTRY) == before


async def test_bad_orders_are_refused_reported_and_never_reach_the_engine(
    patient_gateway: Gateway, bus: MemoryBus
) -> None:
    gateway = patient_gateway
    api_key = await gateway.open_account("alice")
    before = await records_in(bus, ORDER_ENTRY)
    cases = bad_orders()
    async with session(gateway, api_key) as connection:
        for value, code, field in cases:
            await connection.send(json_text({"type": "new", "ref": 1, "order": value}))
            problem = (await receive(connection))["error"]
            assert (problem["code"], problem["field"]) == (code, field or None), value
        batch = json_text({"type": "batch", "ref": 2, "orders": [value for value, *_ in cases]})
        await connection.send(batch)
        answers = (await receive(connection))["answers"]
        assert [answer["error"]["code"] for answer in answers] == [code for _, code, _ in cases]
    assert await records_in(bus, ORDER_ENTRY) == before
    assert len(await order_reports(bus, 2 * len(cases))) == 2 * len(cases)


async def test_a_frame_that_is_too_large_ends_only_its_session(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    async with session(gateway, api_key) as large, session(gateway, api_key) as other:
        await large.send("x" * 262_145)
        assert (await closed(large))[0] == 1009
        await send(other, type="ping", ref=1)
        assert await receive(other) == {"type": "pong", "ref": 1}


async def test_while_the_engine_is_silent_orders_are_pending(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, answer_seconds=1.0) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        async with session(gateway, api_key) as connection:
            engine.answering.clear()
            await send(connection, type="batch", ref=1, orders=[SELL, {}])
            pending, refused = (await receive_until(connection, 1))["answers"]
            assert refused["error"]["code"] == "missing_field"
            assert pending["status"] == "pending"
            engine.answering.set()
            (report,) = (await receive(connection))["reports"]
            assert (report["event"], report["order_id"]) == ("accepted", pending["order_id"])


async def test_while_the_bus_is_down_requests_are_refused(gateway: Gateway, bus: MemoryBus) -> None:
    api_key = await gateway.open_account("alice")
    async with session(gateway, api_key) as connection:
        bus.reason = "the broker is gone"
        await send(connection, type="batch", ref=1, orders=[SELL])
        assert (await receive(connection))["error"]["code"] == "bus_unavailable"
        bus.reason = None
        await send(connection, type="batch", ref=2, orders=[SELL])
        assert (await receive_until(connection, 2))["answers"][0]["status"] == "new"
