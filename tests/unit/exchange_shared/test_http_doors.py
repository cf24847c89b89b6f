"""Every way into an HTTP server of the exchange is answered in the one error shape."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from fastapi import Request, Response
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from exchange_shared.http import (
    ApiError,
    Health,
    HttpServer,
    create_app,
    decode_json,
    json_response,
    read_json,
)
from exchange_shared.http.protocol import MAX_HEAD_BYTES
from exchange_shared.metrics import Metrics


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = create_app("Test", "", Health(), Metrics())

    @app.post("/echo", openapi_extra={"requestBody": {}})
    async def echo(request: Request) -> Response:
        return json_response(await read_json(request))

    @app.get("/one")
    async def one(name: str = "") -> Response:
        return json_response(name)

    server = HttpServer(app, "127.0.0.1", 0, 1)
    serving = asyncio.create_task(server.serve())
    yield server.port
    await server.close()
    await serving


async def answer_to(port: int, request: bytes) -> tuple[int, str, str | None]:
    """The status, code and field of the refusal of some bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    status = int((await reader.readline()).split()[1])
    headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert "content-type: application/json" in headers
    length = int(headers.partition("content-length: ")[2].split()[0])
    body = b"" if request.startswith(b"HEAD") else await reader.readexactly(length)
    writer.close()
    if not body:
        return status, "", None
    error = json.loads(body)["error"]
    assert error["message"]
    return status, error["code"], error["field"]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode()


def post(body: bytes) -> bytes:
    return b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize(
    ("request_bytes", "refusal"),
    [
        (b"NONSENSE\r\n\r\n", (400, "malformed_http", None)),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", (400, "malformed_http", None)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400, "malformed_http", None)),
        (
            b"GET / HTTP/1.1\r\nX: " + b"x" * 4 * MAX_HEAD_BYTES,
            (431, "head_too_large", None),
        ),
        (get("/nowhere"), (404, "not_found", None)),
        (b"DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n", (405, "method_not_allowed", None)),
        (b"HEAD /one HTTP/1.1\r\nHost: x\r\n\r\n", (405, "", None)),
        (get("/one?name=a&name=b"), (422, "repeated_field", "name")),
        (get("/one?name=a&%6eame="), (422, "repeated_field", "name")),
        (get("/healthz?a=1"), (422, "unknown_field", "a")),
        (
            b"GET /one HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
            (422, "unexpected_body", None),
        ),
        (post(b'\xef\xbb\xbf{"a": 1}'), (400, "malformed_json", None)),
        (post(b'{"a": 1, "a": 1}'), (422, "repeated_field", "a")),
        (post(b'{"b": [{"a": ":", "c": {"a": 1, "\\u0061": 2}}]}'), (422, "repeated_field", "a")),
        (post(b'{"a": NaN, "a": 1}'), (422, "repeated_field", "a")),
    ],
)
async def test_every_refusal_has_the_one_shape(
    port: int, request_bytes: bytes, refusal: tuple[int, str, str | None]
) -> None:
    assert await answer_to(port, request_bytes) == refusal


async def test_an_unknown_websocket_is_told_so_and_nobody_is_alarmed(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs, pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{port}/nowhere", proxy=None):
            pass
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "not_found"
    assert logs == []
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.parametrize(
    "text", ['{"a": "x:y", "b": {"a": [":", {"a": 1}]}}', "[]", '":"', '[{"a": 1}, {"a": 2}]']
)
def test_what_names_nothing_twice_is_taken(text: str) -> None:
    assert decode_json(text) == json.loads(text)


def test_a_byte_order_mark_is_named() -> None:
    with pytest.raises(ApiError, match="UTF-8 byte order mark"):
        decode_json("\ufeff{}")


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ApiError, match="the body is"):
        decode_json("[" * 100_000 + "]" * 100_000)
    assert decode_json('{"a":' * 50 + "1" + "}" * 50)
