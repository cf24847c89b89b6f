"""The engine's background work: what goes wrong there stops it, or is logged and tried again."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from exchange_shared.bus import ORDER_ENTRY
from exchange_shared.messages import ClockTick, ConfigureMarket, encode_batch
from matching_engine.service import MatchingEngineSettings, open_matching_engine
from matching_engine.snapshot_store import Snapshot, SnapshotStore
from tests.support.memory_bus import MemoryBus


async def tick(bus: MemoryBus, seq: int, time_us: int | None = None) -> None:
    command = ClockTick(time_us=seq if time_us is None else time_us)
    await bus.publish(ORDER_ENTRY, encode_batch("gateway-0", seq, [command]))


async def test_a_bug_in_writing_a_snapshot_stops_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(_store: SnapshotStore, _snapshot: Snapshot) -> Path:
        raise LookupError("a bug")

    monkeypatch.setattr(SnapshotStore, "save", save)
    bus = MemoryBus()
    settings = MatchingEngineSettings(snapshot_dir=tmp_path, snapshot_every=1)

    async def apply_ticks() -> None:
        async with asyncio.timeout(10), open_matching_engine(settings, bus) as service:
            failed = asyncio.ensure_future(service.tasks.failed())
            for seq in range(1, 100):
                await tick(bus, seq)
                await asyncio.wait([failed], timeout=0.05)
                if failed.done():
                    break
            await failed

    with pytest.raises(LookupError, match="a bug"):
        await apply_ticks()


async def test_few_commands_are_in_a_snapshot_after_a_while_too(tmp_path: Path) -> None:
    bus = MemoryBus()
    settings = MatchingEngineSettings(snapshot_dir=tmp_path, snapshot_seconds=0.2)
    store = SnapshotStore(tmp_path)
    async with asyncio.timeout(10), open_matching_engine(settings, bus):
        await tick(bus, 1)
        await tick(bus, 2)
        assert store.load_newest() is None, "the first commands wait for others"
        await asyncio.sleep(0.3)
        seq = 3
        while (newest := store.load_newest()) is None:
            await tick(bus, seq)
            await asyncio.sleep(0.01)
            seq += 1
        assert newest.applied.position is not None
        assert newest.applied.position >= 2


async def test_a_time_that_is_held_back_is_said_until_it_is_told_no_more(tmp_path: Path) -> None:
    bus = MemoryBus()
    settings = MatchingEngineSettings(snapshot_dir=tmp_path)
    terms = ConfigureMarket(
        time_us=1,
        request_id=1,
        initial_balance_e4=0,
        maker_fee_ppm=0,
        taker_fee_ppm=0,
        max_time_step_us=60_000_000,
    )
    ahead_us = 3_600_000_001
    with capture_logs() as logs:
        async with open_matching_engine(settings, bus) as service:
            transport = httpx.ASGITransport(service.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                await bus.publish(ORDER_ENTRY, encode_batch("gateway-0", 1, [terms]))
                await tick(bus, 2, ahead_us)
                problem = "a gateway's clock is 3,600 seconds ahead of the market's"
                await until_ready_says(http, lambda said: said.startswith(problem))
                page = (await http.get("/metrics")).text
                assert "exchange_time_held_back_seconds 3600.0" in page
                await tick(bus, 3, 10_000_001)
                await until_ready_says(http, lambda said: said == "ok")
                page = (await http.get("/metrics")).text
                assert "exchange_time_held_back_seconds 0.0" in page
    said = [
        (line["log_level"], line["reason"], line["held_back_seconds"])
        for line in logs
        if line["event"] == "market_clock"
    ]
    assert said == [("warning", "held_back", 3_600.0), ("info", "agreed", 0.0)]


async def until_ready_says(http: httpx.AsyncClient, expected: Callable[[str], bool]) -> None:
    """Return when `/readyz` says this of the market's clock."""
    async with asyncio.timeout(10):
        while True:
            dependencies = (await http.get("/readyz")).json()["dependencies"]
            if expected(dependencies["market_clock"]):
                return
            await asyncio.sleep(0)
