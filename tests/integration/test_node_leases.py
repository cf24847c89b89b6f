"""Each gateway has a node to itself, whoever is paused, cut off, or starts beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY
from exchange_shared.ids import NODES, node_of
from exchange_shared.messages import FenceNode, NewOrder, OrderRejected, encode_batch
from exchange_shared.units import now_us
from order_entry_gateway.sequencing.node_lease import NodeLease
from order_entry_gateway.sequencing.order_ids import OrderIds, last_id_of
from tests.conftest import Databases
from tests.support.core_engine import CoreEngine
from tests.support.gateways import (
    SELL,
    WAIT_SECONDS,
    Gateway,
    bearer,
    order,
    records_in,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

SECONDS = 2.0


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[CoreEngine]:
    core = CoreEngine()
    async with running_engine(bus, core):
        yield core


async def until(true: Callable[[], Any]) -> None:
    """Return when something is true."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not true():
            await asyncio.sleep(0.01)


async def rows(databases: Databases, query: str) -> list[Any]:
    connection = await asyncpg.connect(databases.market_data)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def held(databases: Databases) -> list[int]:
    """The nodes that somebody has."""
    return [
        node
        for (node,) in await rows(
            databases, "SELECT node FROM gateway_node WHERE holder IS NOT NULL ORDER BY node"
        )
    ]


async def order_id_of(gateway: Gateway, api_key: str, **changes: Any) -> int:
    answer = await order(gateway, api_key, {**SELL, **changes})
    assert answer.status_code == 201, answer.text
    id_: int = answer.json()["order_id"]
    return id_


async def test_each_gateway_has_a_node_of_its_own_and_gives_it_back(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, databases: Databases
) -> None:
    dsn = databases.market_data
    async with (
        running_gateway(bus, tmp_path, market_dsn=dsn) as first,
        running_gateway(bus, tmp_path, market_dsn=dsn) as second,
    ):
        await first.until_ready()
        await second.until_ready()
        alice = await first.open_account("alice")
        bob = await second.open_account("bob")
        ids = [await order_id_of(first, alice), await order_id_of(second, bob)]
        assert {node_of(id_) for id_ in ids} == {0, 1}
        assert await held(databases) == [0, 1]
    assert await held(databases) == []
    async with running_gateway(bus, tmp_path, market_dsn=dsn) as third:
        await third.until_ready()
        assert await held(databases) == [0]
        id_ = await order_id_of(third, alice)
        assert node_of(id_) == 0
        assert id_ > max(ids)


class Holder:
    """A lease without a gateway, whose clock can be stopped."""

    def __init__(self, databases: Databases, name: str) -> None:
        self.now = 0.0
        self.ids = OrderIds(now_us)
        self.fences: list[int] = []
        self.lease = NodeLease(databases.market_data, name, self.ids, SECONDS, lambda: self.now)
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> int:
        """Take a node, and make an id of it."""
        self._task = asyncio.create_task(self.lease.run(self.lease.confirm, self._fence))
        await until(lambda: self.lease.turn)
        (id_,) = self.ids.take(1)
        return id_

    def _fence(self, last_id: int) -> bool:
        self.fences.append(last_id)
        return True

    async def vanish(self) -> None:
        """Neither renew the lease nor give it back."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_whoever_follows_a_lost_holder_begins_above_all_that_it_can_have_made(
    databases: Databases,
) -> None:
    lost, witness = Holder(databases, "lost"), Holder(databases, "witness")
    first = await lost.begin()
    await witness.begin()
    assert [node_of(first), await held(databases)] == [0, [0, 1]]
    await lost.vanish()
    await until(lambda: witness.fences)
    for count in (1_000, 1):
        while lost.ids.room_for(count):
            (*_, last) = lost.ids.take(count)
    assert witness.fences[0] == last
    next_ = Holder(databases, "next")
    begun = await next_.begin()
    assert node_of(begun) == 0
    assert begun > witness.fences[0]
    for holder in (witness, next_):
        await holder.vanish()


async def test_a_lease_that_is_not_renewed_is_not_used_well_before_it_runs_out(
    databases: Databases,
) -> None:
    holder = Holder(databases, "holder")
    await holder.begin()
    assert holder.lease.problem() is None
    await holder.vanish()
    holder.now = SECONDS * 0.69
    assert holder.lease.problem() is None
    holder.now = SECONDS * 0.7
    assert "is not renewed" in (holder.lease.problem() or "")


async def test_whoever_has_lost_its_node_takes_another_above_its_own_ids(
    databases: Databases,
) -> None:
    holder = Holder(databases, "holder")
    before = await holder.begin()
    await rows(
        databases,
        "UPDATE gateway_node SET holder = 'another', expires_at = 'infinity' WHERE node = 0",
    )
    await until(lambda: holder.lease.turn == 2)
    (after,) = holder.ids.take(1)
    assert [node_of(before), node_of(after)] == [0, 1]
    assert after > before
    await holder.vanish()


async def test_when_all_nodes_are_taken_a_gateway_waits_for_one_and_says_so(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, databases: Databases
) -> None:
    await rows(databases, "UPDATE gateway_node SET holder = 'another', expires_at = 'infinity'")
    dsn = databases.market_data
    async with running_gateway(
        bus, tmp_path, market_dsn=dsn, node_lease_seconds=SECONDS
    ) as gateway:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                ready = await gateway.http.get("/readyz")
                if f"all {NODES} are taken" in ready.json()["dependencies"]["node"]:
                    break
        assert ready.status_code == 503
        await rows(databases, "UPDATE gateway_node SET expires_at = now() WHERE node = 7")
        await gateway.until_ready()
        assert node_of(await order_id_of(gateway, await gateway.open_account("alice"))) == 7


async def test_what_a_lost_gateway_still_sends_is_refused_and_harms_nobody(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, databases: Databases
) -> None:
    async with running_gateway(
        bus, tmp_path, market_dsn=databases.market_data, node_lease_seconds=SECONDS
    ) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        lost = Holder(databases, "lost")
        stale = await lost.begin()
        await lost.vanish()
        lost_rows = "SELECT node, ids_until_ms FROM gateway_node WHERE holder = 'lost'"
        ((node, until_ms),) = await rows(databases, lost_rows)
        fence = last_id_of(node, until_ms)
        await until(
            lambda: any(
                isinstance(one, FenceNode) and one.request_id == fence for one in engine.commands
            )
        )
        late = NewOrder(
            time_us=now_us(),
            order_id=stale,
            client_id="alice",
            security_id="MSFT",
            side="sell",
            order_type="limit",
            quantity=1,
            price_e4=4_200_000,
        )
        seen = engine.seq
        await bus.publish(ORDER_ENTRY, encode_batch("order-entry-gateway-lost", 1, [late]))
        await until(lambda: engine.seq > seen)
        assert engine.exchange.open_orders == 0
        headers = bearer(alice)
        assert (await gateway.http.delete("/orders", headers=headers)).json()["order_ids"] == []
        await order_id_of(gateway, alice)
        records = await records_in(bus, DATA_FEED)
    refused = [(one.order_id, one.reason) for one in records if isinstance(one, OrderRejected)]
    assert refused == [(stale, "gateway_replaced")]


class SlowBus:
    """A bus that publishes nothing on one queue while it is told not to."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.publishing = asyncio.Event()
        self.publishing.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def publish(self, queue: str, body: bytes) -> None:
        if queue == ORDER_ENTRY:
            await self.publishing.wait()
        await self._bus.publish(queue, body)


async def test_no_copy_that_waited_in_another_gateway_is_accepted_after_the_order_was_refused(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, databases: Databases
) -> None:
    slow_bus, dsn = SlowBus(bus), databases.market_data
    async with (
        running_gateway(bus, tmp_path, market_dsn=dsn) as gateway,
        running_gateway(slow_bus, tmp_path, market_dsn=dsn, answer_seconds=0.1) as slow,
    ):
        await gateway.until_ready()
        await slow.until_ready()
        alice, bob = await gateway.open_account("alice"), await gateway.open_account("bob")
        wanted = {**SELL, "quantity": 150, "client_order_id": "once"}
        slow_bus.publishing.clear()
        unknown = await order(slow, alice, wanted)
        assert unknown.json()["error"]["code"] == "outcome_unknown"
        refused = await order(gateway, alice, wanted)
        assert refused.json()["error"]["code"] == "insufficient_shares"
        # Now there are enough shares, so the copy that waits could be accepted.
        await order_id_of(gateway, bob, quantity=100, price=1)
        await order_id_of(gateway, alice, quantity=100, price=1, side="buy")
        slow_bus.publishing.set()
        await until(
            lambda: any(
                getattr(one, "order_id", 0) == unknown.json()["order_id"] for one in engine.commands
            )
        )
        assert engine.exchange.open_orders == 0
        again = await order(gateway, alice, wanted)
        assert (again.status_code, again.json()["status"]) == (201, "new")
        repeated = await order(slow, alice, wanted)
        assert repeated.json()["order_id"] == again.json()["order_id"]
        records = await records_in(bus, DATA_FEED)
    reasons = [one.reason for one in records if isinstance(one, OrderRejected)]
    assert reasons == ["insufficient_shares", "superseded"]


async def test_the_same_order_through_two_gateways_at_once_has_one_effect(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, databases: Databases
) -> None:
    dsn = databases.market_data
    async with (
        running_gateway(bus, tmp_path, market_dsn=dsn) as first,
        running_gateway(bus, tmp_path, market_dsn=dsn) as second,
    ):
        await first.until_ready()
        await second.until_ready()
        alice = await first.open_account("alice")
        async with asyncio.timeout(WAIT_SECONDS):
            while (await order(second, alice, {**SELL, "quantity": 0})).status_code == 401:
                await asyncio.sleep(0.01)
        for number in range(20):
            wanted = {**SELL, "quantity": 1, "client_order_id": f"{number}"}
            answers = await asyncio.gather(
                order(first, alice, wanted), order(second, alice, wanted)
            )
            assert len({answer.json()["order_id"] for answer in answers}) == 1
        assert engine.exchange.open_orders == 20
