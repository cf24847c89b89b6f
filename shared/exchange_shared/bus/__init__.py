"""The message bus: a small port, and adapters for RabbitMQ streams and for a SQLite file."""

from exchange_shared.bus.position import LogPosition
from exchange_shared.bus.protocol import (
    DATA_FEED,
    DEAD_LETTER,
    LOG_QUEUES,
    ORDER_ENTRY,
    ORDER_EXECUTION,
    Bus,
    BusClosed,
    BusError,
    LogDiffers,
    LogTruncated,
    Message,
    MessageTooLarge,
    RecordTooLarge,
)
from exchange_shared.bus.publisher import BatchPublisher, Publisher, PublisherFull
from exchange_shared.bus.reader import DeadLetter, Delivery, QueueReader
from exchange_shared.bus.sequence import SequenceGap, SequenceTracker

__all__ = [
    "DATA_FEED",
    "DEAD_LETTER",
    "LOG_QUEUES",
    "ORDER_ENTRY",
    "ORDER_EXECUTION",
    "BatchPublisher",
    "Bus",
    "BusClosed",
    "BusError",
    "DeadLetter",
    "Delivery",
    "LogDiffers",
    "LogPosition",
    "LogTruncated",
    "Message",
    "MessageTooLarge",
    "Publisher",
    "PublisherFull",
    "QueueReader",
    "RecordTooLarge",
    "SequenceGap",
    "SequenceTracker",
    "open_bus",
]


async def open_bus(url: str, *, read_only: bool = False) -> Bus:
    """The bus at a URL: `amqp://user:password@host:port/` or `sqlite:///path/of/the/log.db`.

    Returns at once; a broker that is not there yet is waited for inside `publish` and `subscribe`.
    `read_only` opens a SQLite log beside the process that writes it.

    Raises:
        ValueError: the URL has another scheme.
    """
    scheme = url.partition(":")[0]
    if scheme == "amqp":
        from exchange_shared.bus.rabbitmq import RabbitMQBus

        return RabbitMQBus(url)
    if scheme == "sqlite":
        from exchange_shared.bus.sqlite import SQLiteBus

        return await SQLiteBus.open(url.removeprefix("sqlite:///"), read_only=read_only)
    raise ValueError(f"bus URL {scheme}:…: expected amqp://… or sqlite:///…")
