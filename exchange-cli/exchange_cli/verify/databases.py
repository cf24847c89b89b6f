"""The two databases, held against what the engine's events say they must hold."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from exchange_cli.verify.reference import ReferenceLedger, ReferenceOrders
from exchange_shared.bus import DATA_FEED, ORDER_EXECUTION
from exchange_shared.messages import AccountOpened, AnyEvent, AnyExecution, TradeExecuted
from exchange_shared.postgres import load_position, load_queries
from matching_engine.core import Exchange

ENGINE = "matching-engine"
CLEARINGHOUSE = "clearinghouse"
MAX_PROBLEMS = 5
POLL_SECONDS = 0.1

QUERIES = load_queries(__package__)

Found = tuple[str, str, list[str]] | tuple[str, str, list[str], str | None]
"""A check's name, what was looked at, what is wrong, and what is yet to be done."""


@asynccontextmanager
async def _one_moment(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees the database as it is at one moment."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


@dataclass(frozen=True)
class LedgerRows:
    """What `clearing_data` held at one moment, after execution number `booked`."""

    booked: int
    balances: dict[tuple[str, str], int]
    problems: list[str]
    incomplete: list[str]
    settlements: list[tuple[int, ...]]


@dataclass(frozen=True)
class MarketDataRows:
    """What `market_data` held at one moment, after event `applied` and settlement `settled`."""

    applied: int
    settled: int
    orders: dict[int, tuple[Any, ...]]
    trades: list[tuple[Any, ...]]
    balances: dict[tuple[str, str], int]


async def wait_until_stored(
    clearing_dsn: str, market_dsn: str, exchange: Exchange, patience_seconds: float
) -> None:
    """Return once both databases have what an engine's state has, or the patience ends."""
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while asyncio.get_running_loop().time() < deadline:
        async with _one_moment(clearing_dsn) as connection:
            booked = (await load_position(connection, ORDER_EXECUTION)).sources.get(ENGINE, 0)
        async with _one_moment(market_dsn) as connection:
            sources = (await load_position(connection, DATA_FEED)).sources
        stored = min(booked, sources.get(CLEARINGHOUSE, 0))
        if stored >= exchange.execution_seq and sources.get(ENGINE, 0) >= exchange.seq:
            return
        await asyncio.sleep(POLL_SECONDS)


async def read_ledger(dsn: str) -> LedgerRows:
    """Read `clearing_data`, and let it check itself."""
    async with _one_moment(dsn) as connection:
        stored = await load_position(connection, ORDER_EXECUTION)
        unbalanced = await connection.fetch(QUERIES["unbalanced_assets"])
        differing = await connection.fetch(QUERIES["accounts_that_differ_from_transfers"])
        incomplete = await connection.fetch(QUERIES["settlements_without_both_legs"])
        problems = [f"all {row['asset']} add up to {row['total']}, not 0" for row in unbalanced]
        problems += [f"account {row['id']} is not the sum of its transfers" for row in differing]
        return LedgerRows(
            booked=stored.sources.get(ENGINE, 0),
            balances={
                (row["owner"], row["asset"]): row["balance"]
                for row in await connection.fetch(QUERIES["balances"])
            },
            problems=problems[:MAX_PROBLEMS],
            incomplete=[f"trade {row['trade_id']} lacks a leg" for row in incomplete],
            settlements=[tuple(row) for row in await connection.fetch(QUERIES["settlements"])],
        )


async def read_market_data(dsn: str) -> MarketDataRows:
    """Read `market_data`."""
    async with _one_moment(dsn) as connection:
        stored = await load_position(connection, DATA_FEED)
        return MarketDataRows(
            applied=stored.sources.get(ENGINE, 0),
            settled=stored.sources.get(CLEARINGHOUSE, 0),
            orders={
                row["order_id"]: tuple(row)[1:] for row in await connection.fetch(QUERIES["orders"])
            },
            trades=[tuple(row) for row in await connection.fetch(QUERIES["trades"])],
            balances={
                (row["client_id"], row["asset"]): row["balance"]
                for row in await connection.fetch(QUERIES["settled_balances"])
            },
        )


def check_ledger(rows: LedgerRows, executions: Sequence[AnyExecution], least: int) -> list[Found]:
    """The ledger has booked every execution once, and nothing else."""
    ledger = ReferenceLedger()
    trades: list[tuple[int, ...]] = []
    for execution in executions[: rows.booked]:
        ledger.book(execution)
        if isinstance(execution, TradeExecuted):
            trades.append(
                (
                    execution.trade_id,
                    execution.execution_seq,
                    execution.buy_order_id,
                    execution.sell_order_id,
                    execution.price_e4 * execution.quantity,
                    execution.quantity,
                )
            )
    return [
        (
            "ledger balances are what the executions make them",
            f"{len(rows.balances)} accounts after execution {rows.booked}",
            _differences(ledger.non_zero(), rows.balances),
            _behind(rows.booked, least),
        ),
        ("each asset adds up to zero, each account to its transfers", "the ledger", rows.problems),
        (
            "each trade is settled once, with both legs",
            f"{len(rows.settlements)} trades",
            rows.incomplete + _list_differences(trades, rows.settlements),
        ),
    ]


def check_market_data(rows: MarketDataRows, events: Sequence[AnyEvent], least: int) -> list[Found]:
    """The stored orders, trades and balances are what the events make them."""
    orders = ReferenceOrders()
    ledger = ReferenceLedger()
    trades: list[tuple[Any, ...]] = []
    clients: set[str] = set()
    for event in events[: rows.applied]:
        orders.apply(event)
        if isinstance(event, TradeExecuted):
            trades.append(_trade_row(event))
    for event in events:
        if isinstance(event, AccountOpened | TradeExecuted) and event.execution_seq <= rows.settled:
            ledger.book(event)
            if isinstance(event, AccountOpened):
                clients.add(event.client_id)
    expected_orders = {
        order_id: (
            order.accepted.client_id,
            order.accepted.security_id,
            order.accepted.side,
            order.quantity,
            order.price_e4,
            order.filled,
            order.notional_e4,
            order.status,
        )
        for order_id, order in orders.orders.items()
    }
    expected_balances = {
        key: balance for key, balance in ledger.non_zero().items() if key[0] in clients
    }
    return [
        (
            "stored orders are what the events make them",
            f"{len(rows.orders)} orders after event {rows.applied}",
            _differences(expected_orders, rows.orders),
            _behind(rows.applied, least),
        ),
        (
            "stored trades are those that were executed",
            f"{len(rows.trades)} trades",
            _list_differences(sorted(trades), rows.trades),
        ),
        (
            "served balances and holdings are the ledger's",
            f"{len(rows.balances)} balances after settlement {rows.settled}",
            _differences(expected_balances, rows.balances),
        ),
    ]


def _behind(stored: int, least: int) -> str | None:
    return None if stored >= least else f"number {stored + 1} to {least} are not stored yet"


def _trade_row(trade: TradeExecuted) -> tuple[Any, ...]:
    return (
        trade.trade_id,
        trade.seq,
        trade.security_id,
        trade.price_e4,
        trade.quantity,
        trade.buy_order_id,
        trade.sell_order_id,
        trade.buyer_id,
        trade.seller_id,
    )


def _differences(expected: dict[Any, Any], found: dict[Any, Any]) -> list[str]:
    keys = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    problems = [
        f"{key}: {found.get(key)}, should be {expected.get(key)}"
        for key in sorted(keys)[:MAX_PROBLEMS]
    ]
    return problems + ([f"{len(keys)} differ in all"] if len(keys) > MAX_PROBLEMS else [])


def _list_differences(expected: Sequence[Any], found: Sequence[Any]) -> list[str]:
    if list(expected) == list(found):
        return []
    missing = sorted(set(expected) - set(found))[:MAX_PROBLEMS]
    surplus = sorted(set(found) - set(expected))[:MAX_PROBLEMS]
    problems = [f"missing: {row}" for row in missing] + [f"not expected: {row}" for row in surplus]
    return problems or [f"{len(found)} rows, should be {len(expected)}: some are there twice"]
