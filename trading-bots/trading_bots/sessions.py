"""The order-entry session: requests and their answers over one WebSocket that is kept open."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from trading_bots.errors import ExchangeError, OutcomeUnknown, problem_error
from trading_bots.links import keep_open, websocket_url
from trading_bots.models import Report

MAX_PENDING_REQUESTS = 1_000

_encoder = msgspec.json.Encoder(decimal_format="number")


class _Envelope(msgspec.Struct):
    ref: int | None = None
    error: Any = None
    answer: msgspec.Raw = msgspec.Raw()
    answers: list[msgspec.Raw] = []
    reports: list[Report] = []


_envelope = msgspec.json.Decoder(_Envelope)


class OrderSession:
    """One logged-in session. It logs in again by itself; requests wait until it is there."""

    def __init__(
        self, gateway_url: str, api_key: str, on_reports: Callable[[list[Report]], None]
    ) -> None:
        self._url = websocket_url(gateway_url, "/ws")
        self._api_key = api_key
        self._on_reports = on_reports
        self._connection: ClientConnection | None = None
        self._changed = asyncio.Condition()
        self._pending: dict[int, asyncio.Future[list[msgspec.Raw]]] = {}
        self._slots = asyncio.Semaphore(MAX_PENDING_REQUESTS)
        self._refs = itertools.count(1)
        self._failure: ExchangeError | None = None
        self._task: asyncio.Task[None] | None = None
        self.connections = 0
        """How often it has connected; more than before means that reports may be missing."""

    def start(self) -> None:
        """Begin to connect, unless it has begun already."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="order-session")

    async def close(self) -> None:
        """End the session. Pending requests raise `OutcomeUnknown`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def request(self, message: dict[str, Any], timeout_seconds: float) -> list[msgspec.Raw]:
        """Send a request; returns its answers, as JSON: one, or for a batch one for each order.

        Raises:
            ExchangeError: refused; or `unreachable`, and then nothing was sent.
            OutcomeUnknown: it was sent, and the connection or the time was lost before an answer.
        """
        self.start()
        ref = next(self._refs)
        async with self._slots:
            connection = await self._connected(timeout_seconds)
            answer: asyncio.Future[list[msgspec.Raw]] = asyncio.get_running_loop().create_future()
            self._pending[ref] = answer
            try:
                async with asyncio.timeout(timeout_seconds):
                    await connection.send(_encoder.encode({**message, "ref": ref}), text=True)
                    return await answer
            except ConnectionClosed as error:
                raise OutcomeUnknown("the connection was lost") from error
            except TimeoutError as error:
                raise OutcomeUnknown(f"no answer within {timeout_seconds} s") from error
            finally:
                del self._pending[ref]
                answer.cancel()

    async def _connected(self, timeout_seconds: float) -> ClientConnection:
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: self._connection or self._failure)
        except TimeoutError as error:
            raise ExchangeError("unreachable", f"no session at {self._url}") from error
        if self._failure is not None:
            raise self._failure
        assert self._connection is not None
        return self._connection

    async def _run(self) -> None:
        try:
            await keep_open(self._url, self._api_key, self._use)
        except (ExchangeError, msgspec.DecodeError) as error:
            if not isinstance(error, ExchangeError):
                error = ExchangeError("malformed_answer", str(error))
            self._failure = error
            async with self._changed:
                self._changed.notify_all()

    async def _use(self, connection: ClientConnection) -> None:
        self.connections += 1
        async with self._changed:
            self._connection = connection
            self._changed.notify_all()
        try:
            while True:
                self._receive(await connection.recv(decode=False))
        finally:
            self._connection = None
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(OutcomeUnknown("the connection was lost"))

    def _receive(self, message: bytes) -> None:
        envelope = _envelope.decode(message)
        if envelope.ref is None:
            self._on_reports(envelope.reports)
            return
        answer = self._pending.get(envelope.ref)
        if answer is None or answer.done():
            return
        if envelope.error is not None:
            answer.set_exception(problem_error(envelope.error))
        else:
            answer.set_result(envelope.answers or [envelope.answer])
