"""What must always hold of an exchange, each as a check of its records."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from exchange_cli.verify.databases import (
    check_ledger,
    check_market_data,
    read_ledger,
    read_market_data,
    wait_until_stored,
)
from exchange_cli.verify.evidence import Evidence, read_commands, read_evidence
from exchange_cli.verify.finding import Finding, shorten
from exchange_cli.verify.reference_ledger import ReferenceLedger
from exchange_cli.verify.reference_orders import ReferenceOrders
from exchange_cli.verify.reference_rules import ReferenceRules
from exchange_shared.bus import Bus
from exchange_shared.messages import (
    AccountOpened,
    AnyCommand,
    AnyEvent,
    Event,
    NewOrder,
    OrderAccepted,
    OrderRejected,
    OrderRepeated,
    TradeExecuted,
)
from exchange_shared.messages.events import LATER_FIELDS
from matching_engine.core import Exchange
from matching_engine.snapshot_store import BadSnapshotError, SnapshotStore


async def verify(
    bus: Bus,
    clearing_dsn: str,
    market_dsn: str,
    snapshot_dir: Path | None,
    *,
    patience_seconds: float = 10.0,
) -> list[Finding]:
    """Check an exchange, running or stopped.

    What is in `order_entry` now has `patience_seconds` to arrive everywhere; what has not is told
    as `behind`. A running exchange goes on meanwhile; what comes later may be under way, but never
    wrong.
    """
    now = _replay(await read_commands(bus), set())
    await wait_until_stored(clearing_dsn, market_dsn, now.exchange, patience_seconds)
    ledger = await read_ledger(clearing_dsn)
    market_data = await read_market_data(market_dsn)
    evidence = await read_evidence(bus)
    replay = _replay(evidence.commands, snapshot_positions(snapshot_dir))
    events = replay.events
    executions = [event for event in events if isinstance(event, AccountOpened | TradeExecuted)]
    reference = ReferenceLedger()
    settlements = [reference.book(execution) for execution in executions]
    reported = [msgspec.structs.replace(report, time_us=0) for report in evidence.settlements]
    least, least_executions = now.exchange.seq, now.exchange.execution_seq
    return [
        check_state(replay.exchange),
        check_same("events are what the log causes", events, evidence.events, least),
        check_same(
            "executions are those events", executions, evidence.executions, least_executions
        ),
        check_same(
            "one settlement per execution, with the balances right after it",
            settlements,
            reported,
            least_executions,
        ),
        *check_trading(events),
        check_answers(evidence, events),
        check_snapshots(snapshot_dir, replay.hashes),
        *check_ledger(ledger, executions, least_executions),
        *check_market_data(market_data, events, least),
    ]


@dataclass(frozen=True)
class _Replay:
    exchange: Exchange
    events: list[AnyEvent]
    hashes: dict[int, str]


def _replay(commands: list[tuple[int, list[AnyCommand]]], positions: set[int]) -> _Replay:
    """A fresh engine after all commands, and its state hash at some positions."""
    replay = _Replay(Exchange(), [], {})
    for position, records in commands:
        for command in records:
            replay.events.extend(replay.exchange.apply(command))
        if position in positions:
            replay.hashes[position] = replay.exchange.state_hash()
    return replay


def check_state(exchange: Exchange) -> Finding:
    """Holds, balances and books of the replayed engine add up."""
    problems: list[str] = []
    try:
        exchange.check_invariants()
    except AssertionError as error:
        problems.append(str(error))
    looked_at = f"{exchange.open_orders} open orders after event {exchange.seq}"
    return Finding("the engine's books, holds and cash add up", looked_at, problems)


def check_same(check: str, expected: list[Any], found: list[Any], least: int) -> Finding:
    """What was found are the first of the expected records, at least so many, and no others."""
    problems = [
        f"number {index + 1} is {actual}, should be {wanted}"
        for index, (wanted, actual) in enumerate(zip(expected, found, strict=False))
        if wanted != actual and not is_earlier_form(actual, wanted)
    ]
    behind = None
    if len(found) < least:
        behind = f"{least - len(found)} are not published yet"
    if len(found) > len(expected):
        problems.append(f"{len(found) - len(expected)} are there that nothing caused")
    return Finding(check, f"{len(found)} records", shorten(problems), behind)


def is_earlier_form(found: Any, expected: Any) -> bool:
    """Whether an event tells nothing of what its type tells since a later version, and is right.

    What it does not tell it cannot contradict.
    """
    names = LATER_FIELDS.get(type(found))
    if names is None or type(found) is not type(expected):
        return False
    return bool(found == without(expected, names))


def without(event: Event, names: Collection[str]) -> Event:
    """The event as it is when it does not tell some of the fields that have a default."""
    defaults = {
        field.name: field.default for field in msgspec.structs.fields(event) if field.name in names
    }
    return msgspec.structs.replace(event, **defaults)


def check_trading(events: Iterable[AnyEvent]) -> list[Finding]:
    """Fills, leaves and cancels make up each order; the market's rules are respected."""
    orders, rules = ReferenceOrders(), ReferenceRules()
    for event in events:
        orders.apply(event)
        rules.apply(event)
    problems = rules.problems + rules.wrong_at_rest(orders.orders.values())
    return [
        Finding(
            "every order's fills, leaves and cancels add up",
            f"{len(orders.orders)} orders, {len(orders.trade_ids)} trades",
            shorten(orders.problems),
        ),
        Finding(
            "orders, prints and prices obey states, lots, ticks, bands and fees; none owes cash",
            f"{len(rules.securities)} securities",
            shorten(problems),
        ),
    ]


def check_answers(evidence: Evidence, events: list[AnyEvent]) -> Finding:
    """Every order in the log has one outcome, and what the gateway confirmed is in the log."""
    requested: dict[int, NewOrder] = {}
    problems: list[str] = []
    for _, commands in evidence.commands:
        for command in commands:
            if isinstance(command, NewOrder):
                if command.order_id in requested:
                    problems.append(f"order id {command.order_id} is in the log twice")
                requested[command.order_id] = command
    outcomes: Counter[int] = Counter()
    for event in events:
        if isinstance(event, OrderAccepted | OrderRejected):
            outcomes[event.order_id] += 1
        elif isinstance(event, OrderRepeated):
            outcomes[event.request_id] += 1
    problems += [
        f"order {order_id} has {outcomes[order_id]} outcomes"
        for order_id in requested
        if outcomes[order_id] != 1
    ]
    for report in evidence.order_reports:
        if report.status != "confirmed" or report.order_id is None:
            continue
        order = requested.get(report.order_id)
        if order is None:
            problems.append(f"order {report.order_id} was confirmed, and is not in the log")
        elif order.client_id != report.client_id:
            problems.append(f"order {report.order_id} is not that of {report.client_id}")
    looked_at = f"{len(requested)} orders, {len(evidence.order_reports)} reports of the gateway"
    return Finding("every order in the log has one outcome", looked_at, shorten(problems))


def snapshot_positions(directory: Path | None) -> set[int]:
    """Where in the log the snapshots were taken."""
    if directory is None or not directory.is_dir():
        return set()
    return {int(path.stem) for path in SnapshotStore(directory).files()}


def check_snapshots(directory: Path | None, hashes: dict[int, str]) -> Finding:
    """Each snapshot has the state hash that a replay of the log gives at its position."""
    problems: list[str] = []
    checked = 0
    if directory is not None and directory.is_dir():
        store = SnapshotStore(directory)
        for path in store.files():
            try:
                snapshot = store.load(path)
            except (BadSnapshotError, FileNotFoundError) as error:
                if path.exists():
                    problems.append(f"{path.name}: {error}")
                continue
            if snapshot.applied.position not in hashes:
                continue
            checked += 1
            if Exchange(snapshot.state).state_hash() != hashes[snapshot.applied.position]:
                problems.append(f"{path.name}: a replay gives another state")
    check = "snapshots are what a replay gives"
    looked_at = f"{checked} snapshots" if directory else "no directory given, nothing checked"
    return Finding(check, looked_at, shorten(problems))
