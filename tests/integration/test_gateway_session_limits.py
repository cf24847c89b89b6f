"""Sessions that do not read, ask too often, or are too many."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    SELL,
    WAIT_SECONDS,
    bearer,
    closed,
    market_with_rate,
    receive,
    receive_until,
    running_gateway,
    send,
    session,
)
from tests.support.memory_bus import MemoryBus


async def test_a_client_that_does_not_read_is_ended_and_others_are_served(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    limits: dict[str, Any] = {
        "session_queue_bytes": 100_000,
        "market": market_with_rate(0),
        "slow_consumer_seconds": 30,
    }
    async with running_gateway(bus, tmp_path, **limits) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        batch = {"orders": [{**SELL, "time_in_force": "ioc"}] * 500}
        async with gateway.connect(api_key, max_queue=1) as slow:
            for _ in range(60):  # more than the system's own buffers hold
                answer = await gateway.http.post(
                    "/orders/batch", headers=bearer(api_key), json=batch
                )
                assert answer.status_code == 200
            assert await closed(slow) == (1013, "slow_consumer")
        async with session(gateway, api_key) as fresh:
            await send(fresh, type="ping", ref=1)
            assert await receive(fresh) == {"type": "pong", "ref": 1}


async def test_a_client_that_never_reads_does_not_keep_its_session(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    limits: dict[str, Any] = {
        "session_queue_bytes": 10_000,
        "market": market_with_rate(0),
        "slow_consumer_seconds": 0.05,
    }
    async with running_gateway(bus, tmp_path, **limits) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        async with gateway.connect(api_key, max_queue=1, close_timeout=0.1):
            async with asyncio.timeout(WAIT_SECONDS):
                page = "exchange_sessions 1.0"
                while "exchange_sessions 0.0" not in page:
                    content = {"orders": [{**SELL, "time_in_force": "ioc"}] * 500}
                    await gateway.http.post("/orders/batch", headers=bearer(api_key), json=content)
                    page = (await gateway.http.get("/metrics")).text


async def test_frames_over_the_rate_are_refused(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with (
        running_gateway(bus, tmp_path, frames_per_second=1) as gateway,
        gateway.connect() as connection,
    ):
        for _ in range(20):
            await send(connection, type="ping")
        frames = [await receive(connection) for _ in range(20)]
        codes = {frame["error"]["code"] for frame in frames if frame["type"] == "error"}
        assert codes == {"rate_limited"}


async def test_orders_over_the_rate_are_refused_with_their_ref(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, market=market_with_rate(3)) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        async with session(gateway, api_key) as connection:
            await send(connection, type="batch", ref=1, orders=[SELL] * 30)
            await send(connection, type="batch", ref=2, orders=[SELL])
            frame = await receive_until(connection, 2)
            assert frame["error"]["code"] == "rate_limited"
            assert frame["retry_after"] in (9, 10)


async def test_a_client_may_have_only_so_many_sessions(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, max_sessions_per_client=1) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        async with session(gateway, api_key), gateway.connect(api_key) as second:
            assert (await receive(second))["error"]["code"] == "too_many_sessions"
            assert await closed(second) == (1013, "too_many_sessions")


async def test_the_gateway_has_only_so_many_sessions(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with (
        running_gateway(bus, tmp_path, max_sessions=1) as gateway,
    ):
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        async with session(gateway, api_key):
            with pytest.raises(InvalidStatus) as caught:
                async with gateway.connect():
                    pass
            assert caught.value.response.status_code == 503
            assert caught.value.response.headers["Retry-After"] == "1"


async def test_who_does_not_log_in_makes_room_for_who_comes_after(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, max_sessions=2) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        async with session(gateway, api_key) as mine, gateway.connect() as stranger:
            await send(stranger, type="ping", ref=1)
            assert await receive(stranger) == {"type": "pong", "ref": 1}
            async with gateway.connect() as newcomer:
                assert (await receive(stranger))["error"]["code"] == "too_many_sessions"
                assert await closed(stranger) == (1013, "too_many_sessions")
                for one in (mine, newcomer):
                    await send(one, type="ping", ref=2)
                    assert await receive(one) == {"type": "pong", "ref": 2}


async def test_a_gateway_that_stops_tells_its_sessions(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with running_gateway(bus, tmp_path) as gateway:
            connection = await stack.enter_async_context(gateway.connect())
            await send(connection, type="ping", ref=1)
            await receive(connection)
        assert (await closed(connection))[0] == 1012
