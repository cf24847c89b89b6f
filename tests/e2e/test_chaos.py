"""Short runs of faults at random, and runs with services that are wrong: those are caught."""

import os
import secrets
from pathlib import Path

import pytest

from tests.chaos.run import Plan, run
from tests.chaos.schedule import SHORT, Fault
from tests.support.wrong_services import WRONG, program

SECONDS = 60.0
SEED = int(os.environ.get("SEED") or secrets.randbelow(1_000_000))

BRIEF_SEED = 2026
BRIEF = (
    Fault("pause", ("order-entry-gateway-2",), 4.0, quiet_seconds=0.5),
    Fault("kill two", ("order-entry-gateway", "matching-engine"), 0.2, quiet_seconds=0.5),
)
"""A gateway that loses its node, and others that start anew."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.usefixtures("rabbitmq_program"),
]

CAUGHT_BY = {
    "acknowledges what it does not publish": "should be stored 1 times",
    "settles twice": "verify: ledger balances are what the executions make them",
    "loses trades": "verify: stored trades are those that were executed",
    "tells not all trades": "reports, should be",
}
"""What is said of each wrong service."""


async def test_a_few_faults_with_three_gateways_lose_and_double_nothing() -> None:
    report = await run(Plan(BRIEF_SEED, SECONDS, traders=3, faults=BRIEF), print)
    assert report.violations == [], str(report)
    assert len(report.recoveries) == len(BRIEF), str(report)
    assert report.reports_heard > report.accepted > 10, str(report)


@pytest.mark.chaos
async def test_faults_at_random_lose_and_double_nothing() -> None:
    report = await run(Plan(SEED, SECONDS, SHORT), print)
    assert report.violations == [], str(report)
    assert len(report.recoveries) >= 3, str(report)
    assert report.reports_heard > report.accepted > 200, str(report)


def assert_logs_are_kept(directory: Path, service: str) -> None:
    (kept,) = directory.iterdir()
    assert "VIOLATION" in (kept / "report.txt").read_text(encoding="utf-8")
    assert (kept / f"{service}.log").stat().st_size


@pytest.mark.chaos
@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_service_is_caught(wrong: str, tmp_path: Path) -> None:
    faults = [
        Fault("kill", (WRONG[wrong][0],), 0.2, quiet_seconds=5.0),
        Fault("pause", ("market-data-feed",), 0.1, quiet_seconds=3.0),
    ]
    plan = Plan(
        SEED,
        SECONDS,
        SHORT,
        gateways=1,
        faults=faults,
        programs=program(wrong),
        keep_in=tmp_path,
    )
    report = await run(plan, print)
    assert [one for one in report.violations if CAUGHT_BY[wrong] in one], str(report)
    assert_logs_are_kept(tmp_path, WRONG[wrong][0])
