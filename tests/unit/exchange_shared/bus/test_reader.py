"""The reader of a queue: copies, overlaps, garbage and gaps."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import pytest
from structlog.testing import capture_logs

from exchange_shared.bus import (
    DEAD_LETTER,
    ORDER_ENTRY,
    DeadLetter,
    Delivery,
    LogDiffers,
    LogPosition,
    Message,
    QueueReader,
    SequenceGap,
)
from exchange_shared.bus.sequence import UnknownSource
from exchange_shared.messages import AnyCommand, CancelOrder, command_decoder, encode_batch
from exchange_shared.metrics import Metrics
from tests.support.memory_bus import MemoryBus


def record(number: int) -> CancelOrder:
    return CancelOrder(time_us=0, request_id=number, client_id="alice", order_id=number)


def batch(first: int, last: int, source: str = "gateway", *, more: bool = False) -> bytes:
    """A message with the records `first` to `last`."""
    records = [record(number) for number in range(first, last + 1)]
    return encode_batch(source, first, records, more=more)


class Reading:
    """A reader on a bus of its own, and what it counts."""

    def __init__(
        self,
        bus: MemoryBus,
        last_seen: dict[str, int] | None = None,
        whole_from: str | None = None,
    ) -> None:
        self.bus = bus
        self.stored = LogPosition(None, last_seen or {})
        self.metrics = Metrics()
        self._whole_from = whole_from
        self.limit()

    def limit(self, max_messages: int = 256, max_records: int = 10_000) -> None:
        """Read with these limits."""
        self.reader: QueueReader[AnyCommand] = QueueReader(
            self.bus,
            ORDER_ENTRY,
            command_decoder(),
            self.stored,
            reader="matching-engine",
            metrics=self.metrics,
            max_messages=max_messages,
            max_records=max_records,
            whole_from=self._whole_from,
        )

    async def list_sizes(self, count: int) -> list[int]:
        """How many deliveries the first lists have."""
        async with asyncio.timeout(5), aclosing(self.reader.read()) as stream:
            return [len(await anext(stream)) for _ in range(count)]

    async def deliveries(self, count: int, after: int | None = None) -> list[Delivery[AnyCommand]]:
        """The first `count` deliveries after a position."""
        if after is not None:
            self.stored = msgspec.structs.replace(self.stored, position=after)
            self.limit()
        found: list[Delivery[AnyCommand]] = []
        async with asyncio.timeout(5), aclosing(self.reader.read()) as stream:
            while len(found) < count:
                found += await anext(stream)
        return found

    @property
    def undecodable(self) -> float | None:
        return self.metrics.registry.get_sample_value(
            "exchange_undecodable_records_total", {"queue": ORDER_ENTRY}
        )

    @property
    def dead_letters(self) -> list[DeadLetter]:
        decoder = msgspec.json.Decoder(DeadLetter)
        return [decoder.decode(body) for body in self.bus.queues[DEAD_LETTER]]


async def reading(*messages: bytes, last_seen: dict[str, int] | None = None) -> Reading:
    """A reader on a queue with these messages, at the positions from 1."""
    bus = MemoryBus()
    for body in messages:
        await bus.publish(ORDER_ENTRY, body)
    return Reading(bus, last_seen)


def delivery(position: int, *numbers: int, source: str = "gateway") -> Delivery[AnyCommand]:
    return Delivery(position, source, [record(number) for number in numbers])


def numbers_of(one: Delivery[AnyCommand]) -> list[int]:
    return [entry.order_id for entry in one.records if isinstance(entry, CancelOrder)]


async def test_records_are_delivered_in_order_with_their_position() -> None:
    reader = await reading(batch(1, 2), batch(3, 3), batch(1, 1, source="other"))

    assert await reader.deliveries(3) == [
        delivery(1, 1, 2),
        delivery(2, 3),
        delivery(3, 1, source="other"),
    ]
    assert reader.reader.applied.sources == {"gateway": 3, "other": 1}


async def test_reading_goes_on_after_a_position() -> None:
    reader = await reading(batch(1, 2), batch(3, 3), batch(4, 4), last_seen={"gateway": 2})

    assert await reader.deliveries(2, after=1) == [delivery(2, 3), delivery(3, 4)]


async def test_copies_are_dropped_but_their_position_counts() -> None:
    reader = await reading(batch(1, 2), batch(1, 2), batch(3, 3))

    assert await reader.deliveries(3) == [delivery(1, 1, 2), delivery(2), delivery(3, 3)]


async def test_copies_can_be_compared_with_the_first_ones() -> None:
    reader = await reading(batch(1, 3), batch(2, 4))

    deliveries = await reader.deliveries(2)

    assert [list(entry.copies) for entry in deliveries] == [[], [record(2), record(3)]]


async def test_a_list_has_at_most_so_many_messages() -> None:
    reader = await reading(*[batch(number, number) for number in range(1, 6)])
    reader.limit(max_messages=2)

    assert await reader.list_sizes(3) == [2, 2, 1]


async def test_a_list_ends_with_the_message_that_makes_it_so_many_records() -> None:
    reader = await reading(batch(1, 4), batch(5, 9), batch(10, 10), batch(10, 10), batch(11, 30))
    reader.limit(max_records=5)

    assert await reader.list_sizes(2) == [2, 3]


async def test_of_an_overlap_only_the_new_records_are_delivered() -> None:
    reader = await reading(batch(1, 3), batch(2, 5))

    assert await reader.deliveries(2) == [delivery(1, 1, 2, 3), delivery(2, 4, 5)]


async def test_a_message_that_cannot_be_read_is_kept_and_passed_over() -> None:
    reader = await reading(batch(1, 1), b"garbage \xff", batch(2, 2))

    with capture_logs() as logs:
        assert await reader.deliveries(3) == [
            delivery(1, 1),
            delivery(2, source=""),
            delivery(3, 2),
        ]

    (letter,) = reader.dead_letters
    assert letter == DeadLetter(
        reader="matching-engine",
        queue=ORDER_ENTRY,
        position=2,
        error=letter.error,
        body="garbage \\xff",
    )
    assert letter.error
    assert reader.undecodable == 1
    assert [(entry["event"], entry["position"]) for entry in logs] == [("undecodable_record", 2)]


async def test_a_record_that_cannot_be_read_is_kept_and_its_number_is_used_up() -> None:
    bad = batch(1, 3).replace(b'"order_id":2', b'"order_id":-2')
    reader = await reading(bad, batch(4, 4))

    assert await reader.deliveries(2) == [delivery(1, 1, 3), delivery(2, 4)]
    assert [letter.position for letter in reader.dead_letters] == [1]
    assert reader.dead_letters[0].error.startswith("record 1 of the batch: ")
    assert reader.undecodable == 1


async def test_a_bad_record_that_was_seen_before_is_not_kept_again() -> None:
    bad = batch(1, 3).replace(b'"order_id":2', b'"order_id":-2')
    reader = await reading(bad, bad)

    assert await reader.deliveries(2) == [delivery(1, 1, 3), delivery(2)]
    assert len(reader.dead_letters) == 1


async def test_a_reader_may_keep_no_copies_of_what_it_cannot_read() -> None:
    reader = await reading(b"garbage", batch(1, 1))
    reader.reader = QueueReader(
        reader.bus,
        ORDER_ENTRY,
        command_decoder(),
        reader.stored,
        reader="order-entry-gateway",
        metrics=reader.metrics,
        keep_copies=False,
    )

    assert await reader.deliveries(2) == [delivery(1, source=""), delivery(2, 1)]
    assert (reader.undecodable, reader.dead_letters) == (1, [])


async def test_the_body_of_a_dead_letter_is_cut() -> None:
    reader = await reading(b"x" * 1_000_000)

    await reader.deliveries(1)

    assert reader.dead_letters[0].body == "x" * 16_384


async def test_a_source_that_begins_in_the_middle_stops_the_reader() -> None:
    reader = await reading(batch(1, 1), batch(7, 8, source="stranger"), batch(2, 2))

    stream = reader.reader.read()
    assert await anext(stream) == [delivery(1, 1)]
    with pytest.raises(UnknownSource, match="stranger is unknown here, and begins with record 7"):
        await anext(stream)
    assert reader.dead_letters == []
    assert reader.reader.applied.sources == {"gateway": 1}


async def test_a_gap_that_is_in_the_log_is_raised_after_all_that_came_before_it() -> None:
    reader = await reading(batch(1, 2), batch(3, 3), batch(5, 5), batch(6, 6))

    stream = reader.reader.read()
    assert await anext(stream) == [delivery(1, 1, 2), delivery(2, 3)]
    with pytest.raises(SequenceGap, match="record 4 is missing, the next one is 5"):
        await anext(stream)
    assert reader.reader.applied.sources == {"gateway": 3}


class LosingBus(MemoryBus):
    """Leaves one message out when it is read for the first time, as a broken connection may."""

    def __init__(self, lost_position: int) -> None:
        super().__init__()
        self._lost_position: int | None = lost_position
        self.starts: list[int | None] = []

    async def subscribe(self, queue: str, after: int | None) -> AsyncGenerator[list[Message], None]:
        """Everything but the lost message; see `Bus`."""
        self.starts.append(after)
        lost, self._lost_position = self._lost_position, None
        async with aclosing(super().subscribe(queue, after)) as stream:
            async for messages in stream:
                kept = [message for message in messages if message.position != lost]
                if kept:
                    yield kept


async def test_a_gap_that_is_not_in_the_log_is_read_again() -> None:
    bus = LosingBus(lost_position=3)
    for number in range(1, 6):
        await bus.publish(ORDER_ENTRY, batch(number, number))
    reader = Reading(bus)

    assert await reader.deliveries(5) == [delivery(number, number) for number in range(1, 6)]
    assert bus.starts == [None, 2]


async def test_a_gap_at_the_very_beginning_is_read_again_from_the_beginning() -> None:
    bus = LosingBus(lost_position=1)
    await bus.publish(ORDER_ENTRY, batch(3, 3))
    await bus.publish(ORDER_ENTRY, batch(4, 4))
    reader = Reading(bus, {"gateway": 2})

    assert await reader.deliveries(2) == [delivery(1, 3), delivery(2, 4)]
    assert bus.starts == [None, None]


async def test_what_belongs_together_is_delivered_with_its_last_message() -> None:
    bus = MemoryBus()
    for body in (
        batch(1, 1),
        batch(2, 3, more=True),
        batch(1, 1, "another"),
        batch(4, 4, more=True),
        batch(5, 6),
        batch(7, 7),
    ):
        await bus.publish(ORDER_ENTRY, body)
    reader = Reading(bus, whole_from="gateway")
    async with asyncio.timeout(5), aclosing(reader.reader.read()) as stream:
        deliveries = await anext(stream)
    assert deliveries == [
        delivery(1, 1),
        delivery(1),
        delivery(1, 1, source="another"),
        delivery(1),
        delivery(5, 2, 3, 4, 5, 6),
        delivery(6, 7),
    ]
    assert reader.reader.applied.sources == {"another": 1, "gateway": 7}


async def test_a_reader_that_starts_again_in_the_middle_reads_all_of_it_again() -> None:
    bus = MemoryBus()
    for body in (batch(1, 1), batch(2, 3, more=True), batch(1, 1, "another")):
        await bus.publish(ORDER_ENTRY, body)
    first = Reading(bus, whole_from="gateway")
    assert await first.deliveries(3) == [
        delivery(1, 1),
        delivery(1),
        delivery(1, 1, source="another"),
    ]
    stored = first.reader.applied
    assert (stored.position, stored.sources) == (1, {"gateway": 1, "another": 1})

    await bus.publish(ORDER_ENTRY, batch(4, 4, more=True))
    second = Reading(bus, whole_from="gateway")
    second.stored = stored
    second.limit()
    async with asyncio.timeout(5), aclosing(second.reader.read()) as stream:
        assert await anext(stream) == [delivery(1), delivery(1, source="another"), delivery(1)]
        assert second.reader.applied == stored
        await bus.publish(ORDER_ENTRY, batch(5, 5))
        assert await anext(stream) == [delivery(5, 2, 3, 4, 5)]
        assert second.reader.applied.position == 5


async def test_a_position_tells_the_message_that_stands_there() -> None:
    reader = await reading(batch(1, 2), b"garbage")
    await reader.deliveries(1)
    first, second = LogPosition(1, {"gateway": 2}), reader.reader.applied
    assert second.position == 2
    assert second.mark is not None
    assert second.mark.startswith("? 0 ")
    reader.limit(max_messages=1)
    async with asyncio.timeout(5), aclosing(reader.reader.read()) as stream:
        await anext(stream)
        first = reader.reader.applied
    assert first.mark is not None
    assert first.mark.startswith("gateway 2 ")
    first.check(ORDER_ENTRY, Message(1, batch(1, 2)))
    with pytest.raises(LogDiffers, match=r"another message at 1 than the one .* \(gateway 2 "):
        first.check(ORDER_ENTRY, Message(1, batch(1, 3)))
    LogPosition(1).check(ORDER_ENTRY, Message(1, b"anything"))


async def test_a_log_whose_end_was_lost_and_written_anew_is_not_read() -> None:
    reader = await reading(batch(1, 2), batch(3, 3))
    await reader.deliveries(2)
    stored = reader.reader.applied
    other = await reading(batch(1, 2), batch(1, 1, source="gateway-2"), batch(2, 2, "gateway-2"))
    other.stored = stored
    other.limit()
    with pytest.raises(LogDiffers, match="order_entry has another message at 2"):
        await anext(other.reader.read())


@pytest.mark.parametrize(
    "again",
    [
        [batch(1, 6)],
        [batch(1, 1), batch(2, 2, more=True), batch(3, 6)],
        [batch(1, 1), batch(2, 4, more=True), batch(5, 6)],
        [batch(2, 5, more=True), batch(6, 6)],
    ],
)
async def test_a_source_that_died_in_the_middle_may_split_anew(again: list[bytes]) -> None:
    bus = MemoryBus()
    for body in (batch(1, 1), batch(2, 3, more=True), *again):
        await bus.publish(ORDER_ENTRY, body)
    reader = Reading(bus, whole_from="gateway")
    async with asyncio.timeout(5), aclosing(reader.reader.read()) as stream:
        deliveries = await anext(stream)
    numbers = [numbers_of(one) for one in deliveries if one.records]
    assert numbers == [[1], [2, 3, 4, 5, 6]]
    assert deliveries[-1].position == len(deliveries)


async def test_what_others_leave_open_is_delivered_as_it_comes() -> None:
    bus = MemoryBus()
    await bus.publish(ORDER_ENTRY, batch(1, 2, more=True))
    reader = Reading(bus, whole_from="matching-engine")
    assert await reader.deliveries(1) == [delivery(1, 1, 2)]
