"""Crashes, lost connections, and two at once: one effect comes of each execution."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec
import pytest

from exchange_shared.messages import (
    encode_batch,
)
from tests.support.clearing_world import (
    A_BOOKING_WAITS,
    PAIRS,
    HeldBus,
    World,
    is_ready,
    is_unready,
    readiness,
    until,
)
from tests.support.memory_bus import MemoryBus
from tests.support.servers import PostgresServer


async def test_committed_reports_are_published_after_a_crash(world: World) -> None:
    held = HeldBus(world.log)
    async with world.clearinghouse(held):
        await world.open_ada_and_bob()
        await world.until("SELECT 1 FROM outbox WHERE last_seq = 2")
        await world.execute(
            world.executions.traded("ada", "bob", buyer_fee_e4=840, seller_fee_e4=420)
        )
        await world.until("SELECT 1 FROM outbox WHERE first_seq = 3")
    assert world.published() == []
    async with world.clearinghouse():
        await world.assert_all_is_booked_once()
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()


async def test_reports_published_but_not_confirmed_before_a_crash_count_once(world: World) -> None:
    bus = MemoryBus(world.log)
    bus.confirming.clear()
    async with world.clearinghouse(bus):
        await world.open_ada_and_bob()
        await world.reports()
    async with world.clearinghouse():
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()
    first, second, _ = world.published()
    assert first == second


async def test_nothing_of_a_batch_is_booked_when_it_crashes_before_the_commit(world: World) -> None:
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.reports()
    before = await world.everything()
    async with blocked_settlements(world):
        async with world.clearinghouse():
            await world.execute(
                world.executions.traded("ada", "bob", buyer_fee_e4=840, seller_fee_e4=420)
            )
            await world.until(A_BOOKING_WAITS)
        assert await world.everything() == before
    async with world.clearinghouse():
        await world.assert_all_is_booked_once()


async def test_a_postgres_killed_in_a_transaction_is_waited_for(
    world: World, postgres_server: PostgresServer
) -> None:
    async with world.clearinghouse() as service:
        await world.open_ada_and_bob()
        await world.reports()
        async with blocked_settlements(world):
            await world.execute(
                world.executions.traded("ada", "bob", buyer_fee_e4=840, seller_fee_e4=420)
            )
            await world.until(A_BOOKING_WAITS)
            await asyncio.to_thread(postgres_server.kill)
        await until(lambda: is_unready(service, "postgres"))
        await asyncio.to_thread(postgres_server.start)
        await world.assert_all_is_booked_once()
        await until(lambda: is_ready(service))


@pytest.mark.slow
async def test_a_stream_survives_a_postgres_that_is_killed_again_and_again(
    world: World, postgres_server: PostgresServer
) -> None:
    async def stream() -> None:
        for _ in range(150):
            await world.execute(*(world.executions.traded(*pair, 1, 100) for pair in PAIRS))
            await asyncio.sleep(0.01)

    async with world.clearinghouse():
        await world.open_ada_and_bob()
        streaming = asyncio.create_task(stream())
        for seq in (50, 150, 250):
            await world.until_published(seq)
            await asyncio.to_thread(postgres_server.kill)
            await asyncio.to_thread(postgres_server.start)
        await streaming
        await world.assert_all_is_booked_once()


async def test_a_service_starts_before_its_postgres(
    world: World, postgres_server: PostgresServer
) -> None:
    await asyncio.to_thread(postgres_server.stop)
    async with world.clearinghouse() as service:
        await until(lambda: is_unready(service, "postgres"))
        await asyncio.to_thread(postgres_server.start)
        await world.open_ada_and_bob()
        await world.assert_all_is_booked_once()
        assert await readiness(service) == (200, {"bus": "ok", "postgres": "ok", "ledger": "ok"})


async def test_two_clearinghouses_at_once_have_one_effect(world: World) -> None:
    async with world.clearinghouse() as first:
        async with world.clearinghouse() as second:
            await world.open_ada_and_bob()
            for _ in range(60):
                await world.execute(*(world.executions.traded(*pair, 1, 100) for pair in PAIRS))
                await asyncio.sleep(0)
            await world.assert_all_is_booked_once()
            assert (await readiness(first))[0] == (await readiness(second))[0] == 200
        await world.execute(world.executions.traded("ada", "bob"))
        await world.assert_all_is_booked_once()


async def test_reports_that_another_clearinghouse_left_are_found_in_the_outbox(
    world: World,
) -> None:
    async with world.clearinghouse() as service:
        await until(lambda: is_ready(service))
        for seq in (1, 11, 21):
            body = encode_batch("clearinghouse", seq, [world.executions.opened("ada")] * 10)
            await world.fetch("INSERT INTO outbox VALUES ($1, $2, $3)", seq, seq + 9, body)
        await world.until("SELECT 1 WHERE NOT EXISTS (SELECT FROM outbox)")
        published = [msgspec.json.decode(body)["seq"] for body in world.published()]
        assert published == [1, 11, 21]


@pytest.mark.parametrize("answer_lost", [True, False])
async def test_a_commit_of_unknown_outcome_is_booked_once(
    world: World, postgres_server: PostgresServer, answer_lost: bool
) -> None:
    async with cutting_proxy(postgres_server.port, answer_lost=answer_lost) as (port, cuts):
        world.clearing_dsn = world.dsn.replace(f":{postgres_server.port}/", f":{port}/")
        async with world.clearinghouse():
            await world.open_ada_and_bob()
            await world.assert_all_is_booked_once()
            for _ in range(10):
                await world.execute(world.executions.traded("ada", "bob"))
                await world.assert_all_is_booked_once()
        assert len(cuts) >= 3


@asynccontextmanager
async def cutting_proxy(
    server_port: int, *, answer_lost: bool
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A way to Postgres that cuts the connection at every third COMMIT, before or after it."""
    cuts: list[bytes] = []
    commits = itertools.count(1)

    async def forward(reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            cut = b"COMMIT;" in data and next(commits) % 3 == 1
            if not cut or answer_lost:
                to.write(data)
                await to.drain()
            if cut:
                cuts.append(data)
                return

    async def connected(reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_connection("127.0.0.1", server_port)
        both = [
            asyncio.create_task(forward(answers, client)),
            asyncio.create_task(forward(reader, server)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        client.close()
        server.close()
        await asyncio.gather(*both, return_exceptions=True)

    proxy = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield proxy.sockets[0].getsockname()[1], cuts
    finally:
        proxy.close()
        await proxy.wait_closed()


@asynccontextmanager
async def blocked_settlements(world: World) -> AsyncIterator[None]:
    """While open, a transaction that settles a trade waits in its middle."""
    connection = await asyncpg.connect(world.dsn)
    try:
        await connection.execute("BEGIN; LOCK TABLE trade_settlement IN EXCLUSIVE MODE")
        yield
    finally:
        connection.terminate()
