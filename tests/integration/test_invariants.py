"""No program of the exchange runs without its checks, and a contradiction ends it as such."""

import json
import os
import subprocess
import sys

import pytest

from clearinghouse.ledger import LedgerContradiction
from exchange_shared.bus import LogTruncated, SequenceGap
from exchange_shared.invariants import MUST_STOP_CODE, MustStop
from market_data_feed.storage.writer import StoreMoved

PROGRAMS = (
    "matching_engine",
    "clearinghouse",
    "market_data_feed",
    "order_entry_gateway",
    "trading_bots",
    "exchange_migrations",
    "exchange_cli",
)
SETTINGS = {
    "EXCHANGE_BOT_STRATEGY": "market_maker",
    "EXCHANGE_BUS_URL": "amqp://guest:guest@127.0.0.1:1/",
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **SETTINGS, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_starts_without_its_checks(program: str) -> None:
    done = run("-O", "-m", program)
    assert done.returncode == 1
    assert done.stderr.startswith("exchange: Python runs with -O or PYTHONOPTIMIZE")
    assert done.stderr.count("\n") == 1


def test_the_environment_cannot_leave_them_out_either() -> None:
    done = run("-m", "clearinghouse", PYTHONOPTIMIZE="2")
    assert done.returncode == 1
    assert "PYTHONOPTIMIZE" in done.stderr


END_BY = """
from exchange_shared.bus import SequenceGap
from exchange_shared.runner import run_service
from exchange_shared.settings import ServiceSettings

def open_service(*_):
    raise SequenceGap("record 2 is missing")

run_service("test", ServiceSettings(), open_service)
"""


def test_what_must_not_go_on_ends_the_process_under_its_name() -> None:
    done = run("-c", END_BY)
    assert done.returncode == MUST_STOP_CODE
    entry = json.loads(done.stderr.splitlines()[-1])
    assert (entry["event"], entry["kind"]) == ("must_stop", "SequenceGap")
    assert entry["error"] == "record 2 is missing"


@pytest.mark.parametrize("kind", [LedgerContradiction, LogTruncated, SequenceGap, StoreMoved])
def test_every_contradiction_is_of_that_kind(kind: type[Exception]) -> None:
    assert issubclass(kind, MustStop)
