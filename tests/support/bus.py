"""Reading from a bus in tests."""

import asyncio
from contextlib import aclosing

from exchange_shared.bus import Bus, Message

READ_SECONDS = 60.0


async def read(bus: Bus, queue: str, after: int | None, count: int) -> list[Message]:
    """The first `count` messages after a position (and those that came along), when all are there.

    Raises:
        TimeoutError: they did not come.
    """
    messages: list[Message] = []
    async with asyncio.timeout(READ_SECONDS), aclosing(bus.subscribe(queue, after)) as stream:
        while len(messages) < count:
            messages += await anext(stream)
    return messages


async def read_all(bus: Bus, queue: str) -> list[Message]:
    """Everything that is in a queue now."""
    last = await bus.last_position(queue)
    messages: list[Message] = []
    if last is None:
        return messages
    async with asyncio.timeout(READ_SECONDS), aclosing(bus.subscribe(queue, None)) as stream:
        while not messages or messages[-1].position < last:
            messages += await anext(stream)
    return messages


def bodies(messages: list[Message]) -> list[bytes]:
    """What is in the messages."""
    return [message.body for message in messages]
