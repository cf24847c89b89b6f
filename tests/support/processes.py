"""Child processes that never outlive the process that started them, however that one ends."""

import os
import pwd
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

START_SECONDS = 90.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = range(20_000 + _WORKER, 32_000, _WORKERS)
"""Each process that runs tests has ports of its own, which no other one takes meanwhile."""
_given: set[int] = set()
"""Nobody gets one twice: several are chosen before the first is listened on."""


class ServerFailed(Exception):
    """A server ended, or did not answer in time. The message ends with the last of its log."""


def free_port() -> int:
    """A TCP port that nobody listens on.

    It lies below the range from which the system gives ports to clients: a client that connects
    again and again to a port of that range, while its server is down, can end up with itself.
    """
    while True:
        port = random.choice(_PORTS)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port


def unprivileged_user() -> str | None:
    """Whom to run a server as that refuses to run as root; `None` when we are not root."""
    return "nobody" if os.geteuid() == 0 else None


def give_to(user: str | None, path: Path) -> None:
    """Let a directory belong to a user; nothing happens for `None`."""
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def wait_until(ready: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Ask until the answer is yes.

    Raises:
        ServerFailed: it was not within the time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ServerFailed(f"{what}: not within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)


class ServerProcess:
    """A running program with its output in a file, killed when this process is gone."""

    def __init__(
        self,
        command: list[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                start_new_session=True,
            )
        # The pipe closes when this process is gone, by whatever signal.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -9 "$0"', str(self._process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait for a sign of readiness.

        Raises:
            ServerFailed: the program ended, or the sign did not come in time.
        """

        def ready_or_ended() -> bool:
            return not self.running or ready()

        try:
            wait_until(ready_or_ended, what)
        except ServerFailed as error:
            raise ServerFailed(f"{error}\n{self.log_tail()}") from error
        if not self.running:
            raise ServerFailed(f"{what}: ended\n{self.log_tail()}")

    def wait_ended(self) -> int:
        """Wait until it ends by itself; its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not in time.
        """
        return self._process.wait(START_SECONDS)

    def send_signal(self, number: int) -> None:
        """Send a signal, such as `SIGSTOP`."""
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal, and with SIGKILL when that takes too long; its exit code."""
        if self.running:
            self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._guard.kill()
        self._guard.wait()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        return self._process.returncode

    def log_tail(self, size: int = 4_000) -> str:
        """The last of what it wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-size:]
