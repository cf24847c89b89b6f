"""WebSockets that send without pause, against a real HTTP server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from exchange_shared.http import Health, HttpServer, ServerLimits, create_app
from exchange_shared.http.websocket_protocol import TURN_FRAMES, frame_bytes
from exchange_shared.metrics import Metrics

WAIT_SECONDS = 60.0
EMPTY_TEXT = b"\x81\x80\0\0\0\0"
SHORT_TEXT = b"\x81\x81\0\0\0\0x"
PING = b"\x89\x80\0\0\0\0"
PONG = b"\x8a\x80\0\0\0\0"
HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Rounds:
    """Counts the rounds of the loop, and how many messages came in the fullest of them."""

    def __init__(self) -> None:
        self.messages = 0
        self.most = 0
        self._task = asyncio.create_task(self._count())

    async def _count(self) -> None:
        while True:
            before = self.messages
            await asyncio.sleep(0)
            self.most = max(self.most, self.messages - before)

    def close(self) -> None:
        self._task.cancel()


@contextlib.asynccontextmanager
async def serving(frames_per_second: int) -> AsyncIterator[tuple[int, Rounds]]:
    app = create_app("Test", "", Health(), Metrics(), ["*"])
    rounds = Rounds()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket) -> None:
        """It gives nobody else a turn by itself."""
        await websocket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                text = await websocket.receive_text()
                rounds.messages += 1
                if len(text) > 1:
                    await websocket.send_text(text)

    limits = ServerLimits(websocket_frames_per_second=frames_per_second)
    server = HttpServer(app, "127.0.0.1", 0, 1, limits)
    task = asyncio.create_task(server.serve())
    try:
        yield server.port, rounds
    finally:
        rounds.close()
        await server.close()
        await task


def talking(port: int) -> connect:
    return connect(f"ws://127.0.0.1:{port}/echo", proxy=None, max_size=None)


async def raw(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HANDSHAKE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def said(talker: ClientConnection, text: str) -> str | bytes:
    await talker.send(text)
    async with asyncio.timeout(WAIT_SECONDS):
        return await talker.recv()


@pytest.mark.parametrize(
    ("size", "header_bytes"), [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)]
)
@pytest.mark.parametrize("mask", [True, False])
def test_a_frame_tells_its_length_as_soon_as_its_header_has(
    size: int, header_bytes: int, mask: bool
) -> None:
    frame = bytearray(Frame(Opcode.TEXT, bytes(size)).serialize(mask=mask))
    for known in range(header_bytes):
        assert frame_bytes(frame[:known]) is None
    assert frame_bytes(frame[:header_bytes]) == frame_bytes(frame + b"next") == len(frame)


async def test_a_frame_that_comes_byte_by_byte_is_read() -> None:
    async with serving(frames_per_second=100) as (port, _):
        reader, writer = await raw(port)
        for byte in Frame(Opcode.TEXT, b"x" * 200).serialize(mask=True):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(WAIT_SECONDS):
            answer = await reader.readexactly(204)
        assert answer[-200:] == b"x" * 200
        writer.close()


@pytest.mark.parametrize("frame", [EMPTY_TEXT, SHORT_TEXT, PING, PONG])
async def test_who_sends_without_pause_is_told_so_and_ends(frame: bytes) -> None:
    async with serving(frames_per_second=100) as (port, _), talking(port) as other:
        reader, writer = await raw(port)
        writer.write(frame * 1_000)
        async with asyncio.timeout(WAIT_SECONDS):
            told = await reader.read()
        assert told.endswith((1008).to_bytes(2, "big") + b"more than 100 frames in a second")
        writer.close()
        assert await said(other, "still there") == "still there"


@pytest.mark.parametrize("frame", [EMPTY_TEXT, SHORT_TEXT])
async def test_others_have_their_turns_while_much_has_come_at_once(frame: bytes) -> None:
    async with serving(frames_per_second=0) as (port, rounds), talking(port) as other:
        _, writer = await raw(port)
        writer.write(frame * 5_000)
        assert await said(other, "in between") == "in between"
        async with asyncio.timeout(WAIT_SECONDS):
            while rounds.messages < 5_001:
                await asyncio.sleep(0.01)
        assert rounds.most <= 2 * TURN_FRAMES
        writer.close()


async def test_what_is_large_comes_whole_and_in_order() -> None:
    async with serving(frames_per_second=1_000) as (port, _), talking(port) as talker:
        texts = [f"{number:03}" * size for number, size in enumerate([80_000, 30_000, 1, 170] * 25)]
        sending = asyncio.create_task(_send_all(talker, texts))
        async with asyncio.timeout(WAIT_SECONDS):
            assert [await talker.recv() for _ in texts] == texts
        await sending


async def _send_all(talker: ClientConnection, texts: list[str]) -> None:
    for text in texts:
        await talker.send(text)
