"""The database behind the feed: the pool, whether it can be used, and reads with a limit."""

import asyncio

import asyncpg

from exchange_shared.http import ApiError
from exchange_shared.postgres import CONNECTION_LOST, load_queries

READ_SECONDS = 5.0
WATCH_SECONDS = 1.0

UNAVAILABLE = (
    *CONNECTION_LOST,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
)
"""What passes without us: a server that is away, shuts down, or has no room."""


def storage_unavailable() -> ApiError:
    """The refusal while what was asked for cannot be read."""
    message = "the feed's database does not answer; what is older than a moment cannot be read"
    return ApiError(503, "storage_unavailable", message, retry_after_seconds=1)


class Database:
    """`market_data`. `problem` says why it cannot be used now, and is `None` while it can."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.queries = load_queries(__package__)
        self.problem: str | None = None

    def lost(self, error: BaseException) -> None:
        """Something failed in one of the ways of `UNAVAILABLE`."""
        self.problem = str(error) or type(error).__name__

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a named query.

        Raises:
            ApiError: 503 `storage_unavailable`.
        """
        try:
            async with asyncio.timeout(READ_SECONDS):
                rows: list[asyncpg.Record] = await self.pool.fetch(self.queries[query], *arguments)
                return rows
        except UNAVAILABLE as error:
            raise storage_unavailable() from error

    async def watch(self) -> None:
        """Notice for ever whether the server answers, also when nobody reads or writes."""
        while True:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await self.pool.fetchval("SELECT 1")
                self.problem = None
            except UNAVAILABLE as error:
                self.lost(error)
            await asyncio.sleep(WATCH_SECONDS)
