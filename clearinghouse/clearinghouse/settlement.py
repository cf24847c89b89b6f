"""Reads `order_execution` and books it, batch by batch, for as long as the service runs."""

import asyncio
import time
from contextlib import aclosing, suppress

import asyncpg
import msgspec
import structlog

from clearinghouse.ledger import LedgerContradiction
from clearinghouse.outbox import Outbox
from clearinghouse.store import DatabaseLost, Intake, PositionMoved, database_errors, settle
from exchange_shared.bus import ORDER_EXECUTION, Bus, Delivery, LogPosition, QueueReader
from exchange_shared.messages import MATCHING_ENGINE, AnyExecution, execution_decoder
from exchange_shared.metrics import Metrics
from exchange_shared.postgres import RETRY_SECONDS, Connection, load_position
from exchange_shared.units import now_us

log = structlog.get_logger()


class Settlement:
    """Books everything that the engine executes, exactly once, in order.

    The next batch is booked while the reports of the last are being published. `run` must be
    running as a task.
    """

    def __init__(
        self,
        bus: Bus,
        pool: asyncpg.Pool,
        outbox: Outbox,
        metrics: Metrics,
        *,
        max_executions: int,
        interval_seconds: float,
    ) -> None:
        self._bus = bus
        self._pool = pool
        self._outbox = outbox
        self._metrics = metrics
        self._max_executions = max_executions
        self._interval_seconds = interval_seconds
        self._settled = metrics.counter("executions_settled", "Executions booked in the ledger")
        self._seconds = metrics.latency("settlement_transaction", "How long booking a batch takes")
        self._lag = metrics.gauge(
            "settlement_lag_seconds", "Age of the newest booked execution when it was booked"
        )
        self.database_problem: str | None = "not connected yet"
        self.contradiction: str | None = None

    async def run(self) -> None:
        """Book for ever. A lost Postgres is waited for, and the stored position is read again.

        Raises:
            LedgerContradiction: engine and ledger disagree; nothing of the batch is booked.
            SequenceGap: executions are missing from the log.
        """
        while True:
            try:
                await self._session()
            except PositionMoved as moved:
                log.warning("position_moved", moved=str(moved))
            except DatabaseLost as error:
                self.database_problem = str(error)
                log.warning("postgres_lost", task="settlement", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except LedgerContradiction as error:
                self.contradiction = str(error)
                execution = msgspec.to_builtins(error.execution)
                log.error("ledger_contradiction", error=str(error), execution=execution)
                raise

    async def _session(self) -> None:
        """Go on from the stored position until something happens to the connection."""
        with database_errors():
            connection = await self._pool.acquire()
        try:
            with database_errors():
                stored = await load_position(connection, ORDER_EXECUTION)
            self.database_problem = None
            self._outbox.look()
            await self._book_all(connection, stored)
        finally:
            await self._release(connection)

    async def _release(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        with suppress(DatabaseLost), database_errors():
            await self._pool.release(connection)

    async def _book_all(self, connection: Connection, stored: LogPosition) -> None:
        reader = QueueReader(
            self._bus,
            ORDER_EXECUTION,
            execution_decoder(),
            stored,
            reader="clearinghouse",
            metrics=self._metrics,
            max_records=self._max_executions,
        )
        after_seq = stored.sources.get(MATCHING_ENGINE, 0)
        async with aclosing(reader.read()) as lists:
            async for deliveries in lists:
                intake = _gather(stored, reader.applied, deliveries)
                await self._book_one(connection, intake, after_seq)
                stored = intake.after
                after_seq += len(intake.executions)

    async def _book_one(self, connection: Connection, intake: Intake, after_seq: int) -> None:
        started = time.monotonic()
        reports = await settle(
            connection,
            intake,
            after_seq=after_seq,
            published_seq=self._outbox.published_seq,
        )
        seconds = time.monotonic() - started
        self._seconds.observe(seconds)
        if reports:
            self._settled.inc(len(intake.executions))
            self._lag.set((now_us() - intake.executions[-1].time_us) / 1e6)
            await self._outbox.put(reports)
        await asyncio.sleep(max(0.0, self._interval_seconds - seconds))


def _gather(
    before: LogPosition, after: LogPosition, deliveries: list[Delivery[AnyExecution]]
) -> Intake:
    return Intake(
        before,
        after,
        [record for delivery in deliveries for record in delivery.records],
        [record for delivery in deliveries for record in delivery.copies],
    )
