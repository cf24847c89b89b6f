"""The adapters of the bus, each with what a test needs to reopen, break and shorten its log."""

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Protocol

import pytest

from exchange_shared.bus import Bus
from exchange_shared.bus.rabbitmq import RabbitMQBus
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.bus.topology import declare_topology
from tests.support.broker import NOT_OURS, Broker
from tests.support.memory_bus import MemoryBus, MemoryLog
from tests.support.servers import RabbitMQServer

MESSAGES_BEFORE_KILL = 200


class BusStage(Protocol):
    """One log, and the ways to come by it."""

    async def open(self) -> Bus:
        """A bus on the log. The one before it must be closed."""
        ...

    async def publish_until_killed(self, queue: str) -> list[bytes]:
        """Publish 1, 2, 3, … while the log's keeper is killed; what was confirmed, in order."""
        ...

    async def forget_first(self, queue: str) -> None:
        """Let the log lose its oldest messages, as an expired log does. No bus is open."""
        ...


class MemoryStage:
    """In memory: nothing can be lost that was confirmed."""

    def __init__(self) -> None:
        self._log = MemoryLog()

    async def open(self) -> Bus:
        """See `BusStage`."""
        return MemoryBus(self._log)

    async def publish_until_killed(self, queue: str) -> list[bytes]:
        """See `BusStage`."""
        bus = MemoryBus(self._log)
        confirmed = [b"%d" % number for number in range(1, MESSAGES_BEFORE_KILL)]
        for body in confirmed:
            await bus.publish(queue, body)
        bus.confirming.clear()
        unconfirmed = asyncio.create_task(bus.publish(queue, b"%d" % MESSAGES_BEFORE_KILL))
        await asyncio.sleep(0)
        unconfirmed.cancel()
        return confirmed

    async def forget_first(self, queue: str) -> None:
        """See `BusStage`."""
        del self._log.queues[queue][0]


class SQLiteStage:
    """A file; what is killed is the process that writes to it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "log.db"

    async def open(self) -> Bus:
        """See `BusStage`."""
        return await SQLiteBus.open(self._path)

    async def publish_until_killed(self, queue: str) -> list[bytes]:
        """See `BusStage`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.log_writer",
            str(self._path),
            queue,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        confirmed = [await process.stdout.readline() for _ in range(MESSAGES_BEFORE_KILL)]
        process.send_signal(signal.SIGKILL)
        confirmed += (await process.stdout.read()).splitlines(keepends=True)
        await process.wait()
        return [line.rstrip() for line in confirmed if line.endswith(b"\n")]

    async def forget_first(self, queue: str) -> None:
        """See `BusStage`."""
        connection = sqlite3.connect(self._path)
        connection.execute("DELETE FROM message WHERE queue = ? AND position = 1", (queue,))
        connection.commit()
        connection.close()


class RabbitMQStage:
    """A virtual host; what is killed is the server."""

    def __init__(self, server: Broker, virtual_host: str) -> None:
        self._server = server
        self._virtual_host = virtual_host
        self.url = server.url(virtual_host)

    async def open(self) -> Bus:
        """See `BusStage`."""
        return RabbitMQBus(self.url)

    async def publish_until_killed(self, queue: str) -> list[bytes]:
        """See `BusStage`."""
        server = self._server
        if not isinstance(server, RabbitMQServer):
            pytest.skip(NOT_OURS)
        bus = RabbitMQBus(self.url)
        confirmed: list[bytes] = []
        enough = asyncio.Event()
        up_again = asyncio.Event()

        async def publish() -> None:
            while len(confirmed) < MESSAGES_BEFORE_KILL or not up_again.is_set():
                body = b"%d" % (len(confirmed) + 1)
                await bus.publish(queue, body)
                confirmed.append(body)
                if len(confirmed) == MESSAGES_BEFORE_KILL // 2:
                    enough.set()

        publishing = asyncio.create_task(publish())
        await enough.wait()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        up_again.set()
        await publishing
        await bus.close()
        return confirmed

    async def forget_first(self, queue: str) -> None:
        """See `BusStage`. Publishes until the oldest segment of the stream is dropped."""
        await asyncio.to_thread(self._server.delete_virtual_host, self._virtual_host)
        await asyncio.to_thread(self._server.create_virtual_host, self._virtual_host)
        await declare_topology(self.url, stream_bytes=200_000, stream_segment_bytes=50_000)
        bus = RabbitMQBus(self.url)
        for _ in range(20):
            await bus.publish(queue, bytes(30_000))
        await bus.close()
