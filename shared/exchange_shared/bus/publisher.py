"""Smart batching: one message carries whatever gathered while the one before it was confirmed."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
import structlog

from exchange_shared.bus.protocol import Bus, MessageTooLarge, RecordTooLarge
from exchange_shared.messages import encode_batch, split_batch

Records = Sequence[msgspec.Struct]

MAX_MESSAGE_BYTES = 1024 * 1024
"""A batch beyond it is published in several messages. RabbitMQ takes 16 MiB unless it is told
otherwise, and a reader has some hundred messages in memory."""

log = structlog.get_logger()


class BatchPublisher:
    """Publishes encoded batches to one queue: a batch that is too large in several messages.

    What the broker takes is learnt from its refusals.
    """

    def __init__(self, bus: Bus, queue: str, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._bus = bus
        self._queue = queue
        self._max_bytes = max_bytes

    async def publish(self, body: bytes) -> None:
        """Append a batch; returns when all of it is durable.

        Raises:
            BusClosed: the bus was closed first; any part of it may be in the queue.
            RecordTooLarge: the broker does not even take one of its records.
        """
        waiting = [body]
        while waiting:
            part = waiting.pop()
            if len(part) > self._max_bytes:
                smaller = split_batch(part, -(-len(part) // self._max_bytes))
                if len(smaller) > 1:
                    waiting += reversed(smaller)
                    continue
            try:
                await self._bus.publish(self._queue, part)
            except MessageTooLarge as refusal:
                smaller = split_batch(part, 2)
                if len(smaller) == 1:
                    raise RecordTooLarge(str(refusal)) from refusal
                log.warning("message_refused", queue=self._queue, error=str(refusal))
                self._max_bytes = min(self._max_bytes, len(part) // 2)
                waiting += reversed(smaller)


class PublisherFull(Exception):
    """More records wait to be published than the limit allows."""


class Publisher:
    """Numbers records, and publishes them in order and in batches, one message under way at a time.

    A lone record leaves at once; under load batches grow by themselves. Records put together are
    read together, however many messages it takes. `run` does the publishing and must be running as
    a task. Records may also wait elsewhere, in an order of their own, until a message is made up.
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
        max_bytes: int = MAX_MESSAGE_BYTES,
        on_confirmed: Callable[[Records], None] | None = None,
    ) -> None:
        self._batches = BatchPublisher(bus, queue, max_bytes)
        self._queue = queue
        self._source = source
        self._next_seq = next_seq
        self._max_batch = max_batch
        self._max_pending = max_pending
        self._on_confirmed = on_confirmed
        self._groups: deque[Records] = deque()
        self._supply: Callable[[int], Records] | None = None
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
        """Take records to publish together; returns the number of the last of them.

        Raises:
            PublisherFull: the limit is reached. Nothing was taken.
        """
        if not self._fits(len(records)):
            raise PublisherFull(f"{self._pending} records wait for {self._queue}")
        self._take_in(records)
        return self.last_seq

    def _take_in(self, records: Records) -> None:
        if records:
            self._groups.append(records)
            self._pending += len(records)
            self._next_seq += len(records)
            self._arrived.set()

    async def put_when_room(self, *groups: Records) -> int:
        """Like `put`, but waits while the limit is reached; each group stays together."""
        count = sum(map(len, groups))
        if not self._fits(count):
            async with self._progressed:
                await self._progressed.wait_for(lambda: self._fits(count))
        for records in groups:
            self._take_in(records)
        return self.last_seq

    def take_from(self, supply: Callable[[int], Records]) -> None:
        """Fill each message up with what `supply` gives when it is asked for so many at most."""
        self._supply = supply

    def wake(self) -> None:
        """Ask the supply, as soon as a message can be made up."""
        self._arrived.set()

    async def drain(self) -> None:
        """Return once everything is durable, also what the supply gives."""
        self.wake()
        async with self._progressed:
            await self._progressed.wait_for(
                lambda: not self._pending and not self._arrived.is_set()
            )

    async def wait_confirmed(self, seq: int) -> None:
        """Return once record `seq` is durable."""
        async with self._progressed:
            await self._progressed.wait_for(lambda: self._confirmed_seq >= seq)

    async def run(self) -> None:
        """Publish for ever. Cancelling it may leave the message under way unconfirmed.

        Raises:
            RecordTooLarge: the broker takes no message as large as one record is.
        """
        while True:
            await self._arrived.wait()
            records = self._take()
            if records:
                body = encode_batch(self._source, self._confirmed_seq + 1, records)
                await self._batches.publish(body)
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
        """The records of the next message: whole groups, up to the batch size; then the supply."""
        records = list(self._groups.popleft()) if self._groups else []
        while self._groups and len(records) + len(self._groups[0]) <= self._max_batch:
            records.extend(self._groups.popleft())
        if not self._groups:
            self._arrived.clear()
            if self._supply is not None and len(records) < self._max_batch:
                records.extend(self._supplied(self._supply, self._max_batch - len(records)))
        return records

    def _supplied(self, supply: Callable[[int], Records], room: int) -> Records:
        """What the supply gives; it is asked again at once when it may have more."""
        records = supply(room)
        self._pending += len(records)
        self._next_seq += len(records)
        if len(records) == room:
            self._arrived.set()
        return records
