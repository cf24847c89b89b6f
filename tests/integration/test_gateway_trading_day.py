"""The gateway tells the engine the phases of the trading day, each once, by the wall clock."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.messages import BeginPhase, ClockTick, ConfigureMarket, FenceNode, ListSecurity
from exchange_shared.units import parse_time
from tests.support.core_engine import CoreEngine
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    MARKET,
    WAIT_SECONDS,
    bearer,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus

OPERATOR_KEY = "key-of-the-operator-0123456789"
DAY = """
[schedule]
timezone = "America/New_York"
pre_open = "09:00"
open = "09:30"
closing_auction = "15:55"
close = "16:00"
"""
FRIDAY = "2026-03-06"
MONDAY = "2026-03-09"
"""The clocks change on the Sunday before."""
THURSDAY_CLOSE = ("closed", parse_time("2026-03-05T21:00:00Z"))
FRIDAY_CLOSE = ("closed", parse_time("2026-03-06T21:00:00Z"))


class WallClock:
    """A clock that tests set."""

    def __init__(self, time: str) -> None:
        self.now_us = 0
        self.set(time)

    def set(self, time: str) -> None:
        """Set it to a time in UTC."""
        self.now_us = parse_time(f"{time}Z".replace(" ", "T"))

    def __call__(self) -> int:
        """The time."""
        return self.now_us


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[FakeEngine]:
    async with running_engine(bus) as running:
        yield running


def phases(engine: FakeEngine) -> list[tuple[str, int]]:
    """The phases that the engine was told of, and when they began."""
    told = [command for command in engine.commands if isinstance(command, BeginPhase)]
    return [(command.phase, command.begins_us) for command in told]


def begun(phase: str, time: str) -> tuple[str, int]:
    """What `phases` says of a phase."""
    return phase, WallClock(time).now_us


async def ticks(engine: FakeEngine, count: int) -> None:
    """Return when the engine was told the time so many times more."""

    def told() -> int:
        return sum(isinstance(command, ClockTick) for command in engine.commands)

    wanted = told() + count
    async with asyncio.timeout(WAIT_SECONDS):
        while told() < wanted:
            await asyncio.sleep(0)


async def until_phase(engine: FakeEngine, *expected: tuple[str, int]) -> None:
    """Return when the engine was told of these phases, and of no others."""
    async with asyncio.timeout(WAIT_SECONDS):
        while len(phases(engine)) < len(expected):
            await asyncio.sleep(0)
    await ticks(engine, 3)
    assert phases(engine) == list(expected)


def running(bus: MemoryBus, directory: Path, clock: WallClock, **settings: Any) -> Any:
    """A gateway with a schedule, that ticks all the time."""
    return running_gateway(
        bus,
        directory,
        market=MARKET + DAY,
        wall_clock_us=clock,
        **{"clock_tick_seconds": 0.001, **settings},
    )


async def test_the_latest_close_and_the_phase_come_before_the_listings(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    clock = WallClock(f"{MONDAY} 13:00:00")
    async with running(bus, tmp_path, clock, clock_tick_seconds=0) as gateway:
        await gateway.until_ready()
    assert [type(command) for command in engine.commands] == [
        BeginPhase,
        BeginPhase,
        FenceNode,
        ConfigureMarket,
        ListSecurity,
        ListSecurity,
    ]
    assert phases(engine) == [FRIDAY_CLOSE, begun("pre_open", f"{MONDAY} 13:00:00")]


async def test_each_phase_is_told_once_also_over_a_weekend_and_a_change_of_clocks(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    clock = WallClock(f"{FRIDAY} 20:59:59.9")
    async with running(bus, tmp_path, clock) as gateway:
        await gateway.until_ready()
        expected = [THURSDAY_CLOSE, begun("closing_auction", f"{FRIDAY} 20:55:00")]
        await until_phase(engine, *expected)
        for now, phase, begins in [
            (f"{FRIDAY} 21:00:00", "closed", f"{FRIDAY} 21:00:00"),
            ("2026-03-08 12:00:00", None, ""),
            (f"{MONDAY} 13:00:01", "pre_open", f"{MONDAY} 13:00:00"),
            (f"{MONDAY} 13:30:00", "continuous", f"{MONDAY} 13:30:00"),
        ]:
            clock.set(now)
            if phase is not None:
                expected.append(begun(phase, begins))
            await until_phase(engine, *expected)
    told = [command for command in engine.commands if isinstance(command, BeginPhase)]
    assert len({command.schedule_id for command in told}) == 1
    assert all(command.schedule_id and command.day_ends_at_close for command in told)


async def test_a_clock_that_is_set_forward_skips_phases_and_set_back_repeats_none(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    clock = WallClock(f"{MONDAY} 13:00:00")
    async with running(bus, tmp_path, clock) as gateway:
        await gateway.until_ready()
        clock.set(f"{MONDAY} 19:57:00")
        expected = [
            FRIDAY_CLOSE,
            begun("pre_open", f"{MONDAY} 13:00:00"),
            begun("closing_auction", f"{MONDAY} 19:55:00"),
        ]
        await until_phase(engine, *expected)
        clock.set(f"{MONDAY} 15:00:00")
        await until_phase(engine, *expected)
        clock.set(f"{MONDAY} 20:00:00")
        await until_phase(engine, *expected, begun("closed", f"{MONDAY} 20:00:00"))


async def test_a_phase_that_begins_while_the_bus_is_away_is_told_afterwards(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    clock = WallClock(f"{MONDAY} 13:29:00")
    async with running(bus, tmp_path, clock) as gateway:
        await gateway.until_ready()
        bus.reason = "away"
        clock.set(f"{MONDAY} 13:30:00")
        answer = await gateway.http.get("/readyz")
        assert answer.status_code == 503
        told = [FRIDAY_CLOSE, begun("pre_open", f"{MONDAY} 13:00:00")]
        assert phases(engine) == told
        bus.reason = None
        await until_phase(engine, *told, begun("continuous", f"{MONDAY} 13:30:00"))


async def test_a_close_that_came_and_went_while_the_bus_was_away_is_told_before_the_phase(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    clock = WallClock(f"{FRIDAY} 15:00:00")
    async with running(bus, tmp_path, clock) as gateway:
        await gateway.until_ready()
        bus.reason = "away"
        clock.set(f"{MONDAY} 13:00:00")
        bus.reason = None
        await until_phase(
            engine,
            THURSDAY_CLOSE,
            begun("continuous", f"{FRIDAY} 14:30:00"),
            FRIDAY_CLOSE,
            begun("pre_open", f"{MONDAY} 13:00:00"),
        )


async def test_a_gateway_wakes_for_the_next_phase(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> None:
    clock = WallClock(f"{MONDAY} 13:29:59.999")
    async with running(bus, tmp_path, clock, clock_tick_seconds=5) as gateway:
        await gateway.until_ready()
        clock.set(f"{MONDAY} 13:30:00")
        async with asyncio.timeout(4):
            while len(phases(engine)) < 3:
                await asyncio.sleep(0)


async def test_the_market_opens_and_closes_by_the_schedule(bus: MemoryBus, tmp_path: Path) -> None:
    clock = WallClock(f"{MONDAY} 12:59:59")
    sell = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 1, "price": 420}
    engine = CoreEngine()
    async with running_engine(bus, engine), running(bus, tmp_path, clock) as gateway:
        await gateway.until_ready()
        headers = bearer(await gateway.open_account("alice"))

        async def outcome(**changes: Any) -> Any:
            answer = await gateway.http.post("/orders", headers=headers, json={**sell, **changes})
            content = answer.json()
            return content["status"] if answer.status_code == 201 else content["error"]["code"]

        assert await outcome() == "market_closed"
        for time, gathers in [("13:00", True), ("13:30", False), ("19:55", True)]:
            clock.set(f"{MONDAY} {time}:00")
            await ticks(engine, 3)
            assert await outcome() == "new"
            ioc = await outcome(time_in_force="ioc")
            assert ioc == ("no_continuous_trading" if gathers else "cancelled")
        clock.set(f"{MONDAY} 20:00:00")
        await ticks(engine, 3)
        assert await outcome() == "market_closed"


async def test_the_phase_of_a_gateway_that_starts_again_changes_nothing(
    bus: MemoryBus, tmp_path: Path
) -> None:
    clock = WallClock(f"{MONDAY} 15:00:00")
    settings = {"operator_key": OPERATOR_KEY, "clock_tick_seconds": 0}
    engine = CoreEngine()
    async with running_engine(bus, engine):
        for starts in range(2):
            async with running(bus, tmp_path, clock, **settings) as gateway:
                await gateway.until_ready()
                headers = bearer(OPERATOR_KEY)
                if starts == 0:
                    halt = {"action": "halt"}
                    await gateway.http.post("/admin/state", headers=headers, json=halt)
                status = await gateway.http.get("/admin/status", headers=headers)
                states = {security["state"] for security in status.json()["securities"]}
                assert states == {"halted"}
    assert phases(engine) == [FRIDAY_CLOSE, begun("continuous", f"{MONDAY} 13:30:00")] * 2


async def test_a_gateway_that_was_off_when_the_market_should_have_closed_closes_it_first(
    bus: MemoryBus, tmp_path: Path
) -> None:
    clock = WallClock(f"{FRIDAY} 15:00:00")
    settings = {"operator_key": OPERATOR_KEY, "clock_tick_seconds": 0}
    operator = bearer(OPERATOR_KEY)
    sell = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 1, "price": 420}
    engine = CoreEngine()
    async with running_engine(bus, engine):
        async with running(bus, tmp_path, clock, **settings) as gateway:
            await gateway.until_ready()
            headers = bearer(await gateway.open_account("alice"))
            for content in (sell, {**sell, "time_in_force": "cls"}):
                answer = await gateway.http.post("/orders", headers=headers, json=content)
                assert answer.status_code == 201
            halt = {"action": "halt", "security_id": "AAPL"}
            await gateway.http.post("/admin/state", headers=operator, json=halt)
        clock.set(f"{MONDAY} 15:00:00")
        async with running(bus, tmp_path, clock, **settings) as gateway:
            await gateway.until_ready()
            status = await gateway.http.get("/admin/status", headers=operator)
            states = {security["state"] for security in status.json()["securities"]}
            assert states == {"continuous"}
            answer = await gateway.http.delete("/orders", headers=headers)
            assert answer.json()["cancelled"] == 1
