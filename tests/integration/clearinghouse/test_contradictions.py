"""What the ledger does not take: garbage, contradictions, and changes by hand."""

import asyncio
import re
from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from clearinghouse.ledger import LedgerContradiction
from exchange_shared.bus import (
    DEAD_LETTER,
    ORDER_EXECUTION,
)
from exchange_shared.messages import (
    AnyExecution,
)
from tests.support.clearing_world import (
    WAIT_SECONDS,
    World,
    metric,
    readiness,
)
from tests.support.executions import ExecutionLog, message


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
