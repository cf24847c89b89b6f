"""A run: start everything, trade, let faults happen, check, end everything."""

import asyncio
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from exchange_migrations import migrate
from exchange_shared.bus.topology import declare_topology
from tests.chaos.checks import violations
from tests.chaos.load import Load, LoadFailed
from tests.chaos.report import Recovery, Report
from tests.chaos.schedule import Durations, Fault, schedule
from tests.chaos.targets import Targets, unbroken
from tests.support.processes import ServerFailed
from tests.support.servers import PostgresServer, RabbitMQServer
from tests.support.stack import Stack

POLL_SECONDS = 0.05
SETTINGS = {
    "EXCHANGE_SNAPSHOT_EVERY": "1000",
    "EXCHANGE_LOG_LEVEL": "info",
    "EXCHANGE_NODE_LEASE_SECONDS": "3",  # shorter than what they are paused for
}


class NotRecovered(Exception):
    """A fault is over, and the exchange is not well again."""


@dataclass(frozen=True)
class Plan:
    """What is to be done. The seed decides the faults and what the traders want to do."""

    seed: int
    seconds: float
    durations: Durations = field(default_factory=Durations)
    gateways: int = 3
    traders: int = 6
    faults: Sequence[Fault] | None = None
    """These instead of those of the seed."""

    programs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Commands to run in the place of services, by their names."""

    keep_in: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    """Where the logs are kept of a run in which something did not hold."""


@asynccontextmanager
async def _servers() -> AsyncIterator[tuple[PostgresServer, RabbitMQServer, list[str]]]:
    """A Postgres and a RabbitMQ with everything in them that services expect."""
    postgres = PostgresServer(fsync=False)
    try:
        rabbitmq = RabbitMQServer()
        try:
            await unbroken(postgres.start)
            await unbroken(rabbitmq.start)
            dsns = []
            for name in ("clearing_data", "market_data"):
                dsns.append(await postgres.create_database(name))
                await migrate(dsns[-1], name)
            await declare_topology(rabbitmq.url())
            yield postgres, rabbitmq, dsns
        finally:
            await unbroken(rabbitmq.close)
    finally:
        await unbroken(postgres.close)


async def run(plan: Plan, say: Callable[[str], None]) -> Report:
    """Do it, and tell each fault as it is over.

    Where the logs of a run in which something did not hold are kept is said too.
    """
    report = Report(plan.seed)
    async with _servers() as (postgres, rabbitmq, dsns):
        stack = Stack(
            rabbitmq.url(),
            *dsns,
            settings=SETTINGS,
            gateways=plan.gateways,
            programs=plan.programs,
        )
        try:
            await unbroken(stack.__enter__)
            targets = Targets(stack, postgres, rabbitmq)
            async with Load(stack.gateway_urls, stack.feed_url, plan.seed, plan.traders) as load:
                try:
                    await _Run(plan, targets, load, report, say).run()
                except Exception as error:
                    report.violations.append(f"the run failed: {type(error).__name__}: {error}")
                    raise
                finally:
                    if report.violations:
                        places = [stack.directory, postgres.directory, rabbitmq.directory]
                        say(f"the logs are in {_keep(plan, report, load, places)}")
        finally:
            await unbroken(stack.close)
    return report


def _keep(plan: Plan, report: Report, load: Load, directories: list[Path]) -> Path:
    """Copy what tells how it came about to where it stays."""
    kept = plan.keep_in / f"exchange-chaos-{plan.seed}-{int(time.time())}"
    kept.mkdir()
    for log in itertools.chain.from_iterable(one.glob("*.log") for one in directories):
        shutil.copy(log, kept)
    faults = "\n".join(str(one) for one in report.recoveries)
    (kept / "report.txt").write_text(f"{faults}\n{report}\n")
    outcomes = {trader.client_id: trader.outcomes for trader in load.traders}
    (kept / "outcomes.json").write_text(json.dumps(outcomes, indent=1))
    return kept


class _Run:
    """The faults of one run."""

    def __init__(
        self,
        plan: Plan,
        targets: Targets,
        load: Load,
        report: Report,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._targets = targets
        self._load = load
        self._report = report
        self._say = say
        self._began = time.monotonic()

    async def run(self) -> None:
        """Until the time is over or something does not hold."""
        try:
            await self._hit_and_check()
        except (LoadFailed, NotRecovered, ServerFailed) as error:
            self._report.violations.append(f"{type(error).__name__}: {error}")
        self._report.seconds = time.monotonic() - self._began
        self._report.accepted = self._load.accepted
        self._report.refused = self._load.refused
        self._report.doubts = self._load.doubts
        self._report.reports_heard = self._load.reports_heard

    async def _hit_and_check(self) -> None:
        plan = self._plan
        services = self._targets.stack.services
        faults = plan.faults or schedule(plan.seed, services, plan.durations)
        checked = self._began
        self._load.begin()
        for fault in faults:
            await asyncio.sleep(fault.quiet_seconds)
            if time.monotonic() - self._began > plan.seconds:
                break
            await self._hit(fault)
            if time.monotonic() - checked > plan.durations.between_checks:
                await self._check()
                self._load.begin()
                checked = time.monotonic()
            if self._report.violations:
                break
        await self._check()

    async def _hit(self, fault: Fault) -> None:
        """Let a fault happen, and wait until the exchange is over it."""
        await unbroken(self._targets.begin, fault)
        began, accepted = time.monotonic(), self._load.watch()
        await asyncio.sleep(fault.seconds)
        ended = time.monotonic()
        await unbroken(self._targets.end, fault)
        ready = await self._wait_until_well(fault, accepted) - ended
        recovery = Recovery(fault, ended - began, max(0.0, accepted.result() - ended), ready)
        self._report.recoveries.append(recovery)
        self._say(f"{ended - self._began:6.1f} s  {recovery}")

    async def _wait_until_well(self, fault: Fault, accepted: asyncio.Future[float]) -> float:
        """Return when every service is ready and an order was accepted: when the services were.

        Raises:
            NotRecovered: it took too long.
        """
        limit = self._plan.durations.recovery
        deadline = time.monotonic() + limit
        ready: float | None = None
        while ready is None or not accepted.done():
            self._load.check()
            ended = await unbroken(self._targets.start_ended)
            self._report.violations += [f"after {fault}: {one}" for one in ended]
            waited_for = await unbroken(self._targets.not_ready)
            ready = None if waited_for else ready or time.monotonic()
            if time.monotonic() > deadline:
                what = f"not ready: {waited_for}" if waited_for else "no order is accepted"
                raise NotRecovered(f"{fault}: after {limit:.0f} s {what}")
            await asyncio.sleep(POLL_SECONDS)
        return ready

    async def _check(self) -> None:
        """Let everybody pause, and see that everything holds."""
        await self._load.pause(self._plan.durations.recovery)
        began = time.monotonic()
        found = await violations(self._targets.stack, self._load.listeners)
        self._report.violations += found
        self._report.checks += 1
        self._say(
            f"{began - self._began:6.1f} s  checked {self._load.accepted} acknowledged orders in"
            f" {time.monotonic() - began:.1f} s: {len(found) or 'no'} violations"
        )
