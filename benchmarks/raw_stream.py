"""The limit: how long a message takes through two RabbitMQ streams, with nothing between.

That is the way of an order and its answer: to the engine on `order_entry`, and back on `data_feed`.
"""

import asyncio
import time
from contextlib import aclosing

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, Bus, open_bus

BODY = b"x" * 200


async def two_raw_hops_ms(url: str, per_second: float, seconds: float) -> dict[str, float]:
    """The time from publishing to the second delivery, of messages paced like lone orders.

    What it adds to the queues is no batch: they must be those of no exchange.
    """
    asker, relay = await open_bus(url), await open_bus(url)
    times: list[float] = []
    try:
        relaying = asyncio.create_task(_relay(relay))
        after = await asker.last_position(DATA_FEED)
        async with aclosing(asker.subscribe(DATA_FEED, after)) as deliveries:
            began = time.perf_counter()
            for number in range(int(per_second * seconds)):
                await asyncio.sleep(began + number / per_second - time.perf_counter())
                sent = time.perf_counter()
                publishing = asyncio.create_task(asker.publish(ORDER_ENTRY, BODY))
                await anext(deliveries)
                times.append((time.perf_counter() - sent) * 1_000)
                await publishing
        relaying.cancel()
    finally:
        await asker.close()
        await relay.close()
    times.sort()
    return {
        "p50": round(times[len(times) // 2], 3),
        "p99": round(times[int(len(times) * 0.99)], 3),
    }


async def _relay(bus: Bus) -> None:
    """Stand where the engine stands."""
    after = await bus.last_position(ORDER_ENTRY)
    async with aclosing(bus.subscribe(ORDER_ENTRY, after)) as deliveries:
        async for messages in deliveries:
            for message in messages:
                await bus.publish(DATA_FEED, message.body)
