"""What must hold after any faults: the records, and all that the traders were told."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import aio_pika
import asyncpg

from exchange_cli.verify import verify
from exchange_shared.bus import DEAD_LETTER, open_bus
from tests.chaos.listener import Listener
from tests.support.stack import Stack
from tests.support.traders import PersistentTrader

LEAST_CHECKS = 15
PATIENCE_SECONDS = 120.0
FINAL = ("filled", "cancelled")
SHOWN = 5

_ORDERS = "SELECT order_id, client_order_id, status, filled_quantity FROM orders"
_REPORTS = """
SELECT report_seq FROM order_report WHERE client_id = $1
UNION ALL SELECT report_seq FROM trade WHERE $1 IN (buyer_id, seller_id)
UNION ALL SELECT report_seq FROM settlement WHERE $1 IN (buyer_id, seller_id)
ORDER BY report_seq
"""


async def violations(stack: Stack, listeners: Sequence[Listener]) -> list[str]:
    """Everything that is wrong with an exchange to which nobody sends anything now."""
    found = await _unverified(stack)
    found += await _unreadable(stack.bus_url)
    connection = await asyncpg.connect(stack.market_dsn)
    try:
        rows = await connection.fetch(_ORDERS)
        found += unkept_promises([dict(row) for row in rows], [one.trader for one in listeners])
        for listener in listeners:
            reports = await connection.fetch(_REPORTS, listener.trader.client_id)
            found += listener.missed([row["report_seq"] for row in reports])
    finally:
        await connection.close()
    return found


async def _unverified(stack: Stack) -> list[str]:
    bus = await open_bus(stack.bus_url, read_only=True)
    try:
        findings = await verify(
            bus,
            stack.clearing_dsn,
            stack.market_dsn,
            stack.snapshot_dir,
            patience_seconds=PATIENCE_SECONDS,
        )
    finally:
        await bus.close()
    found = [f"verify: {one.check}: {problem}" for one in findings for problem in one.problems]
    found += [f"verify: {one.check}: behind: {one.behind}" for one in findings if one.behind]
    if len(findings) < LEAST_CHECKS:
        found.append(f"verify made {len(findings)} checks, not {LEAST_CHECKS}")
    return found


async def _unreadable(bus_url: str) -> list[str]:
    """Services never write what others cannot read."""
    async with await aio_pika.connect(bus_url) as connection:
        channel = await connection.channel()
        drawer = await channel.declare_queue(DEAD_LETTER, passive=True)
        count = drawer.declaration_result.message_count
    return [f"{count} messages in {DEAD_LETTER}"] if count else []


def unkept_promises(
    rows: Iterable[Mapping[str, Any]], traders: Iterable[PersistentTrader]
) -> list[str]:
    """Where the stored orders are not what was acknowledged: each once, none else, so ended."""
    rows = list(rows)
    stored = {row["order_id"]: row for row in rows}
    times = Counter(row["client_order_id"] for row in rows if row["status"] != "rejected")
    found: list[str] = []
    for trader in traders:
        for name, answer in trader.outcomes.items():
            row = stored.get(answer.get("order_id", 0))
            wanted = 0 if "error" in answer else 1
            if times.pop(name, 0) != wanted:
                found.append(f"{name} should be stored {wanted} times: {answer}")
            elif wanted and not (row and _is_kept(answer, row)):
                found.append(f"{name} was answered by {answer}, stored is {row}")
            elif not wanted and "order_id" in answer and not (row and _is_refused(name, row)):
                found.append(f"{name} was refused by {answer}, stored is {row}")
    found += [f"{name} was never acknowledged" for name in times if name is not None]
    return found[:SHOWN] + ([f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])


def _is_refused(name: str, row: Mapping[str, Any]) -> bool:
    return bool(row["status"] == "rejected" and row["client_order_id"] == name)


def _is_kept(answer: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a stored order can have become of what was answered."""
    if answer["client_order_id"] != row["client_order_id"]:
        return False
    if answer["status"] in FINAL:
        names = ("status", "filled_quantity")
        return all(answer[name] == row[name] for name in names)
    return bool(row["filled_quantity"] >= answer["filled_quantity"])
