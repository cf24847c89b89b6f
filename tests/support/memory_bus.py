"""A bus in memory for unit tests, which passes the same contract as the real ones."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator

from exchange_shared.bus import BusClosed, LogTruncated, Message, MessageTooLarge

_MOST_AT_ONCE = 100


class MemoryLog:
    """What stays when a bus is closed. Positions count from 1, and may skip numbers."""

    def __init__(self) -> None:
        self.queues: defaultdict[str, list[Message]] = defaultdict(list)
        self.arrived = asyncio.Condition()


class MemoryBus:
    """A bus on a log that may be shared with other buses.

    While `confirming` is not set, `publish` appends at once but does not return: so does a broker
    whose confirms are slow. It refuses messages of more than `max_bytes`.
    """

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.log = log or MemoryLog()
        self.max_bytes = 2**31
        self.confirming = asyncio.Event()
        self.confirming.set()
        self.reason: str | None = None
        self._closed = asyncio.Event()

    @property
    def queues(self) -> defaultdict[str, list[bytes]]:
        """What is in each queue: the bodies of its messages."""
        copy: defaultdict[str, list[bytes]] = defaultdict(list)
        for queue, messages in self.log.queues.items():
            copy[queue] = [message.body for message in messages]
        return copy

    async def publish(self, queue: str, body: bytes) -> None:
        """Append a message; see `Bus`."""
        self._check_open()
        if len(body) > self.max_bytes:
            raise MessageTooLarge(f"{len(body)} bytes are more than {self.max_bytes}")
        async with self.log.arrived:
            messages = self.log.queues[queue]
            last = messages[-1].position if messages else 0
            messages.append(Message(last + 1, body))
            self.log.arrived.notify_all()
        waits = [
            asyncio.create_task(self.confirming.wait()),
            asyncio.create_task(self._closed.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._check_open()

    async def subscribe(self, queue: str, after: int | None) -> AsyncGenerator[list[Message], None]:
        """Everything in `queue` after a position, then what comes; see `Bus`."""
        self._check_open()
        messages = self.log.queues[queue]
        positions = [message.position for message in messages]
        if after is None and positions and positions[0] != 1:
            raise LogTruncated(f"{queue} begins with message {positions[0]}")
        if after is not None and after not in positions:
            raise LogTruncated(f"{queue} has no message {after}")
        position = after or 0
        while True:
            new = [message for message in messages if message.position > position]
            if new:
                position = new[:_MOST_AT_ONCE][-1].position
                yield new[:_MOST_AT_ONCE]
                self._check_open()
                continue
            seen = messages[-1:]
            async with self.log.arrived:
                while not self._closed.is_set() and messages[-1:] == seen:
                    await self.log.arrived.wait()
            self._check_open()

    async def message_at(self, queue: str, position: int) -> Message:
        """One message; see `Bus`."""
        self._check_open()
        for message in self.log.queues[queue]:
            if message.position == position:
                return message
        raise LogTruncated(f"{queue} has no message {position}")

    async def last_position(self, queue: str) -> int | None:
        """The position of the newest message; see `Bus`."""
        self._check_open()
        messages = self.log.queues[queue]
        return messages[-1].position if messages else None

    def unavailable_reason(self) -> str | None:
        """Whatever a test has set as `reason`; see `Bus`."""
        return "the bus is closed" if self._closed.is_set() else self.reason

    async def close(self) -> None:
        """End everything that waits; see `Bus`."""
        self._closed.set()
        async with self.log.arrived:
            self.log.arrived.notify_all()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise BusClosed("the bus is closed")
