"""The port to the log: what the services need of a message broker, and nothing more."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from exchange_shared.invariants import MustStop

ORDER_ENTRY = "order_entry"
ORDER_EXECUTION = "order_execution"
DATA_FEED = "data_feed"
DEAD_LETTER = "dead_letter"
"""Not a log but a drawer: copies of messages that nobody could read, for people to look at."""

LOG_QUEUES = (ORDER_ENTRY, ORDER_EXECUTION, DATA_FEED)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a queue at its position, an integer that only grows (it may leave gaps).

    `user` is who wrote it, as the broker has checked: `None` where nobody tells that (the embedded
    log, and what versions before wrote), and empty when it is kept secret although others tell it.
    """

    position: int
    body: bytes
    user: str | None = None


class BusError(Exception):
    """The message bus cannot do what was asked of it."""


class LogTruncated(BusError, MustStop):
    """A queue ends before, or begins after, a position that this service has already applied."""


class LogDiffers(BusError, MustStop):
    """A queue has another message at a position than the one that this service has read there."""


class MessageTooLarge(BusError):
    """The broker takes no message of this size."""


class RecordTooLarge(BusError, MustStop):
    """The broker takes no message as large as one record is: nothing after it can be published."""


class BusClosed(BusError):
    """The bus was closed while something waited for it."""


class Bus(Protocol):
    """Durable, replayable, ordered queues. All adapters pass `tests/contract/test_bus.py`."""

    async def publish(self, queue: str, body: bytes) -> None:
        """Append a message; returns when it is durable.

        Tries again through lost connections for as long as it takes, so a message may end up in
        the queue twice (readers drop the second copy by its `seq`), but never out of order as long
        as the caller waits for one message before it publishes the next.

        Raises:
            BusClosed: the bus was closed first; the message may or may not be in the queue.
            MessageTooLarge: the message is not in the queue, and never will be.
        """
        ...

    def subscribe(self, queue: str, after: int | None) -> AsyncGenerator[list[Message], None]:
        """Everything in `queue` after a position (`None`: from the beginning), then what comes.

        Yields what has gathered, in order, never an empty list, and never ends by itself; lost
        connections are made again inside. At most a bounded number of messages is held in memory.

        Raises:
            LogTruncated: the queue no longer has, or does not have, the message at `after`.
            LogDiffers: after a lost connection the queue has another message at a position than
                the one that was yielded.
            BusClosed: the bus was closed.
        """
        ...

    async def message_at(self, queue: str, position: int) -> Message:
        """One message.

        Raises:
            LogTruncated: the queue no longer has it, or does not have it.
            BusClosed: the bus was closed.
        """
        ...

    async def last_position(self, queue: str) -> int | None:
        """The position of the newest message, `None` when the queue is empty."""
        ...

    def unavailable_reason(self) -> str | None:
        """`None` while the bus can be used, otherwise why not, in words for people."""
        ...

    async def close(self) -> None:
        """Let go of connections and files. May be called again."""
        ...
