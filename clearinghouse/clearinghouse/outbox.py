"""Publishes the reports of committed bookings, in order; nothing is lost in a crash."""

import asyncio

import asyncpg
import structlog

from clearinghouse.store import QUERIES, DatabaseLost, ReportBatch, database_errors
from exchange_shared.bus import DATA_FEED, BatchPublisher, Bus
from exchange_shared.postgres import RETRY_SECONDS

log = structlog.get_logger()

POLL_SECONDS = 1.0
"""How often the table is looked at when nothing is handed over: another clearinghouse that has
ended may have left reports there, and a lost Postgres is noticed."""

STORED_BATCHES = 10
"""How many batches are read from the table at a time."""


class Outbox:
    """Publishes every batch of reports after the one before it is known to be in `data_feed`.

    The table `outbox` has the reports until then. Batches that follow each other come from memory,
    everything else (after a crash, or from another clearinghouse) from the table. A batch may be
    published twice, which readers notice by its `seq`; it is never left out, nor out of order.
    `run` must be running as a task.
    """

    def __init__(self, bus: Bus, pool: asyncpg.Pool, *, max_waiting: int) -> None:
        self._reports = BatchPublisher(bus, DATA_FEED)
        self._pool = pool
        self._handed: asyncio.Queue[ReportBatch | None] = asyncio.Queue(max_waiting)
        self._published_seq = 0
        self._deleted_seq = 0
        self.database_problem: str | None = "not connected yet"

    @property
    def published_seq(self) -> int:
        """The newest execution whose report this clearinghouse knows to be in `data_feed`."""
        return self._published_seq

    @property
    def waiting(self) -> int:
        """How many batches wait in memory."""
        return self._handed.qsize()

    async def put(self, batch: ReportBatch) -> None:
        """Hand over a batch that is committed; waits while too many wait already."""
        await self._handed.put(batch)

    def look(self) -> None:
        """Look into the table soon: a commit may have happened without our knowing."""
        if self._handed.empty():
            self._handed.put_nowait(None)

    async def run(self) -> None:
        """Publish for ever. Outlives a lost Postgres; the bus outlives a lost broker itself."""
        batch: ReportBatch | None = None
        while True:
            try:
                await self._publish(batch)
                self.database_problem = None
            except DatabaseLost as error:
                self.database_problem = str(error)
                log.warning("postgres_lost", task="outbox", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                batch = None
                continue
            batch = await self._next()

    async def _next(self) -> ReportBatch | None:
        """The next batch that is handed over; `None` when it is time to look into the table."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                return await self._handed.get()
        except TimeoutError:
            return None

    async def _publish(self, batch: ReportBatch | None) -> None:
        if batch and batch.first_seq == self._published_seq + 1:
            await self._publish_one(batch)
        else:
            await self._publish_stored()
        if self._deleted_seq < self._published_seq:
            await self._delete_published()

    async def _publish_one(self, batch: ReportBatch) -> None:
        await self._reports.publish(batch.body)
        self._published_seq = batch.last_seq

    async def _publish_stored(self) -> None:
        """Everything in the table that is not known to be published, whoever put it there."""
        while True:
            with database_errors():
                rows = await self._pool.fetch(
                    QUERIES["stored_reports"], self._published_seq, STORED_BATCHES
                )
            for row in rows:
                await self._publish_one(ReportBatch(*row))
            if len(rows) < STORED_BATCHES:
                return

    async def _delete_published(self) -> None:
        """Losing this in a crash of the server only means to publish again, so do not wait."""
        published = self._published_seq
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit TO off")
                await connection.execute(QUERIES["delete_reports"], published)
        self._deleted_seq = published
