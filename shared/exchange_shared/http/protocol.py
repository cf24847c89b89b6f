"""HTTP before it reaches an application: within limits of size and time, refused in the one shape.

Where a connection stands, in turn: nothing has come of a next request, its head comes, its body
comes. Each of them has its time. While an answer is awaited, nothing is.
"""

import asyncio
import re
from enum import Enum
from typing import Any, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from exchange_shared.http.admission import CONNECTION
from exchange_shared.http.connections import Connection, Connections
from exchange_shared.http.errors import ApiError
from exchange_shared.http.last_answers import (
    HEAD_TOO_LARGE,
    MADE_ROOM,
    MAX_HEAD_BYTES,
    end_soon,
    last_answer,
)
from exchange_shared.server_limits import ServerLimits

MAX_UNWANTED_BYTES = 1_048_576
"""How much of a body that nobody wants any more is read to the end of."""

MAX_PIPELINED = 100
"""How many requests may come before the first of them is answered."""

_OTHER_UPGRADE = re.compile(rb"^upgrade:(?=[ \t]*h2c)", re.IGNORECASE | re.MULTILINE)

log = structlog.get_logger()


class DoorState(ServerState):
    """What the connections of a server have in common."""

    def __init__(self, connections: Connections, limits: ServerLimits) -> None:
        super().__init__()
        self.door = connections
        self.limits = limits


class _Awaited(Enum):
    """What a client owes, by the name that the metrics have for it."""

    NOTHING = ""
    FIRST_BYTE = "first_byte"
    HEAD = "head"
    BODY = "body"


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits.

    A refusal is told after the answers to the requests before it, and is the last that is told. A
    request whose body can no more come whole is given up: whoever waits for the body is told that
    nobody is there any more, and the connection ends.
    """

    _connection: Connection
    _at_work: RequestResponseCycle | None = None
    """The request that the application answers, or has answered last."""

    _awaited = _Awaited.NOTHING
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _begun = False
    _head_bytes = 0
    _framing_bytes = 0
    _unwanted_bytes = 0
    _chunk_bytes = 0
    _last_words: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client comes."""
        super().connection_made(transport)
        self._connection = self._door.door.open(self.client[0] if self.client else "")
        self._connection.evicted = self._make_room
        self.app_state = {**self.app_state, CONNECTION: self._connection}
        self._await(_Awaited.FIRST_BYTE)

    def connection_lost(self, exc: Exception | None) -> None:
        """It goes."""
        self._await(_Awaited.NOTHING)
        self._connection.close()
        self._tell_that_nobody_is_there()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """It goes on as a WebSocket."""
        self._await(_Awaited.NOTHING)
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body begins, unless it is refused, or goes on as a WebSocket."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ConnectionError(f"more than {MAX_PIPELINED} requests wait for their answers")
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self._in_head, self._framing_bytes, self._unwanted_bytes = False, -self._chunk_bytes, 0

    def on_body(self, body: bytes) -> None:
        """A part of its body has come."""
        self._framing_bytes -= len(body)
        if not self._in_head and self.cycle.response_complete:
            self._unwanted_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It has come whole. What else has come with it is not counted for the next one."""
        self._in_head, self._begun, self._head_bytes = True, False, -self._chunk_bytes
        self._await(_Awaited.NOTHING)
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, within the limits. What offers HTTP/2 is answered in HTTP/1.1."""
        if self._last_words is not None or self.transport.is_closing():
            return
        if self._in_head and b"h2c" in data:
            head, end, body = data.partition(b"\r\n\r\n")
            data = _OTHER_UPGRADE.sub(b"x-upgrade:", head) + end + body
        self._chunk_bytes = len(data)
        self._parse(data)
        if self._last_words is not None or self.transport.is_closing() or self._is_websocket:
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE)
                return
        else:
            self._framing_bytes += len(data)
            if self._framing_bytes > MAX_HEAD_BYTES or self._unwanted_bytes > MAX_UNWANTED_BYTES:
                self._give_up(HEAD_TOO_LARGE)
                return
        self._await(self._owed)

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError as problem:
            log.debug("malformed_http", client=self.client, problem=str(problem))
            self._is_malformed("Invalid HTTP request received")

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Who sends no more may still wait for an answer."""
        if not self._in_head and self._last_words is None:
            self._is_malformed("the request ends before its body does")
        if self._is_answering and not self.transport.is_closing():
            self.cycle.keep_alive = False
            return True
        return None

    def _is_malformed(self, message: str) -> None:
        """Refuse what is not HTTP."""
        error = ApiError(400, "malformed_http", message)
        if self._in_head:
            self._refuse(error)
        else:
            self._give_up(error)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._at_work = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """An answer is sent: go on with the next request, or with the last words."""
        super().on_response_complete()
        if self._timer is not None:  # it may have been unread until now
            self._await(self._awaited, anew=True)
        if self._last_words is not None and not self._is_answering:
            self.transport.write(self._last_words)
            self.transport.close()

    @property
    def _door(self) -> DoorState:
        return cast("DoorState", self.server_state)

    @property
    def _is_answering(self) -> bool:
        """Whether a request that has begun to come is not answered yet."""
        at_work = self._at_work
        return bool(self.pipeline) or (at_work is not None and not at_work.response_complete)

    @property
    def _is_websocket(self) -> bool:
        return self.transport.get_protocol() is not self

    @property
    def _owed(self) -> _Awaited:
        if not self._in_head:
            return _Awaited.BODY
        return _Awaited.HEAD if self._begun or self._head_bytes > 0 else _Awaited.NOTHING

    def _await(self, awaited: _Awaited, *, anew: bool = False) -> None:
        """Give what a client owes its time, which does not begin anew with each byte of it."""
        if awaited is self._awaited and not anew:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._awaited = awaited
        if awaited is not _Awaited.NOTHING:
            self._timer = self.loop.call_later(self._seconds, self._is_late)

    @property
    def _seconds(self) -> float:
        limits = self._door.limits
        return limits.body_seconds if self._awaited is _Awaited.BODY else limits.head_seconds

    def _is_late(self) -> None:
        """End a connection whose client owes something for too long.

        While nothing is read from it, for its earlier requests are not answered, nobody is late.
        """
        if self.flow.read_paused:
            self._await(self._awaited, anew=True)
            return
        awaited, seconds = self._awaited, self._seconds
        self._door.door.metrics.timed_out.labels(awaited.value).inc()
        if awaited is _Awaited.FIRST_BYTE:
            self._end()  # a browser keeps such a connection ready, and would show an answer to it
            return
        message = f"the {awaited.value} of the request did not come within {seconds:g} s"
        error = ApiError(408, "request_timeout", message, retry_after_seconds=1)
        self._give_up(error)

    def _make_room(self) -> None:
        """End, because others need the place."""
        if self._awaited in (_Awaited.HEAD, _Awaited.BODY) or self._is_answering:
            self._give_up(MADE_ROOM)
        else:
            self._end()

    def _give_up(self, error: ApiError) -> None:
        """Refuse a request that has not come whole, or is not at work yet, and end."""
        self._await(_Awaited.NOTHING)
        waits_its_turn = bool(self.pipeline) and self.pipeline[0][0] is self.cycle
        if not self._in_head and waits_its_turn:
            self.pipeline.popleft()
        if self._is_answering and (self._begun if self._in_head else waits_its_turn):
            self._refuse(error)  # it is an earlier one that is answered
            return
        next_one = self._in_head and not self._is_answering
        refusable = next_one or self._at_work is None or not self._at_work.response_started
        self._tell_that_nobody_is_there()
        if refusable and not self.transport.is_closing():
            self._last_words = last_answer(error, self.server_state.default_headers)
            self.transport.write(self._last_words)
        self._end()

    def _tell_that_nobody_is_there(self) -> None:
        """Let the application, which may wait for a body, wait no more."""
        if self._at_work is not None and not self._at_work.response_complete:
            self._at_work.disconnected = True
            self._at_work.message_event.set()

    def _end(self) -> None:
        end_soon(self.transport, self.loop)

    def _refuse(self, error: ApiError) -> None:
        self._last_words = last_answer(error, self.server_state.default_headers)
        self._await(_Awaited.NOTHING)
        if not self._is_answering:
            self.transport.write(self._last_words)
            self.transport.close()
