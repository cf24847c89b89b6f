"""What only the RabbitMQ adapter must cope with: a broker that is away, stuck, strict or bare."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import aio_pika
import pytest
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed

from exchange_shared.bus import DEAD_LETTER, ORDER_ENTRY, BusClosed, LogDiffers, open_bus
from exchange_shared.bus.rabbitmq import RabbitMQBus
from exchange_shared.bus.topology import BROKER_EXCHANGE, declare_topology
from tests.support.broker import Broker
from tests.support.bus import bodies, read, read_all
from tests.support.servers import RabbitMQServer

SERVICE = "service:secret"


@pytest.fixture
async def bus(rabbitmq_url: str) -> AsyncIterator[RabbitMQBus]:
    opened = RabbitMQBus(rabbitmq_url)
    yield opened
    await opened.close()


async def until_troubled(bus: RabbitMQBus) -> str:
    """The reason why a bus is unavailable, as soon as it has one."""
    async with asyncio.timeout(30):
        while (reason := bus.unavailable_reason()) is None:
            await asyncio.sleep(0.01)
        return reason


async def until_sound(bus: RabbitMQBus) -> None:
    """Return when a bus is available again."""
    async with asyncio.timeout(60):
        while bus.unavailable_reason() is not None:
            await asyncio.sleep(0.01)


def with_port(url: str, port: int) -> str:
    head, _, tail = url.rpartition(":")
    return f"{head}:{port}/{tail.partition('/')[2]}"


async def test_a_url_of_amqp_opens_this_adapter(rabbitmq_url: str) -> None:
    bus = await open_bus(rabbitmq_url)
    assert isinstance(bus, RabbitMQBus)
    await bus.close()


async def test_it_needs_no_right_to_configure_the_broker(
    rabbitmq_server: Broker, rabbitmq_url: str
) -> None:
    virtual_host = rabbitmq_url.rpartition("/")[2]
    await asyncio.to_thread(rabbitmq_server.create_user, *SERVICE.split(":"))
    await asyncio.to_thread(
        lambda: rabbitmq_server.grant(
            "service", virtual_host, configure="^$", write=f"^{BROKER_EXCHANGE}$", read=".*"
        )
    )
    url = rabbitmq_server.url(virtual_host, SERVICE)
    bus = RabbitMQBus(url)

    await bus.publish(ORDER_ENTRY, b"first")
    await bus.publish(DEAD_LETTER, b"bad")

    assert bodies(await read_all(bus, ORDER_ENTRY)) == [b"first"]
    assert await bus.last_position(ORDER_ENTRY) == 0
    await bus.close()
    with pytest.raises(ChannelAccessRefused):
        await declare_topology(url)


async def test_the_broker_tells_who_wrote_a_message(
    rabbitmq_server: Broker, rabbitmq_url: str
) -> None:
    virtual_host = rabbitmq_url.rpartition("/")[2]
    await asyncio.to_thread(rabbitmq_server.create_user, *SERVICE.split(":"))
    await asyncio.to_thread(rabbitmq_server.grant, "service", virtual_host)
    administrator = rabbitmq_server.administrator

    async def write_unsigned(body: bytes, user: str | None = None) -> None:
        async with await aio_pika.connect(rabbitmq_url) as connection:
            channel = await connection.channel()
            broker_exchange = await channel.get_exchange(BROKER_EXCHANGE, ensure=False)
            await broker_exchange.publish(aio_pika.Message(body, user_id=user), ORDER_ENTRY)

    async def users(after: int | None, count: int) -> list[str | None]:
        bus = RabbitMQBus(rabbitmq_url)
        found = [message.user for message in await read(bus, ORDER_ENTRY, after, count)]
        await bus.close()
        return found

    await write_unsigned(b"of a version before")
    for url in (rabbitmq_server.url(virtual_host, SERVICE), rabbitmq_url):
        bus = RabbitMQBus(url)
        await bus.publish(ORDER_ENTRY, b"signed")
        await bus.close()
    with pytest.raises(
        ChannelPreconditionFailed, match=f"authenticated user was '{administrator}'"
    ):
        await write_unsigned(b"forged", user="service")
    await write_unsigned(b"kept secret")

    assert await users(None, 4) == [None, "service", administrator, ""]
    assert await users(2, 1) == [""]


async def test_declaring_the_queues_again_changes_nothing(
    bus: RabbitMQBus, rabbitmq_url: str
) -> None:
    await bus.publish(ORDER_ENTRY, b"first")

    await declare_topology(rabbitmq_url)

    assert bodies(await read_all(bus, ORDER_ENTRY)) == [b"first"]
    with pytest.raises(ChannelPreconditionFailed):
        await declare_topology(rabbitmq_url, stream_bytes=1_000_000)


async def test_a_dead_letter_waits_in_a_queue_for_people(
    bus: RabbitMQBus, rabbitmq_url: str
) -> None:
    await bus.publish(DEAD_LETTER, b"bad")

    async with await aio_pika.connect(rabbitmq_url) as connection:
        queue = await (await connection.channel()).get_queue(DEAD_LETTER)
        message = await queue.get()
        assert message is not None
        assert message.body == b"bad"
        await message.ack()


async def test_queues_that_nobody_has_declared_yet_are_waited_for(
    rabbitmq_server: Broker,
) -> None:
    url = await asyncio.to_thread(rabbitmq_server.create_virtual_host, "bare")
    publisher, subscriber = RabbitMQBus(url), RabbitMQBus(url)
    publishing = asyncio.create_task(publisher.publish(ORDER_ENTRY, b"early"))
    reading = asyncio.create_task(read(subscriber, ORDER_ENTRY, None, 1))
    assert "publish to order_entry" in await until_troubled(publisher)
    assert "read order_entry" in await until_troubled(subscriber)

    await declare_topology(url)
    await publishing

    assert bodies(await reading) == [b"early"]
    assert publisher.unavailable_reason() is None
    await publisher.close()
    await subscriber.close()
    await asyncio.to_thread(rabbitmq_server.delete_virtual_host, "bare")


async def test_a_queue_that_is_gone_is_told_to_publisher_and_reader(
    bus: RabbitMQBus, rabbitmq_url: str
) -> None:
    await bus.publish(ORDER_ENTRY, b"first")
    async with aclosing(bus.subscribe(ORDER_ENTRY, None)) as stream:
        assert bodies(await anext(stream)) == [b"first"]
        waiting = asyncio.create_task(anext(stream))
        async with await aio_pika.connect(rabbitmq_url) as connection:
            await (await connection.channel()).queue_delete(ORDER_ENTRY)
        assert "read order_entry" in await until_troubled(bus)
        waiting.cancel()
        await asyncio.wait([waiting])
    publishing = asyncio.create_task(bus.publish(ORDER_ENTRY, b"second"))
    assert "publish to order_entry" in await until_troubled(bus)

    await declare_topology(rabbitmq_url)
    await publishing

    assert bodies(await read_all(bus, ORDER_ENTRY)) == [b"second"]


@pytest.mark.slow
async def test_a_killed_broker_is_told_and_waited_for(
    bus: RabbitMQBus, own_rabbitmq_server: RabbitMQServer
) -> None:
    await bus.publish(ORDER_ENTRY, b"before")
    async with aclosing(bus.subscribe(ORDER_ENTRY, None)) as stream:
        messages = await anext(stream)
        reading = asyncio.create_task(anext(stream))
        await asyncio.to_thread(own_rabbitmq_server.kill)
        publishing = asyncio.create_task(bus.publish(ORDER_ENTRY, b"after"))
        await until_troubled(bus)
        assert not publishing.done()

        await asyncio.to_thread(own_rabbitmq_server.start)
        await publishing
        messages += await reading

        assert bodies(messages) == [b"before", b"after"]
        assert bus.unavailable_reason() is None


@pytest.mark.slow
async def test_a_stuck_broker_is_told_and_waited_for(
    bus: RabbitMQBus, own_rabbitmq_server: RabbitMQServer
) -> None:
    sent: list[bytes] = []
    resumed = asyncio.Event()

    async def publish() -> None:
        while not resumed.is_set():
            sent.append(b"%d" % len(sent))
            await bus.publish(ORDER_ENTRY, sent[-1])

    publishing = asyncio.create_task(publish())
    own_rabbitmq_server.pause()
    try:
        assert "publish to order_entry" in await until_troubled(bus)
    finally:
        own_rabbitmq_server.resume()
    await until_sound(bus)
    resumed.set()
    await publishing

    assert list(dict.fromkeys(bodies(await read_all(bus, ORDER_ENTRY)))) == sent


async def test_closing_gives_up_on_a_broker_that_is_not_there(rabbitmq_url: str) -> None:
    bus = RabbitMQBus(with_port(rabbitmq_url, 1))
    work = [
        asyncio.create_task(bus.publish(ORDER_ENTRY, b"never")),
        asyncio.create_task(read(bus, ORDER_ENTRY, None, 1)),
        asyncio.create_task(bus.last_position(ORDER_ENTRY)),
    ]
    await until_troubled(bus)

    await bus.close()

    for result in await asyncio.gather(*work, return_exceptions=True):
        assert isinstance(result, BusClosed)


async def test_a_cancelled_publish_leaves_no_trouble_behind(rabbitmq_url: str) -> None:
    bus = RabbitMQBus(with_port(rabbitmq_url, 1))
    publishing = asyncio.create_task(bus.publish(ORDER_ENTRY, b"never"))
    await until_troubled(bus)

    publishing.cancel()
    await asyncio.wait([publishing])

    assert publishing.cancelled()
    assert bus.unavailable_reason() is None
    await bus.close()


async def test_a_queue_that_was_lost_and_written_anew_is_not_read_on(
    rabbitmq_server: Broker, rabbitmq_url: str
) -> None:
    reader, writer = RabbitMQBus(rabbitmq_url), RabbitMQBus(rabbitmq_url)
    for body in (b"one", b"two"):
        await writer.publish(ORDER_ENTRY, body)
    async with aclosing(reader.subscribe(ORDER_ENTRY, None)) as stream:
        seen = [await anext(stream)]
        while seen[-1][-1].body != b"two":
            seen.append(await anext(stream))
        async with await aio_pika.connect(rabbitmq_url) as connection:
            await (await connection.channel()).queue_delete(ORDER_ENTRY)
        await declare_topology(rabbitmq_url)
        for body in (b"one", b"other", b"three"):
            await writer.publish(ORDER_ENTRY, body)
        with pytest.raises(LogDiffers, match="order_entry has another message at 1"):
            await anext(stream)
    await reader.close()
    await writer.close()
