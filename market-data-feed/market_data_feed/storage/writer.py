"""Storing: one transaction at a time takes everything that changed since the one before.

The position is stored in the same transaction, so each record has its effect on the database
exactly once, whatever is killed when.
"""

import asyncio
import time
from dataclasses import dataclass

import structlog

from exchange_shared.bus import DATA_FEED, LogPosition
from exchange_shared.invariants import MustStop
from exchange_shared.metrics import Metrics
from exchange_shared.postgres import Connection, load_position, store_position
from market_data_feed.projections import Order, Projections
from market_data_feed.storage.database import UNAVAILABLE, Database
from market_data_feed.storage.rows import (
    ORDER_REPORT_COLUMNS,
    PRICE_COLUMNS,
    SETTLEMENT_COLUMNS,
    TRADE_COLUMNS,
    Row,
    Rows,
)

RETRY_SECONDS = 0.5
PAUSE_SECONDS = 0.05
"""Between transactions, unless somebody waits: nothing but a history read needs the rows soon."""

LATEST_SECONDS = 60.0
"""A position is stored after so long, also when nothing else of it is worth a transaction."""

log = structlog.get_logger()


class StoreMoved(MustStop):
    """The database is not where this feed left it: another feed stores into it, or it was reset."""


@dataclass(frozen=True, slots=True)
class _Transaction:
    """What is written together, and between which positions.

    `batches` is how often the projections had changed by then.
    """

    before: LogPosition
    after: LogPosition
    batches: int
    execution_seq: int
    report_seq: int
    rows: Rows
    orders: list[Order]
    """Those whose rows these are, as the projections know them."""


class Writer:
    """Writes what the projections change. `run` must be running as a task.

    `stored_report_seq` is the number of the last report in the database.
    """

    def __init__(
        self,
        database: Database,
        projections: Projections,
        stored: LogPosition,
        metrics: Metrics,
        *,
        max_unstored: int,
    ) -> None:
        self._database = database
        self._projections = projections
        self._max_unstored = max_unstored
        self._stored = self._applied = stored
        self.stored_report_seq = projections.report_seq
        self._applied_batches = self._wanted_batches = self._stored_batches = 0
        self._stored_at = time.monotonic()
        self._consistent = asyncio.Event()
        self._hurry = asyncio.Event()
        self._progressed = asyncio.Condition()
        self._in_flight = 0
        self._rows_stored = metrics.counter("feed_stored_rows", "Rows written to market_data")
        metrics.gauge("feed_unstored_rows", "Rows that wait to be written").set_function(
            lambda: self.unstored
        )

    @property
    def unstored(self) -> int:
        """About how many rows are only in memory."""
        return self._in_flight + len(self._projections.changes)

    @property
    def is_full(self) -> bool:
        """Whether so much is only in memory that no more must be applied."""
        return self.unstored >= self._max_unstored

    def begin(self) -> None:
        """Records are about to be applied: until `end` the projections are between positions."""
        self._consistent.clear()

    def end(self, applied: LogPosition, *, due: bool = True) -> None:
        """The projections stand at this position; one that is not due is stored with the next."""
        self._applied = applied
        self._applied_batches += 1
        if due:
            self._wanted_batches = self._applied_batches
        late = time.monotonic() - self._stored_at > LATEST_SECONDS
        if late or self._stored_batches < self._wanted_batches:
            self._consistent.set()
        if self.unstored * 2 >= self._max_unstored:
            self._hurry.set()

    async def wait_for_room(self) -> None:
        """Return once more may be applied."""
        async with self._progressed:
            await self._progressed.wait_for(lambda: not self.is_full)

    async def wait_stored(self, seconds: float) -> bool:
        """Wait until what is applied now is stored; false when it is not within so many seconds."""
        target = self._wanted_batches
        try:
            async with asyncio.timeout(seconds), self._progressed:
                while self._stored_batches < target:
                    if self._database.problem is not None:
                        return False
                    self._hurry.set()
                    await self._progressed.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Store for ever."""
        while True:
            await self._consistent.wait()
            if not self._consistent.is_set():
                continue
            transaction = self._take()
            await self._write(transaction)
            self._stored = transaction.after
            self._stored_batches = transaction.batches
            self.stored_report_seq = transaction.report_seq
            self._stored_at = time.monotonic()
            self._in_flight = 0
            self._projections.stored(transaction.orders)
            self._rows_stored.inc(transaction.rows.total())
            await self._tell()
            await self._pause()

    async def _tell(self) -> None:
        async with self._progressed:
            self._progressed.notify_all()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._hurry.wait()
        except TimeoutError:
            return
        finally:
            self._hurry.clear()

    def _take(self) -> _Transaction:
        """Everything that changed, and the position at which it is complete."""
        self._consistent.clear()
        changes = self._projections.take_changes()
        self._in_flight = len(changes)
        return _Transaction(
            before=self._stored,
            after=self._applied,
            batches=self._applied_batches,
            execution_seq=self._projections.execution_seq,
            report_seq=self._projections.report_seq,
            rows=Rows.of(changes),
            orders=list(changes.orders.values()),
        )

    async def _write(self, transaction: _Transaction) -> None:
        """Commit a transaction, however often the server goes away meanwhile.

        When a connection is lost, the commit may have happened or not; the stored position tells.

        Raises:
            StoreMoved: it is neither where it was before nor where it would be after.
        """
        lost = False
        while True:
            try:
                await self._attempt(transaction)
            except UNAVAILABLE as error:
                if not lost:
                    log.warning("postgres_lost", error=str(error), unstored=self.unstored)
                lost = True
                self._database.lost(error)
                await self._tell()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if lost:
                    log.info("postgres_back", position=transaction.after.position)
                self._database.problem = None
                return

    async def _attempt(self, transaction: _Transaction) -> None:
        queries = self._database.queries
        async with self._database.pool.acquire() as connection, connection.transaction():
            await connection.execute(queries["lock"])
            stored = await load_position(connection, DATA_FEED)
            if stored == transaction.before:
                await _execute(connection, queries, transaction)
            elif stored != transaction.after:
                raise StoreMoved(
                    f"market_data is at position {stored.position} of {DATA_FEED},"
                    f" this feed left it at {transaction.before.position}"
                )


async def _execute(
    connection: Connection, queries: dict[str, str], transaction: _Transaction
) -> None:
    rows = transaction.rows
    await _run(connection, queries["insert_clients"], rows.clients)
    await _run(connection, queries["upsert_client_rates"], rows.client_rates)
    await _run(connection, queries["upsert_securities"], rows.securities)
    await _run(connection, queries["upsert_balances"], rows.balances)
    await _run(connection, queries["upsert_holdings"], rows.holdings)
    await _run(connection, queries["upsert_orders"], rows.orders)
    await _copy(connection, "order_report", ORDER_REPORT_COLUMNS, rows.order_reports)
    await _copy(connection, "trade", TRADE_COLUMNS, rows.trades)
    await _copy(connection, "settlement", SETTLEMENT_COLUMNS, rows.settlements)
    await _copy(connection, "price", PRICE_COLUMNS, rows.prices)
    await connection.execute(
        queries["store_progress"], transaction.execution_seq, transaction.report_seq
    )
    await store_position(connection, DATA_FEED, transaction.after)


async def _run(connection: Connection, query: str, rows: list[Row]) -> None:
    """Run a query that takes its rows as one array per column."""
    if rows:
        await connection.execute(query, *map(list, zip(*rows, strict=True)))


async def _copy(
    connection: Connection, table: str, columns: tuple[str, ...], rows: list[Row]
) -> None:
    if rows:
        await connection.copy_records_to_table(table, records=rows, columns=list(columns))
