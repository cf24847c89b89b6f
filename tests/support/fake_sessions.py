"""A WebSocket server that says what a test wants, as the exchange's servers do: greeting first."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.server import ServerConnection, serve


class FakeSessions:
    """Greets who connects, and keeps what it is sent."""

    def __init__(self, greeting: dict[str, Any] | None) -> None:
        self.greeting = greeting
        self.url = ""
        self.opened: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def handle(self, connection: ServerConnection) -> None:
        """Serve one connection."""
        if self.greeting is not None:
            await connection.send(json.dumps(self.greeting))
        self.opened.put_nowait(connection)
        async for message in connection:
            self.requests.put_nowait(json.loads(message))


@contextlib.asynccontextmanager
async def fake_sessions(greeting: dict[str, Any] | None) -> AsyncIterator[FakeSessions]:
    """Such a server on a free port while the context is open."""
    fake = FakeSessions(greeting)
    async with serve(fake.handle, "127.0.0.1", 0) as server:
        fake.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield fake
