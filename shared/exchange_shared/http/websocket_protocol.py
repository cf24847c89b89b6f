"""WebSockets: what is no handshake is refused in the one shape, and who is in the way ends."""

from asyncio.transports import BaseTransport
from http import HTTPStatus

import structlog
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError
from websockets.frames import Frame
from websockets.http11 import Request

from exchange_shared.http.admission import CONNECTION
from exchange_shared.http.connections import Connection
from exchange_shared.http.errors import ApiError
from exchange_shared.http.last_answers import HEAD_TOO_LARGE, MADE_ROOM, end_soon, last_answer

INVALID_TEXT = 1007
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013

MAX_FRAGMENTS = 1_000
"""In how many frames one message may come."""

log = structlog.get_logger()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which refuses in our shape what is no handshake.

    A WebSocket that the application refused with an answer is no error.
    """

    _connection: Connection

    def connection_made(self, transport: BaseTransport) -> None:
        """The connection goes on from where it was a request."""
        super().connection_made(transport)
        self._connection = self.app_state[CONNECTION]
        self._connection.evicted = self._make_room

    def connection_lost(self, exc: Exception | None) -> None:
        """It ends."""
        self._connection.close()
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        """Send, and know that a whole refusal is the end of a handshake."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        """Read on; a handshake that cannot be read is refused."""
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
