"""What is no request, over HTTP: refused, and never seen by the engine."""

from collections.abc import AsyncIterator

from exchange_shared.bus import ORDER_ENTRY
from tests.support.bad_orders import bad_orders, json_text
from tests.support.gateways import (
    JSON,
    SELL,
    Gateway,
    bearer,
    error,
    order,
    order_reports,
    records_in,
)
from tests.support.memory_bus import MemoryBus


async def test_bad_orders_are_refused_reported_and_never_reach_the_engine(
    patient_gateway: Gateway, bus: MemoryBus
) -> None:
    gateway = patient_gateway
    api_key = await gateway.open_account("alice")
    headers = {**bearer(api_key), **JSON}
    before = await records_in(bus, ORDER_ENTRY)
    cases = bad_orders()
    for value, code, field in cases:
        body = json_text(value)
        answer = await gateway.http.post("/orders", headers=headers, content=body)
        assert error(answer) == (422, code, field or None), body
    assert await records_in(bus, ORDER_ENTRY) == before
    reports = await order_reports(bus, len(cases))
    assert [(report.status, report.client_id, report.reason) for report in reports] == [
        ("denied", "alice", code) for _, code, _ in cases
    ]
    assert (await order(gateway, api_key, SELL)).status_code == 201


NO_JSON = [b"", b"{", b"nan", b"\xff\xfe", b"{'a': 1}", b"[" * 10_000, b"{}{}", b'{"a":"\\ud800"}']


async def test_what_is_not_json_is_malformed(gateway: Gateway) -> None:
    headers = {**bearer(await gateway.open_account("alice")), **JSON}
    for path in ("/orders", "/orders/batch", "/clients"):
        for body in NO_JSON:
            answer = await gateway.http.post(path, headers=headers, content=body)
            assert error(answer) == (400, "malformed_json", None), (path, body)


async def test_a_body_that_is_too_large_is_not_read(gateway: Gateway) -> None:
    headers = {**bearer(await gateway.open_account("alice")), **JSON}
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
