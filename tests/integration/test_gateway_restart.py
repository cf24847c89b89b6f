"""A gateway that starts again knows the keys, and never makes an order id twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from exchange_shared.auth import hash_api_key
from exchange_shared.bus import DATA_FEED, DEAD_LETTER, LogPosition
from exchange_shared.messages import MATCHING_ENGINE, OrderAccepted, encode_batch
from exchange_shared.postgres import store_position
from exchange_shared.units import now_us
from order_entry_gateway.sequencing.order_ids import OrderIds
from tests.conftest import Databases
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import Gateway, bearer, running_engine, running_gateway
from tests.support.memory_bus import MemoryBus
from tests.support.processes import free_port

SELL = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 10, "price": 420.5}
TEN_YEARS_US = 10 * 365 * 86_400 * 1_000_000


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[FakeEngine]:
    async with running_engine(bus) as running:
        yield running


async def status_of_an_order(gateway: Gateway, api_key: str) -> int:
    """What the gateway answers to an order with this key."""
    answer = await gateway.http.post("/orders", headers=bearer(api_key), json=SELL)
    return answer.status_code


async def test_without_a_database_the_keys_are_learnt_from_the_log(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
    async with running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        assert await status_of_an_order(gateway, api_key) == 201
        again = await gateway.http.post("/clients", json={"client_id": "alice", "api_key": api_key})
        assert again.status_code == 200


async def test_a_gateway_with_a_fresh_database_learns_the_keys_from_the_log(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path, databases: Databases
) -> None:
    async with running_gateway(bus, tmp_path, market_dsn=databases.market_data) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
        assert await status_of_an_order(gateway, api_key) == 201


async def test_a_database_without_tables_is_that_of_a_fresh_exchange(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path, databases: Databases
) -> None:
    connection = await asyncpg.connect(databases.market_data)
    await connection.execute("DROP TABLE client, consumer_position, orders")
    await connection.close()
    async with running_gateway(bus, tmp_path, market_dsn=databases.market_data) as gateway:
        await gateway.until_ready()
        assert await status_of_an_order(gateway, await gateway.open_account("alice")) == 201


async def test_keys_come_from_the_database_and_then_from_the_log_after_its_position(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path, databases: Databases
) -> None:
    async with running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        alice = await gateway.open_account("alice")
        stored_seq, stored_position = engine.seq, await bus.last_position(DATA_FEED)
        bob = await gateway.open_account("bob")
    await store(databases, stored_seq, stored_position, {"alice": alice})
    async with running_gateway(bus, tmp_path, market_dsn=databases.market_data) as gateway:
        await gateway.until_ready()
        assert await status_of_an_order(gateway, alice) == 201
        assert await status_of_an_order(gateway, bob) == 201


async def test_the_log_before_the_stored_position_is_not_read_again(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path, databases: Databases
) -> None:
    async with running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        api_key = await gateway.open_account("alice")
    await store(databases, engine.seq, await bus.last_position(DATA_FEED), {})
    async with running_gateway(bus, tmp_path, market_dsn=databases.market_data) as gateway:
        await gateway.until_ready()
        assert await status_of_an_order(gateway, api_key) == 401


async def store(databases: Databases, seq: int, position: int | None, keys: dict[str, str]) -> None:
    """Let `market_data` have these clients, and stand at a position of `data_feed`."""
    assert position is not None
    connection = await asyncpg.connect(databases.market_data)
    for client_id, api_key in keys.items():
        await connection.execute(
            "INSERT INTO client VALUES ($1, $2, 0, 0)", client_id, hash_api_key(api_key)
        )
    stored = LogPosition(position, {"matching-engine": seq})
    await store_position(connection, DATA_FEED, stored)
    await connection.close()


async def next_order_id(gateway: Gateway) -> int:
    """The id of an order that is sent now."""
    api_key = await gateway.open_account("alice")
    answer = await gateway.http.post("/orders", headers=bearer(api_key), json=SELL)
    order_id: int = answer.json()["order_id"]
    return order_id


def id_in_ten_years() -> int:
    """An order id as a gateway would make it whose clock is ten years ahead."""
    ids = OrderIds(lambda: now_us() + TEN_YEARS_US)
    ids.begin(3, 0)
    (order_id,) = ids.take(1)
    return order_id


async def test_order_ids_go_on_above_those_of_the_log_although_the_clock_was_set_back(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    greatest = id_in_ten_years()
    accepted = OrderAccepted(
        seq=1,
        time_us=0,
        order_id=greatest,
        client_id="alice",
        security_id="MSFT",
        side="buy",
        order_type="limit",
        quantity=1,
        price_e4=1,
        time_in_force="gtc",
        client_order_id=None,
        unit_hold_e4=1,
    )
    await bus.publish(DATA_FEED, encode_batch(MATCHING_ENGINE, 1, [accepted]))
    engine.seq = 1
    async with running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        assert await next_order_id(gateway) > greatest


async def test_order_ids_go_on_above_those_of_the_database(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path, databases: Databases
) -> None:
    greatest = id_in_ten_years()
    connection = await asyncpg.connect(databases.market_data)
    await connection.execute(
        "INSERT INTO orders (order_id, unit_hold_e4, quantity, filled_quantity, notional_e4, seq,"
        " created_us, updated_us, is_open, client_id, security_id, side, order_type,"
        " time_in_force, status)"
        " VALUES ($1, 0, 1, 0, 0, 1, 0, 0, false, 'alice', 'MSFT', 'buy', 'limit', 'gtc', 'new')",
        greatest,
    )
    await connection.close()
    async with running_gateway(bus, tmp_path, market_dsn=databases.market_data) as gateway:
        await gateway.until_ready()
        assert await next_order_id(gateway) > greatest


async def test_a_gateway_waits_for_its_database_and_says_so(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/market_data"
    async with running_gateway(bus, tmp_path, market_dsn=nowhere) as gateway:
        ready = await gateway.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["dependencies"]["api_keys"] != "ok"
        answer = await gateway.http.post("/clients", json={"client_id": "alice"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")


async def test_garbage_in_the_feed_is_passed_over(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path) as gateway:
        await gateway.until_ready()
        bodies = (b"", b"garbage", b'{"version":1,"source":"x","seq":1,"records":[{"type":"?"}]}')
        for body in bodies:
            await bus.publish(DATA_FEED, body)
        assert await status_of_an_order(gateway, await gateway.open_account("alice")) == 201
        page = (await gateway.http.get("/metrics")).text
        assert 'exchange_undecodable_records_total{queue="data_feed"} 3.0' in page
    assert len(bus.queues[DEAD_LETTER]) == 3
