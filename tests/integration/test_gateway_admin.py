"""The operator's calls, answered by the real matching core, and what traders notice of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from exchange_shared.bus import DATA_FEED, LogPosition
from exchange_shared.messages import (
    ListSecurity,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from exchange_shared.postgres import store_position
from exchange_shared.units import format_time
from tests.conftest import Databases
from tests.support.core_engine import CoreEngine
from tests.support.gateway_operator import OPERATOR, operate, set_state, states
from tests.support.gateways import (
    OPERATOR_KEY,
    Gateway,
    error,
    order,
    receive,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

SELL = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 10, "price": 420}
BUY = {**SELL, "side": "buy"}


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[CoreEngine]:
    engine = CoreEngine()
    async with running_engine(bus, engine):
        yield engine


@pytest.fixture
async def alice(gateway: Gateway) -> str:
    """The key of a client."""
    return await gateway.open_account("alice")


# Securities


async def test_a_security_is_listed_with_all_its_terms_exactly(
    gateway: Gateway, engine: CoreEngine
) -> None:
    terms = {
        "security_id": "TSLA",
        "reference_price": "250.0001",
        "tick": 0.0001,
        "lot": 10,
        "granted_quantity": 0,
        "max_order_quantity": 5_000,
        "max_order_value": 1_000_000.5,
        "static_band_percent": 12.5,
        "dynamic_band_percent": "0.0001",
        "halt_seconds": 0.25,
        "auction_seconds": 60,
        "short_margin_percent": 50,
    }
    answer = await operate(gateway, "POST", "/admin/securities", terms)
    assert answer == {
        "security_id": "TSLA",
        "state": "continuous",
        "auction": None,
        "reference_price": 250.0001,
        "seq": engine.seq,
    }
    command = engine.commands[-1]
    assert command == ListSecurity(
        time_us=command.time_us,
        request_id=command.request_id,
        security_id="TSLA",
        tick_e4=1,
        reference_price_e4=2_500_001,
        granted_quantity=0,
        lot_quantity=10,
        max_order_quantity=5_000,
        max_order_value_e4=10_000_005_000,
        static_band_ppm=125_000,
        dynamic_band_ppm=1,
        halt_us=250_000,
        auction_us=60_000_000,
        short_margin_ppm=500_000,
    )


async def test_a_listed_security_gets_other_terms_and_what_is_left_out_its_default(
    gateway: Gateway, engine: CoreEngine, alice: str
) -> None:
    terms = {"security_id": "MSFT", "reference_price": 400, "lot": 10}
    assert (await operate(gateway, "POST", "/admin/securities", terms))["reference_price"] == 400
    refused = await order(gateway, alice, {**SELL, "quantity": 15})
    assert error(refused) == (422, "quantity_off_lot", "quantity")
    refused = await order(gateway, alice, {**SELL, "quantity": 20, "display_quantity": 15})
    assert error(refused) == (422, "quantity_off_lot", "display_quantity")
    await order(gateway, alice, SELL)
    for field, value, code in [("lot", 1, "lot_in_use"), ("tick", 0.02, "tick_in_use")]:
        content = {**terms, field: value}
        answer = await gateway.http.post("/admin/securities", headers=OPERATOR, json=content)
        assert error(answer) == (422, code, field)


# States


async def test_one_security_is_halted_and_resumed_or_all_are(
    gateway: Gateway, engine: CoreEngine, alice: str
) -> None:
    assert await set_state(gateway, "halt", security_id="MSFT") == 1
    assert await states(gateway) == {
        "AAPL": ("continuous", None, None),
        "MSFT": ("halted", None, None),
    }
    assert error(await order(gateway, alice, SELL)) == (409, "trading_halted", None)
    assert await set_state(gateway, "halt") == 1
    answer = await operate(gateway, "POST", "/admin/state", {"action": "open"})
    assert answer == {"count": 2, "seq": engine.seq}
    assert (await order(gateway, alice, SELL)).status_code == 201
    command = next(one for one in engine.commands if isinstance(one, SetMarketState))
    assert command == SetMarketState(
        time_us=command.time_us, request_id=command.request_id, action="halt", security_id="MSFT"
    )


async def test_a_state_that_does_not_fit_is_refused(gateway: Gateway) -> None:
    for content, refusal in [
        ({"action": "resume", "security_id": "MSFT"}, (409, "wrong_state", "action")),
        ({"action": "halt", "security_id": "NONE"}, (404, "unknown_security", "security_id")),
    ]:
        answer = await gateway.http.post("/admin/state", headers=OPERATOR, json=content)
        assert error(answer) == refusal
        assert isinstance(answer.json()["seq"], int)


async def test_an_auction_gathers_orders_and_trades_them_at_one_price(
    gateway: Gateway, engine: CoreEngine, alice: str
) -> None:
    bob = await gateway.open_account("bob")
    await set_state(gateway, "start_auction", security_id="MSFT", auction="opening", seconds=60)
    until = format_time(engine.commands[-1].time_us + 60_000_000)
    assert (await states(gateway))["MSFT"] == ("auction", "opening", until)
    gathered = [
        (await order(gateway, alice, {**SELL, "time_in_force": "opg"})).json(),
        (await order(gateway, bob, {**BUY, "price": 421, "quantity": 4})).json(),
    ]
    assert [(one["status"], one["filled_quantity"]) for one in gathered] == [("new", 0)] * 2
    refused = await order(gateway, bob, {**BUY, "time_in_force": "ioc"})
    assert error(refused) == (409, "no_continuous_trading", "time_in_force")
    async with gateway.connect(alice) as session:
        await receive(session)
        await set_state(gateway, "uncross", security_id="MSFT")
        trade, cancel = (await receive(session))["reports"]
    assert {name: trade[name] for name in ("event", "price", "quantity", "liquidity")} == {
        "event": "trade",
        "price": 420,
        "quantity": 4,
        "liquidity": "auction",
    }
    assert (trade["filled_quantity"], trade["remaining_quantity"]) == (4, 6)
    assert (cancel["event"], cancel["reason"], cancel["quantity"]) == (
        "cancelled",
        "auction_over",
        6,
    )
    status = await operate(gateway, "GET", "/admin/status")
    assert status["securities"][1] == {
        "security_id": "MSFT",
        "state": "continuous",
        "auction": None,
        "until": None,
        "reference_price": 420.0,
    }


async def test_orders_for_auctions_are_new_or_refused_in_continuous_trading(
    gateway: Gateway, alice: str
) -> None:
    waiting = await order(gateway, alice, {**SELL, "time_in_force": "cls"})
    assert (waiting.status_code, waiting.json()["status"]) == (201, "new")
    market = {"security_id": "MSFT", "side": "sell", "type": "market", "quantity": 1}
    waiting = await order(gateway, alice, {**market, "time_in_force": "cls"})
    assert (waiting.status_code, waiting.json()["status"]) == (201, "new")
    refused = await order(gateway, alice, {**SELL, "time_in_force": "opg"})
    assert error(refused) == (409, "auction_over", "time_in_force")
    await set_state(gateway, "close")
    assert error(await order(gateway, alice, SELL)) == (409, "market_closed", None)


# Clients


async def test_a_client_has_limits_of_its_own(
    gateway: Gateway, engine: CoreEngine, alice: str
) -> None:
    limits = {"max_open_orders": 1, "max_order_value": "4200.5", "orders_per_second": 20}
    answer = await operate(gateway, "PUT", "/admin/clients/alice/limits", limits)
    assert answer == {
        "client_id": "alice",
        "max_open_orders": 1,
        "max_position": None,
        "max_order_value": 4200.5,
        "min_display_percent": None,
        "orders_per_second": 20,
        "order_burst": None,
        "seq": engine.seq,
    }
    command = engine.commands[-1]
    assert command == SetClientLimits(
        time_us=command.time_us,
        request_id=command.request_id,
        client_id="alice",
        max_open_orders=1,
        max_order_value_e4=42_005_000,
        orders_per_second=20,
    )
    refused = await order(gateway, alice, {**SELL, "price": 421})
    assert error(refused) == (422, "order_value_limit", None)
    assert (await order(gateway, alice, SELL)).status_code == 201
    assert error(await order(gateway, alice, SELL)) == (422, "too_many_open_orders", None)
    limits = {"max_position": 95}
    await operate(gateway, "PUT", "/admin/clients/alice/limits", limits)
    refused = await order(gateway, alice, {**BUY, "price": 1, "quantity": 1})
    assert error(refused) == (422, "position_limit", None)


async def test_the_kill_switch_cancels_everything_and_lets_nothing_in(
    gateway: Gateway, engine: CoreEngine, alice: str
) -> None:
    path = "/admin/clients/alice/kill-switch"
    for _ in range(2):
        await order(gateway, alice, SELL)
    async with gateway.connect(alice) as session:
        await receive(session)
        answer = await operate(gateway, "PUT", path, {"active": True})
        reports = (await receive(session))["reports"]
    seq = engine.seq
    assert answer == {"client_id": "alice", "active": True, "cancelled": 2, "seq": seq}
    assert [(one["event"], one["reason"]) for one in reports] == [("cancelled", "kill_switch")] * 2
    assert error(await order(gateway, alice, SELL)) == (403, "client_suspended", None)
    answer = await operate(gateway, "PUT", path, {"active": False})
    assert {**answer, "seq": 0} == {
        "client_id": "alice",
        "active": False,
        "cancelled": 0,
        "seq": 0,
    }
    assert (await order(gateway, alice, SELL)).status_code == 201
    switched = [one.suspended for one in engine.commands if isinstance(one, SuspendClient)]
    assert switched == [True, False]


@pytest.mark.parametrize("what", ["limits", "kill-switch"])
async def test_nobody_is_refused_as_unknown(gateway: Gateway, what: str) -> None:
    content = {} if what == "limits" else {"active": True}
    path = f"/admin/clients/nobody/{what}"
    answer = await gateway.http.put(path, headers=OPERATOR, json=content)
    assert error(answer) == (404, "unknown_client", None)


# Restart


async def test_after_a_restart_the_states_are_known_from_the_log(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, operator_key=OPERATOR_KEY) as gateway:
        await gateway.until_ready()
        await set_state(gateway, "halt", security_id="MSFT", seconds=600)
        before = await states(gateway)
        assert before["MSFT"][2] is not None
    async with running_gateway(bus, tmp_path, operator_key=OPERATOR_KEY) as gateway:
        await gateway.until_ready()
        assert await states(gateway) == before


@pytest.mark.postgres
async def test_after_a_restart_the_states_are_known_from_the_database(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path, databases: Databases
) -> None:
    async with running_gateway(bus, tmp_path, operator_key=OPERATOR_KEY) as gateway:
        await gateway.until_ready()
        await set_state(gateway, "halt", security_id="MSFT", seconds=600)
        before = await states(gateway)
        stored_seq, stored_position = engine.seq, await bus.last_position(DATA_FEED)
    assert stored_position is not None
    connection = await asyncpg.connect(databases.market_data)
    until_us = engine.commands[-1].time_us + 600_000_000
    await connection.execute(
        "INSERT INTO security (security_id, tick_e4, reference_price_e4, granted_quantity, volume,"
        " trades, seq, time_us, state, until_us)"
        " VALUES ('MSFT', 100, 4200000, 100, 0, 0, 0, 0, 'halted', $1)",
        until_us,
    )
    stored = LogPosition(stored_position, {"matching-engine": stored_seq})
    await store_position(connection, DATA_FEED, stored)
    await connection.close()
    async with running_gateway(
        bus, tmp_path, operator_key=OPERATOR_KEY, market_dsn=databases.market_data
    ) as gateway:
        await gateway.until_ready()
        assert await states(gateway) == before
