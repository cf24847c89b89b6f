"""A flood of orders, as a process of its own: many clients that send as fast as they are told.

`python -m benchmarks.flood_runner URL CLIENTS RATE SECONDS` prints `ready` when all are logged in,
and at the end what became of the orders. Whoever is closed comes back as soon as it may try.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from random import Random

import httpx
import uvloop

from benchmarks.generator import Counts, Load, Trader

FRAME_SECONDS = 0.02
"""Orders of one client that are due within this time travel in one frame."""

OPENING_SECONDS = 60.0
PAUSE_SECONDS = 0.2
"""After a connection was closed or refused."""


class Flooder:
    """One client that sends so many orders a second, whatever is answered."""

    def __init__(self, number: int, rate: float, url: str) -> None:
        size = max(1, round(rate * FRAME_SECONDS))
        load = Load(gateway_urls=[url], clients=1, per_second=rate, seconds=0, per_frame=size)
        self.results = Counts()
        self.counts: Counter[str] = Counter()
        self._trader = Trader(number, load, Random(number), self.results)

    async def open(self, http: httpx.AsyncClient) -> None:
        """Open the account and log in."""
        deadline = time.monotonic() + OPENING_SECONDS
        while True:
            try:
                await self._trader.open_account(http)
                break
            except httpx.HTTPStatusError as error:  # accounts are opened no faster than so
                if error.response.status_code != 429 or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(1)
        await self._trader.log_in()

    async def flood(self, until: float) -> None:
        """Send until that time, and come back whenever the connection ends."""
        due = time.perf_counter()
        while due < until:
            if self._trader.socket.ended:
                self.counts["closed_or_refused_connections"] += 1
                self._trader.socket.close()
                await asyncio.sleep(PAUSE_SECONDS)
                try:
                    await self._trader.log_in()
                except ConnectionError:
                    continue
                finally:
                    due = time.perf_counter()
            self.counts["sent"] += self._trader.send(due)
            due += FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        self._trader.socket.close()


async def _flood(url: str, clients: int, rate: float, seconds: float) -> None:
    flooders = [Flooder(5_000 + number, rate, url) for number in range(clients)]
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        for flooder in flooders:
            await flooder.open(http)
    print("ready", flush=True)
    until = time.perf_counter() + seconds
    await asyncio.gather(*(flooder.flood(until) for flooder in flooders))
    counts = sum((flooder.counts for flooder in flooders), Counter[str]())
    accepted = sum(flooder.results.accepted for flooder in flooders)
    print(json.dumps({**counts, "accepted": accepted}), flush=True)


def main() -> None:
    """Read the command line, and flood."""
    url, clients, rate, seconds = sys.argv[1:]
    uvloop.run(_flood(url, int(clients), float(rate), float(seconds)))


if __name__ == "__main__":
    main()
