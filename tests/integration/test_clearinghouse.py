"""The clearinghouse with a real Postgres: every execution is booked and reported once."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import asyncpg
import httpx
import msgspec
import pytest

from clearinghouse.ledger import LedgerContradiction
from clearinghouse.service import ClearinghouseSettings, open_clearinghouse
from exchange_cli.verify.reference_ledger import ReferenceLedger
from exchange_shared.bus import (
    DATA_FEED,
    DEAD_LETTER,
    ORDER_EXECUTION,
    LogPosition,
    QueueReader,
)
from exchange_shared.messages import (
    AnyExecution,
    AnyFeedRecord,
    AnySettlement,
    Heartbeat,
    encode_batch,
    feed_decoder,
)
from exchange_shared.metrics import Metrics
from exchange_shared.runner import Service
from tests.conftest import Databases
from tests.support.executions import ExecutionLog, message
from tests.support.memory_bus import MemoryBus, MemoryLog
from tests.support.servers import PostgresServer

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
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/readyz")
    return response.status_code, response.json()["dependencies"]


async def metric(service: Service, name: str) -> float:
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


@pytest.fixture
def world(databases: Databases) -> World:
    """An empty ledger and an empty log."""
    return World(databases.clearing_data)


async def test_opening_entries_come_from_the_bank_and_the_issuer(world: World) -> None:
    async with world.clearinghouse():
        await world.execute(world.executions.opened("ada", 100_000_000, {"MSFT": 100, "AAPL": 5}))
        await world.assert_all_is_booked_once()
    assert await world.transfers() == [
        (1, 1, "house:settlement_bank", "ada", "cash", 100_000_000),
        (1, 2, "house:issuer", "ada", "MSFT", 100),
        (1, 3, "house:issuer", "ada", "AAPL", 5),
    ]


async def test_a_trade_is_settled_delivery_versus_payment_with_its_fees(world: World) -> None:
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.execute(
            world.executions.traded("ada", "bob", 2, 4_200_000, buyer_fee_e4=840, seller_fee_e4=420)
        )
        await world.assert_all_is_booked_once()
    assert (await world.transfers())[4:] == [
        (3, 1, "ada", "bob", "cash", 8_400_000),
        (3, 2, "bob", "ada", "MSFT", 2),
        (3, 3, "ada", "house:fees", "cash", 840),
        (3, 4, "bob", "house:fees", "cash", 420),
    ]
    assert await world.fetch("SELECT * FROM trade_settlement") == [(1003, 3, 2003, 3003, 1003)]
    assert await world.fetch("SELECT queue, position, sources FROM consumer_position") == [
        ("order_execution", 2, '{"matching-engine":3}')
    ]


async def test_short_sales_rebates_and_trades_of_an_auction_are_settled(world: World) -> None:
    log = world.executions
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.execute(log.traded("ada", "bob", 130, 1_000, buyer_fee_e4=-9, seller_fee_e4=4))
        auctioned = log.traded("bob", "ada", 20, 1_000, seller_fee_e4=-1)
        await world.execute(msgspec.structs.replace(auctioned, aggressor_side=None))
        await world.assert_all_is_booked_once()
        await world.engine.publish(ORDER_EXECUTION, message(auctioned))
        await world.execute(log.traded("bob", "ada", 10, 1_000))
        await world.assert_all_is_booked_once()
    assert (await world.transfers())[4:] == [
        (3, 1, "ada", "bob", "cash", 130_000),
        (3, 2, "bob", "ada", "MSFT", 130),
        (3, 3, "house:fees", "ada", "cash", 9),
        (3, 4, "bob", "house:fees", "cash", 4),
        (4, 1, "bob", "ada", "cash", 20_000),
        (4, 2, "ada", "bob", "MSFT", 20),
        (4, 4, "house:fees", "ada", "cash", 1),
        (5, 1, "bob", "ada", "cash", 10_000),
        (5, 2, "ada", "bob", "MSFT", 10),
    ]
    assert await world.balances() == {
        ("house:settlement_bank", "cash"): -200_000_000,
        ("house:issuer", "MSFT"): -200,
        ("house:fees", "cash"): -6,
        ("ada", "cash"): 99_900_010,
        ("ada", "MSFT"): 200,
        ("bob", "cash"): 100_099_996,
        ("bob", "MSFT"): 0,
    }


async def test_reports_leave_the_outbox_when_they_are_published(world: World) -> None:
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.reports()
        await world.until("SELECT 1 WHERE NOT EXISTS (SELECT FROM outbox)")


async def test_messages_that_come_twice_have_one_effect(world: World) -> None:
    trade = world.executions.opened("ada"), world.executions.opened("bob")
    again = world.executions.traded("ada", "bob")
    async with world.clearinghouse() as service:
        await world.execute(*trade)
        await world.engine.publish(ORDER_EXECUTION, message(*trade))
        await world.execute(again)
        await world.engine.publish(ORDER_EXECUTION, message(trade[1], again))
        await world.execute(world.executions.traded("bob", "ada"))
        await world.assert_all_is_booked_once()
        assert (await readiness(service))[0] == 200


async def test_committed_reports_are_published_after_a_crash(world: World) -> None:
    held = HeldBus(world.log)
    async with world.clearinghouse(held):
        await world.open_ada_and_bob()
        await world.until("SELECT 1 FROM outbox WHERE last_seq = 2")
        await world.execute(
            world.executions.traded("ada", "bob", buyer_fee_e4=840, seller_fee_e4=420)
        )
        await world.until("SELECT 1 FROM outbox WHERE first_seq = 3")
    assert world.published() == []
    async with world.clearinghouse():
        await world.assert_all_is_booked_once()
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()


async def test_reports_published_but_not_confirmed_before_a_crash_count_once(world: World) -> None:
    bus = MemoryBus(world.log)
    bus.confirming.clear()
    async with world.clearinghouse(bus):
        await world.open_ada_and_bob()
        await world.reports()
    async with world.clearinghouse():
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()
    first, second, _ = world.published()
    assert first == second


async def test_nothing_of_a_batch_is_booked_when_it_crashes_before_the_commit(world: World) -> None:
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.reports()
    before = await world.everything()
    async with blocked_settlements(world):
        async with world.clearinghouse():
            await world.execute(
                world.executions.traded("ada", "bob", buyer_fee_e4=840, seller_fee_e4=420)
            )
            await world.until(A_BOOKING_WAITS)
        assert await world.everything() == before
    async with world.clearinghouse():
        await world.assert_all_is_booked_once()


async def test_a_postgres_killed_in_a_transaction_is_waited_for(
    world: World, postgres_server: PostgresServer
) -> None:
    async with world.clearinghouse() as service:
        await world.open_ada_and_bob()
        await world.reports()
        async with blocked_settlements(world):
            await world.execute(
                world.executions.traded("ada", "bob", buyer_fee_e4=840, seller_fee_e4=420)
            )
            await world.until(A_BOOKING_WAITS)
            await asyncio.to_thread(postgres_server.kill)
        await until(lambda: is_unready(service, "postgres"))
        await asyncio.to_thread(postgres_server.start)
        await world.assert_all_is_booked_once()
        await until(lambda: is_ready(service))


@pytest.mark.slow
async def test_a_stream_survives_a_postgres_that_is_killed_again_and_again(
    world: World, postgres_server: PostgresServer
) -> None:
    async def stream() -> None:
        for _ in range(150):
            await world.execute(*(world.executions.traded(*pair, 1, 100) for pair in PAIRS))
            await asyncio.sleep(0.01)

    async with world.clearinghouse():
        await world.open_ada_and_bob()
        streaming = asyncio.create_task(stream())
        for seq in (50, 150, 250):
            await world.until_published(seq)
            await asyncio.to_thread(postgres_server.kill)
            await asyncio.to_thread(postgres_server.start)
        await streaming
        await world.assert_all_is_booked_once()


async def test_a_service_starts_before_its_postgres(
    world: World, postgres_server: PostgresServer
) -> None:
    await asyncio.to_thread(postgres_server.stop)
    async with world.clearinghouse() as service:
        await until(lambda: is_unready(service, "postgres"))
        await asyncio.to_thread(postgres_server.start)
        await world.open_ada_and_bob()
        await world.assert_all_is_booked_once()
        assert await readiness(service) == (200, {"bus": "ok", "postgres": "ok", "ledger": "ok"})


async def test_garbage_goes_to_the_drawer_and_the_rest_is_booked(world: World) -> None:
    garbage = [
        b"\xff\x00",
        b"[]",
        b"{}",
        b'{"version":1,"source":"nobody","seq":1,"records":[{"type":"trade_executed"}]}',
        b'{"version":2,"source":"matching-engine","seq":3,"records":[]}',
        b"[" * 100_000,
        b"",
    ]
    async with world.clearinghouse() as service:
        await world.open_ada_and_bob()
        for body in garbage:
            await world.engine.publish(ORDER_EXECUTION, body)
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()
        assert (await readiness(service))[0] == 200
        name = 'exchange_undecodable_records_total{queue="order_execution"}'
        assert await metric(service, name) == len(garbage)
    assert len(world.engine.queues[DEAD_LETTER]) == len(garbage)


CONTRADICTIONS: dict[str, Callable[[ExecutionLog], AnyExecution]] = {
    r"ada would hold -\d+ of cash": lambda log: log.traded("ada", "bob", 100, 10_000_000),
    "eve has no account": lambda log: log.traded("eve", "bob"),
    "ada has an account already": lambda log: log.opened("ada"),
    "is booked with another content": lambda _: ExecutionLog(2).traded("ada", "bob", 3),
    "execution 2 is booked with another": lambda _: ExecutionLog(1).opened("bob", 100_000_001),
    "trade_id.*already exists": lambda log: msgspec.structs.replace(
        log.traded("ada", "bob"), trade_id=1003
    ),
}


@pytest.mark.parametrize("said", CONTRADICTIONS)
async def test_an_execution_that_contradicts_the_ledger_halts_it_and_books_nothing(
    world: World, said: str
) -> None:
    async with world.clearinghouse() as service:
        await world.open_ada_and_bob()
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()
        before = await world.everything()
        wrong = CONTRADICTIONS[said](world.executions)
        next_one = world.executions.traded("ada", "bob")
        await world.engine.publish(ORDER_EXECUTION, message(wrong, next_one))
        with pytest.raises(LedgerContradiction, match=said):
            await asyncio.wait_for(service.tasks.failed(), WAIT_SECONDS)
        status, dependencies = await readiness(service)
        assert status == 503
        assert re.search(said, dependencies["ledger"])
        assert await world.everything() == before
    async with world.clearinghouse() as service:  # and it halts again: nobody skips it
        with pytest.raises(LedgerContradiction, match=said):
            await asyncio.wait_for(service.tasks.failed(), WAIT_SECONDS)
    assert await world.everything() == before


async def test_an_execution_that_cannot_be_read_is_not_skipped(world: World) -> None:
    async with world.clearinghouse() as service:
        await world.open_ada_and_bob()
        await world.reports()
        body = message(world.executions.traded("ada", "bob"), world.executions.traded("ada", "bob"))
        await world.engine.publish(ORDER_EXECUTION, body.replace(b"trade_id", b"tirade_id", 1))
        with pytest.raises(LedgerContradiction, match="execution 3 was expected, not 4"):
            await asyncio.wait_for(service.tasks.failed(), WAIT_SECONDS)
    await world.assert_all_is_booked_once()


async def test_two_clearinghouses_at_once_have_one_effect(world: World) -> None:
    async with world.clearinghouse() as first:
        async with world.clearinghouse() as second:
            await world.open_ada_and_bob()
            for _ in range(60):
                await world.execute(*(world.executions.traded(*pair, 1, 100) for pair in PAIRS))
                await asyncio.sleep(0)
            await world.assert_all_is_booked_once()
            assert (await readiness(first))[0] == (await readiness(second))[0] == 200
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()


REFUSED = [
    ("UPDATE transfer SET amount = amount + 1", "UPDATE of transfer is refused"),
    ("DELETE FROM transfer WHERE execution_seq = 3", "DELETE of transfer is refused"),
    ("TRUNCATE transfer", "TRUNCATE of transfer is refused"),
    ("UPDATE trade_settlement SET trade_id = 1", "UPDATE of trade_settlement is refused"),
    ("DELETE FROM trade_settlement", "DELETE of trade_settlement is refused"),
    ("TRUNCATE trade_settlement", "TRUNCATE of trade_settlement is refused"),
    ("DELETE FROM account", "DELETE of account is refused"),
    ("TRUNCATE account CASCADE", "TRUNCATE of account is refused"),
    (
        "UPDATE account SET balance = balance + 1 WHERE owner = 'ada' AND asset = 'cash'",
        "only transfers move balances",
    ),
    (
        "UPDATE account SET balance = balance + CASE owner WHEN 'ada' THEN -1e9 ELSE 1e9 END"
        " WHERE owner IN ('ada', 'bob') AND asset = 'cash'",
        "only transfers move balances",
    ),
    (
        "INSERT INTO transfer SELECT 9, 1000000000000, a.id, b.id, 1 FROM account a, account b"
        " WHERE a.owner = 'ada' AND b.owner = 'bob' AND a.asset = 'cash' AND b.asset = 'cash'",
        "client_cash_not_negative",
    ),
    ("INSERT INTO account (owner, asset, balance) VALUES ('eve', 'cash', 1)", "account is empty"),
    ("INSERT INTO account (owner, asset) VALUES ('house:eve', 'cash')", "a client or to the house"),
    ("INSERT INTO account (owner, asset) VALUES ('ada', 'cash')", "already exists|duplicate key"),
    ("INSERT INTO trade_settlement VALUES (9, 9, 1, 2, 3)", "both a cash leg and a share leg"),
    ("INSERT INTO transfer VALUES (9, 1, 1, 999, 1)", "two accounts of the same asset"),
    ("INSERT INTO transfer VALUES (9, 1, 998, 999, 1)", "two accounts of the same asset"),
    (
        "INSERT INTO transfer SELECT 9, 1, a.id, b.id, 1 FROM account a, account b"
        " WHERE a.owner = 'ada' AND b.owner = 'ada' AND a.asset = 'cash' AND b.asset = 'MSFT'",
        "two accounts of the same asset",
    ),
    ("INSERT INTO transfer VALUES (9, 0, 1, 1, 1)", "transfer_amount_check|transfer_.*check"),
    ("INSERT INTO transfer VALUES (3, 1, 1, 2, 1)", "duplicate key"),
]


async def test_the_database_itself_guards_the_ledger(world: World) -> None:
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.execute(world.executions.traded("ada", "bob"))
        await world.reports()
    before = await world.everything()
    for statement, said in REFUSED:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=said):
            await world.fetch(statement)
    assert await world.everything() == before


async def test_reports_that_another_clearinghouse_left_are_found_in_the_outbox(
    world: World,
) -> None:
    async with world.clearinghouse() as service:
        await until(lambda: is_ready(service))
        for seq in (1, 11, 21):
            body = encode_batch("clearinghouse", seq, [world.executions.opened("ada")] * 10)
            await world.fetch("INSERT INTO outbox VALUES ($1, $2, $3)", seq, seq + 9, body)
        await world.until("SELECT 1 WHERE NOT EXISTS (SELECT FROM outbox)")
        published = [msgspec.json.decode(body)["seq"] for body in world.published()]
        assert published == [1, 11, 21]


@pytest.mark.parametrize("answer_lost", [True, False])
async def test_a_commit_of_unknown_outcome_is_booked_once(
    world: World, postgres_server: PostgresServer, answer_lost: bool
) -> None:
    async with cutting_proxy(postgres_server.port, answer_lost=answer_lost) as (port, cuts):
        world.clearing_dsn = world.dsn.replace(f":{postgres_server.port}/", f":{port}/")
        async with world.clearinghouse():
            await world.open_ada_and_bob()
            await world.assert_all_is_booked_once()
            for _ in range(10):
                await world.execute(world.executions.traded("ada", "bob"))
                await world.assert_all_is_booked_once()
        assert len(cuts) >= 3


@asynccontextmanager
async def cutting_proxy(
    server_port: int, *, answer_lost: bool
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A way to Postgres that cuts the connection at every third COMMIT, before or after it."""
    cuts: list[bytes] = []
    commits = itertools.count(1)

    async def forward(reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            cut = b"COMMIT;" in data and next(commits) % 3 == 1
            if not cut or answer_lost:
                to.write(data)
                await to.drain()
            if cut:
                cuts.append(data)
                return

    async def connected(reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_connection("127.0.0.1", server_port)
        both = [
            asyncio.create_task(forward(answers, client)),
            asyncio.create_task(forward(reader, server)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        client.close()
        server.close()
        await asyncio.gather(*both, return_exceptions=True)

    proxy = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield proxy.sockets[0].getsockname()[1], cuts
    finally:
        proxy.close()
        await proxy.wait_closed()


async def test_what_was_settled_is_counted_and_timed(world: World) -> None:
    async with world.clearinghouse() as service:
        await world.open_ada_and_bob()
        await world.execute(world.executions.traded("ada", "bob"))
        await world.reports()
        assert await metric(service, "exchange_executions_settled_total") == 3
        assert await metric(service, "exchange_settlement_transaction_seconds_count") >= 1
        assert await metric(service, "exchange_settlement_lag_seconds") > 0
        assert await metric(service, "exchange_report_batches_waiting") == 0


@asynccontextmanager
async def blocked_settlements(world: World) -> AsyncIterator[None]:
    """While open, a transaction that settles a trade waits in its middle."""
    connection = await asyncpg.connect(world.dsn)
    try:
        await connection.execute("BEGIN; LOCK TABLE trade_settlement IN EXCLUSIVE MODE")
        yield
    finally:
        connection.terminate()
