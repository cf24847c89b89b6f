"""Every way into an HTTP server of the exchange is answered in the one error shape."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from fastapi import Request, Response
from starlette.websockets import WebSocket
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
from exchange_shared.http.last_answers import MAX_HEAD_BYTES
from exchange_shared.metrics import Metrics

WAITS_SECONDS = 0.05


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    app = create_app("Test", "", Health(), Metrics(), ["*"])

    @app.post("/echo", openapi_extra={"requestBody": {}})
    async def echo(request: Request) -> Response:
        return json_response(await read_json(request))

    @app.get("/one")
    async def one(name: str = "") -> Response:
        return json_response(name)

    @app.get("/slow")
    async def slow() -> Response:
        await asyncio.sleep(WAITS_SECONDS)
        return json_response("late")

    @app.get("/never")
    async def never() -> Response:
        await asyncio.Event().wait()
        return json_response("never")

    @app.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive()

    server = HttpServer(app, "127.0.0.1", 0, 1)
    serving = asyncio.create_task(server.serve())
    yield server
    await server.close()
    await serving


@pytest.fixture
def port(server: HttpServer) -> int:
    return server.port


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


def post(body: bytes, kind: bytes = b"Application/JSON; charset=utf-8") -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


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
        (post(b"{}", b"text/plain"), (415, "unsupported_media_type", "Content-Type")),
        (post(b"{}", b""), (415, "unsupported_media_type", "Content-Type")),
        (post(b"{}", b"application/jsonp"), (415, "unsupported_media_type", "Content-Type")),
        (
            b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\n\r\n",
            (415, "unsupported_media_type", "Content-Type"),
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


async def answers_to(port: int, request: bytes, *, ends: bool = False) -> list[tuple[int, str]]:
    """Status and body of all answers until the connection is closed; the client may end first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    if ends:
        writer.write_eof()
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    answers = [one.partition("\r\n\r\n") for one in said.decode().split("HTTP/1.1 ")[1:]]
    return [(int(head.split()[0]), body) for head, _, body in answers]


async def test_a_refusal_does_not_overtake_the_answers_before_it(port: int) -> None:
    first, second = await answers_to(port, get("/slow") + b"NONSENSE\r\n\r\n")
    assert first == (200, '"late"')
    assert second[0] == 400
    assert json.loads(second[1])["error"]["code"] == "malformed_http"


async def test_who_sends_no_more_is_answered_all_the_same(port: int) -> None:
    assert await answers_to(port, get("/slow"), ends=True) == [(200, '"late"')]


async def test_an_offer_of_http_2_is_passed_over_and_the_body_read(port: int) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    request = post(b'{"a": 1}').replace(b"Host: x\r\n", b"Host: x\r\n" + offer, 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()


HANDSHAKE = (
    b"%b /stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n%b\r\n"
)
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "refusal"),
    [
        (HANDSHAKE % (b"GET", b""), (400, "malformed_http", None)),
        (HANDSHAKE % (b"GET", b"Sec-WebSocket-Key: x\r\n"), (400, "malformed_http", None)),
        (HANDSHAKE % (b"POST", KEY), (400, "malformed_http", None)),
        (HANDSHAKE % (b"GET", KEY + b"Content-Length: 3\r\n"), (400, "malformed_http", None)),
        (
            HANDSHAKE % (b"GET", KEY + b"Cookie: " + b"x" * 9_000 + b"\r\n"),
            (431, "head_too_large", None),
        ),
        (HANDSHAKE % (b"GET", KEY + b"X: y\r\n" * 200), (431, "head_too_large", None)),
    ],
)
async def test_what_is_no_handshake_is_refused_and_does_not_stay_open(
    port: int, request_bytes: bytes, refusal: tuple[int, str, str | None]
) -> None:
    assert await answer_to(port, request_bytes) == refusal


async def test_a_text_that_is_none_ends_a_websocket_and_alarms_nobody(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write((HANDSHAKE % (b"GET", KEY)).replace(b"/stream", b"/talk"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    writer.write(b"\x81\x83\x00\x00\x00\x00\xff\xfe{")  # masked by nothing
    assert (await reader.readexactly(4))[2:] == (1007).to_bytes(2, "big")
    writer.close()
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


async def test_who_waits_when_the_server_ends_is_told_so(server: HttpServer) -> None:
    waiting = asyncio.create_task(answers_to(server.port, get("/never")))
    await asyncio.sleep(WAITS_SECONDS)
    await server.close()
    ((status, body),) = await waiting
    assert (status, json.loads(body)["error"]["code"]) == (503, "not_ready")
