"""The bus over RabbitMQ streams: durable queues that keep what was read."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection, AbstractExchange
from aiormq.exceptions import ChannelPreconditionFailed, DeliveryError

from exchange_shared.bus.protocol import (
    BusClosed,
    LogDiffers,
    LogTruncated,
    Message,
    MessageTooLarge,
)
from exchange_shared.bus.rabbitmq_link import TROUBLE, connect, disconnect, no_leak
from exchange_shared.bus.rabbitmq_stream import RPC_SECONDS, StreamReader
from exchange_shared.bus.topology import BROKER_EXCHANGE

PUBLISH_SECONDS = 5.0
"""A publish without a confirm for so long is done again, over a new connection."""

ATTACH_SECONDS = 3.0
"""A message that a stream has arrives at once; after so long we ask where the stream ends."""

_TOO_LARGE = re.compile(r"larger than configured max size (\d+)")
"""What the broker says of a message beyond its `max_message_size`, in every version since 3.8."""

FIRST_PAUSE_SECONDS = 0.05
LAST_PAUSE_SECONDS = 2.0

log = structlog.get_logger()


@dataclass(frozen=True)
class _PublishingLink:
    connection: AbstractConnection
    broker_exchange: AbstractExchange


class _Attempts:
    """Trying something again and again: pauses that grow, and the reason why it goes on."""

    def __init__(self, what: str, closing: asyncio.Event) -> None:
        self.trouble: str | None = None
        self._what = what
        self._closing = closing
        self._pause = FIRST_PAUSE_SECONDS

    def succeeded(self) -> None:
        """Forget about the trouble there was."""
        if self.trouble:
            log.info("broker_available", work=self._what)
        self.trouble = None
        self._pause = FIRST_PAUSE_SECONDS

    async def failed(self, error: BaseException) -> None:
        """Tell of the trouble, and wait a while, or until the bus is closed."""
        if self.trouble is None and not self._closing.is_set():
            log.warning("broker_unavailable", work=self._what, error=repr(error))
        self.trouble = f"RabbitMQ, {self._what}: {error!r}"
        pause, self._pause = self._pause, min(2 * self._pause, LAST_PAUSE_SECONDS)
        try:
            async with asyncio.timeout(pause):
                await self._closing.wait()
        except TimeoutError:
            return


class RabbitMQBus:
    """Adapter of `Bus`. A position is an offset in a stream; the first message has offset 0.

    It needs no right to configure the broker: `declare_topology` has declared the queues, or will,
    and until then they are waited for. One connection publishes, and one more for each subscription
    reads, so that a broker which blocks its publishers still delivers.
    """

    def __init__(self, url: str) -> None:
        """Connects to nothing yet."""
        self._url = url
        self._user = unquote(urlsplit(url).username or "guest")
        self._closing = asyncio.Event()
        self._link: _PublishingLink | None = None
        self._connecting = asyncio.Lock()
        self._readers: set[StreamReader] = set()
        self._attempts: set[_Attempts] = set()

    async def publish(self, queue: str, body: bytes) -> None:
        """Append a message; see `Bus`."""
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/json",
            user_id=self._user,
        )
        with self._attempting(f"publish to {queue}") as attempts:
            while True:
                self._check_open()
                link: _PublishingLink | None = None
                try:
                    link = await self._publishing_link()
                    await no_leak(
                        link.broker_exchange.publish(message, queue, timeout=PUBLISH_SECONDS)
                    )
                    return
                except DeliveryError as error:  # refused, or no such queue: the link is sound
                    await attempts.failed(error)
                except ChannelPreconditionFailed as error:
                    await self._drop(link)
                    if _is_too_large(len(body), error):
                        raise MessageTooLarge(
                            f"{queue} takes no {len(body)} bytes: {error}"
                        ) from error
                    await attempts.failed(error)
                except TROUBLE as error:
                    await self._drop(link)
                    await attempts.failed(error)

    async def _publishing_link(self) -> _PublishingLink:
        """The connection to publish over, made when there is none."""
        if self._link is not None:
            return self._link
        async with self._connecting:
            if self._link is None:
                self._check_open()
                connection = await connect(self._url)
                try:
                    async with asyncio.timeout(RPC_SECONDS):
                        # Without the option, a message for a queue that is not there "succeeds".
                        channel = connection.channel(on_return_raises=True)
                        await no_leak(channel.initialize())
                        broker_exchange = await no_leak(
                            channel.get_exchange(BROKER_EXCHANGE, ensure=False)
                        )
                    self._check_open()
                except BaseException:
                    await disconnect(connection)
                    raise
                self._link = _PublishingLink(connection, broker_exchange)
            return self._link

    async def _drop(self, link: _PublishingLink | None) -> None:
        """Never use a link again on which something failed: its confirms may be out of step."""
        if link is not None:
            if self._link is link:
                self._link = None
            await disconnect(link.connection)

    async def subscribe(self, queue: str, after: int | None) -> AsyncGenerator[list[Message], None]:
        """Everything in `queue` after a position, then what comes; see `Bus`."""
        last: Message | None = None
        with self._attempting(f"read {queue}") as attempts:
            while True:
                self._check_open()
                reader: StreamReader | None = None
                try:
                    offset = "first" if after is None else after
                    reader = await self._attach(queue, offset)
                    attempts.succeeded()
                    messages = await self._first_messages(reader, queue, after)
                    if after is not None:
                        _check_same(queue, last, messages.pop(0))
                    while True:
                        if messages:
                            last = messages[-1]
                            after = last.position
                            yield messages
                        self._check_open()
                        messages = await reader.take()
                except TROUBLE as error:
                    await attempts.failed(error)
                finally:
                    if reader is not None:
                        await self._detach(reader)

    async def _first_messages(
        self, reader: StreamReader, queue: str, after: int | None
    ) -> list[Message]:
        """What arrives first: the message at `after`, which must be there, or the first one."""
        if after is None:
            messages = await reader.take()
            if messages[0].position != 0:
                raise LogTruncated(
                    f"{queue} begins with message {messages[0].position}, not with the first"
                )
            return messages
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                messages = await reader.take()
        except TimeoutError:
            newest = await self._newest(queue)
            if newest is None or newest < after:
                raise LogTruncated(
                    f"{queue} has no message {after}, it ends with {newest}"
                ) from None
            raise
        if messages[0].position != after:
            raise LogTruncated(f"{queue} has no message {after}, only {messages[0].position}…")
        return messages

    async def message_at(self, queue: str, position: int) -> Message:
        """One message; see `Bus`."""
        with self._attempting(f"look at {queue}") as attempts:
            while True:
                self._check_open()
                reader: StreamReader | None = None
                try:
                    reader = await self._attach(queue, position)
                    return (await self._first_messages(reader, queue, position))[0]
                except TROUBLE as error:
                    await attempts.failed(error)
                finally:
                    if reader is not None:
                        await self._detach(reader)

    async def last_position(self, queue: str) -> int | None:
        """The position of the newest message; see `Bus`."""
        with self._attempting(f"look at {queue}") as attempts:
            while True:
                self._check_open()
                try:
                    return await self._newest(queue)
                except TROUBLE as error:
                    await attempts.failed(error)

    async def _newest(self, queue: str) -> int | None:
        reader = await self._attach(queue, "last")
        try:
            return await reader.newest()
        finally:
            await self._detach(reader)

    async def _attach(self, queue: str, offset: int | str) -> StreamReader:
        reader = await StreamReader.attach(self._url, queue, offset)
        self._readers.add(reader)
        if self._closing.is_set():
            await self._detach(reader)
        return reader

    async def _detach(self, reader: StreamReader) -> None:
        self._readers.discard(reader)
        await reader.close()

    def unavailable_reason(self) -> str | None:
        """What fails at present, if anything does; see `Bus`."""
        if self._closing.is_set():
            return "the bus is closed"
        return next((attempts.trouble for attempts in self._attempts if attempts.trouble), None)

    async def close(self) -> None:
        """Close all connections; what waits for the bus ends with `BusClosed`."""
        self._closing.set()
        link, self._link = self._link, None
        closing = [reader.close() for reader in list(self._readers)]
        if link:
            closing.append(disconnect(link.connection))
        await asyncio.gather(*closing)

    @contextmanager
    def _attempting(self, what: str) -> Iterator[_Attempts]:
        attempts = _Attempts(what, self._closing)
        self._attempts.add(attempts)
        try:
            yield attempts
        finally:
            self._attempts.discard(attempts)

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise BusClosed("the bus is closed")


def _check_same(queue: str, last: Message | None, found: Message) -> None:
    """See that what a stream has at the position of the last message is still that message."""
    if last is not None and last.body != found.body:
        raise LogDiffers(
            f"{queue} has another message at {last.position} than the one that was read there:"
            " its end was lost, and written anew"
        )


def _is_too_large(size: int, error: ChannelPreconditionFailed) -> bool:
    """Whether the broker has closed the channel because of a message of this size.

    Every message that was on its way over the channel fails then, whichever was too large.
    """
    limit = _TOO_LARGE.search(str(error))
    return limit is not None and size > int(limit[1])
