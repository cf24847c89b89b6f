"""The first thing that happens to a request: may its connection be at work?"""

from collections.abc import Callable
from contextvars import ContextVar

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from exchange_shared.auth import bearer_key
from exchange_shared.http.addresses import address_of
from exchange_shared.http.bodies import error_response
from exchange_shared.http.connections import Connection, Connections
from exchange_shared.http.errors import ApiError
from exchange_shared.http.failed_keys import GivenKey
from exchange_shared.server_limits import ServerLimits

CONNECTION = "connection"
"""Under which the server puts the connection into the state of a request."""

ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is answered at once, and however many connections there are."""

OwnerOf = Callable[[GivenKey], str | None]
"""Whose the API key of a request is; `None` without one, and when that may not be told."""

_current: ContextVar[Connection | None] = ContextVar("connection", default=None)


def current_connection() -> Connection:
    """The connection of the request, or the WebSocket, that is being answered."""
    return _current.get() or Connections(ServerLimits()).open("")


class Admission:
    """Lets in what may be at work, and refuses the rest.

    A WebSocket without a key stays idle, and so has to go when others need its place, until it has
    logged in, or begins to be at work without.
    """

    def __init__(self, app: ASGIApp, owner_of: OwnerOf) -> None:
        self._app = app
        self._owner_of = owner_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one WebSocket."""
        connection: Connection | None = scope.get("state", {}).get(CONNECTION)
        if connection is None:  # it came through another server
            await self._app(scope, receive, send)
            return
        _current.set(connection)
        try:
            self._admit(connection, scope)
        except ApiError as error:
            await connection.hold_back()
            await _refuse(error, scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            connection.rest()

    def _admit(self, connection: Connection, scope: Scope) -> None:
        """Raises `ApiError` when the connection may not be at work."""
        if scope["path"] in ALWAYS_ANSWERED:
            return
        asked = HTTPConnection(scope)
        api_key = bearer_key(asked.headers.get("authorization"))
        client = self._owner_of(GivenKey(api_key, address_of(asked)))
        if client is not None:
            connection.prove(client)
        if client is not None or scope["type"] == "http":
            connection.begin()


async def _refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Say why; a connection that is refused ends, which makes room for others."""
    response = error_response(error)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
        return
    response.headers["Connection"] = "close"
    await response(scope, receive, send)
