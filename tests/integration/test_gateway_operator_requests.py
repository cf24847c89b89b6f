"""The operator's requests: who may make them, and which are refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.core_engine import CoreEngine
from tests.support.gateway_operator import OPERATOR, operate, set_state
from tests.support.gateways import (
    OPERATOR_KEY,
    SELL,
    Gateway,
    bearer,
    error,
    order,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/admin/securities", {"security_id": "TSLA", "reference_price": 250}),
    ("POST", "/admin/state", {"action": "halt"}),
    ("GET", "/admin/status", None),
    ("POST", "/admin/clock", {"confirm": True}),
    ("PUT", "/admin/clients/alice/limits", {}),
    ("PUT", "/admin/clients/alice/kill-switch", {"active": True}),
]


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[CoreEngine]:
    engine = CoreEngine()
    async with running_engine(bus, engine):
        yield engine


@pytest.fixture
async def alice(gateway: Gateway) -> str:
    """The key of a client."""
    return await gateway.open_account("alice")


# Who may


@pytest.mark.parametrize(("method", "path", "content"), CALLS)
async def test_only_the_operator_may(
    gateway: Gateway, engine: CoreEngine, alice: str, method: str, path: str, content: Any
) -> None:
    before = len(engine.commands)
    refusals = {
        "": (401, "no_api_key", None),
        "key-of-nobody-0123456789": (401, "unknown_api_key", None),
        OPERATOR_KEY + "x": (401, "unknown_api_key", None),
        alice: (403, "operator_only", None),
    }
    for api_key, refusal in refusals.items():
        headers = bearer(api_key) if api_key else {}
        answer = await gateway.http.request(method, path, headers=headers, json=content)
        assert error(answer) == refusal, api_key
    assert len(engine.commands) == before


@pytest.mark.parametrize("operator_key", [None, ""])
async def test_without_an_operators_key_nobody_may(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, operator_key: str | None
) -> None:
    async with running_gateway(bus, tmp_path, operator_key=operator_key) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        for method, path, content in CALLS:
            for headers in ({}, OPERATOR, bearer(alice)):
                answer = await gateway.http.request(method, path, headers=headers, json=content)
                assert error(answer) == (403, "operator_only", None), (method, path)


async def test_the_operator_is_no_client(gateway: Gateway) -> None:
    assert error(await order(gateway, OPERATOR_KEY, SELL)) == (401, "unknown_api_key", None)


async def test_before_the_engine_has_answered_the_operator_waits_too(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    engine.answering.clear()
    async with running_gateway(bus, tmp_path, operator_key=OPERATOR_KEY) as gateway:
        for method, path, content in CALLS:
            answer = await gateway.http.request(method, path, headers=OPERATOR, json=content)
            assert error(answer) == (503, "not_ready", None), path


# What is asked


BAD: dict[str, list[tuple[Any, str, str | None]]] = {
    "POST /admin/securities": [
        ([], "invalid_field", None),
        ({"reference_price": 1}, "missing_field", "security_id"),
        ({"security_id": "TSLA"}, "missing_field", "reference_price"),
    ],
    "POST /admin/state": [
        ({}, "missing_field", "action"),
        ({"action": "stop"}, "invalid_field", "action"),
        ({"action": "halt", "security_id": "msft"}, "invalid_field", "security_id"),
        ({"action": "halt", "seconds": -1}, "invalid_field", "seconds"),
        ({"action": "halt", "seconds": 604_801}, "invalid_field", "seconds"),
        ({"action": "halt", "seconds": True}, "invalid_field", "seconds"),
        ({"action": "open", "seconds": 1}, "invalid_field", "seconds"),
        ({"action": "halt", "auction": "opening"}, "invalid_field", "auction"),
        ({"action": "start_auction", "auction": "x"}, "invalid_field", "auction"),
        ({"action": "halt", "why": ""}, "unknown_field", "why"),
    ],
    "PUT /admin/clients/a%20b/limits": [({}, "invalid_field", "client_id")],
    "PUT /admin/clients/alice/limits": [
        ({"max_open_orders": "1"}, "invalid_field", "max_open_orders"),
        ({"max_position": 0}, "invalid_field", "max_position"),
        ({"max_position": 1.5}, "invalid_field", "max_position"),
        ({"max_order_value": 0}, "invalid_field", "max_order_value"),
        ({"max_loss": 1}, "unknown_field", "max_loss"),
    ],
    "PUT /admin/clients/alice/kill-switch": [
        ({}, "missing_field", "active"),
        ({"active": 1}, "invalid_field", "active"),
    ],
}

BAD_TERMS: dict[str, list[Any]] = {
    "security_id": ["tsla", "", 7, None, "A" * 13],
    "reference_price": [
        *(0, -1, "x", True, None, 1_000_000.01, 0.00001, "1e7"),
        *("1_0", "1e2", "١", " 1", ".5", "1.", "NaN", "", 250.005),
    ],
    "tick": [0, None, "0.00001"],
    "lot": [0, 1.5, "1", True, 10_000_001],
    "granted_quantity": [-1, 0.5, True],
    "max_order_quantity": [0, "5"],
    "max_order_value": [0, 900_000_000_000, 249.99],
    "static_band_percent": [0, 100.0001, -1, 0.00001],
    "dynamic_band_percent": [0, "ten"],
    "halt_seconds": [-1, 604_801, 0.0000001],
    "auction_seconds": [-1, None],
    "short_margin_percent": [-1, 1_000.1],
}


async def test_a_malformed_request_is_refused_with_the_name_of_the_field(
    gateway: Gateway, engine: CoreEngine, alice: str
) -> None:
    before = len(engine.commands)
    good = {"security_id": "TSLA", "reference_price": 250}
    terms: list[tuple[Any, str, str | None]] = [
        ({**good, field: value}, "invalid_field", field)
        for field, values in BAD_TERMS.items()
        for value in values
    ]
    for call, cases in [*BAD.items(), ("POST /admin/securities", terms)]:
        method, path = call.split()
        for content, code, field in cases:
            answer = await gateway.http.request(method, path, headers=OPERATOR, json=content)
            assert error(answer) == (422, code, field), (call, content)
    assert len(engine.commands) == before


async def test_a_refusal_says_what_would_be_right(gateway: Gateway) -> None:
    good = {"security_id": "TSLA", "reference_price": 250}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"reference_price": "1e2"}, "reference_price: a number is expected, like 10.5"),
        ({"reference_price": 0.125}, "reference_price: a multiple of the tick 0.01 is expected"),
        (
            {"lot": 10, "max_order_quantity": 9},
            "max_order_quantity: it must be at least one lot, 10",
        ),
        ({"lot": "1"}, "lot: a whole number is expected"),
        ({"security_id": "t"}, "security_id: 1 to 12 capital letters, digits or dots are expected"),
    ]
    for changes, message in cases:
        answer = await gateway.http.post(
            "/admin/securities", headers=OPERATOR, json={**good, **changes}
        )
        assert answer.json()["error"]["message"] == message


async def test_what_the_operator_asks_for_is_logged(gateway: Gateway, alice: str) -> None:
    with capture_logs() as logs:
        await set_state(gateway, "halt", security_id="MSFT", seconds=1.5)
        await operate(gateway, "PUT", "/admin/clients/alice/kill-switch", {"active": True})
    assert [entry for entry in logs if entry["event"] == "operator_request"] == [
        {
            "event": "operator_request",
            "log_level": "info",
            "call": "POST /admin/state",
            "action": "halt",
            "security_id": "MSFT",
            "seconds": "1.5",
        },
        {
            "event": "operator_request",
            "log_level": "info",
            "call": "PUT /admin/clients/alice/kill-switch",
            "active": True,
        },
    ]


async def test_without_an_answer_in_time_a_request_is_pending(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    async with running_gateway(
        bus, tmp_path, operator_key=OPERATOR_KEY, answer_seconds=0.05
    ) as gateway:
        await gateway.until_ready()
        engine.answering.clear()
        for method, path, content in CALLS:
            if method != "GET":
                answer = await gateway.http.request(method, path, headers=OPERATOR, json=content)
                assert (answer.status_code, answer.json()) == (202, {"status": "pending"})
        engine.answering.set()
