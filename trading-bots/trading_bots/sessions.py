"""The order-entry session: requests and their answers over one WebSocket that is kept open."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from trading_bots.errors import ExchangeError, OutcomeUnknown, ReportsLost, problem_error
from trading_bots.links import Background, keep_open, malformed, websocket_url
from trading_bots.models import Report
from trading_bots.readers import Readers, Reports

MAX_PENDING_REQUESTS = 1_000

TRY_AGAIN = (429, 503)
"""Statuses of refusals that go away by themselves."""

_encoder = msgspec.json.Encoder(decimal_format="number")


class _Envelope(msgspec.Struct):
    ref: int | None = None
    error: Any = None
    retry_after: float | None = None
    answer: msgspec.Raw = msgspec.Raw()
    answers: list[msgspec.Raw] = []
    reports: list[Report] = []


_envelope = msgspec.json.Decoder(_Envelope)


class OrderSession:
    """One logged-in session. It logs in again by itself; requests wait until it is there."""

    def __init__(
        self,
        gateway_url: str,
        api_key: str,
        *,
        on_login: Callable[[], Awaitable[None]],
        on_reports: Callable[[list[Report]], None],
    ) -> None:
        """`on_login` is awaited at each login, before the session is used."""
        self._url = websocket_url(gateway_url, "/ws")
        self._api_key = api_key
        self._on_login = on_login
        self._on_reports = on_reports
        self._connection: ClientConnection | None = None
        self._changed = asyncio.Event()
        self._pending: dict[int, asyncio.Future[list[msgspec.Raw]]] = {}
        self._slots = asyncio.Semaphore(MAX_PENDING_REQUESTS)
        self._refs = itertools.count(1)
        self._readers: Readers[Report] = Readers()
        self._refusal: ExchangeError | None = None
        self._failure: BaseException | None = None
        self._connecting = Background("order-session", self._fail)
        self.connections = 0
        """How often it has logged in."""

    def start(self) -> None:
        """Begin to connect, and to stay connected until it is closed."""
        self._connecting.start(lambda: keep_open(self._url, self._api_key, self._use))

    async def close(self) -> None:
        """End the session, and the iterations of those who read.

        Requests whose answer has not come raise `OutcomeUnknown`.
        """
        self._readers.close()
        await self._connecting.close()
        self._fail(RuntimeError("the client is closed"))

    def subscribe(self) -> Reports:
        """A reader of the reports from now on.

        It fails with `ReportsLost` when the session is lost. One that is made while there is none
        fails at the next login, because it does not know what came before that.
        """
        reader = Reports()
        if self._failure is not None:
            reader.fail(self._failure)
        else:
            self._readers.add(reader)
        return reader

    async def request(self, message: dict[str, Any], timeout_seconds: float) -> list[msgspec.Raw]:
        """Send a request; returns its answers, as JSON: one, or for a batch one for each order.

        Raises:
            ExchangeError: refused; or `unreachable`, and then nothing was sent.
            OutcomeUnknown: it was sent, and the connection or the time was lost before an answer.
        """
        ref = next(self._refs)
        async with self._slots:
            connection = await self.connected(timeout_seconds)
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

    async def connected(self, timeout_seconds: float) -> ClientConnection:
        """The connection, as soon as it is logged in.

        Raises:
            ExchangeError: the login is refused; or `unreachable`, after this time.
            RuntimeError: the session is closed.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while self._connection is None and self._failure is None:
                    await self._changed.wait()
        except TimeoutError as error:
            reason = f": {self._refusal}" if self._refusal else ""
            raise ExchangeError("unreachable", f"no session at {self._url}{reason}") from error
        if self._failure is not None:
            raise self._failure
        assert self._connection is not None
        return self._connection

    def _fail(self, failure: BaseException) -> None:
        """Nobody connects any more: everybody who waits for something is told so."""
        self._failure = failure
        self._changed.set()
        self._readers.fail(lambda: failure)

    async def _use(self, connection: ClientConnection) -> None:
        self._refusal = None
        try:
            if await self._log_in(connection):
                while True:
                    self._receive(await connection.recv(decode=False))
        except ConnectionClosed:
            reason = f" ({self._refusal})" if self._refusal else ""
            lost = f"the connection was lost{reason}"
            self._readers.fail(lambda: ReportsLost("connection_lost", lost))
            raise
        finally:
            self._connection = None
            self._changed.clear()
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(OutcomeUnknown("the connection was lost"))

    async def _log_in(self, connection: ClientConnection) -> bool:
        """Wait for the answer to the login, from which on there are reports.

        Returns whether to go on with this connection.
        """
        envelope = _decode(await connection.recv(decode=False))
        if envelope.error is not None:
            self._refusal = problem_error(envelope.error, None, envelope.retry_after)
            return False
        try:
            await self._on_login()
        except ExchangeError as error:
            if error.status not in TRY_AGAIN:
                raise
            self._refusal = error
            return False
        self._readers.fail(lambda: ReportsLost("connection_lost", "there was no session before"))
        self.connections += 1
        self._connection = connection
        self._changed.set()
        return True

    def _receive(self, message: bytes) -> None:
        envelope = _decode(message)
        if envelope.ref is None:
            if envelope.error is not None:
                self._refusal = problem_error(envelope.error, None, envelope.retry_after)
            self._on_reports(envelope.reports)
            for report in envelope.reports:
                self._readers.put(report)
            return
        answer = self._pending.get(envelope.ref)
        if answer is None or answer.done():
            return
        if envelope.error is not None:
            answer.set_exception(problem_error(envelope.error, None, envelope.retry_after))
        else:
            answer.set_result(envelope.answers or [envelope.answer])


def _decode(message: bytes) -> _Envelope:
    try:
        return _envelope.decode(message)
    except msgspec.DecodeError as error:
        raise malformed(message) from error
