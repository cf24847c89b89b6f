"""What every adapter of the bus promises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, Bus, BusClosed, LogTruncated
from tests.support.broker import Broker
from tests.support.bus import bodies, read, read_all
from tests.support.bus_stages import BusStage, MemoryStage, RabbitMQStage, SQLiteStage

MOST_HELD = 1_000
"""More than any adapter yields at once."""


@pytest.fixture(params=["memory", "sqlite", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> BusStage:
    if request.param == "memory":
        return MemoryStage()
    if request.param == "sqlite":
        return SQLiteStage(tmp_path)
    server: Broker = request.getfixturevalue("rabbitmq_server")
    url: str = request.getfixturevalue("rabbitmq_url")
    return RabbitMQStage(server, url.rpartition("/")[2])


@pytest.fixture
async def bus(stage: BusStage) -> AsyncIterator[Bus]:
    opened = await stage.open()
    yield opened
    await opened.close()


async def test_messages_are_read_in_the_order_in_which_they_were_published(bus: Bus) -> None:
    sent = [b"%d" % number for number in range(300)]
    for body in sent:
        await bus.publish(ORDER_ENTRY, body)

    messages = await read_all(bus, ORDER_ENTRY)

    positions = [message.position for message in messages]
    assert bodies(messages) == sent
    assert positions == sorted(set(positions))


@pytest.mark.usefixtures("flood")
async def test_messages_published_together_keep_their_order(bus: Bus) -> None:
    sent = [b"%d" % number for number in range(300)]

    await asyncio.gather(*[bus.publish(ORDER_ENTRY, body) for body in sent])

    assert bodies(await read_all(bus, ORDER_ENTRY)) == sent


async def test_queues_do_not_mix(bus: Bus) -> None:
    await bus.publish(ORDER_ENTRY, b"entry")
    await bus.publish(DATA_FEED, b"feed")

    assert bodies(await read_all(bus, ORDER_ENTRY)) == [b"entry"]
    assert bodies(await read_all(bus, DATA_FEED)) == [b"feed"]


async def test_reading_goes_on_after_any_position(bus: Bus) -> None:
    for number in range(20):
        await bus.publish(ORDER_ENTRY, b"%d" % number)
    messages = await read_all(bus, ORDER_ENTRY)

    for index in (0, 1, 10, 18):
        rest = messages[index + 1 :]
        assert await read(bus, ORDER_ENTRY, messages[index].position, len(rest)) == rest


async def test_reading_after_the_newest_message_waits_for_the_next(bus: Bus) -> None:
    await bus.publish(ORDER_ENTRY, b"old")
    (old,) = await read_all(bus, ORDER_ENTRY)
    reading = asyncio.create_task(read(bus, ORDER_ENTRY, old.position, 1))

    await bus.publish(ORDER_ENTRY, b"new")

    assert bodies(await reading) == [b"new"]


async def test_a_reader_of_an_empty_queue_gets_what_comes(bus: Bus) -> None:
    reading = asyncio.create_task(read(bus, ORDER_ENTRY, None, 2))

    await bus.publish(ORDER_ENTRY, b"first")
    await bus.publish(ORDER_ENTRY, b"second")

    assert bodies(await reading) == [b"first", b"second"]


async def test_every_subscriber_gets_everything(bus: Bus) -> None:
    sent = [b"%d" % number for number in range(100)]
    readings = [asyncio.create_task(read(bus, DATA_FEED, None, len(sent))) for _ in range(5)]

    for body in sent:
        await bus.publish(DATA_FEED, body)

    for messages in await asyncio.gather(*readings):
        assert bodies(messages) == sent


async def test_the_log_outlives_the_bus(stage: BusStage) -> None:
    bus = await stage.open()
    await bus.publish(ORDER_ENTRY, b"before")
    (before,) = await read_all(bus, ORDER_ENTRY)
    await bus.close()

    bus = await stage.open()
    await bus.publish(ORDER_ENTRY, b"after")

    messages = await read_all(bus, ORDER_ENTRY)
    assert bodies(messages) == [b"before", b"after"]
    assert messages[0] == before
    assert await read(bus, ORDER_ENTRY, before.position, 1) == messages[1:]
    await bus.close()


@pytest.mark.slow
async def test_what_was_confirmed_survives_a_kill(stage: BusStage) -> None:
    confirmed = await stage.publish_until_killed(ORDER_ENTRY)

    bus = await stage.open()
    found = bodies(await read_all(bus, ORDER_ENTRY))
    await bus.close()

    once = [body for index, body in enumerate(found) if index == 0 or found[index - 1] != body]
    assert once[: len(confirmed)] == confirmed
    assert once == [b"%d" % number for number in range(1, len(once) + 1)]


async def test_the_last_position_is_that_of_the_newest_message(bus: Bus) -> None:
    assert await bus.last_position(ORDER_ENTRY) is None

    for number in range(3):
        await bus.publish(ORDER_ENTRY, b"%d" % number)
        newest = await bus.last_position(ORDER_ENTRY)
        assert (await read_all(bus, ORDER_ENTRY))[-1].position == newest
    assert await bus.last_position(DATA_FEED) is None


async def test_a_log_that_ends_before_the_position_is_truncated(bus: Bus) -> None:
    await bus.publish(ORDER_ENTRY, b"only")
    (only,) = await read_all(bus, ORDER_ENTRY)

    with pytest.raises(LogTruncated):
        await read(bus, ORDER_ENTRY, only.position + 1, 1)


async def test_an_empty_log_is_truncated_for_who_has_read_from_it(bus: Bus) -> None:
    with pytest.raises(LogTruncated):
        await read(bus, ORDER_ENTRY, 5, 1)


async def test_a_log_without_its_first_messages_is_truncated(stage: BusStage) -> None:
    bus = await stage.open()
    await bus.publish(ORDER_ENTRY, b"first")
    await bus.publish(ORDER_ENTRY, b"second")
    (first, _) = await read_all(bus, ORDER_ENTRY)
    await bus.close()
    await stage.forget_first(ORDER_ENTRY)

    bus = await stage.open()
    with pytest.raises(LogTruncated):
        await read(bus, ORDER_ENTRY, None, 1)
    with pytest.raises(LogTruncated):
        await read(bus, ORDER_ENTRY, first.position, 1)
    await bus.close()


async def test_big_messages_arrive_whole(bus: Bus) -> None:
    big = bytes(range(256)) * 8_000
    await bus.publish(ORDER_ENTRY, b"small")
    await bus.publish(ORDER_ENTRY, big)
    await bus.publish(ORDER_ENTRY, b"")

    assert bodies(await read_all(bus, ORDER_ENTRY)) == [b"small", big, b""]


@pytest.mark.usefixtures("flood")
async def test_a_slow_reader_is_handed_a_bounded_number_at_once(bus: Bus) -> None:
    total = 5_000
    await bus.publish(ORDER_ENTRY, b"0")
    async with aclosing(bus.subscribe(ORDER_ENTRY, None)) as stream:
        messages = await anext(stream)
        for start in range(1, total, 500):
            await asyncio.gather(
                *[bus.publish(ORDER_ENTRY, b"%d" % n) for n in range(start, start + 500)]
            )
        while messages[-1].body != b"%d" % total:
            more = await anext(stream)
            assert 0 < len(more) <= MOST_HELD
            messages += more

    assert bodies(messages) == [b"%d" % number for number in range(total + 1)]


async def test_a_reader_that_stops_leaves_the_others_alone(bus: Bus) -> None:
    await bus.publish(ORDER_ENTRY, b"first")
    async with aclosing(bus.subscribe(ORDER_ENTRY, None)) as staying:
        assert bodies(await anext(staying)) == [b"first"]
        async with aclosing(bus.subscribe(ORDER_ENTRY, None)) as leaving:
            assert bodies(await anext(leaving)) == [b"first"]
        await bus.publish(ORDER_ENTRY, b"second")

        assert bodies(await anext(staying)) == [b"second"]


async def test_closing_ends_what_waits(bus: Bus) -> None:
    await bus.publish(ORDER_ENTRY, b"first")
    stream = bus.subscribe(ORDER_ENTRY, None)
    empty_stream = bus.subscribe(DATA_FEED, None)
    assert bodies(await anext(stream)) == [b"first"]
    waiting = [asyncio.create_task(anext(reader)) for reader in (stream, empty_stream)]
    await asyncio.sleep(0)

    await bus.close()

    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, BusClosed)


async def test_a_closed_bus_refuses_everything(bus: Bus) -> None:
    assert bus.unavailable_reason() is None

    await bus.close()
    await bus.close()

    assert bus.unavailable_reason()
    with pytest.raises(BusClosed):
        await bus.publish(ORDER_ENTRY, b"late")
    with pytest.raises(BusClosed):
        await read(bus, ORDER_ENTRY, None, 1)
    with pytest.raises(BusClosed):
        await bus.last_position(ORDER_ENTRY)


async def test_one_message_can_be_looked_at(bus: Bus) -> None:
    for body in (b"one", b"two", b"three"):
        await bus.publish(ORDER_ENTRY, body)
    positions = [message.position for message in await read_all(bus, ORDER_ENTRY)]
    found = [await bus.message_at(ORDER_ENTRY, position) for position in positions]
    assert bodies(found) == [b"one", b"two", b"three"]
    assert [message.position for message in found] == positions
    with pytest.raises(LogTruncated):
        await bus.message_at(ORDER_ENTRY, positions[-1] + 1)
    with pytest.raises(LogTruncated):
        await bus.message_at(DATA_FEED, positions[0])
