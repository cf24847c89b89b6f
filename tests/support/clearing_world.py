"""A log with executions, the ledger that books them, and a reference of what it must say."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import asyncpg
import httpx
import msgspec

from clearinghouse.service import ClearinghouseSettings, open_clearinghouse
from exchange_cli.verify.reference_ledger import ReferenceLedger
from exchange_shared.bus import (
    DATA_FEED,
    ORDER_EXECUTION,
    LogPosition,
    QueueReader,
)
from exchange_shared.messages import (
    AnyExecution,
    AnyFeedRecord,
    AnySettlement,
    Heartbeat,
    feed_decoder,
)
from exchange_shared.metrics import Metrics
from exchange_shared.runner import Service
from tests.support.executions import ExecutionLog, message
from tests.support.memory_bus import MemoryBus, MemoryLog

WAIT_SECONDS = 30.0
PAIRS = (("ada", "bob"), ("bob", "ada"))


class HeldBus(MemoryBus):
    """A bus that takes nothing for `data_feed` while `taking` is not set."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self.taking = asyncio.Event()

    async def publish(self, queue: str, body: bytes) -> None:
        """Append a message once it is taken."""
        if queue == DATA_FEED:
            await self.taking.wait()
        await super().publish(queue, body)


class World:
    """A log with executions, a ledger, and a reference ledger of the same executions."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.clearing_dsn = dsn
        self.log = MemoryLog()
        self.engine = MemoryBus(self.log)
        self.executions = ExecutionLog()
        self.reference = ReferenceLedger()
        self.expected_reports: list[AnySettlement] = []

    @asynccontextmanager
    async def clearinghouse(self, bus: MemoryBus | None = None) -> AsyncIterator[Service]:
        """A clearinghouse at work; leaving kills it, in whatever it is doing."""
        settings = ClearinghouseSettings(clearing_dsn=self.clearing_dsn, max_executions=50)
        async with open_clearinghouse(settings, bus or MemoryBus(self.log)) as service:
            yield service

    async def execute(self, *executions: AnyExecution) -> None:
        """Have the engine ask for these executions, which the ledger should book."""
        self.expected_reports += [self.reference.book(execution) for execution in executions]
        await self.engine.publish(ORDER_EXECUTION, message(*executions))

    async def open_ada_and_bob(self) -> None:
        """The usual beginning, executions 1 and 2."""
        await self.execute(self.executions.opened("ada"), self.executions.opened("bob"))

    async def reports(self) -> list[AnySettlement]:
        """What a reader of `data_feed` sees, once there is a report of every execution."""
        reader: QueueReader[AnyFeedRecord] = QueueReader(
            MemoryBus(self.log),
            DATA_FEED,
            feed_decoder(),
            LogPosition(),
            reader="test",
            metrics=Metrics(),
        )
        reports: list[AnyFeedRecord] = []
        async with asyncio.timeout(WAIT_SECONDS), aclosing(reader.read()) as lists:
            while len(reports) < len(self.expected_reports):
                for delivery in await anext(lists):
                    settled = [one for one in delivery.records if not isinstance(one, Heartbeat)]
                    assert not settled or delivery.source == "clearinghouse"
                    reports += settled
        return [msgspec.structs.replace(report, time_us=0) for report in reports]  # type: ignore[misc]

    async def fetch(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        """Rows of the ledger."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def until(self, query: str) -> None:
        """Wait until a query finds a row."""
        await until(lambda: self.fetch(query))

    async def balances(self) -> dict[tuple[object, ...], object]:
        """What the ledger says everybody holds."""
        rows = await self.fetch("SELECT owner, asset, balance FROM account")
        return {(owner, asset): balance for owner, asset, balance in rows}

    async def everything(self) -> list[list[tuple[object, ...]]]:
        """Every row but those of the outbox."""
        return [
            await self.fetch("SELECT * FROM account ORDER BY id"),
            await self.fetch("SELECT * FROM transfer ORDER BY execution_seq, leg"),
            await self.fetch("SELECT * FROM trade_settlement ORDER BY trade_id"),
            await self.fetch("SELECT * FROM consumer_position"),
        ]

    async def until_published(self, seq: int) -> None:
        """Wait until the report of an execution is in `data_feed`."""
        await until(lambda: self._published(seq))

    def published(self) -> list[bytes]:
        """The messages with reports, without heartbeats."""
        return [body for body in self.engine.queues[DATA_FEED] if b'"type":"heartbeat"' not in body]

    async def _published(self, seq: int) -> bool:
        published = self.published()
        return bool(published) and msgspec.json.decode(published[-1])["seq"] >= seq

    async def transfers(self) -> list[tuple[object, ...]]:
        """The journal, with names."""
        return await self.fetch(
            "SELECT execution_seq, leg, debit.owner, credit.owner, debit.asset, amount"
            " FROM transfer JOIN account AS debit ON debit.id = debit_account"
            " JOIN account AS credit ON credit.id = credit_account ORDER BY execution_seq, leg"
        )

    async def assert_all_is_booked_once(self) -> None:
        """The ledger, its journal and the reports say what the reference ledger says."""
        assert await self.reports() == self.expected_reports
        assert await self.balances() == self.reference.balances
        assert await self.fetch(UNBALANCED) == []
        assert await self.fetch(NOT_THE_SUM_OF_ITS_TRANSFERS) == []
        count = len([report for report in self.expected_reports if hasattr(report, "trade_id")])
        assert await self.fetch("SELECT count(*) FROM trade_settlement") == [(count,)]


UNBALANCED = "SELECT asset, sum(balance) FROM account GROUP BY asset HAVING sum(balance) <> 0"
NOT_THE_SUM_OF_ITS_TRANSFERS = """
SELECT id, balance FROM account
LEFT JOIN (
    SELECT id, sum(amount) AS booked FROM (
        SELECT credit_account AS id, amount FROM transfer
        UNION ALL SELECT debit_account, -amount FROM transfer
    ) AS moves GROUP BY id
) AS sums USING (id)
WHERE balance <> coalesce(booked, 0)
"""
A_BOOKING_WAITS = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INTO transfer%'"
)


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.01)


async def is_ready(service: Service) -> bool:
    return (await readiness(service))[0] == 200


async def is_unready(service: Service, dependency: str) -> bool:
    return (await readiness(service))[1][dependency] != "ok"


async def readiness(service: Service) -> tuple[int, dict[str, str]]:
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get("/readyz")
    return response.status_code, response.json()["dependencies"]


async def metric(service: Service, name: str) -> float:
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))
