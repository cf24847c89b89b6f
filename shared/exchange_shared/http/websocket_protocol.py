"""WebSockets: what is no handshake is refused in the one shape, and who is in the way ends.

What has come is taken a little at a time, so that others have their turns, however much it is.
"""

import asyncio
from asyncio.transports import BaseTransport
from http import HTTPStatus

import structlog
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError
from websockets.frames import Frame
from websockets.http11 import Request

from exchange_shared.http.admission import CONNECTION
from exchange_shared.http.connections import Connection
from exchange_shared.http.errors import ApiError
from exchange_shared.http.last_answers import (
    HEAD_TOO_LARGE,
    MADE_ROOM,
    UNREAD_SECONDS,
    end_soon,
    last_answer,
)

INVALID_TEXT = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013

MAX_FRAGMENTS = 1_000
"""In how many frames one message may come."""

TURN_BYTES = 65_536
TURN_FRAMES = 64
"""How much is taken from one WebSocket in one round of the loop."""

BURST_SECONDS = 2
"""For how long a WebSocket may have saved up the frames that it may send."""

log = structlog.get_logger()


def frame_bytes(data: bytearray) -> int | None:
    """How long the frame is that begins here, with its header; `None` while that is not told yet.

    RFC 6455, section 5.2.
    """
    if len(data) < 2:
        return None
    length, extended = data[1] & 0x7F, 0
    if length > 125:
        extended = 2 if length == 126 else 8
        if len(data) < 2 + extended:
            return None
        length = int.from_bytes(data[2 : 2 + extended], "big")
    mask = 4 if data[1] & 0x80 else 0
    return 2 + extended + mask + length


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which refuses in our shape what is no handshake.

    A WebSocket that the application refused with an answer is no error. While some of what has
    come is not taken yet, nothing more is read.
    """

    _connection: Connection
    _unread: bytearray
    _turn: asyncio.Handle | None = None
    _frame_left = 0
    """How many bytes of a frame that has begun have not been taken."""

    _allowance = 0.0
    """How many frames may come now; as of `_allowed_at`."""

    _allowed_at = 0.0
    _deaf = False
    """Whether the connection ends, whatever may still come."""

    def connection_made(self, transport: BaseTransport) -> None:
        """The connection goes on from where it was a request."""
        super().connection_made(transport)
        self._connection = self.app_state[CONNECTION]
        self._connection.evicted = self._make_room
        self._unread = bytearray()
        self._allowance = BURST_SECONDS * float(self._frames_per_second)
        self._allowed_at = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ends."""
        self._deaf = True
        self._unread.clear()
        self._connection.close()
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        """Send, and know that a whole refusal is the end of a handshake."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True
        if self._unread:  # it may have waited for the handshake
            self._go_on()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message; more is taken when all that were there are handed over."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._go_on()
        return message

    def data_received(self, data: bytes) -> None:
        """Read on; a handshake that cannot be read is refused."""
        if self.handshake_initiated:
            self._unread += data
            if self._turn is None:
                self._take_turn()
            return
        super().data_received(data)
        problem = self.conn.handshake_exc
        if problem is not None and not self.handshake_initiated:
            self._refuse(problem)

    def handle_connect(self, event: Request) -> None:
        """Take a handshake, or refuse it."""
        if self.conn.accept(event).status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            super().handle_connect(event)
        else:
            self._refuse(self.conn.handshake_exc)

    def handle_cont(self, event: Frame) -> None:
        """Put a message together, which has no end of frames in it."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self.frames = []
            self.conn.fail(TOO_BIG, f"a message comes in {MAX_FRAGMENTS} frames at the most")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping, unless the answers to those before it are left unread."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        """Hand over a message; text that is none ends the connection, which is no error of ours."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                log.info("websocket_text_invalid", client=self.client)
                self.frames = []
                self.conn.send_close(INVALID_TEXT)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    @property
    def _frames_per_second(self) -> int:
        return self._connection.limits.websocket_frames_per_second

    @property
    def _has_more(self) -> bool:
        """Whether some of a frame has come that is not taken, and it is known how long that is."""
        return bool(self._unread) and (
            self._frame_left > 0 or frame_bytes(self._unread) is not None
        )

    @property
    def _may_take(self) -> bool:
        """Whether there is something to take, and somebody to take it."""
        if self._deaf or self.read_paused or self.transport.is_closing():
            return False
        return self.handshake_complete and self._has_more

    def _go_on(self) -> None:
        """Take what waits in the next round of the loop, or read on."""
        if self._turn is None and self._may_take:
            self._turn = self.loop.call_soon(self._take_turn)
        elif not (self._has_more or self._deaf or self.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def _take_turn(self) -> None:
        """Take as much as one WebSocket may have in one round of the loop."""
        self._turn = None
        bytes_left, frames_left = TURN_BYTES, TURN_FRAMES
        while bytes_left > 0 and self._may_take:
            if not self._frame_left:
                if not frames_left:
                    break
                frames_left -= 1
                self._frame_left = frame_bytes(self._unread) or 0
                self._count_frame()
                if self._deaf:
                    return
            piece = bytes(self._unread[: min(bytes_left, self._frame_left)])
            del self._unread[: len(piece)]
            bytes_left -= len(piece)
            self._frame_left -= len(piece)
            super().data_received(piece)
        if self._has_more and not self.transport.is_closing():
            self.transport.pause_reading()
        self._go_on()

    def _count_frame(self) -> None:
        """Count a frame, of any kind; who sends more than anybody needs is told so, and ends."""
        per_second = self._frames_per_second
        if not per_second:
            return
        now = self.loop.time()
        saved = self._allowance + (now - self._allowed_at) * per_second
        self._allowance = min(saved, BURST_SECONDS * float(per_second)) - 1
        self._allowed_at = now
        if self._allowance < 0 and not self.transport.is_closing():
            self._end_flood(f"more than {per_second} frames in a second")

    def _end_flood(self, reason: str) -> None:
        """Say why, leave it a moment to be read, and read nothing more."""
        log.info("websocket_floods", client=self.client)
        self._deaf = True
        self._unread.clear()
        self.frames = []
        self.transport.pause_reading()
        if not self.close_sent:
            self.queue.put_nowait(
                {"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": reason}
            )
            self.conn.send_close(POLICY_VIOLATION, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def _refuse(self, problem: BaseException | None) -> None:
        """Answer what is no handshake, and end."""
        causes = [problem, problem.__cause__ if problem is not None else None]
        if any(isinstance(cause, SecurityError) for cause in causes):
            self._end_before_it_began(HEAD_TOO_LARGE)
        else:
            message = f"this is no handshake of a WebSocket: {problem}"
            self._end_before_it_began(ApiError(400, "malformed_http", message))

    def _end_before_it_began(self, error: ApiError) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(last_answer(error, self.default_headers))
        self.transport.close()

    def _make_room(self) -> None:
        """End, because others need the place; who does not read has it ended at once."""
        if not self.handshake_complete:
            self._end_before_it_began(MADE_ROOM)
        elif not self.close_sent:
            reason = MADE_ROOM.code
            self.queue.put_nowait(
                {"type": "websocket.disconnect", "code": TRY_AGAIN_LATER, "reason": reason}
            )
            self.conn.send_close(TRY_AGAIN_LATER, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        end_soon(self.transport, self.loop)
