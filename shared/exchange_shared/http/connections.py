"""Who may keep how many connections, and who has to go when there is no room.

A connection is anonymous until it has shown a key that somebody has; then it is its client's. Each
kind has half of all connections, so that no number of strangers shuts out a client. A connection
on which nothing is asked is idle, and expendable: when there is no room, the one that has been idle
for longest goes, so that no number of idle connections shuts out a newcomer. What is asked beyond
the limits is refused.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from exchange_shared.http.addresses import network_of
from exchange_shared.http.errors import ApiError
from exchange_shared.metrics import ConnectionMetrics
from exchange_shared.server_limits import ServerLimits

Kind = Literal["anonymous", "client"]

_ANTEROOM_PART = 10
"""Idle connections have a tenth of a limit even when all of it is at work: room to ask."""


@dataclass(eq=False)
class _Group:
    """Connections that share a limit. The idle ones are in the order in which they became so."""

    name: str
    """Why somebody goes or is refused when it is full: `all`, `address` or `client`."""

    limit: int
    idle: dict["Connection", None] = field(default_factory=dict)
    busy: set["Connection"] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.idle) + len(self.busy)

    @property
    def room_for_idle(self) -> int:
        """How many may be idle while so many are busy; of an address, any number is expendable."""
        if self.name == "address":
            return sys.maxsize
        return max(self.limit - len(self.busy), self.limit // _ANTEROOM_PART, 1)


class Connection:
    """One accepted connection, from its beginning to its end."""

    def __init__(self, address: str, connections: "Connections") -> None:
        self.address = address
        self.client: str | None = None
        """Whose key it has shown."""

        self.closed = False
        self.evicted: Callable[[], None] = lambda: None
        """Ends the connection itself, told that there is no room for it any more."""

        self._connections = connections

    @property
    def metrics(self) -> ConnectionMetrics:
        """What its server counts."""
        return self._connections.metrics

    @property
    def limits(self) -> ServerLimits:
        """Those of its server."""
        return self._connections.limits

    @property
    def kind(self) -> Kind:
        """Whose connections it is counted among."""
        return "anonymous" if self.client is None else "client"

    @property
    def owner(self) -> str:
        """Whose share of a limit it uses: its client's, or its address's."""
        return self.address if self.client is None else f"client {self.client}"

    def prove(self, client: str) -> None:
        """It has shown the key of a client, and is counted as the client's from now on."""
        if self.client != client and not self.closed:
            self._connections.move(self, client)

    def begin(self) -> None:
        """Something is asked on it.

        Raises:
            ApiError: 503 `too_many_connections`.
        """
        self._connections.begin(self)

    def rest(self) -> None:
        """What was asked is answered; it is the newest of the idle ones."""
        self._connections.rest(self)

    async def hold_back(self) -> None:
        """What was asked is too much: without a key it is told a little later.

        Whoever asks again at once, and so keeps the server busy, cannot do so as often. Meanwhile
        the connection is idle.
        """
        self.rest()
        if self.client is None:
            spread = random.uniform(0.5, 1.5)  # noqa: S311 (so that they do not all come again at once)
            await asyncio.sleep(self._connections.limits.refusal_seconds * spread)

    def close(self) -> None:
        """It ends, and is counted no more."""
        if not self.closed:
            self.closed = True
            self._connections.forget(self)


class Connections:
    """The connections of one server."""

    def __init__(self, limits: ServerLimits) -> None:
        self.metrics = ConnectionMetrics()
        self.limits = limits
        half = max(1, limits.connections // 2)
        self._all: dict[Kind, _Group] = {
            "anonymous": _Group("all", half),
            "client": _Group("all", max(1, limits.connections - half)),
        }
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._of: dict[Connection, tuple[_Group, ...]] = {}
        for kind, group in self._all.items():
            self.metrics.watch(kind, group.__len__)

    def open(self, host: str) -> Connection:
        """A new connection, which is let in: if need be the oldest idle one goes."""
        connection = Connection(network_of(host), self)
        self._enter(connection)
        return connection

    def move(self, connection: Connection, client: str) -> None:
        """Count a connection among a client's; it is idle."""
        self._leave(connection)
        connection.client = client
        self._enter(connection)

    def begin(self, connection: Connection) -> None:
        """Count a connection as busy. Raises `ApiError` when too many are."""
        if connection.closed:
            raise _refusal("this connection had to make room for another one")
        groups = self._of[connection]
        if connection in groups[0].busy:
            return
        for group in groups:
            if len(group.busy) >= group.limit:
                self.metrics.refused.labels(group.name).inc()
                raise _refusal(_full(group, connection))
        for group in groups:
            group.idle.pop(connection, None)
            group.busy.add(connection)

    def rest(self, connection: Connection) -> None:
        """Count a connection as idle, the newest of all."""
        for group in self._of.get(connection, ()):
            group.busy.discard(connection)
            group.idle.pop(connection, None)
            group.idle[connection] = None

    def forget(self, connection: Connection) -> None:
        """Count a connection no more."""
        self._leave(connection)

    def _enter(self, connection: Connection) -> None:
        groups = tuple(self._groups_of(connection))
        self._of[connection] = groups
        for group in groups:
            group.idle[connection] = None
        for group in groups:
            while len(group.idle) > group.room_for_idle:
                self._evict(next(iter(group.idle)), group.name)

    def _leave(self, connection: Connection) -> None:
        for group in self._of.pop(connection, ()):
            group.idle.pop(connection, None)
            group.busy.discard(connection)
        for key in self._keys_of(connection):
            left = self._groups.get(key)
            if left is not None and not len(left):
                del self._groups[key]

    def _groups_of(self, connection: Connection) -> Iterable[_Group]:
        """The narrowest first: who asks for too much alone is told so."""
        for key in self._keys_of(connection):
            limit = (
                self.limits.connections_per_client
                if key[0] == "client"
                else self.limits.connections_per_address
            )
            yield self._groups.setdefault(key, _Group(key[0], limit))
        yield self._all[connection.kind]

    @staticmethod
    def _keys_of(connection: Connection) -> Iterable[tuple[str, ...]]:
        if connection.client is not None:
            yield "client", connection.client
        yield "address", connection.kind, connection.address

    def _evict(self, connection: Connection, reason: str) -> None:
        self.metrics.evicted.labels(reason).inc()
        connection.close()
        connection.evicted()


def _refusal(message: str) -> ApiError:
    return ApiError(503, "too_many_connections", message, retry_after_seconds=1)


def _full(group: _Group, connection: Connection) -> str:
    whose = {
        "all": f"{connection.kind} connections are at work",
        "address": f"{connection.kind} connections of {connection.address} are at work",
        "client": f"connections of {connection.client} are at work",
    }[group.name]
    advice = "; a key has room of its own" if connection.client is None else ""
    return f"{len(group.busy)} {whose}, which is the limit{advice}"
