"""The exchange and the queues in RabbitMQ. Only who may configure the broker declares them."""

import asyncio

import aio_pika
import structlog
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldTable

from exchange_shared.bus.protocol import DEAD_LETTER, LOG_QUEUES

BROKER_EXCHANGE = "stock_exchange"

STREAM_BYTES = 20_000_000_000
"""What a log queue keeps; beyond it the oldest segments go."""

STREAM_SEGMENT_BYTES = 100_000_000
"""The size of the files of a log queue."""

DEAD_LETTER_BYTES = 50_000_000
"""What the drawer for unreadable messages keeps; beyond it the oldest go."""

_RETRY_SECONDS = 0.5
_TIMEOUT_SECONDS = 30.0

log = structlog.get_logger()


async def declare_topology(
    url: str,
    *,
    stream_bytes: int = STREAM_BYTES,
    stream_segment_bytes: int = STREAM_SEGMENT_BYTES,
) -> None:
    """Declare the durable direct exchange, the log queues (streams), the drawer, the bindings.

    Waits for a broker that is not there yet; may be done again. The routing key of a queue is its
    name.

    Raises:
        aiormq.exceptions.AMQPError: the broker refuses, or has a queue with other arguments.
    """
    while True:
        try:
            await _declare(url, stream_bytes, stream_segment_bytes)
            return
        except (OSError, TimeoutError, ChannelNotFoundEntity) as error:
            # After a restart, a stream is "not found" until its leader is up.
            log.warning("broker_unavailable", error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)


async def _declare(url: str, stream_bytes: int, stream_segment_bytes: int) -> None:
    connection = await aio_pika.connect(url, timeout=_TIMEOUT_SECONDS)
    async with connection, connection.channel() as channel:
        broker_exchange = await channel.declare_exchange(
            BROKER_EXCHANGE,
            aio_pika.ExchangeType.DIRECT,
            durable=True,
            timeout=_TIMEOUT_SECONDS,
        )
        stream: FieldTable = {
            "x-queue-type": "stream",
            "x-max-length-bytes": stream_bytes,
            "x-stream-max-segment-size-bytes": stream_segment_bytes,
        }
        drawer: FieldTable = {
            "x-queue-type": "quorum",
            "x-max-length-bytes": DEAD_LETTER_BYTES,
            "x-overflow": "drop-head",
        }
        for name, arguments in [(queue, stream) for queue in LOG_QUEUES] + [(DEAD_LETTER, drawer)]:
            queue = await channel.declare_queue(
                name, durable=True, arguments=arguments, timeout=_TIMEOUT_SECONDS
            )
            await queue.bind(broker_exchange, name, timeout=_TIMEOUT_SECONDS)
