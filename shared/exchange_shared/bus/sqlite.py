"""The bus of one process: an embedded append-only log in a SQLite file."""

import asyncio
import queue as thread_queue
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from exchange_shared.bus.protocol import (
    DEAD_LETTER,
    LOG_QUEUES,
    BusClosed,
    BusError,
    LogTruncated,
    Message,
)
from exchange_shared.bus.sqlite_file import MAX_APPEND, READ_MESSAGES, LogFile

TAIL_MESSAGES = 4_096
TAIL_BYTES = 32_000_000
"""What is kept in memory of each queue, for the readers that keep up."""

RETRY_SECONDS = 0.5
"""How long to wait before a message is written again that could not be, say to a full disk."""

POLL_SECONDS = 0.05
"""How often a read-only log looks for what another process wrote."""

log = structlog.get_logger()


class _Pending(NamedTuple):
    """A message on its way to the file."""

    queue: str
    position: int
    body: bytes
    durable: asyncio.Future[None]


class _Queue:
    """What is in memory of a queue: where it begins and ends, and its newest messages."""

    def __init__(self, bounds: tuple[int, int] | None) -> None:
        self.first, self.last = bounds or (1, 0)
        self.last_taken = self.last
        self._tail: dict[int, Message] = {}
        self._tail_bytes = 0
        self._waiters: list[asyncio.Future[None]] = []

    def append(self, message: Message) -> None:
        """Take in a message that is durable, and forget the oldest beyond the limits."""
        self.last = message.position
        self._tail[message.position] = message
        self._tail_bytes += len(message.body)
        while len(self._tail) > TAIL_MESSAGES or self._tail_bytes > TAIL_BYTES:
            oldest = next(iter(self._tail))
            self._tail_bytes -= len(self._tail.pop(oldest).body)

    def after(self, position: int) -> list[Message]:
        """What follows a position, when all of it is in memory."""
        end = min(self.last, position + READ_MESSAGES)
        if position + 1 not in self._tail:
            return []
        return [self._tail[number] for number in range(position + 1, end + 1)]

    async def wait(self) -> None:
        """Until `wake`."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def wake(self) -> None:
        """Let everybody look again who waits."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class SQLiteBus:
    """Adapter of `Bus` for one process. Positions count from 1 in each queue.

    One thread writes: whatever was published while it wrote goes into its next transaction.
    Readers that keep up are served from memory, the others from the file.
    """

    def __init__(self, file: LogFile, queues: dict[str, _Queue], *, read_only: bool) -> None:
        """Takes over what `open` has opened."""
        self._file = file
        self._queues = queues
        self._read_only = read_only
        self._loop = asyncio.get_running_loop()
        self._pending: thread_queue.SimpleQueue[_Pending | None] = thread_queue.SimpleQueue()
        self._unwritten: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._stop_trying = threading.Event()
        self._trouble: str | None = None
        self._failure: Exception | None = None
        self._readers = ThreadPoolExecutor(1, "log-reader")
        self._writer = threading.Thread(target=self._write_all, name="log-writer", daemon=True)
        if not read_only:
            self._writer.start()

    @classmethod
    async def open(cls, path: str | Path, *, read_only: bool = False) -> Self:
        """Open a log file, or create it; a read-only one may at the same time be written to.

        Raises:
            BusError: another process writes to it, or it is not a log, or cannot be opened.
        """

        def open_file() -> tuple[LogFile, dict[str, _Queue]]:
            file = LogFile(Path(path), read_only=read_only)
            return file, {name: _Queue(file.bounds(name)) for name in (*LOG_QUEUES, DEAD_LETTER)}

        file, queues = await asyncio.to_thread(open_file)
        return cls(file, queues, read_only=read_only)

    async def publish(self, queue: str, body: bytes) -> None:
        """Append a message; see `Bus`. A full disk is waited for."""
        state = self._state(queue)
        if self._read_only:
            raise BusError("the log was opened for reading only")
        self._check_open()
        state.last_taken += 1
        durable: asyncio.Future[None] = self._loop.create_future()
        self._unwritten.append(durable)
        self._pending.put(_Pending(queue, state.last_taken, body, durable))
        await durable

    async def subscribe(self, queue: str, after: int | None) -> AsyncGenerator[list[Message], None]:
        """Everything in `queue` after a position, then what comes; see `Bus`."""
        state = self._state(queue)
        self._check_open()
        if self._read_only:
            await self._refresh(queue)
        position = _start(queue, state, after)
        while True:
            messages = state.after(position)
            if not messages and (state.last > position or self._read_only):
                messages = await self._read(queue, position)
            self._check_open()
            if messages:
                position = messages[-1].position
                yield messages
            elif self._read_only:
                await asyncio.sleep(POLL_SECONDS)
            else:
                await state.wait()
            self._check_open()

    async def message_at(self, queue: str, position: int) -> Message:
        """One message; see `Bus`."""
        state = self._state(queue)
        self._check_open()
        if self._read_only:
            await self._refresh(queue)
        _check_has(queue, state, position)
        return (await self._read(queue, position - 1))[0]

    async def last_position(self, queue: str) -> int | None:
        """The position of the newest message; see `Bus`."""
        state = self._state(queue)
        self._check_open()
        if self._read_only:
            await self._refresh(queue)
        return state.last or None

    def unavailable_reason(self) -> str | None:
        """Why the log cannot be written to; see `Bus`."""
        if self._closed:
            return "the log is closed"
        return str(self._failure) if self._failure else self._trouble

    async def close(self) -> None:
        """Write what was published, and close the file."""
        if self._closed:
            return
        self._closed = True
        for state in self._queues.values():
            state.wake()
        self._stop_trying.set()
        if not self._read_only:
            self._pending.put(None)
            await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._file.close)

    def _check_open(self) -> None:
        if self._closed:
            raise BusClosed("the log is closed")
        if self._failure:
            raise BusError(f"the log failed: {self._failure}") from self._failure

    def _state(self, queue: str) -> _Queue:
        if queue not in self._queues:
            raise BusError(f"there is no queue {queue!r}")
        return self._queues[queue]

    async def _refresh(self, queue: str) -> None:
        """Look where a queue, written to by another process, begins and ends now."""
        bounds = await self._loop.run_in_executor(self._readers, self._file.bounds, queue)
        state = self._queues[queue]
        state.first, state.last = bounds or (1, 0)

    async def _read(self, queue: str, after: int) -> list[Message]:
        return await self._loop.run_in_executor(self._readers, self._file.read, queue, after)

    def _write_all(self) -> None:
        """The writing thread: one transaction after the other, until the bus is closed."""
        failure: Exception | None = None
        try:
            while group := self._next_group():
                self._write(group)
                self._loop.call_soon_threadsafe(self._written, group)
        except (sqlite3.Error, BusClosed) as error:
            failure = error
        self._loop.call_soon_threadsafe(self._ended, failure)

    def _next_group(self) -> list[_Pending]:
        """Whatever waits to be written; an empty list once the bus is closed."""
        group: list[_Pending] = []
        pending = self._pending.get()
        while pending is not None:
            group.append(pending)
            if len(group) == MAX_APPEND or self._pending.empty():
                return group
            pending = self._pending.get()
        if group:
            self._pending.put(None)
        return group

    def _write(self, group: list[_Pending]) -> None:
        entries = [(pending.queue, pending.position, pending.body) for pending in group]
        while True:
            try:
                self._file.append(entries)
            except sqlite3.OperationalError as error:
                self._loop.call_soon_threadsafe(self._troubled, str(error))
                if self._stop_trying.wait(RETRY_SECONDS):
                    raise BusClosed("the log was closed before it could be written to") from error
            else:
                return

    def _troubled(self, trouble: str) -> None:
        if self._trouble is None:
            log.error("log_not_writable", error=trouble)
        self._trouble = f"the log cannot be written to: {trouble}"

    def _written(self, group: list[_Pending]) -> None:
        self._trouble = None
        for pending in group:
            state = self._queues[pending.queue]
            state.append(Message(pending.position, pending.body))
            state.wake()
            self._unwritten.popleft()
            if not pending.durable.done():
                pending.durable.set_result(None)

    def _ended(self, failure: Exception | None) -> None:
        """The writing thread is gone: what still waits is not written any more."""
        self._failure = failure
        while self._unwritten:
            durable = self._unwritten.popleft()
            if not durable.done():
                durable.set_exception(failure or BusClosed("the log is closed"))
        for state in self._queues.values():
            state.wake()


def _start(queue: str, state: _Queue, after: int | None) -> int:
    """The position to go on from; that of the first message is 1."""
    if after is None:
        if state.first > 1 and queue != DEAD_LETTER:
            raise LogTruncated(f"{queue} begins with message {state.first}, not with the first")
        return state.first - 1
    _check_has(queue, state, after)
    return after


def _check_has(queue: str, state: _Queue, position: int) -> None:
    if not state.first <= position <= state.last:
        raise LogTruncated(
            f"{queue} has no message {position}, it has {state.first} to {state.last}"
        )
