"""What is common to every connection to RabbitMQ: how it is made, breaks, and is let go of."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

import aio_pika
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import AMQPError
from pamqp.exceptions import PAMQPException

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 0.5
HEARTBEAT_SECONDS = 5
"""A connection that is silent for some three times this is taken for lost."""

TROUBLE = (AMQPError, OSError, TimeoutError, RuntimeError, PAMQPException)
"""What a lost or refused connection raises; aiormq says RuntimeError of one that just closed."""

Result = TypeVar("Result")


async def no_leak(work: Awaitable[Result]) -> Result:
    """Await something of aio-pika, which can end a broken connection's calls in strange ways.

    Raises:
        ConnectionError: it was cancelled, but nobody cancelled this task, or the peer left.
    """
    try:
        return await work
    except StopAsyncIteration:  # what aiormq says of a peer that closes in the handshake
        raise ConnectionError("the broker closed the connection before it answered") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("the connection to the broker broke down") from None


async def connect(url: str) -> AbstractConnection:
    """A connection, which is never made again by itself.

    The library's "robust" one would read a stream from its original offset again.
    """
    return await no_leak(
        aio_pika.connect(url, timeout=CONNECT_SECONDS, heartbeat=HEARTBEAT_SECONDS)
    )


async def disconnect(connection: AbstractConnection) -> None:
    """Let go of a connection, in whatever state it is, within a limit."""
    with suppress(*TROUBLE):
        async with asyncio.timeout(CLOSE_SECONDS):
            await no_leak(connection.close())
