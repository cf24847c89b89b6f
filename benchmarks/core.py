"""The engine's core alone: commands a second on one thread, holds and events included."""

import gc
import itertools
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.core_flows import SCENARIOS, Operation, operations, resting
from benchmarks.peers import measure_peers
from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ConfigureMarket,
    ListSecurity,
    NewOrder,
    OpenAccount,
    ReplaceOrder,
    command_decoder,
    encode_batch,
)
from matching_engine.core import Exchange
from matching_engine.snapshot import Snapshot, SnapshotStore

CLIENTS = 50
SECURITY = "MSFT"
TICK_E4 = 100
BATCH = 100


def measure_core(count: int, peer_count: int) -> dict[str, Any]:
    """Every scenario, the growth with the book, recovery, and the peers on the same mixed flow."""
    scenarios = {
        name: round(_rate(opened_exchange(), commands(operations(name, count))))
        for name in SCENARIOS
    }
    return {
        "commands": count,
        "commands_per_second": scenarios,
        "microseconds_per_command_by_resting_orders": _growth(),
        "recovery": _recovery(count),
        "peers_operations_per_second": {
            "operations": peer_count,
            "this_engine": round(
                _rate(opened_exchange(), commands(operations("mixed", peer_count)))
            ),
            **measure_peers(peer_count),
        },
    }


def opened_exchange() -> Exchange:
    """A market with clients who never run out of cash or shares."""
    exchange = Exchange()
    exchange.apply(
        ConfigureMarket(
            time_us=0,
            request_id=1,
            initial_balance_e4=100_000_000_0000,
            maker_fee_ppm=0,
            taker_fee_ppm=100,
        )
    )
    exchange.apply(
        ListSecurity(
            time_us=0,
            request_id=1,
            security_id=SECURITY,
            tick_e4=TICK_E4,
            reference_price_e4=1_000_000,
            granted_quantity=10_000_000,
        )
    )
    for client in range(CLIENTS):
        exchange.apply(
            OpenAccount(time_us=0, request_id=1, client_id=f"c{client}", api_key_hash=f"{client}")
        )
    return exchange


def commands(flow: Iterable[Operation]) -> list[AnyCommand]:
    """The operations as commands of the exchange; an order's client follows from its id."""
    return [_command(number, operation) for number, operation in enumerate(flow, 1)]


def _command(number: int, operation: Operation) -> AnyCommand:
    kind, order_id = operation[0], operation[1]
    client_id = f"c{order_id % CLIENTS}"
    if kind == "cancel":
        return CancelOrder(
            time_us=number, request_id=number, client_id=client_id, order_id=order_id
        )
    if kind == "replace":
        return ReplaceOrder(
            time_us=number,
            request_id=number,
            client_id=client_id,
            order_id=order_id,
            quantity=operation[2],
            price_e4=operation[3] * TICK_E4,
        )
    return NewOrder(
        time_us=number,
        order_id=order_id,
        client_id=client_id,
        security_id=SECURITY,
        side=operation[2],
        order_type="limit",
        quantity=operation[3],
        price_e4=operation[4] * TICK_E4,
    )


def _rate(exchange: Exchange, batch: list[AnyCommand]) -> float:
    """Commands a second of this thread's own time."""
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for command in batch:
        exchange.apply(command)
    seconds = time.process_time() - began
    exchange.check_invariants()
    gc.unfreeze()
    return len(batch) / seconds


def _growth() -> dict[str, float]:
    """What a new order and its cancel cost, each, in books of more and more resting orders."""
    costs: dict[str, float] = {}
    for size in (1_000, 10_000, 100_000, 1_000_000):
        exchange = opened_exchange()
        for command in commands(resting(size)):
            exchange.apply(command)
        probe = itertools.chain.from_iterable(
            (("new", size + n, "buy", 1, price), ("cancel", size + n))
            for n, (_, _, _, _, price) in enumerate(resting(20_000, seed=2), 1)
            if price < 10_000
        )
        costs[str(size)] = round(1e6 / _rate(exchange, commands(probe)), 3)
    return costs


def _recovery(count: int) -> dict[str, float]:
    """Replay from the log's own form, and a snapshot of 100,000 resting orders."""
    batch = commands(operations("mixed", count))
    messages = [
        encode_batch("gateway", start + 1, batch[start : start + BATCH])
        for start in range(0, len(batch), BATCH)
    ]
    exchange, decoder = opened_exchange(), command_decoder()
    began = time.process_time()
    for message in messages:
        for command in decoder.decode(message)[0].records:
            assert command is not None
            exchange.apply(command)
    replayed = len(batch) / (time.process_time() - began)
    exchange = opened_exchange()
    for command in commands(resting(100_000)):
        exchange.apply(command)
    began = time.perf_counter()
    state = exchange.state()
    stopped_ms = (time.perf_counter() - began) * 1_000
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        path = SnapshotStore(Path(directory)).save(Snapshot(1, {}, state))
        saved_ms = (time.perf_counter() - began) * 1_000
        began = time.perf_counter()
        SnapshotStore(Path(directory)).load(path)
        loaded_ms = (time.perf_counter() - began) * 1_000
    return {
        "replayed_commands_per_second": round(replayed),
        "snapshot_of_100000_orders_stops_the_engine_ms": round(stopped_ms, 1),
        "snapshot_of_100000_orders_written_ms": round(saved_ms, 1),
        "snapshot_of_100000_orders_loaded_ms": round(loaded_ms, 1),
    }
