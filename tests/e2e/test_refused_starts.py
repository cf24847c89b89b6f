"""Starts that are refused or broken off: one line for a person, and nothing is left behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import httpx
import pytest

from exchange_cli.embedded_postgres import embedded_postgres
from tests.support.paths import ROOT
from tests.support.processes import wait_until
from tests.support.stack import EmbeddedStack, postgres_over

QUIET = {"EXCHANGE_QUIET": "1"}


def refusal(stack: EmbeddedStack) -> str:
    """What a start on the data says that is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "exchange_cli", "run"],
        env=stack.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("exchange: ")
    assert done.stderr.count("\n") == 1
    assert postgres_over(stack.data_dir) == []
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_start_that_is_broken_off_leaves_nothing(number: signal.Signals) -> None:
    stack = EmbeddedStack(settings=QUIET)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "exchange_cli", "run"],
            env=stack.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            wait_until(lambda: any(stack.data_dir.glob("postgres-new-*")), "initdb")
            process.send_signal(number)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        assert (process.returncode, said) == (130, "exchange: stopped\n")
        assert postgres_over(stack.data_dir) == []
        left = sorted(path.name for path in stack.data_dir.iterdir())
        assert left == ["postgres.lock", "secrets"]
    finally:
        stack.close()


def test_a_start_that_is_killed_is_made_again() -> None:
    stack = EmbeddedStack(settings=QUIET)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "exchange_cli", "run"],
            env=stack.environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: any(stack.data_dir.glob("postgres-new-*")), "initdb")
        finally:
            process.kill()
            process.wait()
        stack.start()
        assert stack.stop() == 0
        assert not any(stack.data_dir.glob("postgres-new-*"))
    finally:
        stack.close()


def test_data_that_were_deleted_under_a_killed_exchange_are_made_anew() -> None:
    with EmbeddedStack(settings=QUIET) as stack:
        stack.kill()
        orphans = postgres_over(stack.data_dir)
        assert orphans
        shutil.rmtree(stack.data_dir)
        stack.start()
        assert not set(orphans) & set(postgres_over(stack.data_dir))
        assert stack.stop() == 0


def test_who_asks_twice_to_stop_leaves_no_postgres() -> None:
    with EmbeddedStack(settings=QUIET) as stack:
        os.kill(stack.pid, signal.SIGINT)
        assert stack.stop() in (0, 128 + signal.SIGINT)
        assert postgres_over(stack.data_dir) == []
        assert "Traceback" not in stack.output()
        stack.start()


def test_what_postgres_or_the_data_say_is_one_line() -> None:
    with EmbeddedStack(settings=QUIET) as stack:
        assert stack.stop() == 0
        configuration = stack.data_dir / "postgres" / "postgresql.conf"
        whole = configuration.read_text(encoding="utf-8")
        configuration.write_text(whole + "nonsense = 1\n", encoding="utf-8")
        assert "Postgres does not start in" in refusal(stack)
        configuration.write_text(whole, encoding="utf-8")

        with sqlite3.connect(stack.data_dir / "log.db") as log:
            log.execute("PRAGMA user_version = 2")
        log.close()
        assert "was written by a newer version of the exchange; start that one" in refusal(stack)
        with sqlite3.connect(stack.data_dir / "log.db") as log:
            log.execute("PRAGMA user_version = 1")
        log.close()

        with embedded_postgres(stack.data_dir / "postgres") as postgres:
            asyncio.run(_claim_a_migration(postgres.get_uri("market_data")))
        assert "it has 0999_what_comes, which this one does not know" in refusal(stack)


async def _claim_a_migration(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, sha256) VALUES (999, 'what_comes', '')"
    )
    await connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_does_not_take_another_users_data_away() -> None:
    with EmbeddedStack(settings=QUIET) as stack:
        assert stack.stop() == 0
        shutil.chown(stack.data_dir / "postgres", "nobody")
        assert "belongs to nobody; start it as nobody" in refusal(stack)


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A directory with 150 MB of room."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system of its own can be had here")
    return tmp_path


def fill(file: Path) -> None:
    """Write to a file until there is no room."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as output:
        while output.write(bytes(65_536)):
            pass


def test_an_exchange_on_a_full_disk_waits_for_room(small_disk: Path) -> None:
    stack = EmbeddedStack(bots=True)
    stack.environment["EXCHANGE_DATA_DIR"] = str(small_disk / "data")
    filling = small_disk / "filling"
    try:
        stack.start()
        fill(filling)
        full = "waiting for bus: the log cannot be written to: database or disk is full"
        wait_until(lambda: full in stack.output(), "the line that tells it")
        feed = httpx.get(f"{stack.feed_url}/readyz", trust_env=False)
        assert (feed.status_code, "disk is full" in feed.text) == (503, True)
        filling.unlink()
        wait_until(
            lambda: httpx.get(f"{stack.feed_url}/readyz", trust_env=False).status_code == 200,
            "the exchange with room again",
        )
        assert stack.stop() == 0
        assert "Traceback" not in stack.output()
    finally:
        stack.close()
        subprocess.run(["umount", str(small_disk)], check=True)
