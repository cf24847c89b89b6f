"""A gateway with an engine behind it; a module that needs another engine has its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    OPERATOR_KEY,
    Gateway,
    market_with_rate,
    running_engine,
    running_gateway,
)
from tests.support.memory_bus import MemoryBus


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[FakeEngine]:
    async with running_engine(bus) as running:
        yield running


@pytest.fixture
async def gateway(bus: MemoryBus, engine: FakeEngine, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(bus, tmp_path, operator_key=OPERATOR_KEY) as running:
        await running.until_ready()
        yield running


@pytest.fixture
async def patient_gateway(
    bus: MemoryBus, engine: FakeEngine, tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A gateway that takes and refuses any number of requests, and reports each refusal."""
    async with running_gateway(
        bus,
        tmp_path,
        market=market_with_rate(0),
        refusals_per_second=0,
        denials_per_second=0,
        frames_per_second=0,
    ) as running:
        await running.until_ready()
        yield running
