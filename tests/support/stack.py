"""The whole exchange as processes of its own, each of which can be killed and started again.

Methods block; call them from a coroutine through `asyncio.to_thread`.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from tests.support.paths import ROOT
from tests.support.processes import ServerProcess, free_port

MODULES = {
    "matching-engine": "matching_engine",
    "clearinghouse": "clearinghouse",
    "market-data-feed": "market_data_feed",
    "order-entry-gateway": "order_entry_gateway",
}
"""The services, in the order in which they are started."""

GATEWAY = "order-entry-gateway"

OPERATOR_KEY = "operator-key-of-the-tests"


class Stack:
    """Four services around a broker and a Postgres that somebody else started and prepared.

    With several `gateways` the second is the service `order-entry-gateway-2`. `programs` are
    commands to run in the place of a service's own.
    """

    def __init__(
        self,
        bus_url: str,
        clearing_dsn: str,
        market_dsn: str,
        *,
        market_file: Path = ROOT / "exchange.toml",
        settings: dict[str, str] | None = None,
        gateways: int = 1,
        programs: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.bus_url = bus_url
        self.clearing_dsn = clearing_dsn
        self.market_dsn = market_dsn
        self.directory = Path(tempfile.mkdtemp(prefix="exchange-stack-"))
        self.gateways = [GATEWAY, *(f"{GATEWAY}-{number}" for number in range(2, gateways + 1))]
        self.services = [*MODULES, *self.gateways[1:]]
        self._ports = {name: free_port() for name in self.services}
        self._programs = {
            name: [sys.executable, "-m", MODULES[GATEWAY if name in self.gateways else name]]
            for name in self.services
        } | {name: list(program) for name, program in (programs or {}).items()}
        self._processes: dict[str, ServerProcess] = {}
        self._http = httpx.Client(timeout=2, trust_env=False)
        self._settings = {
            "EXCHANGE_BUS_URL": bus_url,
            "EXCHANGE_CLEARING_DSN": clearing_dsn,
            "EXCHANGE_MARKET_DSN": market_dsn,
            "EXCHANGE_MARKET_FILE": str(market_file),
            "EXCHANGE_SNAPSHOT_DIR": str(self.snapshot_dir),
            "EXCHANGE_OPERATOR_KEY": OPERATOR_KEY,
            "EXCHANGE_LOG_LEVEL": "warning",
            **(settings or {}),
        }

    @property
    def snapshot_dir(self) -> Path:
        """Where the engine keeps its snapshots."""
        return self.directory / "snapshots"

    @property
    def gateway_url(self) -> str:
        """Where orders go."""
        return self.url(GATEWAY)

    @property
    def gateway_urls(self) -> list[str]:
        """Where orders go, of each gateway."""
        return [self.url(name) for name in self.gateways]

    @property
    def feed_url(self) -> str:
        """Where prices and balances are."""
        return self.url("market-data-feed")

    def url(self, service: str) -> str:
        """The address of a service."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def pid(self, service: str) -> int:
        """The process id of a running service."""
        return self._processes[service].pid

    def start(self, service: str, *, wait: bool = True) -> None:
        """Start a service; returns when it is ready, or at once."""
        environment = {
            **os.environ,
            **self._settings,
            "EXCHANGE_PORT": str(self._ports[service]),
        }
        process = ServerProcess(
            self._programs[service],
            self.directory / f"{service}.log",
            env=environment,
            cwd=ROOT,
        )
        self._processes[service] = process
        if wait:
            self.wait_ready(service)

    def wait_ready(self, service: str) -> None:
        """Return when a service says that it is ready.

        Raises:
            ServerFailed: it ended, or did not say so in time.
        """
        self._processes[service].wait_until(lambda: self.is_ready(service), service)

    def is_ready(self, service: str) -> bool:
        """Whether a service says that it is ready."""
        try:
            return self._http.get(f"{self.url(service)}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def is_running(self, service: str) -> bool:
        """Whether a service has not ended."""
        return self._processes[service].running

    def wait_ended(self, service: str) -> int:
        """Wait until a service ends by itself; its exit code."""
        return self._processes[service].wait_ended()

    def signal(self, service: str, number: int) -> None:
        """Send a service a signal, such as `SIGSTOP`."""
        self._processes[service].send_signal(number)

    def kill(self, service: str) -> int:
        """End a service with SIGKILL; its exit code, when it had ended by itself."""
        return self._processes[service].end(signal.SIGKILL)

    def stop(self, service: str) -> int:
        """End a service with SIGTERM; its exit code."""
        return self._processes[service].end()

    def log(self, service: str) -> str:
        """The last of what a service wrote."""
        return self._processes[service].log_tail()

    def __enter__(self) -> Self:
        """Start all services; returns when all are ready."""
        try:
            for service in self.services:
                self.start(service, wait=False)
            for service in self.services:
                self.wait_ready(service)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End everything at once."""
        self.close()

    def close(self) -> None:
        """End everything at once, and remove the data."""
        self._http.close()
        for process in self._processes.values():
            process.end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)


class EmbeddedStack:
    """The whole exchange as one process on embedded parts, as `make run` starts it."""

    def __init__(
        self,
        *,
        market_file: Path = ROOT / "exchange.toml",
        bots: bool = False,
        data_dir: str = "data",
        settings: dict[str, str] | None = None,
    ) -> None:
        """`data_dir` is a path inside a directory of its own; `settings` go before ours."""
        # Not pytest's own directory: its Postgres runs as another user when we are root, and a
        # second pytest on this machine would shut that user out.
        self.directory = Path(tempfile.mkdtemp(prefix="exchange-embedded-"))
        self.data_dir = self.directory / data_dir
        gateway_port, feed_port = free_port(), free_port()
        self.gateway_url = f"http://127.0.0.1:{gateway_port}"
        self.feed_url = f"http://127.0.0.1:{feed_port}"
        self.environment = {
            **os.environ,
            "EXCHANGE_BOTS": "1" if bots else "0",
            "EXCHANGE_GATEWAY_PORT": str(gateway_port),
            "EXCHANGE_FEED_PORT": str(feed_port),
            "EXCHANGE_DATA_DIR": str(self.data_dir),
            "EXCHANGE_MARKET_FILE": str(market_file),
            "EXCHANGE_OPERATOR_KEY": OPERATOR_KEY,
            **(settings or {}),
        }
        self._process: ServerProcess | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it; returns when gateway and feed are ready, or at once.

        Raises:
            ServerFailed: it ended, or was not ready in time.
        """
        process = ServerProcess(
            [sys.executable, "-m", "exchange_cli", "run"],
            self.directory / "exchange.log",
            env=self.environment,
            cwd=ROOT,
        )
        self._process = process

        def ready() -> bool:
            try:
                return all(
                    httpx.get(f"{url}/readyz", timeout=2).status_code == 200
                    for url in (self.gateway_url, self.feed_url)
                )
            except httpx.TransportError:
                return False

        if wait:
            process.wait_until(ready, "the exchange")

    @property
    def pid(self) -> int:
        """The process id of the running exchange."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def wait_ended(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None, "it was not started"
        return self._process.wait_ended()

    def stop(self) -> int:
        """Stop it as Ctrl-C does; its exit code."""
        assert self._process is not None, "it was not started"
        return self._process.end(signal.SIGINT)

    def kill(self) -> None:
        """End it with SIGKILL. Its Postgres goes on, and is taken over by the next start."""
        assert self._process is not None, "it was not started"
        self._process.end(signal.SIGKILL)

    def output(self) -> str:
        """The last of what it printed."""
        assert self._process is not None, "it was not started"
        return self._process.log_tail()

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it, and remove its data."""
        self.close()

    def close(self) -> None:
        """Stop it, and remove its data."""
        if self._process is not None:
            self._process.end(signal.SIGINT)
        shutil.rmtree(self.directory, ignore_errors=True)


def postgres_over(data_dir: Path) -> list[int]:
    """The processes of a Postgres, or of the making of one, over some data."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word.startswith(f"{data_dir}/postgres") for word in words):
            found.append(process.pid)
    return found
