"""Runs the benchmarks and writes `benchmarks/results.json`."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import uvloop

from benchmarks.core import measure_core
from benchmarks.load import Result, run_load
from benchmarks.raw_stream import raw_round_trip_ms
from exchange_migrations import migrate
from exchange_shared.bus.topology import declare_topology
from tests.support.servers import PostgresServer, RabbitMQServer
from tests.support.stack import EmbeddedStack, Stack

HERE = Path(__file__).parent
MARKET = HERE / "market.toml"
BAR_ORDERS_PER_SECOND = 10_000


def main() -> None:
    """Read the command line, measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the sustained run")
    parser.add_argument("--rate", type=int, default=BAR_ORDERS_PER_SECOND)
    parser.add_argument("--only", choices=["core", "rabbitmq", "embedded"])
    parser.add_argument("--commands", type=int, default=1_000_000, help="in each run of the core")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"measured_at": _now(), "machine": _machine()}
    if arguments.only in (None, "core"):
        results["core"] = measure_core(arguments.commands, min(arguments.commands, 50_000))
        print("core", json.dumps(results["core"], indent=2), file=sys.stderr, flush=True)
    if arguments.only in (None, "rabbitmq"):
        results["rabbitmq_and_postgres"] = _on_servers(arguments.rate, arguments.seconds)
    if arguments.only in (None, "embedded"):
        results["embedded"] = _on_embedded_parts(arguments.rate, arguments.seconds)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {arguments.output}", file=sys.stderr)


def _on_servers(rate: int, seconds: float) -> dict[str, Any]:
    """Every service a process of its own, around a RabbitMQ and a Postgres that sync to disk."""
    with PostgresServer() as postgres, RabbitMQServer() as rabbitmq:
        dsns = uvloop.run(_prepare(postgres, rabbitmq))
        with Stack(rabbitmq.url(), *dsns, market_file=MARKET) as stack:
            results = _measure(stack.gateway_url, stack.feed_url, rate, seconds)
        round_trips = uvloop.run(raw_round_trip_ms(rabbitmq.url()))
        return {"raw_stream_round_trip_ms": round_trips, **results}


async def _prepare(postgres: PostgresServer, rabbitmq: RabbitMQServer) -> tuple[str, str]:
    clearing_dsn = await postgres.create_database("clearing_data")
    market_dsn = await postgres.create_database("market_data")
    await migrate(clearing_dsn, "clearing_data")
    await migrate(market_dsn, "market_data")
    await declare_topology(rabbitmq.url())
    return clearing_dsn, market_dsn


def _on_embedded_parts(rate: int, seconds: float) -> dict[str, Any]:
    """Everything in one process, as `make run` has it."""
    with EmbeddedStack(market_file=MARKET) as stack:
        return _measure(stack.gateway_url, stack.feed_url, rate, seconds)


def _measure(gateway_url: str, feed_url: str, rate: int, seconds: float) -> dict[str, Any]:
    def load(orders_per_second: int, duration: float, clients: int, first: int) -> Result:
        return uvloop.run(
            run_load(
                gateway_url,
                feed_url,
                orders_per_second=orders_per_second,
                seconds=duration,
                clients=clients,
                first_client=first,
            )
        )

    load(200, 2, 4, 900)  # everything is imported and connected when the measuring begins
    steps: dict[str, Callable[[], Result]] = {
        "lone_orders_at_20_per_second": lambda: load(20, 10, 1, 0),
        "at_100_per_second": lambda: load(100, 10, 4, 100),
        "at_1000_per_second": lambda: load(1_000, 10, 8, 200),
        f"sustained_{rate}_per_second": lambda: load(rate, seconds, 16, 300),
    }
    results: dict[str, Any] = {}
    for name, step in steps.items():
        results[name] = step().summary()
        print(name, json.dumps(results[name]), file=sys.stderr, flush=True)
    return results


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _machine() -> dict[str, Any]:
    model = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        model = next(
            (line.split(": ")[1] for line in lines if line.startswith("model name")), model
        )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "aio_pika": version("aio-pika"),
        "asyncpg": version("asyncpg"),
        "load_average_before": round(os.getloadavg()[0], 2),
        "note": "the load generator, the servers and the exchange share the cores",
    }


if __name__ == "__main__":
    main()
