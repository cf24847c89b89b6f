"""The file of the embedded log: one SQLite table, one writing process, any number of readers."""

import fcntl
import os
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from exchange_shared.bus.protocol import BusError, Message

SCHEMA_VERSION = 1

MAX_APPEND = 64
"""The most messages in one transaction."""

READ_MESSAGES = 512
READ_BYTES = 8_000_000
"""A read ends with the message that reaches one of these."""

_PAGE_BYTES = 16_384
_CHECKPOINT_PAGES = 2_000
_BUSY_SECONDS = 10.0

_INSERT = "INSERT INTO message (queue, position, body) VALUES "
_READ = "SELECT position, body FROM message WHERE queue = ? AND position > ? ORDER BY position"
_BOUNDS = "SELECT min(position), max(position) FROM message WHERE queue = ?"

Entry = tuple[str, int, bytes]
"""Queue, position, body."""


class LogFile:
    """Blocking access to the log, for one thread at a time that appends and one that reads.

    `append` is one statement, hence one transaction, and one wait for the interpreter's lock.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Opens or creates the file.

        Raises:
            BusError: another process writes to it, or it is not a log, or cannot be opened.
        """
        self._path = path
        self._lock: int | None = None
        self._connections: list[sqlite3.Connection] = []
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = self._take_lock()
                self._writer = self._connect("rwc")
                self._prepare()
            self._reader = self._connect("ro")
            self._check_version()
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise BusError(f"the log {path} cannot be opened: {error}") from error
        except BusError:
            self.close()
            raise

    def _take_lock(self) -> int:
        """Lock a file beside the log: closing any handle of the log itself drops SQLite's locks."""
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise BusError(
                f"the log {self._path} is in use by another process; stop that one, or set"
                " DATA_DIR (EXCHANGE_DATA_DIR) to another directory"
            ) from error
        return lock

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=_BUSY_SECONDS,
            check_same_thread=False,
        )
        self._connections.append(connection)
        return connection

    def _prepare(self) -> None:
        write = self._writer.execute
        write(f"PRAGMA page_size = {_PAGE_BYTES}")
        write("PRAGMA journal_mode = WAL")
        write("PRAGMA synchronous = FULL")
        write(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        (tables,) = write("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            schema = files("exchange_shared.bus").joinpath("log.sql")
            self._writer.executescript(schema.read_text(encoding="utf-8"))

    def _check_version(self) -> None:
        (version,) = self._reader.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise BusError(
                f"{self._path} was written by a newer version of the exchange; start that one"
            )
        if version != SCHEMA_VERSION:
            raise BusError(f"{self._path} is no log of the exchange")

    def bounds(self, queue: str) -> tuple[int, int] | None:
        """The positions of the oldest and the newest message, `None` when there is none."""
        first, last = self._reader.execute(_BOUNDS, (queue,)).fetchone()
        return None if first is None else (first, last)

    def append(self, entries: list[Entry]) -> None:
        """Append messages durably, all or none. At most `MAX_APPEND`."""
        values = ",".join(["(?,?,?)"] * len(entries))
        self._writer.execute(_INSERT + values, [field for entry in entries for field in entry])

    def read(self, queue: str, after: int) -> list[Message]:
        """The messages after a position, in order, as many as one read takes."""
        messages: list[Message] = []
        size = 0
        with closing(self._reader.execute(_READ, (queue, after))) as rows:
            for position, body in rows:
                messages.append(Message(position, body))
                size += len(body)
                if len(messages) == READ_MESSAGES or size >= READ_BYTES:
                    break
        return messages

    def close(self) -> None:
        """Let go of the file and its lock; unless somebody else reads, it is then one file.

        The connection that only reads goes first: the last one to close merges the write-ahead
        file, and must be allowed to write.
        """
        for connection in reversed(self._connections):
            connection.close()
        self._connections.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
