"""Reading one RabbitMQ stream over one connection, from an offset until the connection is lost."""

import asyncio
from typing import Self

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from exchange_shared.bus.protocol import Message
from exchange_shared.bus.rabbitmq_link import connect, disconnect, no_leak

PREFETCH = 200
"""The most messages that wait in memory; a stream has no reading without a limit."""

RPC_SECONDS = 10.0

_ACK_EVERY = PREFETCH // 4
_PROBE_ROUNDS = 10
_PROBE_SECONDS = 0.02


class StreamReader:
    """A consumer of a stream. An acknowledgement is only room for the next message."""

    def __init__(self, connection: AbstractConnection) -> None:
        """Takes over a connection; `attach` makes both."""
        self._connection = connection
        self._channel: AbstractChannel | None = None
        self._underlay: UnderlayChannel | None = None
        self._inbox: list[Message] = []
        self._arrived = asyncio.Event()
        self._users_are_told = False
        self._lost: str | None = None
        self._tag = 0
        self._acknowledged_tag = 0

    @classmethod
    async def attach(cls, url: str, queue: str, offset: int | str) -> Self:
        """Connect, and read from an offset inclusive, or from `first` or `last`.

        An offset that the stream does not have is moved to the nearest by the broker, silently.

        Raises:
            TROUBLE: the broker or the stream is not there, now or at all.
        """
        reader = cls(await connect(url))
        try:
            async with asyncio.timeout(RPC_SECONDS):
                await no_leak(reader._consume(queue, offset))
        except BaseException:
            await reader.close()
            raise
        return reader

    async def _consume(self, queue: str, offset: int | str) -> None:
        self._channel = self._connection.channel(publisher_confirms=False)
        await self._channel.initialize()
        await self._channel.set_qos(prefetch_count=PREFETCH)
        self._underlay = await self._channel.get_underlay_channel()
        self._underlay.on_consumer_cancel_callbacks.add(self._on_cancelled)
        self._channel.close_callbacks.add(self._on_closed)
        await self._underlay.basic_consume(
            queue, self._on_message, arguments={"x-stream-offset": offset}
        )

    async def _on_message(self, message: DeliveredMessage) -> None:
        """Runs as a task per message, in order for as long as it awaits nothing."""
        headers = message.header.properties.headers or {}
        offset = headers["x-stream-offset"]
        assert isinstance(offset, int)
        assert message.delivery_tag is not None
        self._tag = message.delivery_tag
        user = message.header.properties.user_id
        if user is not None:
            self._users_are_told = True
        elif self._users_are_told:
            user = ""
        self._inbox.append(Message(offset, message.body, user))
        self._arrived.set()

    async def _on_cancelled(self, _frame: Basic.Cancel) -> None:
        self._lose("the stream went away")

    def _on_closed(self, _sender: object, error: BaseException | None) -> None:
        self._lose(str(error) if error else "the connection was closed")

    def _lose(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._arrived.set()

    async def take(self) -> list[Message]:
        """What has arrived, as soon as it is something.

        Raises:
            TROUBLE: the connection is lost, and everything was taken that came before.
        """
        await self._arrived.wait()
        messages, self._inbox = self._inbox, []
        if self._lost is None:
            self._arrived.clear()
            await self._acknowledge()
        elif not messages:
            raise ConnectionError(self._lost)
        return messages

    async def _acknowledge(self) -> None:
        if self._tag - self._acknowledged_tag >= _ACK_EVERY:
            assert self._underlay is not None
            self._acknowledged_tag = self._tag
            await no_leak(self._underlay.basic_ack(self._tag, multiple=True, wait=False))

    async def newest(self) -> int | None:
        """The offset of the newest message, of a reader attached to `last`; `None`: no message.

        The broker's own count of messages is seconds old. But it handles the requests of a
        channel in order, and delivers what it has before it answers one that came later.
        """
        newest: int | None = None
        for _ in range(_PROBE_ROUNDS):
            if await self._delivered():
                break
            await asyncio.sleep(_PROBE_SECONDS)
        while self._inbox:
            newest = (await self.take())[-1].position
            await self._delivered()
        return newest

    async def _delivered(self) -> bool:
        """Whether something is there after the broker has answered a request."""
        assert self._channel is not None
        await no_leak(self._channel.set_qos(prefetch_count=PREFETCH, timeout=RPC_SECONDS))
        return bool(self._inbox)

    async def close(self) -> None:
        """Let go of the connection. May be called again."""
        self._lose("the reader was closed")
        await disconnect(self._connection)
