"""The engine as a service: reads `order_entry`, applies, publishes, and takes snapshots.

Recovery is the normal start: load the newest snapshot, replay the log after it, publish again what
that causes (readers drop what they have seen), and go on.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from pydantic import Field

from exchange_shared.bus import (
    DATA_FEED,
    ORDER_ENTRY,
    ORDER_EXECUTION,
    Bus,
    Delivery,
    LogPosition,
    Publisher,
    QueueReader,
)
from exchange_shared.heartbeats import beat
from exchange_shared.http import Health, create_app
from exchange_shared.messages import (
    MATCHING_ENGINE,
    AccountOpened,
    AnyCommand,
    AnyEvent,
    MarketClockChanged,
    TradeExecuted,
    command_decoder,
)
from exchange_shared.metrics import Metrics
from exchange_shared.runner import BackgroundTasks, Service
from exchange_shared.settings import ServiceSettings
from exchange_shared.units import apart, format_time
from matching_engine.core import Exchange
from matching_engine.snapshot_store import Snapshot, SnapshotStore

DESCRIPTION = "Keeps one order book per security and matches orders by price and time."

log = structlog.get_logger()


class MatchingEngineSettings(ServiceSettings):
    """What the engine needs to know beside what every service does."""

    port: int = Field(default=2401, ge=0, le=65_535)
    snapshot_dir: Path = Path("snapshots")
    snapshot_every: int = Field(default=100_000, ge=1)
    """Commands between two snapshots; a restart replays at most about as many."""

    snapshot_seconds: float = Field(default=60.0, gt=0)
    """The longest time between two snapshots while there are commands."""

    max_pending_events: int = Field(default=100_000, ge=1)
    """Events that may wait for the broker; beyond them no command is applied."""


class MatchingEngine:
    """Drives the exchange's state machine from the log."""

    def __init__(self, settings: MatchingEngineSettings, bus: Bus, metrics: Metrics) -> None:
        self._bus = bus
        self._snapshot_every = settings.snapshot_every
        self._snapshot_seconds = settings.snapshot_seconds
        self._store = SnapshotStore(settings.snapshot_dir)
        snapshot = self._store.load_newest()
        stored = snapshot.applied if snapshot else LogPosition()
        self._position = stored.position
        self.exchange = Exchange(snapshot.state if snapshot else None)
        self._replay_until: int | None = None
        self._log_end_known = False
        self._hears_gateways = False
        self._since_snapshot = 0
        self._snapshot_at = time.monotonic()
        self._snapshot_task: asyncio.Task[None] | None = None
        self.feed = Publisher(
            bus,
            DATA_FEED,
            MATCHING_ENGINE,
            next_seq=self.exchange.seq + 1,
            max_pending=settings.max_pending_events,
        )
        self.executions = Publisher(
            bus,
            ORDER_EXECUTION,
            MATCHING_ENGINE,
            next_seq=self.exchange.execution_seq + 1,
            max_pending=settings.max_pending_events,
        )
        self._reader = QueueReader(
            bus,
            ORDER_ENTRY,
            command_decoder(),
            stored,
            reader=MATCHING_ENGINE,
            metrics=metrics,
            max_messages=1,
        )
        self._commands = metrics.counter("commands", "Commands applied since the start")
        self._held_back = metrics.gauge(
            "time_held_back_seconds",
            "How far ahead of the market's clock others are; below: behind",
        )
        self._events = metrics.counter("events", "Events published since the start")
        self._open_orders = metrics.gauge("open_orders", "Orders in the books")
        log.info("state_loaded", position=self._position, seq=self.exchange.seq)

    async def run(self) -> None:
        """Apply commands for ever."""
        self._replay_until = await self._bus.last_position(ORDER_ENTRY)
        self._log_end_known = True
        async for deliveries in self._reader.read():
            for delivery in deliveries:
                await self._apply(delivery)
            self._open_orders.set(self.exchange.open_orders)
            self._held_back.set(self.exchange.held_back_us / 1_000_000)
            if self._snapshot_due() and self._snapshot_saved():
                self._begin_snapshot()

    async def _apply(self, delivery: Delivery[AnyCommand]) -> None:
        """Apply one message; position, tracker and state then stand at one point of the log."""
        self._hears_gateways = self.replay_problem() is None
        effects = [self.exchange.apply(command) for command in delivery.records]
        self._position = delivery.position
        self._since_snapshot += len(delivery.records)
        self._commands.inc(len(delivery.records))
        await self._publish(effects)

    async def _publish(self, effects: list[list[AnyEvent]]) -> None:
        """Hand over the events of each command; returns after giving the publishers their turn."""
        events = [event for effect in effects for event in effect]
        executions = [event for event in events if isinstance(event, AccountOpened | TradeExecuted)]
        await self.feed.put_when_room(*effects)
        await self.executions.put_when_room(executions)
        self._events.inc(len(events))
        for event in events:
            if isinstance(event, MarketClockChanged):
                log_clock(event)
        log.debug("applied", position=self._position, seq=self.exchange.seq)
        await asyncio.sleep(0)

    def _snapshot_due(self) -> bool:
        if time.monotonic() - self._snapshot_at >= self._snapshot_seconds:
            return self._since_snapshot > 0
        return self._since_snapshot >= self._snapshot_every

    def _snapshot_saved(self) -> bool:
        """Whether none is being written. Raises what the last one failed with, if it was a bug."""
        if self._snapshot_task is None:
            return True
        if self._snapshot_task.done():
            self._snapshot_task.result()
        return self._snapshot_task.done()

    def _begin_snapshot(self) -> None:
        """Take down the present state, and write it in the background."""
        snapshot = Snapshot(self._reader.applied, self.exchange.state())
        self._since_snapshot = 0
        self._snapshot_at = time.monotonic()
        self._snapshot_task = asyncio.create_task(self._save(snapshot))

    async def _save(self, snapshot: Snapshot) -> None:
        """Write a snapshot once everything it has caused is durable."""
        try:
            await self.feed.wait_confirmed(snapshot.state.seq)
            await self.executions.wait_confirmed(snapshot.state.execution_seq)
            path = await asyncio.to_thread(self._store.save, snapshot)
            log.info("snapshot_saved", path=str(path), seq=snapshot.state.seq)
        except OSError as error:
            log.error("snapshot_failed", error=str(error))

    async def close(self, seconds: float) -> None:
        """Write a last snapshot, if that is possible within the time."""
        if self._since_snapshot and self._snapshot_saved():
            self._begin_snapshot()
        if self._snapshot_task is not None:
            try:
                await asyncio.wait_for(self._snapshot_task, seconds)
            except TimeoutError:
                log.warning(
                    "stopped_unconfirmed",
                    events=self.feed.pending,
                    executions=self.executions.pending,
                )

    def clock_problem(self) -> str | None:
        """What of the time is held back, if anything is, and some gateway is there to tell it."""
        held_back_us = self.exchange.held_back_us
        if not held_back_us or not self._hears_gateways:
            return None
        return (
            f"a gateway's clock is {apart(held_back_us)} the market's: correct it, or confirm its"
            " time with POST /admin/clock"
        )

    def replay_problem(self) -> str | None:
        """`None` once everything that was in the log at the start is applied."""
        if not self._log_end_known:
            return "the end of order_entry is not known yet"
        end = self._replay_until
        if end is None or (self._position is not None and self._position >= end):
            return None
        return f"replaying order_entry: at {self._position} of {end}"


def log_clock(event: MarketClockChanged) -> None:
    """Say that the market's clock was set, or what of the time is held back."""
    say = log.warning if event.held_back_us else log.info
    say(
        "market_clock",
        reason=event.reason,
        market=format_time(event.clock_us),
        held_back_seconds=event.held_back_us / 1_000_000,
    )


@contextlib.asynccontextmanager
async def open_matching_engine(
    settings: MatchingEngineSettings, bus: Bus, health: Health | None = None
) -> AsyncIterator[Service]:
    """Start the engine on a bus; it stops, with a last snapshot, when the context closes."""
    metrics = Metrics()
    health = health or Health()
    engine = MatchingEngine(settings, bus, metrics)
    health.depends_on("bus", bus.unavailable_reason)
    health.depends_on("replay", engine.replay_problem)
    health.depends_on("market_clock", engine.clock_problem)
    async with BackgroundTasks() as publishing:
        publishing.start(engine.feed.run(), "publish-events")
        publishing.start(engine.executions.run(), "publish-executions")
        async with BackgroundTasks() as tasks:
            tasks.start(engine.run(), "apply-commands")
            tasks.start(publishing.failed(), "publishing")
            tasks.start(
                beat(bus, MATCHING_ENGINE, lambda: engine.exchange.seq, health.first_problem),
                "heartbeat",
            )
            app = create_app(
                "Matching engine", DESCRIPTION, health, metrics, settings.allowed_hosts
            )
            yield Service("matching-engine", app, tasks)
        await engine.close(settings.drain_seconds)
