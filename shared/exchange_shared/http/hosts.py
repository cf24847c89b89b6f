"""By which names a server may be asked: a web page must not borrow one of its own."""

import ipaddress
import re
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from exchange_shared.http.bodies import error_response
from exchange_shared.http.errors import ApiError

_HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:\[\]]*)(?::\d*)?")
_LOOPBACK_NAME = "localhost"
_HEALTH = frozenset({"/healthz", "/readyz"})
"""Orchestrators ask for these by whatever name they have for a service."""


class AllowedHosts:
    """Answers what is asked of `localhost`, of an address in digits, or of a name that is set.

    A page may let its own name lead to this machine, which makes the exchange, to the browser, a
    part of the page's own site. The header `Host` gives that away. An address in digits leads
    nowhere else than to itself, and no browser leaves the header out, so both are let in.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        """With `*` among the allowed names, every name is."""
        self._app = app
        self._allowed = frozenset(_plain(name) for name in (_LOOPBACK_NAME, *allowed))
        self._all = "*" in self._allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or a WebSocket, or refuse it."""
        refused = None if self._all or scope["path"] in _HEALTH else self._foreign_host(scope)
        if refused is None:
            await self._app(scope, receive, send)
            return
        response = error_response(_refusal(refused))
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)

    def _foreign_host(self, scope: Scope) -> str | None:
        """A host that is asked for and is not this one."""
        for name, value in scope["headers"]:
            if name == b"host":
                host: str = value.decode("latin-1")
                if not self._is_allowed(host):
                    return host
        return None

    def _is_allowed(self, host: str) -> bool:
        parts = _HOST.fullmatch(host)
        return parts is not None and (
            _plain(parts["name"]) in self._allowed or _in_digits(parts["name"])
        )


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _in_digits(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _refusal(host: str) -> ApiError:
    shown = ascii(host[:100])
    message = (
        f"Host: {shown} is no name of this exchange; ask for localhost or an address in digits,"
        " or name the host in EXCHANGE_ALLOWED_HOSTS when the exchange is started"
    )
    return ApiError(421, "host_not_allowed", message, "Host")
