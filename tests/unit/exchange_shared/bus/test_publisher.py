"""The publisher: numbers, batches that grow while a message is under way, limits, progress."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from exchange_shared.bus import ORDER_ENTRY, Publisher, PublisherFull, RecordTooLarge
from exchange_shared.bus.publisher import Records
from exchange_shared.messages import CancelOrder, command_decoder
from tests.support.memory_bus import MemoryBus

SOURCE = "gateway-1"


def record(number: int) -> CancelOrder:
    return CancelOrder(time_us=0, request_id=number, client_id="alice", order_id=number)


def records(first: int, last: int) -> list[CancelOrder]:
    return [record(number) for number in range(first, last + 1)]


def published(bus: MemoryBus) -> list[tuple[int, list[int]]]:
    """Of each message the sequence number and the numbers of its records."""
    decoder = command_decoder()
    messages: list[tuple[int, list[int]]] = []
    for body in bus.queues[ORDER_ENTRY]:
        batch, bad = decoder.decode(body)
        assert (batch.source, bad) == (SOURCE, {})
        numbers = [entry.order_id for entry in batch.records if isinstance(entry, CancelOrder)]
        messages.append((batch.seq, numbers))
    return messages


@contextlib.asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


async def until_published(bus: MemoryBus, count: int) -> None:
    """Return when this many messages are in the log, confirmed or not."""
    async with asyncio.timeout(5), bus.log.arrived:
        await bus.log.arrived.wait_for(lambda: len(bus.queues[ORDER_ENTRY]) >= count)


async def test_a_lone_record_leaves_at_once(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE)
    async with running(publisher):
        assert publisher.put([record(1)]) == 1
        await publisher.wait_confirmed(1)
        assert publisher.put([record(2)]) == 2
        await publisher.wait_confirmed(2)

    assert published(bus) == [(1, [1]), (2, [2])]
    assert (publisher.last_seq, publisher.confirmed_seq, publisher.pending) == (2, 2, 0)


async def test_what_gathers_during_a_publish_leaves_in_one_message(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE)
    bus.confirming.clear()
    async with running(publisher):
        publisher.put([record(1)])
        await until_published(bus, 1)
        for number in range(2, 51):
            publisher.put([record(number)])
        assert (publisher.last_seq, publisher.confirmed_seq, publisher.pending) == (50, 0, 50)

        bus.confirming.set()
        await publisher.wait_confirmed(50)

    assert published(bus) == [(1, [1]), (2, list(range(2, 51)))]


async def test_a_message_has_at_most_the_batch_size(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, max_batch=4)
    for number in range(1, 11):
        publisher.put([record(number)])
    async with running(publisher):
        await publisher.wait_confirmed(10)

    assert published(bus) == [(1, [1, 2, 3, 4]), (5, [5, 6, 7, 8]), (9, [9, 10])]


async def test_records_put_together_stay_together(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, max_batch=4)
    publisher.put(records(1, 3))
    publisher.put(records(4, 5))
    publisher.put(records(6, 12))
    publisher.put(records(13, 13))
    async with running(publisher):
        await publisher.wait_confirmed(13)

    assert published(bus) == [
        (1, [1, 2, 3]),
        (4, [4, 5]),
        (6, [6, 7, 8, 9, 10, 11, 12]),
        (13, [13]),
    ]


async def test_numbering_goes_on_from_where_it_is_told(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, next_seq=101)
    assert (publisher.last_seq, publisher.confirmed_seq) == (100, 100)
    async with running(publisher):
        assert publisher.put(records(1, 2)) == 102
        await publisher.wait_confirmed(102)

    assert published(bus) == [(101, [1, 2])]


async def test_putting_nothing_publishes_nothing(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE)
    async with running(publisher):
        assert publisher.put([]) == 0
        await publisher.wait_confirmed(publisher.put([record(1)]))

    assert published(bus) == [(1, [1])]


async def test_a_full_publisher_takes_nothing(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, max_pending=3)
    publisher.put(records(1, 2))

    assert publisher.room_for(1)
    assert not publisher.room_for(2)
    with pytest.raises(PublisherFull):
        publisher.put(records(3, 4))
    publisher.put([record(3)])
    with pytest.raises(PublisherFull):
        publisher.put([record(4)])
    assert (publisher.last_seq, publisher.pending) == (3, 3)

    async with running(publisher):
        await publisher.wait_confirmed(3)
        assert publisher.put([record(4)]) == 4
        await publisher.wait_confirmed(4)
    assert published(bus) == [(1, [1, 2, 3]), (4, [4])]


async def test_an_empty_publisher_takes_more_than_its_limit_at_once(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, max_pending=3)
    async with running(publisher):
        publisher.put(records(1, 10))
        await publisher.wait_confirmed(10)

    assert published(bus) == [(1, list(range(1, 11)))]


async def test_who_waits_for_room_gets_it_in_turn(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, max_pending=4)
    publisher.put(records(1, 3))
    bus.confirming.clear()
    async with running(publisher):
        await until_published(bus, 1)
        waiting = asyncio.create_task(publisher.put_when_room(records(4, 5)))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert publisher.last_seq == 3

        bus.confirming.set()
        assert await waiting == 5
        assert await publisher.put_when_room([record(6)]) == 6
        await publisher.wait_confirmed(6)

    assert published(bus)[0] == (1, [1, 2, 3])
    assert [number for _, numbers in published(bus) for number in numbers] == [1, 2, 3, 4, 5, 6]


async def test_whoever_asked_is_told_what_is_durable(bus: MemoryBus) -> None:
    confirmed: list[Records] = []
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, on_confirmed=confirmed.append)
    bus.confirming.clear()
    async with running(publisher):
        publisher.put([record(1)])
        await until_published(bus, 1)
        publisher.put([record(2)])
        publisher.put([record(3)])
        assert confirmed == []

        bus.confirming.set()
        await publisher.wait_confirmed(3)

    assert confirmed == [[record(1)], [record(2), record(3)]]


def marks(bus: MemoryBus) -> list[bool]:
    """Of each message whether it says that there is more."""
    return [command_decoder().decode(body)[0].more for body in bus.queues[ORDER_ENTRY]]


async def test_records_too_large_for_one_message_are_published_in_several(bus: MemoryBus) -> None:
    confirmed: list[int] = []
    publisher = Publisher(
        bus,
        ORDER_ENTRY,
        SOURCE,
        max_bytes=1_000,
        on_confirmed=lambda entries: confirmed.append(len(entries)),
    )
    async with running(publisher):
        await publisher.wait_confirmed(publisher.put(records(1, 100)))

    messages = published(bus)
    assert [number for _, numbers in messages for number in numbers] == list(range(1, 101))
    assert [seq for seq, _ in messages] == [numbers[0] for _, numbers in messages]
    assert marks(bus) == [True] * (len(messages) - 1) + [False]
    sizes = [len(body) for body in bus.queues[ORDER_ENTRY]]
    assert max(sizes) <= 1_000
    assert min(sizes) > 400
    assert confirmed == [100]


async def test_what_the_broker_takes_is_learnt_from_its_refusals(bus: MemoryBus) -> None:
    bus.max_bytes = 700
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE)
    async with running(publisher):
        await publisher.wait_confirmed(publisher.put(records(1, 50)))
        await publisher.wait_confirmed(publisher.put(records(51, 100)))

    assert [n for _, numbers in published(bus) for n in numbers] == list(range(1, 101))
    assert marks(bus).count(False) == 2


async def test_a_record_that_the_broker_never_takes_ends_the_publisher(bus: MemoryBus) -> None:
    bus.max_bytes = 20
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE)
    publisher.put(records(1, 3))
    with pytest.raises(RecordTooLarge, match="are more than 20"):
        await publisher.run()
    assert publisher.confirmed_seq == 0


async def test_groups_that_are_put_when_there_is_room_stay_together(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, max_batch=3, max_pending=6)
    assert await publisher.put_when_room(records(1, 2), [], records(3, 4), records(5, 5)) == 5
    async with running(publisher):
        await publisher.wait_confirmed(5)

    assert published(bus) == [(1, [1, 2]), (3, [3, 4, 5])]


class Waiting:
    """Records that wait elsewhere, in an order of their own."""

    def __init__(self, *waiting: CancelOrder) -> None:
        self.waiting = list(waiting)
        self.asked: list[int] = []

    def give(self, room: int) -> Records:
        self.asked.append(room)
        given, self.waiting = self.waiting[:room], self.waiting[room:]
        return given


async def test_a_message_is_filled_up_from_what_waits_elsewhere_at_the_last_moment(
    bus: MemoryBus,
) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE, max_batch=3)
    supply = Waiting()
    publisher.take_from(supply.give)
    bus.confirming.clear()
    async with running(publisher):
        publisher.put([record(1)])
        await until_published(bus, 1)
        supply.waiting = records(6, 10)
        publisher.wake()
        publisher.put([record(2)])
        bus.confirming.set()
        await publisher.drain()
    assert published(bus) == [(1, [1]), (2, [2, 6, 7]), (5, [8, 9, 10])]
    assert supply.asked == [2, 2, 3, 3]
    assert (publisher.last_seq, publisher.confirmed_seq, publisher.pending) == (7, 7, 0)


async def test_a_supply_that_has_nothing_is_no_message(bus: MemoryBus) -> None:
    publisher = Publisher(bus, ORDER_ENTRY, SOURCE)
    supply = Waiting()
    publisher.take_from(supply.give)
    async with running(publisher):
        await publisher.drain()
        publisher.put([record(1)])
        await publisher.drain()
    assert published(bus) == [(1, [1])]
