"""What an order costs and how long its answer takes, with every service a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvloop

from benchmarks.compiled import compiled_engine
from benchmarks.generator import Load, Measured
from benchmarks.raw_stream import two_raw_hops_ms
from benchmarks.usage import cpu_seconds, queue_sizes, rows_written
from exchange_migrations import migrate
from exchange_shared.bus.topology import declare_topology
from tests.support.paths import ROOT
from tests.support.servers import PostgresServer, RabbitMQServer
from tests.support.stack import EmbeddedStack, Stack

MARKET = Path(__file__).parent / "market.toml"
SUSTAINED_SECONDS = 2.0
"""A rate is sustained when everything is settled and on the feed within this after its end."""

PACE_PER_SECOND = 20.0
PACED_SECONDS = 15.0
"""Of lone orders, and of the raw hops that they are compared with."""

UNBOUNDED = {
    "EXCHANGE_MAX_UNANSWERED_ORDERS": "100000",
    "EXCHANGE_MAX_QUEUED_ORDERS": "100000",
    "EXCHANGE_MAX_LAG_SECONDS": "0",
    "EXCHANGE_FAILED_KEYS_PER_MINUTE": "0",
}
"""Where throughput is measured, orders wait, and are not refused instead; and hundreds of clients
choose their keys."""

_SETTLE_SECONDS = 120.0
_QUIET_SECONDS = 2.0
"""After which a Postgres has counted all rows that it wrote."""


@dataclass(frozen=True)
class Deployment:
    """An exchange under measurement: where it is, and every process that works for an order."""

    gateway_urls: list[str]
    feed_url: str
    pids: Mapping[str, int]
    dsns: Mapping[str, str]
    """Its databases, by their names, where they can be looked into."""


@contextmanager
def deployed(
    market: Path, gateways: int = 1, settings: dict[str, str] | None = None
) -> Iterator[tuple[Deployment, RabbitMQServer]]:
    """Every service a process of its own, around a RabbitMQ and a Postgres that sync to disk.

    The engine is compiled, as it is deployed.
    """
    with (
        compiled_engine() as environment,
        PostgresServer() as postgres,
        RabbitMQServer() as rabbitmq,
    ):
        clearing_dsn, market_dsn = uvloop.run(_prepare(postgres, rabbitmq))
        engine = ["env", f"PYTHONPATH={environment['PYTHONPATH']}"]
        programs = {"matching-engine": [*engine, sys.executable, "-m", "matching_engine"]}
        with Stack(
            rabbitmq.url(),
            clearing_dsn,
            market_dsn,
            market_file=market,
            programs=programs,
            gateways=gateways,
            settings=settings,
        ) as stack:
            pids = {name: stack.pid(name) for name in stack.services}
            servers = {"postgres": postgres.pid, "rabbitmq": rabbitmq.pid}
            pids |= {name: pid for name, pid in servers.items() if pid is not None}
            dsns = {"clearing_data": clearing_dsn, "market_data": market_dsn}
            yield Deployment(stack.gateway_urls, stack.feed_url, pids, dsns), rabbitmq


def measure_services(rate: int, seconds: float, gateways: int = 1) -> dict[str, Any]:
    """What an order costs where every service is a process of its own."""
    with deployed(MARKET, gateways, UNBOUNDED) as (deployment, rabbitmq):
        results = _steps(deployment, rate, seconds)
        results["queues"] = uvloop.run(queue_sizes(rabbitmq.url()))
        results["two_raw_hops_ms"] = uvloop.run(_two_raw_hops_ms(rabbitmq))
        return results


def measure_embedded(rate: int, seconds: float) -> dict[str, Any]:
    """Everything in one process, as `make run` has it."""
    with EmbeddedStack(market_file=MARKET, settings=UNBOUNDED) as stack:
        deployment = Deployment([stack.gateway_url], stack.feed_url, {"exchange": stack.pid}, {})
        return _steps(deployment, rate, seconds)


async def _prepare(postgres: PostgresServer, rabbitmq: RabbitMQServer) -> tuple[str, str]:
    dsns = [await postgres.create_database(name) for name in ("clearing_data", "market_data")]
    for dsn, name in zip(dsns, ("clearing_data", "market_data"), strict=True):
        await migrate(dsn, name)
    await declare_topology(rabbitmq.url())
    return dsns[0], dsns[1]


def _steps(deployment: Deployment, rate: int, seconds: float) -> dict[str, Any]:
    def load(clients: int, first: int, per_second: float, **rest: Any) -> Load:
        defaults: dict[str, Any] = {"seconds": seconds, "per_frame": 1}
        return Load(
            gateway_urls=deployment.gateway_urls,
            clients=clients,
            first_client=first,
            per_second=per_second,
            **{**defaults, **rest},
        )

    loads = {
        "lone_orders": load(1, 0, PACE_PER_SECOND, seconds=PACED_SECONDS),
        "frames_of_ten": load(50, 1_000, rate, per_frame=10),
        "mixed_flow": load(50, 2_000, rate / 4, per_frame=10, cancels=0.40, replaces=0.05),
        "frames_of_one": load(800, 10_000, rate / 4),
    }
    measure(deployment, load(4, 900, 200, seconds=2))  # everything is imported and connected
    results: dict[str, Any] = {}
    for name, offered in loads.items():
        results[name] = measure(deployment, offered)
        print(name, msgspec.json.encode(results[name]).decode(), file=sys.stderr, flush=True)
    return results


async def _two_raw_hops_ms(rabbitmq: RabbitMQServer) -> dict[str, float]:
    """In queues of their own, on the same broker."""
    url = rabbitmq.create_virtual_host("raw")
    await declare_topology(url)
    return await two_raw_hops_ms(url, PACE_PER_SECOND, PACED_SECONDS)


def measure(deployment: Deployment, load: Load) -> dict[str, Any]:
    """Offer a load and wait until it is settled: its cost by process, its rows, its answers."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.generator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as generator:
        assert generator.stdin is not None
        assert generator.stdout is not None
        generator.stdin.write(msgspec.json.encode(load) + b"\n")
        generator.stdin.flush()
        generator.stdout.readline()
        time.sleep(_QUIET_SECONDS)
        rows = _rows(deployment)
        cpu = cpu_seconds(deployment.pids)
        generator.stdin.write(b"begin\n")
        generator.stdin.flush()
        measured = msgspec.json.decode(generator.stdout.readline(), type=Measured)
    ended = time.perf_counter()
    _wait_until_settled(deployment.feed_url, measured)
    settled_after = time.perf_counter() - ended
    used = cpu_seconds(deployment.pids)
    per_request = {
        name: round((seconds - cpu.get(name, 0.0)) * 1_000_000 / measured.requests, 1)
        for name, seconds in used.items()
    }
    time.sleep(_QUIET_SECONDS)
    late_seconds = measured.seconds_to_last_answer - load.seconds
    return {
        "offered_per_second": load.per_second,
        "requests": measured.requests,
        "new_orders": measured.new_orders,
        "accepted": measured.accepted,
        "refused": measured.refused,
        "sustained": late_seconds + settled_after <= SUSTAINED_SECONDS,
        "settled_and_on_the_feed_after_last_answer_ms": round(settled_after * 1_000),
        "answer_ms": {
            f"p{share:g}": _percentile(measured.answer_ms, share) for share in (50, 99, 100)
        },
        "cpu_us_per_request": {
            "all": round(sum(per_request.values()), 1),
            **per_request,
            "load_generator": round(measured.cpu_us_per_request, 1),
        },
        "rows_per_request": {
            name: _per_request(rows[name], after, measured.requests)
            for name, after in _rows(deployment).items()
        },
    }


def _rows(deployment: Deployment) -> dict[str, dict[str, dict[str, int]]]:
    return {name: uvloop.run(rows_written(dsn)) for name, dsn in deployment.dsns.items()}


def _wait_until_settled(feed_url: str, measured: Measured) -> None:
    deadline = time.perf_counter() + _SETTLE_SECONDS
    while True:
        answer = httpx.get(
            f"{feed_url}/balance/{measured.client_id}",
            params={"min_seq": measured.last_seq},
            headers={"Authorization": f"Bearer {measured.api_key}"},
            timeout=30,
        )
        if answer.status_code == 200:
            return
        if answer.status_code != 503 or time.perf_counter() > deadline:
            raise RuntimeError(f"the exchange did not settle: {answer.text}")


def _per_request(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]], requests: int
) -> dict[str, dict[str, float]]:
    found = {}
    for table, counts in after.items():
        change = {
            what: round((count - before.get(table, {}).get(what, 0)) / requests, 3)
            for what, count in counts.items()
        }
        if any(change.values()):
            found[table] = change
    return found


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share / 100 * len(ordered)))], 2)
