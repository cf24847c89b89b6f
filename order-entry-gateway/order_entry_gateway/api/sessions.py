"""Order-entry sessions: `WS /ws`.

A request is answered, under its `type` and `ref`, by what it would be answered over HTTP. Frames
with a `type` of their own come unasked.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from exchange_shared.http import ApiError, Connection, decode_json
from exchange_shared.http.addresses import address_of
from exchange_shared.http.failed_keys import GivenKey
from order_entry_gateway.answers.answers import Answer, encode_answer
from order_entry_gateway.answers.refusals import EngineRefusal
from order_entry_gateway.feed_tail.execution_reports import Report
from order_entry_gateway.rate_limits import RateLimit
from order_entry_gateway.requests.parsing import parse, parse_replace
from order_entry_gateway.requests.schemas import (
    BatchFrame,
    CancelFrame,
    LoginFrame,
    MassCancelFrame,
    NewFrame,
    PingFrame,
    ReplaceFrame,
)
from order_entry_gateway.sequencing.order_entry import OrderEntry
from order_entry_gateway.settings import GatewaySettings

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013

FRAME_BYTES = 4_096
"""A longer frame counts as several."""

_REQUESTS = ("new", "batch", "replace", "cancel", "mass_cancel")
"""The types of frames that only a session that is logged in may send."""

log = structlog.get_logger()


class Sessions:
    """The open sessions, and by client those that are logged in."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._strangers: dict[Session, None] = {}
        self._clients: set[Session] = set()
        self.by_client: dict[str, set[Session]] = {}

    @property
    def open(self) -> int:
        """How many there are, logged in or not."""
        return len(self._strangers) + len(self._clients)

    def enter(self, session: "Session") -> None:
        """Count a new session; the oldest of those that are not logged in goes when it has to.

        Raises:
            ApiError: 503 `too_many_sessions`: all are logged in.
        """
        limit = self._settings.max_sessions
        if len(self._clients) >= limit:
            message = f"{limit} sessions are open, which is the limit"
            raise ApiError(503, "too_many_sessions", message, retry_after_seconds=1)
        if self.open >= limit or len(self._strangers) >= max(1, limit // 2):
            oldest = next(iter(self._strangers))
            self.leave(oldest)
            oldest.make_room()
        self._strangers[session] = None

    def log_in(self, client_id: str, session: "Session") -> None:
        """Send a client's reports to a session. Raises `ApiError` 429 when it has too many."""
        sessions = self.by_client.get(client_id, set())
        if len(sessions) >= self._settings.max_sessions_per_client:
            message = f"{client_id} has {len(sessions)} sessions, which is the limit"
            raise ApiError(429, "too_many_sessions", message, retry_after_seconds=1)
        self.by_client.setdefault(client_id, set()).add(session)
        self._strangers.pop(session, None)
        self._clients.add(session)

    def log_out(self, client_id: str, session: "Session") -> None:
        """Send a session no more reports."""
        sessions = self.by_client.get(client_id, set())
        sessions.discard(session)
        if not sessions:
            self.by_client.pop(client_id, None)

    def leave(self, session: "Session") -> None:
        """Count a session no more."""
        self._strangers.pop(session, None)
        self._clients.discard(session)

    def send_reports(self, client_id: str, reports: list[Report]) -> None:
        """Give the reports of one engine message to every session of their client, as one frame."""
        frame = encode_answer({"type": "execution_reports", "reports": reports})
        for session in tuple(self.by_client.get(client_id, ())):
            session.send(frame)


class Session:
    """One accepted WebSocket: a reader, a bounded queue, and a writer."""

    def __init__(
        self,
        websocket: WebSocket,
        connection: Connection,
        *,
        sessions: Sessions,
        client_of: Callable[[GivenKey], str],
        order_entry: OrderEntry,
        frames_limit: RateLimit,
        refusals_limit: RateLimit,
        settings: GatewaySettings,
    ) -> None:
        self._websocket = websocket
        self._connection = connection
        self._sessions = sessions
        self._client_of = client_of
        self._order_entry = order_entry
        self._frames_limit = frames_limit
        self._refusals_limit = refusals_limit
        self._settings = settings
        self._client_id: str | None = None
        self._frames: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._name = str(id(self))

    async def run(self, client_id: str | None) -> None:
        """Accept, and serve until either side ends it; a client may have logged in by header."""
        await self._websocket.accept()
        loop = asyncio.get_running_loop()
        login_timer = loop.call_later(self._settings.login_seconds, self._login_is_late)
        writer = asyncio.create_task(self._write())
        self._reader = asyncio.create_task(self._read())
        if client_id is not None:
            self._log_in(client_id, None)
        try:
            ended, _ = await asyncio.wait(
                {self._reader, writer}, return_when=asyncio.FIRST_COMPLETED
            )
            if ended == {writer} and writer.exception() is None and not self._closing:
                await asyncio.wait({self._reader})
            if self._closing:
                await asyncio.wait({writer}, timeout=self._settings.slow_consumer_seconds)
        finally:
            login_timer.cancel()
            for task in (self._reader, writer):
                task.cancel()
            await asyncio.gather(self._reader, writer, return_exceptions=True)
            if self._client_id is not None:
                self._sessions.log_out(self._client_id, self)
        for task in (self._reader, writer):
            if not task.cancelled():
                task.result()

    def send(self, frame: bytes) -> None:
        """Queue a frame; a session that has too much to read already is told so and closed."""
        if self._closing:
            return
        total = self._queued_bytes + len(frame)
        if self._queued_bytes and total > self._settings.session_queue_bytes:
            message = f"{self._queued_bytes} bytes wait to be read; log in again, and read faster"
            self._close(TRY_AGAIN_LATER, ApiError(503, "slow_consumer", message))
            return
        self._put(frame)

    def make_room(self) -> None:
        """End, not logged in yet, because others need the place."""
        message = "too many sessions are not logged in; connect again, and log in at once"
        self._close(TRY_AGAIN_LATER, ApiError(503, "too_many_sessions", message))

    def _put(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._queued_bytes += len(frame)
        self._wake.set()

    def _close(self, code: int, error: ApiError, ref: Any = None) -> None:
        """End the session; of what waits to be sent only the reason still is."""
        self._frames.clear()
        self._queued_bytes = 0
        self._closing = (code, error.code)
        self._put(_error_frame(error, ref))
        log.info("session_closed", client_id=self._client_id, reason=error.code)
        if self._reader:
            self._reader.cancel()

    def _login_is_late(self) -> None:
        if self._client_id is None and not self._closing:
            seconds = self._settings.login_seconds
            error = ApiError(401, "login_timeout", f"no login within {seconds:g} s")
            self._close(POLICY_VIOLATION, error)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._frames:
                    frame = self._frames.popleft()
                    self._queued_bytes -= len(frame)
                    await self._websocket.send({"type": "websocket.send", "text": frame.decode()})
                if self._closing:
                    code, reason = self._closing
                    await self._websocket.close(code, reason)
                    return
            except (WebSocketDisconnect, RuntimeError):
                return  # the peer or the server has closed it, which the reader sees too

    async def _read(self) -> None:
        """Act on one frame after the other; other sessions get their turns in between."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            ref = None
            try:
                frame = message.get("text") or message.get("bytes") or b""
                self._frames_limit.check(self._name, 1 + len(frame) // FRAME_BYTES)
                content = decode_json(frame)
                ref = _ref_of(content)
                await self._handle(content, ref)
            except ApiError as error:
                self._refuse(error, ref)
            await asyncio.sleep(0)

    def _refuse(self, error: ApiError, ref: Any, count: int = 1) -> None:
        if self._may_be_refused(count if _is_own_fault(error) else 0, ref):
            self.send(_error_frame(error, ref))

    def _may_be_refused(self, count: int, ref: Any) -> bool:
        """Count what the gateway refuses; whoever goes on and on is told so and closed."""
        try:
            if count and not self._closing:
                self._refusals_limit.check(self._client_id or self._name, count)
        except ApiError as error:
            if self._client_id is not None:
                self._refusals_limit.shut_out(self._client_id)
            self._close(POLICY_VIOLATION, error, ref)
        return not self._closing

    async def _handle(self, content: Any, ref: Any) -> None:
        """Act on one request. Raises `ApiError`."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "ping":
            parse(PingFrame, content)
            self.send(encode_answer({"type": "pong", "ref": ref}))
        elif kind == "login":
            self._handle_login(parse(LoginFrame, content), ref)
        elif isinstance(kind, str) and kind in _REQUESTS:
            await self._handle_request(kind, content, ref)
        else:
            message = f"type: one of login, {', '.join(_REQUESTS)} and ping is expected"
            raise ApiError(422, "invalid_field", message, "type")

    async def _handle_request(self, kind: str, content: Any, ref: Any) -> None:
        client_id, entry = self._logged_in(), self._order_entry

        def answered(answers: list[Answer]) -> None:
            self._answer(kind, ref, answers[0])

        if kind == "batch":
            batch = parse(BatchFrame, content)
            try:
                await entry.new_orders(
                    client_id, batch.orders, lambda answers: self._answer_batch(ref, answers)
                )
            except ApiError as error:
                self._refuse(error, ref, len(batch.orders))
        elif kind == "new":
            await entry.new_orders(client_id, [parse(NewFrame, content).order], answered)
        elif kind == "replace":
            replace = parse_replace(ReplaceFrame, content)
            entry.replace(client_id, replace.order_id, replace, answered)
        elif kind == "cancel":
            entry.cancel(client_id, parse(CancelFrame, content).order_id, answered)
        else:
            entry.mass_cancel(client_id, parse(MassCancelFrame, content), answered)

    def _logged_in(self) -> str:
        if self._client_id is None:
            raise ApiError(401, "not_logged_in", "send a login first")
        return self._client_id

    def _handle_login(self, login: LoginFrame, ref: Any) -> None:
        if self._client_id is not None:
            message = f"the session is logged in as {self._client_id} already"
            raise ApiError(409, "already_logged_in", message)
        try:
            client_id = self._client_of(GivenKey(login.api_key, address_of(self._websocket)))
        except ApiError as error:
            self._close(POLICY_VIOLATION, error, ref)
        else:
            self._log_in(client_id, ref)

    def _log_in(self, client_id: str, ref: Any) -> None:
        try:
            self._refusals_limit.check_recovered(client_id)
            self._connection.prove(client_id)
            self._connection.begin()
            self._sessions.log_in(client_id, self)
        except ApiError as error:
            self._close(TRY_AGAIN_LATER, error, ref)
            return
        self._client_id = client_id
        self.send(encode_answer({"type": "logged_in", "ref": ref, "client_id": client_id}))

    def _answer(self, kind: str, ref: Any, answer: Answer) -> None:
        if isinstance(answer, ApiError):
            self._refuse(answer, ref)
        else:
            self.send(encode_answer({"type": kind, "ref": ref, "answer": answer}))

    def _answer_batch(self, ref: Any, answers: list[Answer]) -> None:
        if self._may_be_refused(sum(map(_is_own_fault, answers)), ref):
            self.send(encode_answer({"type": "batch", "ref": ref, "answers": answers}))


def _is_own_fault(answer: Answer) -> bool:
    """Whether the gateway had work with a request that its client should not have sent."""
    return (
        isinstance(answer, ApiError)
        and not isinstance(answer, EngineRefusal)
        and answer.status < 500
        and answer.code != "withdrawn"
    )


def _error_frame(error: ApiError, ref: Any) -> bytes:
    """A refusal; `retry_after` is what the header would say over HTTP."""
    content = {"type": "error", "ref": ref, **error.body()}
    if error.retry_after_seconds is not None:
        content["retry_after"] = error.retry_after_seconds
    return encode_answer(content)


def _ref_of(content: Any) -> Any:
    """The `ref` to answer with, when it is one that may be."""
    ref = content.get("ref") if isinstance(content, dict) else None
    if isinstance(ref, str) and len(ref) <= 64:
        return ref
    if isinstance(ref, int) and not isinstance(ref, bool) and abs(ref) < 2**53:
        return ref
    return None
