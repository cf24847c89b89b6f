"""Publishes numbers to a SQLite log, and prints each when it is confirmed, until it is killed.

Run as `python -m tests.support.log_writer <path> <queue>`.
"""

import asyncio
import sys

from exchange_shared.bus.sqlite import SQLiteBus


async def main(path: str, queue: str) -> None:
    """Publish for ever."""
    bus = await SQLiteBus.open(path)
    number = 0
    while True:
        number += 1
        await bus.publish(queue, b"%d" % number)
        print(number, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
