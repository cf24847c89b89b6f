"""A WebSocket client that costs little: the protocol of `websockets`, with no task around it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri


class SocketClient(asyncio.Protocol):
    """One connection; every whole text message is given to `take`."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._protocol: ClientProtocol
        self._transport: asyncio.Transport
        self._opened: asyncio.Future[None]
        self._ended = asyncio.Event()

    async def connect(self, url: str, headers: Mapping[str, str]) -> None:
        """Connect; returns when the server has accepted.

        Raises:
            ConnectionError: it did not.
        """
        self._ended.clear()
        loop = asyncio.get_running_loop()
        uri = parse_uri(url)
        self._protocol = ClientProtocol(uri, max_size=None)
        self._opened = loop.create_future()
        await loop.create_connection(lambda: self, uri.host, uri.port)
        request = self._protocol.connect()
        request.headers.update(headers)
        self._protocol.send_request(request)
        self._flush()
        await self._opened

    @property
    def ended(self) -> bool:
        """Whether the connection is gone, or the server has begun to end it."""
        return self._ended.is_set() or self._protocol.state is not State.OPEN

    def send(self, text: bytes) -> None:
        """Send a text message."""
        self._protocol.send_text(text)
        self._flush()

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by the loop."""
        self._ended.set()
        if not self._opened.done():
            self._opened.set_exception(ConnectionResetError("closed before it was accepted"))

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    self._take(bytes(event.data))
            elif isinstance(event, Response) and not self._opened.done():
                if self._protocol.state is State.OPEN:
                    self._opened.set_result(None)
                else:
                    problem = self._protocol.handshake_exc
                    self._opened.set_exception(ConnectionRefusedError(f"{problem}: {event.body!r}"))
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data and not self._transport.is_closing():
                self._transport.write(data)
