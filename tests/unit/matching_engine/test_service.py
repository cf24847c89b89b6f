"""The engine's background work: what goes wrong there stops it, or is logged and tried again."""

import asyncio
from pathlib import Path

import pytest

from exchange_shared.bus import ORDER_ENTRY
from exchange_shared.messages import ClockTick, encode_batch
from matching_engine.service import MatchingEngineSettings, open_matching_engine
from matching_engine.snapshot_store import Snapshot, SnapshotStore
from tests.support.memory_bus import MemoryBus


async def tick(bus: MemoryBus, seq: int) -> None:
    command = ClockTick(time_us=seq)
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
