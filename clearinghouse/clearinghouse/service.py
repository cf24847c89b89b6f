"""The clearinghouse's wiring."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
from pydantic import Field

from clearinghouse.outbox import Outbox
from clearinghouse.settlement import Settlement
from exchange_shared.bus import Bus
from exchange_shared.heartbeats import beat
from exchange_shared.http import Health, create_app
from exchange_shared.metrics import Metrics
from exchange_shared.postgres import COMMAND_SECONDS
from exchange_shared.runner import BackgroundTasks, Service
from exchange_shared.settings import ServiceSettings

NAME = "clearinghouse"


class ClearinghouseSettings(ServiceSettings):
    """What the clearinghouse needs to know."""

    clearing_dsn: str = Field(default="postgresql://127.0.0.1:5432/clearing_data", repr=False)
    """The database of the ledger."""

    max_executions: int = Field(default=2_000, gt=0)
    """A transaction books at most this many executions, and the rest of the last message. More
    would settle a little faster, but keep whatever shares the event loop waiting for longer."""

    booking_interval_seconds: float = Field(default=0.01, ge=0)
    """The least time between the starts of two transactions. A lone execution does not wait for
    it; under load executions gather, because a transaction costs as much as booking twenty."""

    max_waiting_batches: int = Field(default=4, gt=0)
    """How many batches may be booked whose reports are not published yet."""


@asynccontextmanager
async def _open_pool(settings: ClearinghouseSettings) -> AsyncIterator[asyncpg.Pool]:
    """Connections that are made when they are needed; closing does not wait for a dead server."""
    pool: asyncpg.Pool = await asyncpg.create_pool(
        settings.clearing_dsn, min_size=0, max_size=2, command_timeout=COMMAND_SECONDS
    )
    try:
        yield pool
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.drain_seconds):
                await pool.close()
        pool.terminate()


@asynccontextmanager
async def open_clearinghouse(
    settings: ClearinghouseSettings, bus: Bus, health: Health | None = None
) -> AsyncIterator[Service]:
    """The clearinghouse, at work while the context is open.

    Opens at once; a Postgres that is not there yet is waited for by its tasks.
    """
    metrics = Metrics()
    health = health or Health()
    async with _open_pool(settings) as pool, BackgroundTasks() as tasks:
        outbox = Outbox(bus, pool, max_waiting=settings.max_waiting_batches)
        settlement = Settlement(
            bus,
            pool,
            outbox,
            metrics,
            max_executions=settings.max_executions,
            interval_seconds=settings.booking_interval_seconds,
        )
        health.depends_on("bus", bus.unavailable_reason)
        health.depends_on(
            "postgres", lambda: settlement.database_problem or outbox.database_problem
        )
        health.depends_on("ledger", lambda: settlement.contradiction)
        metrics.gauge(
            "report_batches_waiting", "Booked batches whose reports are not published yet"
        ).set_function(lambda: outbox.waiting)
        app = create_app(
            "Clearinghouse",
            "Settles every execution, delivery versus payment.",
            health,
            metrics,
            settings.allowed_hosts,
        )
        tasks.start(outbox.run(), f"{NAME}-outbox")
        tasks.start(settlement.run(), f"{NAME}-settlement")
        tasks.start(
            beat(bus, NAME, lambda: outbox.published_seq, health.first_problem),
            f"{NAME}-heartbeat",
        )
        yield Service(NAME, app, tasks)
