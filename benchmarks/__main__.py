"""Runs the benchmarks and writes `benchmarks/results.json`."""

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.core import measure_core
from benchmarks.flood import measure_flood
from benchmarks.orders import measure_embedded, measure_services

HERE = Path(__file__).parent
DEFAULT_ORDERS_PER_SECOND = 8_000


def main() -> None:
    """Read the command line, measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the sustained run")
    parser.add_argument("--rate", type=int, default=DEFAULT_ORDERS_PER_SECOND)
    parser.add_argument("--only", choices=["core", "services", "embedded", "flood"])
    parser.add_argument("--commands", type=int, default=1_000_000, help="in each run of the core")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"measured_at": _now(), "machine": _machine()}
    if arguments.only in (None, "core"):
        results["core"] = measure_core(arguments.commands, min(arguments.commands, 50_000))
        print("core", json.dumps(results["core"], indent=2), file=sys.stderr, flush=True)
    if arguments.only in (None, "services"):
        results["services"] = measure_services(arguments.rate, arguments.seconds)
    if arguments.only in (None, "embedded"):
        results["embedded"] = measure_embedded(arguments.rate, arguments.seconds)
    if arguments.only in (None, "flood"):
        results["flood_of_orders"] = measure_flood(min(arguments.seconds, 20))
    arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {arguments.output}", file=sys.stderr)


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
