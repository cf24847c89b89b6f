"""A gateway whose clock is not the market's says so, and does no harm."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from exchange_shared.messages import BeginPhase, ClockTick, ConfirmTime, MarketStateChanged
from exchange_shared.units import format_time
from tests.support.core_engine import CoreEngine
from tests.support.gateways import (
    MARKET,
    WAIT_SECONDS,
    Gateway,
    bearer,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

OPERATOR_KEY = "key-of-the-operator-0123456789"
OPERATOR = bearer(OPERATOR_KEY)
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
STARTS_US = 1_800_000_000 * SECOND_US
SELL = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 1, "price": 420}
ALL_DAY = """
[schedule]
timezone = "UTC"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
open = "00:00"
close = "23:59"
"""


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_us = STARTS_US

    def __call__(self) -> int:
        """The time."""
        return self.now_us


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[CoreEngine]:
    engine = CoreEngine()
    async with running_engine(bus, engine):
        yield engine


def running(bus: MemoryBus, directory: Path, clock: Clock, **settings: Any) -> Any:
    """A gateway that goes by this clock alone, and ticks all the time."""
    usual = {"clock_tick_seconds": 0.001, "operator_key": OPERATOR_KEY}
    return running_gateway(
        bus, directory, wall_clock_us=clock, clock_us=clock, **{**usual, **settings}
    )


async def let_pass(engine: CoreEngine, clock: Clock, seconds: int) -> None:
    """Let the time pass second by second, each of which the engine is told."""
    for _ in range(seconds):
        clock.now_us += SECOND_US
        await told(engine, clock)


async def told(engine: CoreEngine, clock: Clock) -> None:
    """Return when the engine has the time of the clock."""
    tick = ClockTick(time_us=clock.now_us)
    async with asyncio.timeout(WAIT_SECONDS):
        while tick not in engine.commands[-20:]:
            await asyncio.sleep(0)


async def until_clock(gateway: Gateway, problem: str | None) -> None:
    """Return when `/readyz` says this of the clock: a part of it, or nothing."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            body = (await gateway.http.get("/readyz")).json()
            said = body["dependencies"]["market_clock"]
            if said == "ok" if problem is None else problem in said:
                return
            await asyncio.sleep(0)


async def metric(gateway: Gateway) -> float:
    """How many seconds the gateway says that it is ahead."""
    lines = (await gateway.http.get("/metrics")).text.splitlines()
    (value,) = [
        line.split()[1] for line in lines if "clock_ahead_seconds " in line if line[0] != "#"
    ]
    return float(value)


async def test_after_a_weekend_the_time_is_believed_as_soon_as_nobody_contradicts(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    clock = Clock()
    async with running(bus, tmp_path, clock) as gateway:
        await gateway.until_ready()
        headers = bearer(await gateway.open_account("alice"))
        await gateway.http.post(
            "/admin/state", headers=OPERATOR, json={"action": "halt", "seconds": 30}
        )
        assert await metric(gateway) == 0
    clock.now_us += 3 * DAY_US
    with capture_logs() as logs:
        async with running(bus, tmp_path, clock) as gateway:
            await until_clock(gateway, "259,200 seconds ahead of the market's")
            assert await metric(gateway) == 259_200
            answer = await gateway.http.post("/orders", headers=headers, json=SELL)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
            answer = await gateway.http.patch("/orders/1", headers=headers, json={"quantity": 1})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
            answer = await gateway.http.delete("/orders", headers=headers)
            assert answer.status_code == 200
            await let_pass(engine, clock, 10)
            await until_clock(gateway, None)
            assert await metric(gateway) == 0
            status = (await gateway.http.get("/admin/status", headers=OPERATOR)).json()
            until = format_time(clock.now_us + 20 * SECOND_US)
            assert {one["until"] for one in status["securities"]} == {until}
            await let_pass(engine, clock, 50)
            answer = await gateway.http.post("/orders", headers=headers, json=SELL)
            assert answer.status_code == 201, answer.text
    told = [line for line in logs if line["event"] in ("clock_differs", "market_clock_set")]
    assert [line["event"] for line in told] == ["clock_differs"] * 2 + ["market_clock_set"]


async def test_a_gateway_ahead_of_the_others_takes_no_orders_and_begins_no_phase(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    clock, wrong = Clock(), Clock()
    wrong.now_us += DAY_US
    market = {"market": MARKET + ALL_DAY}
    async with running(bus, tmp_path, clock, **market) as right:
        await right.until_ready()
        headers = bearer(await right.open_account("alice"))
        async with running(bus, tmp_path, wrong, **market) as ahead:
            await until_clock(ahead, "86,400 seconds ahead of the market's")
            for _ in range(20):
                await let_pass(engine, wrong, 1)
                await let_pass(engine, clock, 1)
            await until_clock(ahead, "86,400 seconds ahead of the market's")
            answer = await ahead.http.post("/orders", headers=headers, json=SELL)
            assert answer.status_code == 503
            answer = await right.http.post("/orders", headers=headers, json=SELL)
            assert answer.status_code == 201
        assert (await right.http.get("/readyz")).status_code == 200
        await let_pass(engine, clock, 11)
    assert engine.exchange.held_back_us == 0
    begun = [command for command in engine.commands if isinstance(command, BeginPhase)]
    too_early = [phase for phase in begun if phase.begins_us > clock.now_us]
    assert [phase.phase for phase in too_early] == ["closed", "continuous"]
    for phase in too_early:
        assert engine.exchange.apply(structs.replace(phase, time_us=clock.now_us)) == []


async def test_a_clock_that_is_set_back_is_said_halts_still_end_and_the_operator_confirms_it(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    clock = Clock()
    async with running(bus, tmp_path, clock, market=MARKET + ALL_DAY) as gateway:
        await gateway.until_ready()
        headers = bearer(await gateway.open_account("alice"))
        clock.now_us -= DAY_US
        await until_clock(gateway, "86,400 seconds behind the market's")
        assert await metric(gateway) == -86_400
        halt = {"action": "halt", "seconds": 5, "security_id": "MSFT"}
        await gateway.http.post("/admin/state", headers=OPERATOR, json=halt)
        answer = await gateway.http.post("/orders", headers=headers, json=SELL)
        assert answer.json()["error"]["code"] == "trading_halted"
        await let_pass(engine, clock, 40)
        answer = await gateway.http.post("/orders", headers=headers, json=SELL)
        assert answer.status_code == 201
        answer = await gateway.http.post("/admin/clock", headers=OPERATOR, json={"confirm": True})
        assert answer.json()["time"] == format_time(clock.now_us)
        await until_clock(gateway, None)
        await let_pass(engine, clock, 1)
    assert [type(command) for command in engine.commands].count(ConfirmTime) == 1
    begun = [command for command in engine.commands if isinstance(command, BeginPhase)]
    assert begun[-1].begins_us < clock.now_us
    assert all(
        not isinstance(event, MarketStateChanged) for event in engine.exchange.apply(begun[-1])
    )
