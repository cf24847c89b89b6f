"""`exchange verify` on the records of three real services: they hold, until one is changed."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from pydantic import SecretStr

from clearinghouse.service import ClearinghouseSettings, open_clearinghouse
from exchange_cli.verify import Finding, verify
from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, ORDER_EXECUTION
from exchange_shared.messages import (
    AnyCommand,
    ConfigureMarket,
    ListSecurity,
    NewOrder,
    OpenAccount,
    ReplaceOrder,
    SetMarketState,
    Side,
    SuspendClient,
    encode_batch,
)
from market_data_feed.service import open_market_data_feed
from market_data_feed.settings import MarketDataFeedSettings
from matching_engine.service import MatchingEngineSettings, open_matching_engine
from tests.conftest import Databases
from tests.support.memory_bus import MemoryBus, MemoryLog
from tests.support.servers import PostgresServer

REFERENCE_E4 = 1_000_000


def order(order_id: int, client_id: str, side: Side, quantity: int, **more: Any) -> NewOrder:
    """An order for shares of MSFT, with a limit of 100.00 when nothing else is said."""
    fields = {"order_type": "limit", "price_e4": REFERENCE_E4, **more}
    return NewOrder(
        time_us=order_id,
        order_id=order_id,
        client_id=client_id,
        security_id="MSFT",
        side=side,
        quantity=quantity,
        **fields,
    )


def a_day() -> list[AnyCommand]:
    """Rebates, a short sale, a halt by the circuit breaker, auctions, and a suspended client.

    It ends in an auction that would trade.
    """

    def act(request_id: int, action: Any, **more: Any) -> SetMarketState:
        return SetMarketState(
            time_us=request_id, request_id=request_id, action=action, security_id="MSFT", **more
        )

    low = order(13, "eve", "buy", 1, price_e4=100, client_order_id="low")
    return [
        ConfigureMarket(
            time_us=1,
            request_id=1,
            initial_balance_e4=10**8,
            maker_fee_ppm=-20,
            taker_fee_ppm=100,
        ),
        ListSecurity(
            time_us=2,
            request_id=2,
            security_id="MSFT",
            tick_e4=100,
            reference_price_e4=REFERENCE_E4,
            granted_quantity=10,
            dynamic_band_ppm=50_000,
            auction_us=1_000,
            short_margin_ppm=300_000,
        ),
        *(
            OpenAccount(time_us=3, request_id=number, client_id=name, api_key_hash=name)
            for number, name in enumerate(("alice", "bob", "eve"), start=3)
        ),
        order(10, "alice", "sell", 25),
        order(11, "bob", "buy", 25),
        order(12, "alice", "buy", 5, price_e4=900_000),
        low,
        ReplaceOrder(time_us=13, request_id=101, client_id="eve", order_id=13, price_e4=200),
        msgspec.structs.replace(low, order_id=102),
        order(14, "eve", "sell", 5, order_type="market", price_e4=None),
        SuspendClient(time_us=15, request_id=15, client_id="eve", suspended=True),
        act(16, "resume"),
        order(17, "bob", "sell", 3, order_type="market", price_e4=None),
        act(18, "uncross"),
        act(19, "start_auction", auction="closing", duration_us=1_000),
        order(20, "bob", "sell", 2, order_type="market", price_e4=None, time_in_force="cls"),
    ]


@dataclass(frozen=True)
class Records:
    """Everything that an exchange has put on record."""

    log: MemoryLog
    clearing_dsn: str
    market_dsn: str
    snapshot_dir: Path

    async def findings(self, patience_seconds: float = 0) -> list[Finding]:
        """What `exchange verify` finds."""
        return await verify(
            MemoryBus(self.log),
            self.clearing_dsn,
            self.market_dsn,
            self.snapshot_dir,
            patience_seconds=patience_seconds,
        )


@asynccontextmanager
async def services(records: Records) -> AsyncIterator[None]:
    """Engine, clearinghouse and feed at work on a log."""
    async with AsyncExitStack() as stack:
        engine = MatchingEngineSettings(snapshot_dir=records.snapshot_dir, snapshot_every=4)
        clearing = ClearinghouseSettings(clearing_dsn=records.clearing_dsn)
        feed = MarketDataFeedSettings(market_dsn=SecretStr(records.market_dsn))
        bus = MemoryBus(records.log)
        await stack.enter_async_context(open_matching_engine(engine, bus))
        await stack.enter_async_context(open_clearinghouse(clearing, bus))
        await stack.enter_async_context(open_market_data_feed(feed, bus))
        yield


@pytest.fixture
async def records(databases: Databases, tmp_path: Path) -> Records:
    """The records of a day, after the services stopped."""
    records = Records(MemoryLog(), databases.clearing_data, databases.market_data, tmp_path)
    bus = MemoryBus(records.log)
    for number, command in enumerate(a_day(), start=1):
        await bus.publish(ORDER_ENTRY, encode_batch("gateway", number, [command]))
    async with services(records):
        await records.findings(patience_seconds=30)
    return records


STATES = "stored states and prices of securities are what the events make them"
ORDERS = "stored orders are what the events make them"
TRADES = "stored trades are those that were executed, and clients paid their fees"
SERVED = "served balances and holdings are what the executions make them"
TOLD_SETTLED = "settled balances and holdings are the ledger's"
LEDGER = "ledger balances are what the executions make them"
SUMS = "each asset adds up to zero, each account to its transfers"
SETTLED = "each trade is settled once, with both legs"
EVENTS = "events are what the log causes"
EXECUTIONS = "executions are those events"
REPORTS = "one settlement per execution, with the balances right after it"
SNAPSHOTS = "snapshots are what a replay gives"

MARKET_DATA = [
    ("UPDATE security SET state = 'continuous', auction = NULL", STATES),
    ("UPDATE security SET auction = 'opening'", STATES),
    ("UPDATE security SET until_us = until_us + 1", STATES),
    ("UPDATE security SET reference_price_e4 = 999900", STATES),
    ("UPDATE security SET last_e4 = last_e4 + 100", STATES),
    ("UPDATE security SET surplus = surplus + 1", STATES),
    ("UPDATE orders SET reason = 'requested' WHERE reason = 'circuit_breaker'", ORDERS),
    ("UPDATE orders SET reason = NULL WHERE reason = 'kill_switch'", ORDERS),
    ("UPDATE orders SET filled_quantity = 24 WHERE filled_quantity = 25", ORDERS),
    ("DELETE FROM orders WHERE order_id = 20", ORDERS),
    ("UPDATE trade SET aggressor_side = 'buy' WHERE aggressor_side IS NULL", TRADES),
    ("UPDATE trade SET seller_fee_e4 = 0 WHERE seller_fee_e4 < 0", TRADES),
    ("UPDATE balance SET fees_e4 = fees_e4 + 1 WHERE client_id = 'bob'", TRADES),
    ("UPDATE balance SET cash_e4 = cash_e4 + 1 WHERE client_id = 'bob'", SERVED),
    ("UPDATE holding SET quantity = 0 WHERE quantity < 0", SERVED),
    ("UPDATE balance SET settled_cash_e4 = 0 WHERE client_id = 'bob'", TOLD_SETTLED),
    ("UPDATE holding SET settled_quantity = 0 WHERE settled_quantity < 0", TOLD_SETTLED),
]
CLEARING_DATA = [
    (
        "UPDATE account SET balance = balance + CASE owner WHEN 'alice' THEN 7 ELSE -7 END"
        " WHERE asset = 'cash' AND owner IN ('alice', 'house:fees')",
        [SUMS, LEDGER],
    ),
    (
        "UPDATE account SET balance = 0 WHERE owner = 'alice' AND asset = 'MSFT'",
        [SUMS, LEDGER],
    ),
    ("UPDATE transfer SET amount = amount + 1 WHERE leg = 4", [SUMS]),
    ("DELETE FROM transfer WHERE leg = 3", [SUMS]),
    ("DELETE FROM trade_settlement", [SETTLED]),
]
LOG = [
    (DATA_FEED, b'"aggressor_side":null', b'"aggressor_side":"buy"', [EVENTS]),
    (DATA_FEED, b'"state":"halted"', b'"state":"closed"', [EVENTS]),
    (DATA_FEED, b'"reason":"circuit_breaker"', b'"reason":"requested"', [EVENTS]),
    (DATA_FEED, b'"price_e4":200}', b'"price_e4":100}', [EVENTS]),
    (
        DATA_FEED,
        b'"kept_priority":false,"notional_e4":0',
        b'"kept_priority":false,"notional_e4":1',
        [EVENTS],
    ),
    (DATA_FEED, b'"seller_shares":-15', b'"seller_shares":0', [REPORTS]),
    (ORDER_EXECUTION, b'"seller_fee_e4":-', b'"seller_fee_e4":', [EXECUTIONS]),
]


async def test_a_day_with_everything_in_it_holds(records: Records) -> None:
    findings = await records.findings()
    assert [finding for finding in findings if not finding.holds or finding.behind] == []
    assert len(findings) == 16
    looked_at = {finding.check: finding.looked_at for finding in findings}
    assert looked_at[SNAPSHOTS] != "0 snapshots"
    assert looked_at[TRADES] == "2 trades"


async def test_a_changed_row_of_the_market_data_is_found(
    records: Records, postgres_server: PostgresServer
) -> None:
    for statement, check in MARKET_DATA:
        copy = await postgres_server.create_database("changed", "market_data")
        await change(copy, statement)
        changed = Records(records.log, records.clearing_dsn, copy, records.snapshot_dir)
        assert await wrong(changed) == [check], statement


async def test_a_changed_row_of_the_ledger_is_found(
    records: Records, postgres_server: PostgresServer
) -> None:
    for statement, checks in CLEARING_DATA:
        copy = await postgres_server.create_database("changed", "clearing_data")
        await change(copy, statement)
        changed = Records(records.log, copy, records.market_dsn, records.snapshot_dir)
        assert sorted(await wrong(changed)) == sorted(checks), statement


async def test_a_changed_message_is_found(records: Records) -> None:
    for queue, old, new, checks in LOG:
        log = await rewritten(records.log, queue, partial(replaced, old=old, new=new))
        changed = Records(log, records.clearing_dsn, records.market_dsn, records.snapshot_dir)
        assert await wrong(changed) == checks, old


async def test_the_log_of_an_earlier_version_holds(records: Records) -> None:
    """Its events do not tell what those of this version tell."""
    later = rb',"(buy_filled_quantity|sell_filled_quantity)":\d+'
    later += rb'|(?<=true|alse),"notional_e4":\d+|(?<="notional_e4":0),"quantity":1,"price_e4":200'
    removed = 0

    def earlier(body: bytes) -> bytes:
        nonlocal removed
        body, count = re.subn(later, b"", body)
        removed += count
        return body

    log = await rewritten(records.log, DATA_FEED, earlier)
    assert removed == 2 * 2 + 1 + 1
    before = Records(log, records.clearing_dsn, records.market_dsn, records.snapshot_dir)
    assert await wrong(before) == []


def replaced(body: bytes, old: bytes, new: bytes) -> bytes:
    """A message with other bytes in it."""
    return body.replace(old, new)


async def rewritten(log: MemoryLog, queue: str, change: Callable[[bytes], bytes]) -> MemoryLog:
    """A log with other messages in one queue."""
    other = MemoryLog()
    for name, messages in log.queues.items():
        for message in messages:
            body = change(message.body) if name == queue else message.body
            await MemoryBus(other).publish(name, body)
    return other


async def wrong(records: Records) -> list[str]:
    """The checks that do not hold."""
    return [finding.check for finding in await records.findings() if not finding.holds]


async def change(dsn: str, statement: str) -> None:
    """Change rows without asking the database's own guards."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET session_replication_role = replica")
        assert await connection.execute(statement) not in ("UPDATE 0", "DELETE 0")
    finally:
        await connection.close()
