"""A run of faults that somebody stops leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.paths import ROOT
from tests.support.processes import ServerProcess

PROCESSES = {"beam.smp", "epmd", "postgres", "python"}
"""Some of those that a run starts; the last are the services."""

LEFT_SECONDS = 10.0

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.usefixtures("rabbitmq_program"),
]


@pytest.fixture
def temporary_directory() -> Iterator[Path]:
    """Not pytest's own: the user that runs Postgres in the place of root may not enter that."""
    directory = Path(tempfile.mkdtemp(prefix="exchange-stopped-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stopped_run_ends_all_that_it_started(
    number: int, temporary_directory: Path, tmp_path: Path
) -> None:
    program = [sys.executable, "-m", "tests.chaos", "--short", "--gateways", "1"]
    env = {**os.environ, "TMPDIR": str(temporary_directory)}
    run = ServerProcess(program, tmp_path / "output", env=env, cwd=ROOT)
    try:
        await asyncio.to_thread(run.wait_until, lambda: "all ready" in run.log_tail(), "a fault")
        started = psutil.Process(run.pid).children(recursive=True)
        assert {process.name() for process in started} >= PROCESSES
    finally:
        code = await asyncio.to_thread(run.end, number)
    assert code == 130, run.log_tail()
    _, left = await asyncio.to_thread(psutil.wait_procs, started, LEFT_SECONDS)
    assert left == []
    assert names_in(temporary_directory) == []
