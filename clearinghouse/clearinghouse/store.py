"""The ledger in Postgres: books a batch of executions, its reports and its position together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg

from clearinghouse.ledger import (
    AccountKey,
    Booking,
    LedgerContradiction,
    Settlement,
    Transfer,
    book,
    entries_of,
    settlement_of,
    touched_accounts,
    transfers_of,
)
from exchange_shared.bus import ORDER_EXECUTION, LogPosition
from exchange_shared.messages import CLEARINGHOUSE, AnyExecution, TradeExecuted, encode_batch
from exchange_shared.postgres import (
    CONNECTION_LOST,
    NOT_PREPARED,
    Connection,
    load_position,
    load_queries,
    store_position,
)
from exchange_shared.units import now_us

QUERIES = load_queries("clearinghouse")


class DatabaseLost(Exception):
    """The connection to Postgres is gone. Whether a commit under way happened is not known."""


class PositionMoved(Exception):
    """Another clearinghouse booked executions in the meantime."""


@contextmanager
def database_errors() -> Iterator[None]:
    """Tell lost connections from bugs.

    Raises:
        DatabaseLost: read the position and go on from there.
        LedgerContradiction: the database refuses what was booked.
    """
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        details = f": {error.detail}" if error.detail else ""
        raise LedgerContradiction(f"the ledger refuses: {error}{details}") from error
    except ValueError:
        raise  # an argument that Postgres cannot hold, though asyncpg files it as InterfaceError
    except (*CONNECTION_LOST, *NOT_PREPARED, asyncpg.TransactionRollbackError) as error:
        raise DatabaseLost(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class ReportBatch:
    """Reports as the message that is to be published, and which executions they are about."""

    first_seq: int
    last_seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Intake:
    """What was read from `order_execution`: the positions it lies between, and what it holds."""

    before: LogPosition
    after: LogPosition
    executions: Sequence[AnyExecution]
    copies: Sequence[AnyExecution]


async def settle(
    connection: Connection,
    intake: Intake,
    *,
    after_seq: int,
    published_seq: int,
) -> ReportBatch | None:
    """Book an intake in one transaction; returns the reports, which are in the outbox then.

    `after_seq` numbers the newest execution before the intake; the outbox forgets reports up to
    `published_seq`, because they are in `data_feed`.

    Copies of executions that are booked already must say what the first ones said.

    Raises:
        LedgerContradiction: an execution, or a copy, does not fit. Nothing is booked.
        PositionMoved: the ledger no longer stands at the beginning of this intake.
        DatabaseLost: it may be booked or not.
    """
    with database_errors():
        async with connection.transaction():
            await connection.execute(QUERIES["begin_booking"])
            stored = await load_position(connection, ORDER_EXECUTION)
            if stored != intake.before:
                raise PositionMoved(f"from {intake.before.position} to {stored.position}")
            reports = None
            if intake.executions:
                reports = await _book(connection, intake.executions, after_seq, published_seq)
            if intake.copies:
                await _compare(connection, intake.copies)
            await store_position(connection, ORDER_EXECUTION, intake.after)
        return reports


async def _book(
    connection: Connection,
    executions: Sequence[AnyExecution],
    after_seq: int,
    published_seq: int,
) -> ReportBatch:
    entries = entries_of(executions)
    keys = touched_accounts(entries)
    ids: dict[AccountKey, int] = {}
    known: dict[AccountKey, int] = {}
    for account_id, owner, asset, balance in await connection.fetch(
        QUERIES["load_accounts"], *_columns(keys)
    ):
        ids[AccountKey(owner, asset)] = account_id
        known[AccountKey(owner, asset)] = balance
    booking = book(known, entries, after_seq=after_seq, time_us=now_us())
    missing = sorted(booking.balances.keys() - known.keys())
    if missing:
        for account_id, owner, asset in await connection.fetch(
            QUERIES["create_accounts"], *_columns(missing)
        ):
            ids[AccountKey(owner, asset)] = account_id
    first_seq, last_seq = after_seq + 1, after_seq + len(executions)
    reports = ReportBatch(
        first_seq, last_seq, encode_batch(CLEARINGHOUSE, first_seq, booking.reports)
    )
    await _write(connection, booking, ids, reports, published_seq)
    return reports


def _columns(keys: set[AccountKey] | list[AccountKey]) -> tuple[list[str], list[str]]:
    return [key.owner for key in keys], [key.asset for key in keys]


async def _write(
    connection: Connection,
    booking: Booking,
    ids: dict[AccountKey, int],
    reports: ReportBatch,
    published_seq: int,
) -> None:
    await connection.execute(
        QUERIES["book"],
        [transfer.execution_seq for transfer in booking.transfers],
        [transfer.leg for transfer in booking.transfers],
        [ids[transfer.debit] for transfer in booking.transfers],
        [ids[transfer.credit] for transfer in booking.transfers],
        [transfer.amount for transfer in booking.transfers],
        [settlement.trade_id for settlement in booking.settlements],
        [settlement.execution_seq for settlement in booking.settlements],
        [settlement.buy_order_id for settlement in booking.settlements],
        [settlement.sell_order_id for settlement in booking.settlements],
        [settlement.executed_us for settlement in booking.settlements],
        reports.first_seq,
        reports.last_seq,
        reports.body,
        published_seq,
    )


async def _compare(connection: Connection, copies: Sequence[AnyExecution]) -> None:
    """See that copies of booked executions say what is booked."""
    rows = await connection.fetch(
        QUERIES["booked_transfers"], [copy.execution_seq for copy in copies]
    )
    transfers: defaultdict[int, list[Transfer]] = defaultdict(list)
    for seq, leg, debit_owner, debit_asset, credit_owner, credit_asset, amount in rows:
        debit, credit = AccountKey(debit_owner, debit_asset), AccountKey(credit_owner, credit_asset)
        transfers[seq].append(Transfer(seq, leg, debit, credit, amount))
    trades = [copy for copy in copies if isinstance(copy, TradeExecuted)]
    rows = await connection.fetch(
        QUERIES["booked_settlements"], [trade.trade_id for trade in trades]
    )
    settlements = {row["trade_id"]: Settlement(*row) for row in rows}
    for copy in copies:
        same = transfers_of(copy) == transfers[copy.execution_seq]
        if isinstance(copy, TradeExecuted):
            same = same and settlement_of(copy) == settlements.get(copy.trade_id)
        if not same:
            raise LedgerContradiction(
                f"execution {copy.execution_seq} is booked with another content", copy
            )
