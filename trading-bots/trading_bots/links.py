"""Keeps a WebSocket open: connects again, with growing pauses, for as long as it is wanted."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from trading_bots.errors import ExchangeError, refusal

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
PING_SECONDS = 5.0
MAX_FRAME_BYTES = 4 * 1024 * 1024

_SERVER_URL = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?")


def server_url(url: str) -> str:
    """The address of a server again, if it is one. Raises `ValueError` that says what is right."""
    if not _SERVER_URL.fullmatch(url):
        raise ValueError(f"an address like http://127.0.0.1:2400 is expected, not {url[:100]!r}")
    return url


def websocket_url(http_url: str, path: str) -> str:
    """The WebSocket address on the server at `http_url`."""
    return f"ws{http_url.removeprefix('http').rstrip('/')}{path}"


def pause_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: doubling, with jitter."""
    pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 10))
    return pause * random.uniform(0.5, 1.0)


async def keep_open(
    url: str, api_key: str | None, use: Callable[[ClientConnection], Awaitable[Any]]
) -> NoReturn:
    """Connect, hand the connection to `use` until it is lost, and begin again.

    Raises:
        ExchangeError: the server refused the first connection for a reason that will not go away.
            Once it has let us in, a later refusal is taken for a server that is still starting.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    loop = asyncio.get_running_loop()
    failures = 0
    let_in = False
    while True:
        try:
            async with connect(
                url,
                additional_headers=headers,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                open_timeout=CONNECT_SECONDS,
                close_timeout=1,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                proxy=None,
            ) as connection:
                opened = loop.time()
                let_in = True
                try:
                    await use(connection)
                finally:
                    if loop.time() - opened > LONGEST_PAUSE_SECONDS:
                        failures = 0
        except InvalidStatus as error:
            if not let_in:
                _raise_if_final(error)
        except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake):
            pass
        await asyncio.sleep(pause_seconds(failures))
        failures += 1


class Background:
    """One task that runs until it is closed. What it ends with before that is told, not lost."""

    def __init__(self, name: str, on_failure: Callable[[BaseException], None]) -> None:
        self._name = name
        self._on_failure = on_failure
        self._task: asyncio.Task[Any] | None = None
        self._closed = False

    def start(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Begin the work, unless it is being done. Raises `RuntimeError` after `close`."""
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(work(), name=self._name)
            self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancel the work, and wait until it has ended."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not self._closed:
            failure = None if task.cancelled() else task.exception()
            self._on_failure(failure or RuntimeError(f"the task {self._name} ended"))


def malformed(message: bytes) -> ExchangeError:
    """The error for a message that is none of the exchange's."""
    return ExchangeError("malformed_answer", f"not understood: {message[:200]!r}")


def _raise_if_final(error: InvalidStatus) -> None:
    status = error.response.status_code
    if 400 <= status < 500 and status not in (408, 429):
        raise refusal(bytes(error.response.body or b""), status) from error
