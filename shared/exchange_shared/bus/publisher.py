"""Smart batching: one message carries whatever gathered while the one before it was confirmed."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from exchange_shared.bus.protocol import Bus
from exchange_shared.messages import encode_batch

Records = Sequence[msgspec.Struct]


class PublisherFull(Exception):
    """More records wait to be published than the limit allows."""


class Publisher:
    """Numbers records, and publishes them in order and in batches, one message under way at a time.

    A lone record leaves at once; under load batches grow by themselves. Records put together stay
    together in one message. `run` does the publishing and must be running as a task.
    """

    def __init__(
        self,
        bus: Bus,
        queue: str,
        source: str,
        *,
        next_seq: int = 1,
        max_batch: int = 1_000,
        max_pending: int = 100_000,
        on_confirmed: Callable[[Records], None] | None = None,
    ) -> None:
        self._bus = bus
        self._queue = queue
        self._source = source
        self._next_seq = next_seq
        self._max_batch = max_batch
        self._max_pending = max_pending
        self._on_confirmed = on_confirmed
        self._groups: deque[Records] = deque()
        self._pending = 0
        self._confirmed_seq = next_seq - 1
        self._arrived = asyncio.Event()
        self._progressed = asyncio.Condition()

    @property
    def last_seq(self) -> int:
        """The number of the newest record put in."""
        return self._next_seq - 1

    @property
    def confirmed_seq(self) -> int:
        """The number of the newest record that is durable."""
        return self._confirmed_seq

    @property
    def pending(self) -> int:
        """How many records are not durable yet."""
        return self._pending

    def room_for(self, count: int) -> bool:
        """Whether this many records stay within the limit."""
        return self._pending + count <= self._max_pending

    def put(self, records: Records) -> int:
        """Take records to publish in one message; returns the number of the last of them.

        Raises:
            PublisherFull: the limit is reached. Nothing was taken.
        """
        if not self._fits(len(records)):
            raise PublisherFull(f"{self._pending} records wait for {self._queue}")
        if records:
            self._groups.append(records)
            self._pending += len(records)
            self._next_seq += len(records)
            self._arrived.set()
        return self.last_seq

    async def put_when_room(self, records: Records) -> int:
        """Like `put`, but waits while the limit is reached."""
        if not self._fits(len(records)):
            async with self._progressed:
                await self._progressed.wait_for(lambda: self._fits(len(records)))
        return self.put(records)

    async def wait_confirmed(self, seq: int) -> None:
        """Return once record `seq` is durable."""
        async with self._progressed:
            await self._progressed.wait_for(lambda: self._confirmed_seq >= seq)

    async def run(self) -> None:
        """Publish for ever. Cancelling it may leave the message under way unconfirmed."""
        while True:
            await self._arrived.wait()
            records = self._take()
            first_seq = self._confirmed_seq + 1
            body = encode_batch(self._source, first_seq, records)
            await self._bus.publish(self._queue, body)
            self._confirmed_seq += len(records)
            self._pending -= len(records)
            if self._on_confirmed:
                self._on_confirmed(records)
            async with self._progressed:
                self._progressed.notify_all()

    def _fits(self, count: int) -> bool:
        """A group larger than the limit is taken too, once nothing else is pending."""
        return self.room_for(count) or not self._pending

    def _take(self) -> Records:
        """The records of the next message: whole groups, up to the batch size, at least one."""
        records = list(self._groups.popleft())
        while self._groups and len(records) + len(self._groups[0]) <= self._max_batch:
            records.extend(self._groups.popleft())
        if not self._groups:
            self._arrived.clear()
        return records
