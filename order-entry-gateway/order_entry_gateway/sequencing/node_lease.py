"""The lease of this gateway's node: a number that no other gateway has at the same time.

Ids are unique because each node has one holder, and the ids of each holder are above those that the
one before it may have made: they are reserved together with the lease. So it does not matter
whether somebody who has lost a node knows it: the engine refuses his ids, once a fence is in the
log. The holder puts one there when he takes the node, and any other gateway does when it sees that
a lease has run out.

Whether a lease has run out is for the clock of Postgres to say. The holder counts by a clock of his
own that nobody sets, from before he asked, and takes no requests well before the end.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import structlog

from exchange_shared.ids import NODES
from exchange_shared.postgres import CONNECTION_LOST, NOT_PREPARED, load_queries
from order_entry_gateway.sequencing.order_ids import LAST_MS, OrderIds, last_id_of

RENEWALS = 10
"""How often a lease is renewed within its time."""

USED_PART = 0.7
"""The part of its time after which a lease that could not be renewed is not used any more."""

RESERVED = 3
"""For how many times the length of a lease it reserves ids."""

RELEASE_SECONDS = 0.3
"""How long giving the node back may take; otherwise the lease runs out."""

log = structlog.get_logger()


class NodeLease:
    """Holds a node for as long as `run` runs, and says why not when it does not.

    Each node that was taken has to be confirmed by the engine, or is refused, before it is used.
    Without a database this is the only gateway.
    """

    def __init__(
        self,
        dsn: str | None,
        holder: str,
        ids: OrderIds,
        seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn = dsn
        self._holder = holder
        self._ids = ids
        self._seconds = seconds
        self._monotonic = monotonic
        self._queries = load_queries("order_entry_gateway.sequencing")
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()
        self._node: int | None = None
        self._used_until = 0.0
        self._confirmed = False
        self._released = False
        self._why = "none has been asked for yet"
        self.turn = 0
        """How many nodes were taken so far: what is said of one does not count for the next."""

    def problem(self) -> str | None:
        """Why no ids can be made now, if none can."""
        if self._node is None:
            return f"the gateway has no node: {self._why}"
        if self._monotonic() >= self._used_until:
            return f"the lease of the gateway's node {self._node} is not renewed: {self._why}"
        if not self._ids.room_for(1):
            return "the ids that are reserved for the gateway's node are used up"
        return None

    def unconfirmed(self) -> str | None:
        """What the engine has not done yet, so that the ids cannot be used."""
        return None if self._confirmed else "the gateway's node has not been confirmed yet"

    def confirm(self) -> None:
        """The engine has put up the fence before this node's ids."""
        self._confirmed = True
        log.info("node_confirmed", node=self._node)

    def refuse(self, why: str) -> None:
        """This node cannot be used as it was taken: another is, or the same with greater ids."""
        log.warning("node_refused", node=self._node, reason=why)
        self._node, self._why = None, why

    async def run(self, on_taken: Callable[[], None], fence: Callable[[int], bool]) -> None:
        """Take a node, renew its lease, take another when it is lost; for ever.

        `on_taken` is called when there is a new node. `fence` puts the fence after an id into the
        log, and returns whether it is there: it is asked again about nodes that others have lost.
        """
        if self._dsn is None:
            self._begin(0, -1, LAST_MS, math.inf)
            on_taken()
            await asyncio.Event().wait()
        try:
            while not self._released:
                await self._hold_and_look(self._dsn or "", on_taken, fence)
                await asyncio.sleep(self._seconds / RENEWALS)
            await asyncio.Event().wait()
        finally:
            self._close()

    async def release(self) -> None:
        """Give the node back, when all that was made of its ids is in the log."""
        node, self._node, self._why = self._node, None, "the gateway is stopping"
        self._released = True
        with suppress(*CONNECTION_LOST):
            async with asyncio.timeout(RELEASE_SECONDS), self._lock:
                if node is not None and self._connection is not None:
                    release = self._queries["release_node"]
                    await self._connection.execute(release, self._holder, node, self._ids.now_ms)

    async def _hold_and_look(
        self, dsn: str, on_taken: Callable[[], None], fence: Callable[[int], bool]
    ) -> None:
        """See that this gateway has a node, and after those that have lost theirs."""
        turn = self.turn
        try:
            async with self._lock:
                await self._hold(dsn)
                await self._fence_lost(fence)
        except (*CONNECTION_LOST, *NOT_PREPARED) as error:
            why = f"{type(error).__name__}: {error}"
            if why != self._why:
                log.warning("node_lease_unreachable", error=why)
            self._why = why
            self._close()
        if self.turn != turn:
            on_taken()

    async def _hold(self, dsn: str) -> None:
        """Renew the lease, or take a node."""
        if self._connection is None:
            timeout = self._seconds / RENEWALS * 2
            self._connection = await asyncpg.connect(dsn, timeout=timeout, command_timeout=timeout)
        asked = self._monotonic()
        used_until = asked + self._seconds * USED_PART
        reserved_ms = int(self._seconds * 1_000) * RESERVED
        terms = (self._holder, self._seconds, self._ids.now_ms, reserved_ms)
        if self._node is not None:
            renew = self._queries["renew_node"]
            until_ms = await self._connection.fetchval(renew, *terms, self._node)
            if until_ms is not None:
                self._ids.extend(until_ms)
                self._used_until = used_until
                return
            log.warning("node_lost", node=self._node)
            self._node, self._why = None, "the lease of the one that it had has run out"
        taken = await self._connection.fetchrow(self._queries["take_node"], *terms)
        if taken is None:
            self._why = f"all {NODES} are taken"
        elif not self._released:
            self._begin(taken["node"], taken["ids_after_ms"], taken["ids_until_ms"], used_until)

    def _begin(self, node: int, after_ms: int, until_ms: int, used_until: float) -> None:
        self._ids.begin(node, after_ms, until_ms)
        self._node, self._used_until, self._confirmed = node, used_until, False
        self.turn += 1
        log.info("node_taken", node=node)

    async def _fence_lost(self, fence: Callable[[int], bool]) -> None:
        """Fence those whose leases have run out, so that what they still send is refused."""
        assert self._connection is not None, "looked for lost nodes without a connection"
        for lost in await self._connection.fetch(self._queries["lost_nodes"]):
            if fence(last_id_of(lost["node"], lost["ids_until_ms"])):
                free = self._queries["free_node"]
                await self._connection.execute(free, lost["holder"], lost["node"])
                log.warning("lost_node_fenced", node=lost["node"], holder=lost["holder"])

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
