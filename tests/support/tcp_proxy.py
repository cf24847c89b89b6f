"""A TCP proxy that can lose connections, and answers, when a test wants it to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class TcpProxy:
    """Stands between a client and a server."""

    def __init__(self, target_url: str) -> None:
        self._host, self._port = urlsplit(target_url).hostname, urlsplit(target_url).port
        self._writers: set[asyncio.StreamWriter] = set()
        self._refusing = False
        self._swallowing = False
        self.url = ""
        self.connections = 0
        self.swallowed = asyncio.Event()

    def cut(self) -> None:
        """Lose all connections, at once and without a farewell."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self, refusing: bool = True) -> None:
        """Lose all connections, and every new one; or stop doing so."""
        self._refusing = refusing
        if refusing:
            self.cut()

    def swallow_answers(self) -> None:
        """Pass requests on, and keep what the server says, until the next `cut_and_pass`."""
        self._swallowing = True
        self.swallowed.clear()

    def cut_and_pass(self) -> None:
        """Lose all connections, and pass everything on again from now on."""
        self.cut()
        self._swallowing = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        if self._refusing:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        ours = {writer, server_writer}
        self._writers |= ours
        try:
            passing = [
                asyncio.create_task(self._pass(reader, server_writer, answers=False)),
                asyncio.create_task(self._pass(server_reader, writer, answers=True)),
            ]
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
        finally:
            self._writers -= ours
            for each in ours:
                each.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if answers and self._swallowing:
                    self.swallowed.set()
                    continue
                writer.write(data)
                await writer.drain()


@contextlib.asynccontextmanager
async def tcp_proxy(target_url: str) -> AsyncIterator[TcpProxy]:
    """A proxy on a free port while the context is open."""
    proxy = TcpProxy(target_url)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
