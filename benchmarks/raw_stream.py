"""The limit: how long one message takes through a RabbitMQ stream and back, with nothing between.

An acknowledged order makes this trip twice: to the engine on `order_entry`, and back on
`data_feed`.
"""

import asyncio
import time
from contextlib import aclosing

from exchange_shared.bus import ORDER_ENTRY, open_bus

MESSAGES = 300
BODY = b"x" * 200


async def raw_round_trip_ms(url: str) -> dict[str, float]:
    """Publish one message after another, each when the one before was delivered."""
    publisher = await open_bus(url)
    consumer = await open_bus(url)
    times: list[float] = []
    try:
        await publisher.publish(ORDER_ENTRY, BODY)
        after = await consumer.last_position(ORDER_ENTRY)
        async with aclosing(consumer.subscribe(ORDER_ENTRY, after)) as deliveries:
            for _ in range(MESSAGES):
                began = time.perf_counter()
                publishing = asyncio.create_task(publisher.publish(ORDER_ENTRY, BODY))
                await anext(deliveries)
                times.append((time.perf_counter() - began) * 1_000)
                await publishing
    finally:
        await publisher.close()
        await consumer.close()
    times.sort()
    return {
        "p50": round(times[len(times) // 2], 3),
        "p99": round(times[int(len(times) * 0.99)], 3),
    }
