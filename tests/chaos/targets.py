"""What faults befall: the services, RabbitMQ and Postgres, each by its name.

Methods block; call them through `unbroken`.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from tests.chaos.schedule import BROKER, DATABASE, Fault
from tests.support.servers import PostgresServer, RabbitMQServer
from tests.support.stack import Stack

_ALARMS = {
    "memory alarm": (["set_vm_memory_high_watermark", "absolute", "1MB"], "0.6"),
    "disk alarm": (["set_disk_free_limit", "100000000000000"], "50MB"),
}


async def unbroken(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run something that blocks in a thread; whoever is cancelled meanwhile waits for its end.

    Else a process could be started after everything was ended.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


class Targets:
    """The processes of an exchange, some of which are down."""

    def __init__(self, stack: Stack, postgres: PostgresServer, rabbitmq: RabbitMQServer) -> None:
        self.stack = stack
        self._servers: dict[str, PostgresServer | RabbitMQServer] = {
            BROKER: rabbitmq,
            DATABASE: postgres,
        }
        self._rabbitmq = rabbitmq

    def begin(self, fault: Fault) -> None:
        """Let a fault begin."""
        if fault.kind in _ALARMS:
            self._rabbitmq.control(*_ALARMS[fault.kind][0])
            return
        for target in fault.targets:
            owner = self._servers.get(target)
            if fault.kind == "pause":
                owner.pause() if owner else self.stack.signal(target, signal.SIGSTOP)
            else:
                owner.kill() if owner else self.stack.kill(target)

    def end(self, fault: Fault) -> None:
        """Let it end: what is dead is started again, the servers first; services may not be ready.

        Raises:
            ServerFailed: a server does not start.
        """
        if fault.kind in _ALARMS:
            (setting, *_), usual = _ALARMS[fault.kind]
            self._rabbitmq.control(setting, usual)
            return
        for target in sorted(fault.targets, key=lambda name: name not in self._servers):
            owner = self._servers.get(target)
            if fault.kind == "pause":
                owner.resume() if owner else self.stack.signal(target, signal.SIGCONT)
            elif owner:
                owner.start()
            else:
                self.stack.start(target, wait=False)

    def start_ended(self) -> list[str]:
        """Start the services that ended though nobody ended them; what they were."""
        ended = []
        for service in self.stack.services:
            if not self.stack.is_running(service):
                code = self.stack.kill(service)
                ended.append(f"{service} ended by itself with code {code}")
                self.stack.start(service, wait=False)
        return ended

    def not_ready(self) -> list[str]:
        """The services that do not say that they are ready."""
        return [name for name in self.stack.services if not self.stack.is_ready(name)]
