"""The exchange in both ways to run, for the end-to-end tests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exchange_cli.embedded_postgres import embedded_postgres
from exchange_cli.verify import verify
from exchange_shared.bus import open_bus
from tests.conftest import Databases
from tests.support.paths import ROOT
from tests.support.stack import EmbeddedStack, Stack


@dataclass(frozen=True)
class RunningExchange:
    """A running exchange: where it listens, and where its records are."""

    gateway_url: str
    feed_url: str
    bus_url: str
    clearing_dsn: str
    market_dsn: str
    snapshot_dir: Path
    stack: Any

    async def assert_nothing_lost_or_doubled(self) -> None:
        """Run every check of `exchange verify`."""
        bus = await open_bus(self.bus_url, read_only=True)
        try:
            findings = await verify(
                bus,
                self.clearing_dsn,
                self.market_dsn,
                self.snapshot_dir,
                patience_seconds=30,
            )
        finally:
            await bus.close()
        assert [finding for finding in findings if not finding.holds or finding.behind] == []
        assert len(findings) == 16


@pytest.fixture
def market_file() -> Path:
    """The market; a test module may have another."""
    return ROOT / "exchange.toml"


@pytest.fixture
async def exchange_on_servers(
    databases: Databases, rabbitmq_url: str, market_file: Path
) -> AsyncIterator[RunningExchange]:
    """Four processes around RabbitMQ and Postgres."""
    stack = Stack(
        rabbitmq_url,
        databases.clearing_data,
        databases.market_data,
        market_file=market_file,
        settings={"EXCHANGE_SNAPSHOT_EVERY": "300"},
    )
    await asyncio.to_thread(stack.__enter__)
    try:
        yield RunningExchange(
            stack.gateway_url,
            stack.feed_url,
            stack.bus_url,
            stack.clearing_dsn,
            stack.market_dsn,
            stack.snapshot_dir,
            stack,
        )
    finally:
        await asyncio.to_thread(stack.close)


@pytest.fixture
async def embedded_exchange(market_file: Path) -> AsyncIterator[RunningExchange]:
    """One process on embedded parts."""
    stack = EmbeddedStack(market_file=market_file)
    await asyncio.to_thread(stack.__enter__)
    data = stack.data_dir
    try:
        with embedded_postgres(data / "postgres") as postgres:
            yield RunningExchange(
                stack.gateway_url,
                stack.feed_url,
                f"sqlite:///{data / 'log.db'}",
                postgres.get_uri("clearing_data"),
                postgres.get_uri("market_data"),
                data / "snapshots",
                stack,
            )
    finally:
        await asyncio.to_thread(stack.close)


@pytest.fixture(params=["on_servers", "embedded"])
def exchange(request: pytest.FixtureRequest) -> RunningExchange:
    """A running exchange, in both ways to run."""
    name = "exchange_on_servers" if request.param == "on_servers" else "embedded_exchange"
    running: RunningExchange = request.getfixturevalue(name)
    return running
