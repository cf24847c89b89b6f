"""The server itself: one socket, bound at once, with limits."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange_shared.http.bodies import MAX_WEBSOCKET_FRAME_BYTES, error_response
from exchange_shared.http.connections import Connections
from exchange_shared.http.descriptors import connections_possible
from exchange_shared.http.errors import ApiError
from exchange_shared.http.protocol import DoorState, HttpProtocol
from exchange_shared.http.websocket_protocol import WebSocketProtocol
from exchange_shared.server_limits import ServerLimits

_LAST_WORDS_SECONDS = 0.5
"""How much longer than the requests under way the server itself may take to end."""

_ACCEPTED_AT_ONCE = 4
"""uvloop accepts one connection of a socket in each round of its loop, so a server has several ends
of its socket: who comes after a flood waits less for those who came before."""

_DEFAULTS = ServerLimits()

UNREAD_MILLISECONDS = 30_000
"""How long a peer may leave what was sent to it unread before the system ends the connection."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the runner has them, for every server of a process."""

    def __init__(self, config: uvicorn.Config, limits: ServerLimits) -> None:
        super().__init__(config)
        self.server_state = DoorState(Connections(limits), limits)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an application on a socket that is bound at once, so that its port is known."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        drain_seconds: float,
        limits: ServerLimits = _DEFAULTS,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        """`X-Forwarded-For` is believed of the trusted proxies, addresses or networks, alone."""
        self._socket = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=2_048,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
        self.port: int = self._socket.getsockname()[1]
        # Accepted connections inherit both. asyncio itself sets the first on no server's sockets.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            self._socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS
            )
        config = uvicorn.Config(
            self._answered_at_the_end(app),
            http=HttpProtocol,
            ws=WebSocketProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=list(trusted_proxies),
            timeout_keep_alive=limits.keep_alive_seconds,
            ws_max_size=MAX_WEBSOCKET_FRAME_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=max(1, int(drain_seconds)),
        )
        self._drain_seconds = drain_seconds
        possible = connections_possible(limits.connections)
        self._server = _Server(config, replace(limits, connections=possible))
        self._serving: asyncio.Task[None] | None = None

    def _answered_at_the_end(self, app: ASGIApp) -> ASGIApp:
        """The application; what it has not begun to answer when the server ends is answered."""

        async def answered(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            begun = False

            async def begin(message: Message) -> None:
                nonlocal begun
                begun = True
                await send(message)

            try:
                await app(scope, receive, begin)
            except asyncio.CancelledError:
                if begun or not self._server.should_exit:
                    raise
                error = ApiError(503, "not_ready", "the service stops", retry_after_seconds=1)
                await error_response(error)(scope, receive, send)

        return answered

    async def serve(self) -> None:
        """Answer requests until `close`."""
        doors = [self._socket, *(self._socket.dup() for _ in range(_ACCEPTED_AT_ONCE - 1))]
        self._serving = asyncio.create_task(self._server.serve(sockets=doors))
        await asyncio.shield(self._serving)  # cancelling this leaves it time to drain

    async def close(self) -> None:
        """Take no new connections, and return when the open requests are answered, or late."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=self._drain_seconds + _LAST_WORDS_SECONDS)
