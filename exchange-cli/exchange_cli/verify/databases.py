"""The two databases, held against what the engine's events say they must hold."""

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import asyncpg

from exchange_cli.verify.finding import Finding, shorten
from exchange_cli.verify.reference_ledger import ReferenceLedger
from exchange_cli.verify.reference_orders import ReferenceOrders
from exchange_cli.verify.reference_securities import ReferenceSecurities
from exchange_shared.bus import DATA_FEED, ORDER_EXECUTION
from exchange_shared.messages import AccountOpened, AnyEvent, AnyExecution, TradeExecuted
from exchange_shared.postgres import load_position, load_queries
from matching_engine.core import Exchange

ENGINE = "matching-engine"
CLEARINGHOUSE = "clearinghouse"
POLL_SECONDS = 0.1

QUERIES = load_queries(__package__)


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
    securities: dict[str, tuple[Any, ...]]
    orders: dict[int, tuple[Any, ...]]
    trades: list[tuple[Any, ...]]
    fees: dict[str, int]
    served_balances: dict[tuple[str, str], int]
    settled_balances: dict[tuple[str, str], int]


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
            problems=problems,
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
            securities=_by_id(await connection.fetch(QUERIES["securities"])),
            orders=_by_id(await connection.fetch(QUERIES["orders"])),
            trades=[tuple(row) for row in await connection.fetch(QUERIES["trades"])],
            fees={row[0]: row[1] for row in await connection.fetch(QUERIES["fees"])},
            served_balances=_by_asset(await connection.fetch(QUERIES["served_balances"])),
            settled_balances=_by_asset(await connection.fetch(QUERIES["settled_balances"])),
        )


def _by_asset(rows: list[asyncpg.Record]) -> dict[tuple[str, str], int]:
    """Balances by client and asset."""
    return {(row["client_id"], row["asset"]): row["balance"] for row in rows}


def _by_id(rows: list[asyncpg.Record]) -> dict[Any, tuple[Any, ...]]:
    """Rows by their first column."""
    return {row[0]: tuple(row)[1:] for row in rows}


def check_ledger(rows: LedgerRows, executions: Sequence[AnyExecution], least: int) -> list[Finding]:
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
        Finding(
            "ledger balances are what the executions make them",
            f"{len(rows.balances)} accounts after execution {rows.booked}",
            _differences(ledger.non_zero(), rows.balances),
            _behind(rows.booked, least),
        ),
        Finding(
            "each asset adds up to zero, each account to its transfers",
            "the ledger",
            shorten(rows.problems),
        ),
        Finding(
            "each trade is settled once, with both legs",
            f"{len(rows.settlements)} trades",
            shorten(rows.incomplete) + _list_differences(trades, rows.settlements),
        ),
    ]


def check_market_data(
    rows: MarketDataRows, events: Sequence[AnyEvent], least: int
) -> list[Finding]:
    """What is stored of securities, orders, trades and balances is what the events make it."""
    securities, orders = ReferenceSecurities(), ReferenceOrders()
    trades: list[TradeExecuted] = []
    for event in events[: rows.applied]:
        securities.apply(event)
        orders.apply(event)
        if isinstance(event, TradeExecuted):
            trades.append(event)
    return [
        Finding(
            "stored states and prices of securities are what the events make them",
            f"{len(rows.securities)} securities after event {rows.applied}",
            _differences(_security_rows(securities), rows.securities),
        ),
        Finding(
            "stored orders are what the events make them",
            f"{len(rows.orders)} orders after event {rows.applied}",
            _differences(_order_rows(orders), rows.orders),
            _behind(rows.applied, least),
        ),
        Finding(
            "stored trades are those that were executed, and clients paid their fees",
            f"{len(rows.trades)} trades",
            _list_differences(sorted(map(_trade_row, trades)), rows.trades)
            + _differences(_fees_paid(trades), rows.fees),
        ),
        Finding(
            "served balances and holdings are what the executions make them",
            f"{len(rows.served_balances)} balances after event {rows.applied}",
            _differences(_client_balances(events[: rows.applied]), rows.served_balances),
        ),
        Finding(
            "settled balances and holdings are the ledger's",
            f"{len(rows.settled_balances)} balances after settlement {rows.settled}",
            _differences(_client_balances(events, rows.settled), rows.settled_balances),
        ),
    ]


def _security_rows(reference: ReferenceSecurities) -> dict[str, tuple[Any, ...]]:
    return {
        security_id: (
            security.state,
            security.auction,
            security.until_us,
            security.reference_price_e4,
            security.last_e4,
            *security.indicative,
        )
        for security_id, security in reference.securities.items()
    }


def _order_rows(reference: ReferenceOrders) -> dict[int, tuple[Any, ...]]:
    return {
        order_id: (
            order.accepted.client_id,
            order.accepted.security_id,
            order.accepted.side,
            order.quantity,
            order.price_e4,
            order.filled,
            order.notional_e4,
            order.status,
            order.reason,
        )
        for order_id, order in reference.orders.items()
    }


def _trade_row(trade: TradeExecuted) -> tuple[Any, ...]:
    return (
        trade.trade_id,
        trade.seq,
        trade.security_id,
        trade.price_e4,
        trade.quantity,
        trade.aggressor_side,
        trade.buy_order_id,
        trade.sell_order_id,
        trade.buyer_id,
        trade.seller_id,
        trade.buyer_fee_e4,
        trade.seller_fee_e4,
    )


def _fees_paid(trades: Iterable[TradeExecuted]) -> dict[str, int]:
    """What each client paid, where that is not zero."""
    fees: defaultdict[str, int] = defaultdict(int)
    for trade in trades:
        fees[trade.buyer_id] += trade.buyer_fee_e4
        fees[trade.seller_id] += trade.seller_fee_e4
    return {client_id: fee_e4 for client_id, fee_e4 in fees.items() if fee_e4}


def _client_balances(
    events: Iterable[AnyEvent], settled: float = math.inf
) -> dict[tuple[str, str], int]:
    """What each client has after these events, or of their executions after so many."""
    ledger = ReferenceLedger()
    for event in events:
        if isinstance(event, AccountOpened | TradeExecuted) and event.execution_seq <= settled:
            ledger.book(event)
    return {key: held for key, held in ledger.non_zero().items() if key[0] in ledger.clients}


def _behind(stored: int, least: int) -> str | None:
    return None if stored >= least else f"number {stored + 1} to {least} are not stored yet"


def _differences(expected: dict[Any, Any], found: dict[Any, Any]) -> list[str]:
    keys = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    return shorten(
        [f"{key}: {found.get(key)}, should be {expected.get(key)}" for key in sorted(keys)]
    )


def _list_differences(expected: Sequence[Any], found: Sequence[Any]) -> list[str]:
    if list(expected) == list(found):
        return []
    missing = sorted(set(expected) - set(found), key=itemgetter(0))
    surplus = sorted(set(found) - set(expected), key=itemgetter(0))
    problems = [f"missing: {row}" for row in missing] + [f"not expected: {row}" for row in surplus]
    return shorten(problems) or [
        f"{len(found)} rows, should be {len(expected)}: some are there twice"
    ]
