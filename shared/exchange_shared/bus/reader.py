"""Reading a queue: decode, pass over what cannot be read, drop copies, stop on a gap."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec
import structlog

from exchange_shared.bus.position import LogPosition, ReadMessage
from exchange_shared.bus.protocol import DEAD_LETTER, Bus, Message
from exchange_shared.bus.sequence import SequenceGap
from exchange_shared.messages import BatchDecoder, UndecodableRecord, forgery
from exchange_shared.metrics import Metrics

Record = TypeVar("Record")
log = structlog.get_logger()

_DEAD_BODY_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Record]):
    """The new records of one message: copies and undecodable records are already left out.

    `records` may be empty; the position, after which reading is to go on later, is applied all the
    same. `copies` are records seen before, for a reader that wants to compare them with what it
    made of the first ones.
    """

    position: int
    source: str
    records: list[Record]
    copies: Sequence[Record] = field(default=(), compare=False)


@dataclass(slots=True)
class _Group(Generic[Record]):
    """What has arrived of records that belong together, and the message before the first.

    Without that the group follows the stored position.
    """

    after: ReadMessage | None
    records: list[Record]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or a record of one, that nobody could read, and where it stands."""

    reader: str
    queue: str
    position: int
    error: str
    body: str


class QueueReader(Generic[Record]):
    """Reads one queue after a position, on behalf of a named service."""

    def __init__(
        self,
        bus: Bus,
        queue: str,
        decoder: BatchDecoder[Record],
        stored: LogPosition,
        *,
        reader: str,
        metrics: Metrics,
        max_messages: int = 256,
        max_records: int = 10_000,
        keep_copies: bool = True,
        whole_from: str | None = None,
    ) -> None:
        """Undecodable records are copied to `dead_letter`, unless `keep_copies` is false.

        What a source `whole_from` published together is delivered together, also when it took
        several messages: with the last of them. Until then positions stand before the first, so a
        reader that starts again reads all of them again. (Nothing can stand before the
        first message of a queue, so what begins with that is delivered as it comes.)
        """
        self._bus = bus
        self._queue = queue
        self._decoder = decoder
        self._stored = stored
        self._tracker = stored.tracker()
        self._reader = reader
        self._max_records = max_records
        self._max_messages = max_messages
        self._keep_copies = keep_copies
        self._whole_from = whole_from
        self._group: _Group[Record] | None = None
        self._last: ReadMessage | None = None
        self._yielded: tuple[ReadMessage | None, dict[str, int]] = (None, stored.sources)
        self._undecodable = metrics.undecodable.labels(queue)

    @property
    def applied(self) -> LogPosition:
        """Where the list ends that was yielded last, and reading goes on later."""
        message, sources = self._yielded
        if message is None:
            return msgspec.structs.replace(self._stored, sources=sources)
        return message.after(sources)

    async def read(self) -> AsyncGenerator[list[Delivery[Record]], None]:
        """Everything after the stored position, for ever, as it gathers.

        A list holds at most `max_messages`, and ends with the one that makes it `max_records`.
        When the caller asks for the next list it has applied the one before: `applied` is to be
        stored with the effect. A gap is read again
        once from the log before it is believed.

        Raises:
            LogTruncated: the queue no longer has, or does not have, the stored position.
            LogDiffers: it has another message there.
            SequenceGap: records are missing from the log itself.
        """
        after = self._stored.position
        if after is not None:
            self._stored.check(self._queue, await self._bus.message_at(self._queue, after))
        suspected = False
        gap_after: int | None = None
        while True:
            gap: SequenceGap | None = None
            async with aclosing(self._bus.subscribe(self._queue, after)) as stream:
                async for messages in stream:
                    waiting = deque(messages)
                    while waiting and not gap:
                        deliveries, gap = await self._deliver_some(waiting)
                        if deliveries:
                            after = deliveries[-1].position
                            last = self._last if self._group is None else self._group.after
                            self._yielded = (last, self._tracker.last_seen())
                            yield deliveries
                    if gap:
                        break
            if gap is None:
                return
            if suspected and gap_after == after:
                raise gap
            suspected, gap_after = True, after
            log.warning("sequence_gap", queue=self._queue, after=after, error=str(gap))

    async def _deliver_some(
        self, waiting: deque[Message]
    ) -> tuple[list[Delivery[Record]], SequenceGap | None]:
        """The deliveries of waiting messages, up to a limit or the first gap, and the gap."""
        deliveries: list[Delivery[Record]] = []
        records = 0
        while waiting and len(deliveries) < self._max_messages and records < self._max_records:
            try:
                delivery = await self._deliver(waiting.popleft())
            except SequenceGap as gap:
                return deliveries, gap
            deliveries.append(delivery)
            records += len(delivery.records) + len(delivery.copies)
        return deliveries, None

    async def _deliver(self, message: Message) -> Delivery[Record]:
        try:
            batch, bad = self._decoder.decode(message.body)
            if reason := forgery(message.user, batch):
                raise UndecodableRecord(reason)
        except UndecodableRecord as error:
            await self._pass_over(message, str(error))
            self._last = ReadMessage(message.position, "", 0, message.body)
            return Delivery(self._position_after(message), "", [])
        count = len(batch.records)
        seen = self._tracker.admit(batch.source, batch.seq, count)
        before = self._last
        self._last = ReadMessage(
            message.position, batch.source, batch.seq + count - 1, message.body
        )
        for index, error_text in bad.items():
            if index >= seen:
                await self._pass_over(message, f"record {index} of the batch: {error_text}")
        records = [record for record in batch.records[seen:] if record is not None]
        copies = [record for record in batch.records[:seen] if record is not None]
        if batch.source == self._whole_from and seen < count:
            if batch.more and self._group is None and (before or self._stored.position is not None):
                self._group = _Group(before, [])
                self._tracker.hold(batch.source, batch.seq + seen - 1)
            records = self._gathered(records, complete=not batch.more)
        return Delivery(self._position_after(message), batch.source, records, copies)

    def _gathered(self, records: list[Record], *, complete: bool) -> list[Record]:
        """All records of a group when the last are there; none before."""
        group = self._group
        if group is None:
            return records
        group.records += records
        if not complete:
            return []
        assert self._whole_from is not None, "a group of no source"
        self._tracker.release(self._whole_from)
        self._group = None
        return group.records

    def _position_after(self, message: Message) -> int:
        """Where reading goes on later: before a group of which the last message is not there."""
        if self._group is None:
            return message.position
        if self._group.after is not None:
            return self._group.after.position
        assert self._stored.position is not None, "a group that follows nothing is kept"
        return self._stored.position

    async def _pass_over(self, message: Message, error: str) -> None:
        """Count, log and keep a copy of what could not be read."""
        self._undecodable.inc()
        log.error("undecodable_record", queue=self._queue, position=message.position, error=error)
        if not self._keep_copies:
            return
        letter = DeadLetter(
            reader=self._reader,
            queue=self._queue,
            position=message.position,
            error=error,
            body=message.body[:_DEAD_BODY_LIMIT].decode("utf-8", "backslashreplace"),
        )
        await self._bus.publish(DEAD_LETTER, msgspec.json.encode(letter))
