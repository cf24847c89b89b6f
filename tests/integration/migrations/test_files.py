"""The numbered files: each is applied once, in order, and what they make of what was there."""

import asyncio

import asyncpg
import pytest

from exchange_migrations import MigrationError, create_databases, migrate
from exchange_migrations.runner import (
    Migration,
    apply_migrations,
    load_migrations,
    number_migrations,
)
from tests.support.migrated import fetch, journal, recorded, tables
from tests.support.processes import free_port

FIRST = Migration(1, "first", "CREATE TABLE one (id integer)")
SECOND = Migration(2, "second", "CREATE TABLE two (id integer)")


async def test_a_fresh_database_gets_every_file_in_order(dsn: str) -> None:
    await apply_migrations(dsn, [FIRST, SECOND])
    assert await tables(dsn) == ["one", "schema_migrations", "two"]
    assert await journal(dsn) == recorded(FIRST, SECOND)


async def test_only_what_is_new_is_applied(dsn: str) -> None:
    await apply_migrations(dsn, [FIRST])
    await apply_migrations(dsn, [FIRST])
    await apply_migrations(dsn, [FIRST, SECOND])
    assert await journal(dsn) == recorded(FIRST, SECOND)


async def test_several_at_once_apply_each_file_once(dsn: str) -> None:
    await asyncio.gather(*(apply_migrations(dsn, [FIRST, SECOND]) for _ in range(5)))
    assert await journal(dsn) == recorded(FIRST, SECOND)


async def test_a_file_changed_after_it_was_applied_is_refused(dsn: str) -> None:
    await apply_migrations(dsn, [FIRST])
    changed = Migration(1, "first", FIRST.sql + ";")
    with pytest.raises(MigrationError, match="0001_first was changed after it was applied"):
        await apply_migrations(dsn, [changed, SECOND])
    assert await tables(dsn) == ["one", "schema_migrations"]


async def test_a_missing_applied_file_is_refused(dsn: str) -> None:
    await apply_migrations(dsn, [FIRST, SECOND])
    with pytest.raises(MigrationError, match=r"0002_second is applied .* its file is missing"):
        await apply_migrations(dsn, [FIRST, Migration(2, "other", SECOND.sql)])
    assert await journal(dsn) == recorded(FIRST, SECOND)


@pytest.mark.parametrize("left", [[], [FIRST]])
async def test_what_a_newer_version_wrote_is_refused(dsn: str, left: list[Migration]) -> None:
    await apply_migrations(dsn, [FIRST, SECOND])
    with pytest.raises(MigrationError, match="a newer version of the exchange wrote the database"):
        await apply_migrations(dsn, left)
    assert await journal(dsn) == recorded(FIRST, SECOND)


async def test_a_file_that_fails_leaves_nothing_of_itself(dsn: str) -> None:
    broken = Migration(2, "broken", "CREATE TABLE two (id integer); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(MigrationError, match='0002_broken failed: relation "nowhere"'):
        await apply_migrations(dsn, [FIRST, broken])
    assert await tables(dsn) == ["one", "schema_migrations"]
    assert await journal(dsn) == recorded(FIRST)
    await apply_migrations(dsn, [FIRST, SECOND])
    assert await journal(dsn) == recorded(FIRST, SECOND)


async def test_a_ledger_from_before_short_selling_is_kept_and_takes_it_from_then_on(
    dsn: str,
) -> None:
    moved = (
        "UPDATE account SET balance = balance + CASE owner WHEN 'house:fees' THEN -7 ELSE 7 END"
        " WHERE asset = 'cash' AND owner IN ('house:fees', 'ada')"
    )
    short = (
        "UPDATE account SET balance = balance + CASE owner WHEN 'ada' THEN -9 ELSE 9 END"
        " WHERE asset = 'MSFT'"
    )
    overdrawn = moved.replace("-7", "+7").replace("ELSE 7", "ELSE -7")
    await apply_migrations(dsn, load_migrations("clearing_data")[:1])
    await fetch(
        dsn,
        "INSERT INTO account (owner, asset) VALUES ('ada', 'cash'), ('house:fees', 'cash'),"
        " ('ada', 'MSFT'), ('house:issuer', 'MSFT')",
    )
    await fetch(dsn, "INSERT INTO transfer VALUES (1, 5, 1, 2, 1)")
    for refused in (moved, short, overdrawn):
        with pytest.raises(asyncpg.CheckViolationError, match="account_not_negative"):
            await fetch(dsn, refused)
    await apply_migrations(dsn, load_migrations("clearing_data")[:2])
    await fetch(dsn, moved)
    await fetch(dsn, short)
    accounts = await fetch(dsn, "SELECT owner, asset, balance FROM account ORDER BY id")
    assert accounts == [
        ("ada", "cash", 7),
        ("house:fees", "cash", -7),
        ("ada", "MSFT", -9),
        ("house:issuer", "MSFT", 9),
    ]
    assert await fetch(dsn, "SELECT execution_seq, leg, amount FROM transfer") == [(1, 1, 5)]
    await fetch(dsn, overdrawn)
    with pytest.raises(asyncpg.CheckViolationError, match="client_cash_not_negative"):
        await fetch(dsn, overdrawn)


async def test_a_ledger_from_before_keeps_its_balances_which_transfers_move_from_then_on(
    dsn: str,
) -> None:
    await apply_migrations(dsn, load_migrations("clearing_data")[:2])
    await fetch(
        dsn,
        "INSERT INTO account (owner, asset) VALUES"
        " ('house:settlement_bank', 'cash'), ('ada', 'cash'), ('bob', 'cash')",
    )
    await fetch(dsn, "INSERT INTO transfer VALUES (1, 100, 1, 2, 1)")
    await fetch(
        dsn,
        "UPDATE account SET balance = CASE owner WHEN 'ada' THEN 100 ELSE -100 END"
        " WHERE owner IN ('ada', 'house:settlement_bank')",
    )
    await migrate(dsn, "clearing_data")
    query = "SELECT balance FROM account ORDER BY id"
    assert await fetch(dsn, query) == [(-100,), (100,), (0,)]
    await fetch(dsn, "INSERT INTO transfer VALUES (2, 30, 2, 3, 1), (2, 10, 3, 2, 2)")
    assert await fetch(dsn, query) == [(-100,), (80,), (20,)]
    with pytest.raises(asyncpg.CheckViolationError, match="client_cash_not_negative"):
        await fetch(dsn, "INSERT INTO transfer VALUES (3, 21, 3, 2, 1)")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only transfers move"):
        await fetch(dsn, "UPDATE account SET balance = balance")
    assert await fetch(dsn, query) == [(-100,), (80,), (20,)]


async def test_the_time_in_force_of_a_refused_order_is_forgotten_because_it_was_made_up(
    dsn: str,
) -> None:
    migrations = load_migrations("market_data")
    await apply_migrations(dsn, migrations[:2])
    await fetch(
        dsn,
        """
        INSERT INTO orders (
            order_id, unit_hold_e4, quantity, filled_quantity, notional_e4, seq, created_us,
            updated_us, is_open, client_id, security_id, side, order_type, time_in_force, status
        )
        SELECT id, 0, 1, 0, 0, id, 1, 1, false, 'alice', 'MSFT', 'buy', 'limit', 'gtc', status
        FROM (VALUES (1, 'cancelled'), (2, 'rejected')) AS made (id, status)
        """,
    )
    await apply_migrations(dsn, migrations)
    query = "SELECT status, time_in_force FROM orders ORDER BY order_id"
    assert await fetch(dsn, query) == [("cancelled", "gtc"), ("rejected", None)]


def test_files_are_numbered_without_a_gap() -> None:
    assert number_migrations({"0002_second.sql": SECOND.sql, "0001_first.sql": FIRST.sql}) == [
        FIRST,
        SECOND,
    ]
    with pytest.raises(MigrationError, match=r"0003_third\.sql: expected number 0002"):
        number_migrations({"0001_first.sql": "", "0003_third.sql": ""})
    with pytest.raises(MigrationError, match=r"0001_b\.sql: expected number 0002"):
        number_migrations({"0001_a.sql": "", "0001_b.sql": ""})
    with pytest.raises(MigrationError, match=r"ledger\.sql: expected a name like"):
        number_migrations({"ledger.sql": ""})


async def test_an_unknown_database_is_refused(dsn: str) -> None:
    with pytest.raises(MigrationError, match="'nothing' is none of the databases"):
        await migrate(dsn, "nothing")


async def test_postgres_is_waited_for_within_a_limit() -> None:
    with pytest.raises(MigrationError, match="Postgres does not answer"):
        await create_databases(f"postgresql://a@127.0.0.1:{free_port()}/a", wait_seconds=0)
