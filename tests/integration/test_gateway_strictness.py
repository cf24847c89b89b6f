"""What no call of the gateway takes is refused, and has no effect."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from exchange_shared.bus import ORDER_ENTRY
from tests.support.core_engine import CoreEngine
from tests.support.gateways import (
    Gateway,
    bearer,
    error,
    records_in,
    running_engine,
)
from tests.support.memory_bus import MemoryBus

PAGES = {"/healthz", "/readyz", "/metrics"}
"""They change nothing, and monitoring adds what it likes."""


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[CoreEngine]:
    engine = CoreEngine()
    async with running_engine(bus, engine):
        yield engine


async def calls(gateway: Gateway) -> list[tuple[str, str, dict[str, Any]]]:
    """Every documented call: its method, a path, and what is documented of it."""
    page = (await gateway.http.get("/openapi.json")).json()
    names = {"{order_id}": "7", "{client_id}": "alice"}
    found = []
    for path, operations in page["paths"].items():
        if path in PAGES:
            continue
        for name, value in names.items():
            path = path.replace(name, value)  # noqa: PLW2901
        found += [(method.upper(), path, operation) for method, operation in operations.items()]
    return found


async def test_every_call_refuses_query_parameters_that_it_does_not_have(
    gateway: Gateway, bus: MemoryBus
) -> None:
    before = await records_in(bus, ORDER_ENTRY)
    asked = await calls(gateway)
    assert len(asked) == 12
    for method, path, operation in asked:
        assert "422" in operation["responses"], path
        answer = await gateway.http.request(method, f"{path}?securityId=MSFT", json={})
        assert error(answer) == (422, "unknown_field", "securityId"), path
    assert await records_in(bus, ORDER_ENTRY) == before


async def test_every_call_without_a_body_refuses_one(gateway: Gateway, bus: MemoryBus) -> None:
    before = await records_in(bus, ORDER_ENTRY)
    without = [
        (call, path) for call, path, about in await calls(gateway) if "requestBody" not in about
    ]
    assert sorted(without) == [
        ("DELETE", "/orders"),
        ("DELETE", "/orders/7"),
        ("GET", "/admin/status"),
    ]
    for method, path in without:
        for body in ({"content": b'{"side": "buy"}'}, {"content": _chunks()}):
            answer = await gateway.http.request(method, path, **body)
            assert error(answer) == (422, "unexpected_body", None), path
    assert await records_in(bus, ORDER_ENTRY) == before


async def test_a_mass_cancel_with_a_body_says_what_would_be_right(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    answer = await gateway.http.request(
        "DELETE", "/orders", headers=bearer(api_key), json={"security_id": "MSFT"}
    )
    assert answer.json()["error"]["message"] == (
        "DELETE /orders takes no body, and did nothing;"
        " the query parameters security_id and side choose what it is about"
    )
    empty = await gateway.http.request(
        "DELETE", "/orders", headers={**bearer(api_key), "Content-Length": "0"}
    )
    assert (empty.status_code, empty.json()["cancelled"]) == (200, 0)


async def test_a_repeated_query_parameter_is_refused(gateway: Gateway, bus: MemoryBus) -> None:
    api_key = await gateway.open_account("alice")
    before = await records_in(bus, ORDER_ENTRY)
    for query in ("side=buy&side=sell", "side=buy&security_id=MSFT&side=buy"):
        answer = await gateway.http.delete(f"/orders?{query}", headers=bearer(api_key))
        assert error(answer) == (422, "repeated_field", "side"), query
    assert await records_in(bus, ORDER_ENTRY) == before
    chosen = await gateway.http.delete("/orders?side=buy&security_id=MSFT", headers=bearer(api_key))
    assert chosen.status_code == 200


async def _chunks() -> AsyncIterator[bytes]:
    """A body whose length is not told before."""
    yield b""
    yield b"{}"
