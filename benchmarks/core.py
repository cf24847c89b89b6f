"""The engine's core alone: commands a second on one thread, holds and events included."""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.compiled import ROOT, CannotCompile, compiled_engine
from benchmarks.core_flows import SCENARIOS, gathering, operations, resting
from benchmarks.core_runner import WITH_LIMITS, commands, opened_exchange, rate_of
from benchmarks.peers import measure_peers
from exchange_shared.bus import LogPosition
from exchange_shared.messages import SetMarketState, command_decoder, encode_batch
from matching_engine.snapshot_store import Snapshot, SnapshotStore

BATCH = 100


def measure_core(count: int, peer_count: int) -> dict[str, Any]:
    """Every scenario, interpreted and compiled, growth, auctions, recovery, and the peers."""
    names = [*SCENARIOS, f"mixed{WITH_LIMITS}"]
    interpreted = _scenarios(names, count)
    for_peers = _scenarios(SCENARIOS, peer_count)
    compiled: dict[str, int] | str
    for_peers_compiled: dict[str, int] | str
    try:
        with compiled_engine() as environment:
            compiled = _compare(_scenarios(names, count, environment), interpreted)
            for_peers_compiled = _rates(_scenarios(SCENARIOS, peer_count, environment))
    except CannotCompile as error:
        compiled = for_peers_compiled = f"cannot be compiled here: {error}"
    return {
        "commands": count,
        "commands_per_second": _rates(interpreted),
        "compiled_by_mypyc_commands_per_second": compiled,
        "microseconds_per_command_by_resting_orders": _growth(),
        "auction": _auction(),
        "recovery": _recovery(count),
        "peers_operations_per_second": {
            "operations": peer_count,
            "this_engine": _rates(for_peers),
            "this_engine_compiled": for_peers_compiled,
            **measure_peers(peer_count),
        },
    }


Scenarios = dict[str, dict[str, Any]]


def _scenarios(
    names: list[str] | tuple[str, ...], count: int, environment: dict[str, str] | None = None
) -> Scenarios:
    """What `benchmarks.core_runner` measures, each scenario in its own process."""
    return {
        name: json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.core_runner", name, str(count)],
                capture_output=True,
                check=True,
                cwd=ROOT,
                env=environment,
            ).stdout
        )
        for name in names
    }


def _rates(scenarios: Scenarios) -> dict[str, int]:
    return {name: scenario["commands_per_second"] for name, scenario in scenarios.items()}


def _compare(compiled: Scenarios, interpreted: Scenarios) -> dict[str, int]:
    """The rates of the compiled core, which must have come to the same states."""
    for name, scenario in compiled.items():
        assert scenario["state"] == interpreted[name]["state"], f"{name} ended in another state"
    return _rates(compiled)


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
        costs[str(size)] = round(1e6 / rate_of(exchange, commands(probe)), 3)
    return costs


def _auction() -> dict[str, float]:
    """What it takes to gather 20,000 orders in a call, around 1,000 prices, and to uncross them."""
    exchange = opened_exchange()
    exchange.apply(SetMarketState(time_us=0, request_id=1, action="start_auction"))
    gathered = rate_of(exchange, commands(gathering(20_000)))
    began = time.process_time()
    events = exchange.apply(SetMarketState(time_us=0, request_id=1, action="uncross"))
    return {
        "orders_gathered_per_second": round(gathered),
        "uncross_events": len(events),
        "uncross_ms": round((time.process_time() - began) * 1_000, 1),
    }


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
        path = SnapshotStore(Path(directory)).save(Snapshot(LogPosition(1), state))
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
