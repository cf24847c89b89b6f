"""Clients that are slow, or too many, against a real HTTP server with small limits."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import pytest
from fastapi import Request, Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from exchange_shared.http import (
    Health,
    HttpServer,
    ServerLimits,
    create_app,
    json_response,
    read_json,
)
from exchange_shared.http.last_answers import MAX_HEAD_BYTES
from exchange_shared.http.protocol import MAX_PIPELINED, MAX_UNWANTED_BYTES
from exchange_shared.metrics import Metrics

KEY = b"Authorization: Bearer the key of alice\r\n"
WAIT_SECONDS = 60.0


class Served:
    """A server, and how to talk to it in bytes."""

    def __init__(self, server: HttpServer, waits: asyncio.Event) -> None:
        self.port = server.port
        self.waits = waits
        self.closing = contextlib.AsyncExitStack()

    async def send(self, request: bytes) -> asyncio.StreamReader:
        """Send something on a new connection, which stays open."""
        return (await self.connection(request))[0]

    async def connection(self, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.closing.callback(writer.close)
        writer.write(request)
        return reader, writer

    async def answer(self, request: bytes) -> tuple[int, str]:
        """Status and body of the answer to a request on a connection of its own."""
        reader, writer = await self.connection(request)
        try:
            return await answer_on(reader)
        finally:
            writer.close()

    async def metric(self, line: str) -> float:
        """A number on the page for Prometheus."""
        _, page = await self.answer(get("/metrics"))
        found = [one for one in page.splitlines() if one.startswith(f"exchange_{line} ")]
        return float(found[0].rpartition(" ")[2])


def get(path: str, headers: bytes = b"") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: here\r\n".encode() + headers + b"\r\n"


async def answer_on(reader: asyncio.StreamReader) -> tuple[int, str]:
    async with asyncio.timeout(WAIT_SECONDS):
        status = int((await reader.readline()).split()[1])
        headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(headers.partition("content-length: ")[2].split()[0])
        body = (await reader.readexactly(length)).decode()
    if status in (408, 503):
        assert "retry-after: 1" in headers
        assert "connection: close" in headers
    return status, body


async def refusal_on(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of a refusal, after which the connection must end."""
    status, body = await answer_on(reader)
    assert await ended(reader) == b""
    error = json.loads(body)["error"]
    assert error["message"]
    return status, error["code"]


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes."""
    async with asyncio.timeout(WAIT_SECONDS):
        with contextlib.suppress(ConnectionResetError):
            return await reader.read()
    return b""


Serving = Callable[..., contextlib.AbstractAsyncContextManager[Served]]


@contextlib.asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[Served]:
    owners = {"the key of alice": "alice", "b": "bob"}
    app = create_app(
        "Test", "", Health(), Metrics(), ["*"], lambda given: owners.get(given.api_key or "")
    )
    waits = asyncio.Event()

    @app.post("/echo", openapi_extra={"requestBody": {}})
    async def echo(request: Request) -> Response:
        return json_response(await read_json(request))

    @app.post("/unread", openapi_extra={"requestBody": {}})
    async def unread() -> Response:
        return json_response("unread")

    @app.get("/wait")
    async def wait() -> Response:
        await waits.wait()
        return json_response("waited")

    @app.get("/now")
    async def now() -> Response:
        return json_response("now")

    @app.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.send_text(await websocket.receive_text())

    server = HttpServer(app, "127.0.0.1", 0, 1, ServerLimits(**{"refusal_seconds": 0.05, **limits}))  # type: ignore[arg-type]
    task = asyncio.create_task(server.serve())
    served = Served(server, waits)
    try:
        async with served.closing:
            yield served
    finally:
        waits.set()
        await server.close()
        await task


POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "refusal"),
    [
        (b"GET /now HTTP/1.1\r\nHost:", (408, "request_timeout")),
        (b"\r\n", (408, "request_timeout")),
        (POST + b"Content-Length: 9\r\n\r\n{", (408, "request_timeout")),
        (CHUNKED + b"1\r\n{", (408, "request_timeout")),
        (CHUNKED + b"1\r\n{\r\n0\r\nX: ", (408, "request_timeout")),
    ],
)
async def test_what_does_not_come_in_time_is_refused(
    request_bytes: bytes, refusal: tuple[int, str]
) -> None:
    async with serving(head_seconds=0.05, body_seconds=0.05) as served:
        assert await refusal_on(await served.send(request_bytes)) == refusal


async def test_a_head_that_comes_byte_by_byte_does_not_take_longer() -> None:
    async with serving(head_seconds=0.2) as served:
        reader, writer = await served.connection(b"GET / HTTP/1.1\r\n")
        answer = asyncio.create_task(refusal_on(reader))
        while not answer.done():
            writer.write(b"X")
            await asyncio.sleep(0.01)
        assert answer.result() == (408, "request_timeout")
        assert await served.metric('connections_timed_out_total{with="head"}') == 1


async def test_a_connection_on_which_nothing_comes_ends_without_a_word() -> None:
    async with serving(head_seconds=0.05) as served:
        assert await ended(await served.send(b"")) == b""
        assert await served.metric('connections_timed_out_total{with="first_byte"}') == 1


async def test_who_waits_for_an_answer_is_not_late_with_the_next_request() -> None:
    async with serving(head_seconds=0.6, body_seconds=0.6) as served:
        post = POST + b"Content-Length: 2\r\n\r\n"
        reader, writer = await served.connection(get("/wait") + post + b"{")
        await asyncio.sleep(0.9)
        served.waits.set()
        assert await answer_on(reader) == (200, '"waited"')
        writer.write(b"}")
        assert await answer_on(reader) == (200, "{}")


async def test_a_next_request_has_a_time_of_its_own() -> None:
    async with serving(head_seconds=0.3, keep_alive_seconds=60) as served:
        reader, writer = await served.connection(get("/now"))
        for _ in range(4):
            assert (await answer_on(reader))[0] == 200
            await asyncio.sleep(0.1)
            writer.write(get("/now")[:10])
            await asyncio.sleep(0)
            writer.write(get("/now")[10:])
        assert (await answer_on(reader))[0] == 200


ENDLESS = 4 * MAX_HEAD_BYTES


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"x" * ENDLESS,
        b"GET / HTTP/1.1\r\nX: " + b"x" * ENDLESS,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (ENDLESS // 6),
        b"\r\n" * ENDLESS,
        CHUNKED + b"1;" + b"x" * ENDLESS,
        CHUNKED + b"1\r\n{\r\n0\r\n" + b"X: y\r\n" * (ENDLESS // 6),
        get("/talk", b"Connection: Upgrade\r\nUpgrade: websocket\r\nX: " + b"x" * ENDLESS),
    ],
    ids=["line", "header", "headers", "empty lines", "extension", "trailers", "handshake"],
)
async def test_nothing_without_an_end_is_read_on(request_bytes: bytes) -> None:
    async with serving() as served:
        assert await refusal_on(await served.send(request_bytes)) == (431, "head_too_large")


async def test_a_body_that_nobody_wants_is_not_read_for_ever() -> None:
    async with serving() as served:
        head = POST.replace(b"echo", b"unread") + b"Content-Length: 999999999\r\n\r\n"
        reader, writer = await served.connection(head)
        assert (await answer_on(reader))[0] == 200
        sent = 0
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WAIT_SECONDS):
                while sent < 200 * MAX_UNWANTED_BYTES:
                    writer.write(bytes(65_536))
                    sent += 65_536
                    await writer.drain()
        assert sent < 100 * MAX_UNWANTED_BYTES
        assert await ended(reader) == b""


async def test_a_large_body_does_not_count_for_the_head_that_comes_with_its_end() -> None:
    async with serving() as served:
        body = b'"' + b"x" * 16_000 + b'"'
        post = POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        reader, writer = await served.connection(post * 8 + get("/now")[:9])
        for _ in range(8):
            assert (await answer_on(reader))[0] == 200
        writer.write(get("/now")[9:])
        assert await answer_on(reader) == (200, '"now"')


async def test_only_so_many_requests_come_before_the_first_is_answered() -> None:
    async with serving() as served:
        reader = await served.send(get("/now") * (2 * MAX_PIPELINED))
        answers = (await ended(reader)).decode()
        assert answers.count("HTTP/1.1 200") == MAX_PIPELINED + 1
        assert '"malformed_http"' in answers


async def test_idle_connections_make_room_for_newcomers() -> None:
    async with serving(connections=20) as served:
        silent = [await served.send(b"") for _ in range(5)]
        halves = [await served.send(b"GET / HTTP/1.1\r\nHost:") for _ in range(5)]
        kept = [await served.send(get("/now")) for _ in range(10)]
        for reader in kept:
            assert (await answer_on(reader))[0] == 200
        assert [await ended(reader) for reader in silent] == [b""] * 5
        for reader in halves:
            assert await refusal_on(reader) == (503, "too_many_connections")
        assert await served.answer(get("/now")) == (200, '"now"')
        assert await served.metric('connections_evicted_total{limit="all"}') >= 10
        assert await served.metric('connections{kind="anonymous"}') in (9, 10)


async def test_waiting_strangers_shut_out_neither_clients_nor_health() -> None:
    async with serving(connections=8) as served:
        waiting = [await served.send(get("/wait")) for _ in range(4)]
        assert await refusal_on(await served.send(get("/now"))) == (503, "too_many_connections")
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await served.answer(get(path)))[0] == 200
        assert await served.answer(get("/now", KEY)) == (200, '"now"')
        wrong = b"Authorization: Bearer nobody's\r\n"
        assert (await served.answer(get("/now", wrong)))[0] == 503
        assert await served.metric('connections_refused_total{limit="all"}') == 2
        assert not any(reader.at_eof() for reader in waiting)


async def test_a_websocket_that_has_not_logged_in_makes_room_and_one_with_a_key_does_not() -> None:
    async with serving(connections=2) as served:
        url = f"ws://127.0.0.1:{served.port}"
        headers = {"Authorization": "Bearer the key of alice"}
        async with connect(f"{url}/talk", proxy=None) as stranger:
            async with connect(f"{url}/talk", proxy=None, additional_headers=headers) as alice:
                await alice.send("a")
                assert await alice.recv() == "a"
                assert await served.answer(get("/now")) == (200, '"now"')
                await alice.send("b")
                assert await alice.recv() == "b"
            with pytest.raises(ConnectionClosed):
                await stranger.recv()
            assert (stranger.close_code, stranger.close_reason) == (1013, "too_many_connections")


async def test_a_websocket_beyond_the_limit_is_refused_before_it_is_accepted() -> None:
    async with serving(connections_per_client=1) as served:
        url = f"ws://127.0.0.1:{served.port}/talk"
        headers = {"Authorization": "Bearer the key of alice"}
        async with connect(url, proxy=None, additional_headers=headers):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(url, proxy=None, additional_headers=headers):
                    pass
        response = refused.value.response
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert json.loads(response.body or b"")["error"]["code"] == "too_many_connections"


async def test_a_message_in_frames_without_an_end_is_refused() -> None:
    async with serving() as served:
        handshake = (
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        )
        reader, writer = await served.connection(get("/talk", handshake))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        empty = b"\x80\x00\x00\x00\x00"  # of no bytes, masked by nothing
        writer.write(b"\x01" + empty + (b"\x00" + empty) * 3_000)
        assert (await ended(reader))[2:4] == (1009).to_bytes(2, "big")


async def test_a_flood_of_connections_leaves_nothing_behind() -> None:
    async with serving(connections=100) as served:
        for _ in range(5):
            flood = [await served.connection(get("/now")[:number]) for number in range(100)]
            for _, writer in flood:
                writer.close()
        async with asyncio.timeout(WAIT_SECONDS):
            while await served.metric('connections{kind="anonymous"}') > 1:
                await asyncio.sleep(0)


NO_CHUNK = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
MALFORMED_BODIES = [
    POST + NO_CHUNK,
    POST + b"Transfer-Encoding: xchunked\r\n\r\nzz\r\n",
    CHUNKED + b"2\r\n{}zz",
    CHUNKED + b"1\r\n{\r\nzz\r\n",
    CHUNKED + b"0\r\n: \r\n\x00",
    b"GET /now HTTP/1.1\r\nHost: x\r\n" + NO_CHUNK,
    b"DELETE /echo HTTP/1.1\r\nHost: x\r\n" + NO_CHUNK,
    POST.replace(b"/echo", b"/unread") + NO_CHUNK,
]


async def test_a_body_that_cannot_come_whole_leaves_no_connection_behind() -> None:
    async with serving() as served:
        for request in MALFORMED_BODIES:
            assert await refusal_on(await served.send(request)) == (400, "malformed_http")
        for begun in (POST + b"Content-Length: 9\r\n\r\n{", CHUNKED, CHUNKED + b"2\r\n{"):
            reader, writer = await served.connection(begun)
            writer.write_eof()
            assert await refusal_on(reader) == (400, "malformed_http")
        await only_one_is_connected(served)


async def test_a_body_that_breaks_off_while_it_is_awaited_is_refused_too() -> None:
    async with serving() as served:
        reader, writer = await served.connection(CHUNKED + b"1\r\n{\r\n")
        while await served.metric('connections{kind="anonymous"}') < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # the application waits for the rest
        writer.write(b"zz\r\n")
        assert await refusal_on(reader) == (400, "malformed_http")
        await only_one_is_connected(served)


async def test_a_body_that_breaks_off_is_refused_after_the_answers_before_it() -> None:
    async with serving() as served:
        reader, writer = await served.connection(get("/wait") + POST + NO_CHUNK)
        writer.write_eof()
        other, other_writer = await served.connection(
            get("/wait") + POST + b"Content-Length: 9\r\n\r\n"
        )
        other_writer.write_eof()
        await asyncio.sleep(0.05)
        assert await served.answer(get("/now")) == (200, '"now"')
        served.waits.set()
        for one in (reader, other):
            assert await answer_on(one) == (200, '"waited"')
            assert await refusal_on(one) == (400, "malformed_http")
        await only_one_is_connected(served)


async def only_one_is_connected(served: Served) -> None:
    """Returns when no connection is left but the one that asks."""
    async with asyncio.timeout(WAIT_SECONDS):
        while await served.metric('connections{kind="anonymous"}') > 1:
            await asyncio.sleep(0.01)
