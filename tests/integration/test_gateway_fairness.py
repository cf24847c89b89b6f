"""What one client sends does not keep others, or its own cancels, from their turn."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from exchange_shared.bus import ORDER_ENTRY
from exchange_shared.messages import (
    CancelOrder,
    MassCancel,
    NewOrder,
    ReplaceOrder,
)
from tests.conftest import Databases
from tests.support.core_engine import CoreEngine
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    BUY,
    OPERATOR_KEY,
    SELL,
    WAIT_SECONDS,
    Gateway,
    bearer,
    closed,
    error,
    market_with_rate,
    order,
    order_reports,
    receive,
    receive_until,
    records_in,
    running_engine,
    running_gateway,
    send,
    session,
)
from tests.support.memory_bus import MemoryBus
from tests.support.running_feed import running_feed

REQUESTS = (NewOrder, ReplaceOrder, CancelOrder, MassCancel)


async def requests_in(bus: MemoryBus) -> list[Any]:
    """The clients' requests in the log."""
    return [one for one in await records_in(bus, ORDER_ENTRY) if isinstance(one, REQUESTS)]


async def until_queued(gateway: Gateway, count: int) -> None:
    """Return when so many requests wait for their turn."""
    async with asyncio.timeout(WAIT_SECONDS):
        while (
            f"exchange_queued_requests {count}.0" not in (await gateway.http.get("/metrics")).text
        ):
            await asyncio.sleep(0)


async def keep_the_log_busy(gateway: Gateway, bus: MemoryBus, api_key: str) -> Any:
    """Let a first message be under way, until `bus.confirming` is set; returns its request."""
    before = len(await requests_in(bus))
    bus.confirming.clear()
    first = asyncio.create_task(order(gateway, api_key, {**SELL, "quantity": 1}))
    async with asyncio.timeout(WAIT_SECONDS):
        while len(await requests_in(bus)) == before:
            await asyncio.sleep(0)
    return first


async def test_clients_take_turns_and_cancels_go_first(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, max_lag_seconds=0) as gateway:
        await gateway.until_ready()
        alice, bob = [await gateway.open_account(name) for name in ("alice", "bob")]
        first = await keep_the_log_busy(gateway, bus, bob)
        async with session(gateway, alice) as many, session(gateway, bob) as few:
            await send(many, type="batch", ref=1, orders=[SELL] * 60)
            await until_queued(gateway, 60)
            await send(few, type="new", ref=1, order=BUY)
            await send(few, type="cancel", ref=2, order_id=7)
            await until_queued(gateway, 62)
            bus.confirming.set()
            await receive_until(few, 1)
            await receive_until(many, 1)
        await first
        _, *queued = await requests_in(bus)
        assert isinstance(queued[0], CancelOrder)
        assert [one.client_id for one in queued[1:13]] == ["alice"] * 10 + ["bob", "alice"]
        ids = [one.order_id for one in queued[1:]]
        assert queued[0].request_id < ids[0]
        assert ids == sorted(ids)


async def test_a_cancel_withdraws_what_it_overtakes_and_is_about(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, max_lag_seconds=0) as gateway:
        await gateway.until_ready()
        alice, bob = [await gateway.open_account(name) for name in ("alice", "bob")]
        first = await keep_the_log_busy(gateway, bus, bob)
        async with session(gateway, alice) as mine, session(gateway, bob) as other:
            await send(mine, type="replace", ref=1, order_id=7, quantity=1)
            await send(mine, type="replace", ref=2, order_id=8, quantity=1)
            await send(mine, type="batch", ref=3, orders=[{**SELL, "quantity": 2}, BUY])
            await send(other, type="new", ref=1, order={**SELL, "quantity": 3})
            await until_queued(gateway, 5)
            await send(mine, type="cancel", ref=4, order_id=7)
            assert (await receive_until(mine, 1))["error"]["code"] == "withdrawn"
            await send(mine, type="mass_cancel", ref=5, side="sell")
            await until_queued(gateway, 7)
            bus.confirming.set()
            sell, buy = (await receive_until(mine, 3))["answers"]
            await receive_until(other, 1)
        await first
        assert (sell["error"]["code"], buy["side"]) == ("withdrawn", "buy")
        _, *queued = await requests_in(bus)
        assert [(type(one), getattr(one, "order_id", None)) for one in queued[:3]] == [
            (CancelOrder, 7),
            (MassCancel, None),
            (ReplaceOrder, 8),
        ]
        assert sorted(one.quantity for one in queued[3:]) == [3, 10]
        denied = [one for one in await order_reports(bus, 4) if one.status == "denied"]
        assert [(one.reason, one.quantity) for one in denied] == [("withdrawn", 2)]


async def test_a_mass_cancel_of_everything_withdraws_everything(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, max_lag_seconds=0) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        first = await keep_the_log_busy(gateway, bus, alice)
        async with session(gateway, alice) as mine:
            await send(mine, type="batch", ref=1, orders=[SELL, BUY] * 20)
            await send(mine, type="replace", ref=2, order_id=8, quantity=1)
            await until_queued(gateway, 41)
            await send(mine, type="mass_cancel", ref=3)
            answers = (await receive_until(mine, 1))["answers"]
            assert {one["error"]["code"] for one in answers} == {"withdrawn"}
            assert (await receive_until(mine, 2))["error"]["code"] == "withdrawn"
            bus.confirming.set()
            await until_queued(gateway, 0)
        await first
        async with asyncio.timeout(WAIT_SECONDS):
            while len(await requests_in(bus)) < 2:
                await asyncio.sleep(0)
        assert [type(one) for one in await requests_in(bus)] == [NewOrder, MassCancel]


async def test_cancels_are_taken_when_the_orders_are_used_up(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, market=market_with_rate(1, 2)) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        placed = [(await order(gateway, alice, SELL)).json()["order_id"] for _ in range(2)]
        assert error(await order(gateway, alice, SELL)) == (429, "rate_limited", None)
        for order_id in placed:
            answer = await gateway.http.delete(f"/orders/{order_id}", headers=bearer(alice))
            assert answer.status_code == 200
        refused = await gateway.http.delete("/orders/7", headers=bearer(alice))
        assert error(refused) == (429, "rate_limited", None)


async def test_while_the_engine_is_late_orders_are_refused_at_once_and_cancels_taken(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, max_lag_seconds=0.05) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        async with session(gateway, alice) as mine:
            engine.answering.clear()
            await send(mine, type="new", ref=0, order=SELL)
            frame: dict[str, Any] = {}
            ref = 0
            while frame.get("error", {}).get("code") != "overloaded":
                ref += 1
                await send(mine, type="new", ref=ref, order=SELL)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        frame = await receive_until(mine, ref)
            assert frame["retry_after"] == 1
            await send(mine, type="cancel", ref="cancel", order_id=7)
            engine.answering.set()
            answer = await receive_until(mine, "cancel")
            assert answer["error"]["code"] == "unknown_order"
            await send(mine, type="new", ref="later", order=SELL)
            assert (await receive_until(mine, "later"))["answer"]["status"] == "new"


async def test_no_more_orders_are_at_the_engine_than_may_be(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(
        bus, tmp_path, max_unanswered_orders=30, max_lag_seconds=0
    ) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        async with session(gateway, alice) as mine:
            engine.answering.clear()
            await send(mine, type="batch", ref=1, orders=[SELL] * 100)
            await until_queued(gateway, 70)
            assert len(await requests_in(bus)) == 30
            engine.answering.set()
            answers = (await receive_until(mine, 1))["answers"]
        assert {one["status"] for one in answers} == {"new"}


async def test_the_operator_sets_a_clients_rate_which_holds_in_the_next_gateway_too(
    bus: MemoryBus, tmp_path: Path, databases: Databases
) -> None:
    async with running_engine(bus, CoreEngine()):
        async with running_gateway(bus, tmp_path, operator_key=OPERATOR_KEY) as gateway:
            await gateway.until_ready()
            alice, bob = [await gateway.open_account(name) for name in ("alice", "bob")]
            answer = await gateway.http.put(
                "/admin/clients/bob/limits",
                headers=bearer(OPERATOR_KEY),
                json={"orders_per_second": 1, "order_burst": 1},
            )
            limits = answer.json()
            assert (limits["orders_per_second"], limits["order_burst"]) == (1, 1)
            assert [await statuses(gateway, key) for key in (alice, bob)] == [[201], [201, 429]]
        async with running_feed(databases.market_data, bus):
            await until_stored(databases, "SELECT count(*) FROM client_rate", 1)
        async with running_gateway(bus, tmp_path, market_dsn=databases.market_data) as gateway:
            await gateway.until_ready()
            assert [await statuses(gateway, key) for key in (alice, bob)] == [[201], [201, 429]]


async def statuses(gateway: Gateway, api_key: str) -> list[int]:
    """The statuses of a few orders, each once: 429 tells that they came too fast."""
    answers = [await order(gateway, api_key, {**BUY, "quantity": 1}) for _ in range(5)]
    return sorted({answer.status_code for answer in answers})


async def until_stored(databases: Databases, query: str, count: int) -> None:
    """Return when a query counts so many."""
    connection = await asyncpg.connect(databases.market_data)
    async with asyncio.timeout(WAIT_SECONDS):
        while await connection.fetchval(query) != count:
            await asyncio.sleep(0.01)
    await connection.close()


async def test_who_sends_rubbish_and_does_not_read_is_closed_and_kept_out_for_a_while(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"refusals_per_second": 1, "slow_consumer_seconds": 0.1}
    async with running_gateway(bus, tmp_path, **settings) as gateway:
        await gateway.until_ready()
        alice, bob = [await gateway.open_account(name) for name in ("alice", "bob")]
        rubbish = {f"field{number}": number for number in range(40)}
        async with session(gateway, bob) as other:
            async with gateway.connect(alice, close_timeout=0.1) as connection:
                with contextlib.suppress(ConnectionClosed):
                    for _ in range(50):
                        await send(connection, type="batch", orders=[rubbish] * 60)
                assert await closed(connection) == (1008, "rate_limited")
            await send(other, type="new", ref=1, order=SELL)
            assert (await receive_until(other, 1))["answer"]["status"] == "new"
        with pytest.raises(InvalidStatus) as caught:
            async with gateway.connect(alice):
                pass
        assert caught.value.response.status_code == 429
        assert int(caught.value.response.headers["Retry-After"]) >= 1
        assert (await gateway.http.delete("/orders/7", headers=bearer(alice))).status_code == 404
        async with gateway.connect() as connection:
            await send(connection, type="login", api_key=alice)
            frame = await receive(connection)
            assert (frame["error"]["code"], frame["retry_after"] > 0) == ("rate_limited", True)
            assert await closed(connection) == (1013, "rate_limited")


async def test_frames_that_are_no_requests_are_rubbish_too(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with (
        running_gateway(bus, tmp_path, refusals_per_second=2) as gateway,
        gateway.connect() as connection,
    ):
        with contextlib.suppress(ConnectionClosed):
            for _ in range(30):
                await connection.send("no JSON")
        assert await closed(connection) == (1008, "rate_limited")


async def test_what_the_exchange_cannot_take_is_nobodys_fault(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, refusals_per_second=1) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        async with session(gateway, alice) as mine:
            bus.reason = "the broker is gone"
            for ref in range(20):
                await send(mine, type="new", ref=ref, order=SELL)
                assert (await receive_until(mine, ref))["error"]["code"] == "bus_unavailable"
            bus.reason = None
            await send(mine, type="ping", ref="still here")
            assert (await receive(mine))["type"] == "pong"
