"""What never reaches an application: malformed HTTP, answered in the one error shape."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError
from websockets.http11 import Request

MAX_HEAD_BYTES = 65_536
"""The longest request line and headers that are waited for."""

INVALID_TEXT = 1007

_OTHER_UPGRADE = re.compile(rb"^upgrade:(?=[ \t]*h2c)", re.IGNORECASE | re.MULTILINE)

log = structlog.get_logger()


def _refusal(
    status: HTTPStatus, code: str, message: str, headers: list[tuple[bytes, bytes]]
) -> bytes:
    """A whole answer, the last of its connection."""
    content: dict[str, Any] = {"error": {"code": code, "message": message, "field": None}}
    body = msgspec.json.encode(content)
    head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    head += [name + b": " + value for name, value in headers]
    head += [
        b"content-type: application/json",
        b"content-length: " + str(len(body)).encode(),
        b"connection: close",
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which refuses in our shape, and heads without an end.

    A refusal is told after the answers to the requests before it, and is the last that is told.
    """

    _head_bytes = 0
    _in_head = True
    _last_words: bytes | None = None

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body begins."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, but no head without an end. What offers HTTP/2 is answered in HTTP/1.1."""
        if self._last_words is not None:
            return
        if self._in_head and b"h2c" in data:
            head, end, body = data.partition(b"\r\n\r\n")
            data = _OTHER_UPGRADE.sub(b"x-upgrade:", head) + end + body
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                message = f"the request line and headers are longer than {MAX_HEAD_BYTES} bytes"
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Who sends no more may still wait for an answer."""
        if self._is_answering:
            self.cycle.keep_alive = False
            return True
        return None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "malformed_http", msg.rstrip("."))

    def on_response_complete(self) -> None:
        """An answer is sent: go on with the next request, or with the last words."""
        super().on_response_complete()
        if self._last_words is not None and not self._is_answering:
            self.transport.write(self._last_words)
            self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        self._last_words = _refusal(status, code, message, self.server_state.default_headers)
        if not self._is_answering:
            self.transport.write(self._last_words)
            self.transport.close()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which refuses in our shape what is no handshake.

    A WebSocket that the application refused with an answer is no error.
    """

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
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        causes = [problem, problem.__cause__ if problem is not None else None]
        if any(isinstance(cause, SecurityError) for cause in causes):
            status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"
        else:
            status, code = HTTPStatus.BAD_REQUEST, "malformed_http"
        message = f"this is no handshake of a WebSocket: {problem}"
        self.transport.write(_refusal(status, code, message, self.default_headers))
        self.transport.close()
