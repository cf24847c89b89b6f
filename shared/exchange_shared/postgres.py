"""Postgres: pools that outlive the server, SQL files with named queries, consumer positions."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import TypeVar

import asyncpg
import msgspec
import structlog

from exchange_shared.bus import LogPosition

Result = TypeVar("Result")
log = structlog.get_logger()

CONNECTION_LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a lost or refused connection raises. A commit under way may then have happened or not:
read the stored position and go on from there, never run the same transaction again blindly."""

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
"""A connection, from a pool or not."""

COMMAND_SECONDS = 60.0
RETRY_SECONDS = 0.5


NOT_PREPARED = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.UndefinedTableError,
)
"""What a server says whose database, roles or tables the migrations have still to make."""


async def open_pool(
    dsn: str, *, max_size: int = 5, tell: Callable[[str | None], None] = lambda _reason: None
) -> asyncpg.Pool:
    """A pool of connections, as soon as the server accepts them; `tell` hears why it does not."""

    async def connect() -> asyncpg.Pool:
        pool: asyncpg.Pool = await asyncpg.create_pool(
            dsn, min_size=1, max_size=max_size, command_timeout=COMMAND_SECONDS
        )
        return pool

    return await until_possible(connect, tell)


async def until_possible(
    work: Callable[[], Awaitable[Result]], tell: Callable[[str | None], None]
) -> Result:
    """Do something with Postgres, again and again while the server is away or not prepared.

    `tell` hears why it has not worked yet, and `None` once it has.
    """
    told: str | None = None
    while True:
        try:
            result = await work()
        except (*CONNECTION_LOST, *NOT_PREPARED) as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, NOT_PREPARED):
                reason += " (have the migrations run?)"
            if reason != told:
                log.warning("postgres_unavailable", error=reason)
            told = reason
            tell(reason)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            tell(None)
            return result


def load_queries(package: str, file: str = "queries.sql") -> dict[str, str]:
    """The queries of a package's SQL file: each follows a line `-- name: the_name`."""
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\s*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


async def load_position(connection: Connection, queue: str) -> LogPosition:
    """The consumer's position in a queue."""
    row = await connection.fetchrow(
        "SELECT position, sources, mark FROM consumer_position WHERE queue = $1", queue
    )
    if row is None:
        return LogPosition()
    return LogPosition(row["position"], msgspec.json.decode(row["sources"]), row["mark"])


async def store_position(connection: Connection, queue: str, applied: LogPosition) -> None:
    """Store the position; call it in the transaction that stores the effect.

    The sources are JSON as text, because their order (longest silent first) is part of it.
    """
    await connection.execute(
        "INSERT INTO consumer_position (queue, position, sources, mark) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (queue) DO UPDATE SET position = excluded.position,"
        " sources = excluded.sources, mark = excluded.mark",
        queue,
        applied.position,
        msgspec.json.encode(applied.sources).decode(),
        applied.mark,
    )
