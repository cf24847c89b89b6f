"""Reading `data_feed`: into the projections at once, to the streams at once, then to the writer."""

import asyncio
from contextlib import aclosing

import structlog

from exchange_shared.bus import DATA_FEED, Bus, Delivery, LogPosition, QueueReader
from exchange_shared.engine_watch import EngineWatch
from exchange_shared.heartbeats import Listener
from exchange_shared.messages import (
    CLEARINGHOUSE,
    MATCHING_ENGINE,
    AnyFeedRecord,
    Event,
    Heartbeat,
    feed_decoder,
)
from exchange_shared.messages.events import AccountOpened, TradeExecuted
from exchange_shared.metrics import Metrics
from exchange_shared.units import now_us
from market_data_feed.fanout import Fanout
from market_data_feed.progress import Progress
from market_data_feed.projections import Projections
from market_data_feed.settings import SERVICE
from market_data_feed.storage.writer import Writer

YIELD_RECORDS = 1_000
"""Records applied before others may run."""

log = structlog.get_logger()


def applied_seq(position: LogPosition) -> int:
    """The engine's last event at a position."""
    return position.sources.get(MATCHING_ENGINE, 0)


def settled_seq(position: LogPosition) -> int:
    """The last execution at a position of which the clearinghouse has reported."""
    return position.sources.get(CLEARINGHOUSE, 0)


class Consumer:
    """Applies everything that `data_feed` has after a position."""

    def __init__(
        self,
        bus: Bus,
        projections: Projections,
        progress: Progress,
        fanout: Fanout,
        writer: Writer,
        stored: LogPosition,
        metrics: Metrics,
        listener: Listener,
    ) -> None:
        self._bus = bus
        self._listener = listener
        self._engine = EngineWatch()
        self._projections = projections
        self._progress = progress
        self._fanout = fanout
        self._writer = writer
        self._applied = stored
        self._metrics = metrics
        self._records = metrics.counter("feed_applied_records", "Records read and applied")
        self._lag = metrics.gauge(
            "feed_lag_seconds", "How old the newest record was when it was applied"
        )
        metrics.gauge(
            "feed_orphan_records", "Records of orders or securities that could not be read"
        ).set_function(lambda: projections.orphans)
        metrics.gauge("feed_trades", "Trades that there have been").set_function(
            lambda: sum(security.trades for security in projections.securities.values())
        )
        self._behind: str | None = "the log has not been read yet"

    def problem(self) -> str | None:
        """Why what the feed tells is not the newest, `None` when it is."""
        if self._writer.is_full:
            return f"{self._writer.unstored} rows wait for Postgres; reading has stopped"
        return self._behind

    async def run(self) -> None:
        """Read for ever.

        Raises:
            SequenceGap, LogTruncated: records are missing from the log.
            EngineBegunAgain: the engine knows less than was read of it.
        """
        reader: QueueReader[AnyFeedRecord] = QueueReader(
            self._bus,
            DATA_FEED,
            feed_decoder(),
            self._applied,
            reader=SERVICE,
            metrics=self._metrics,
            whole_from=MATCHING_ENGINE,
        )
        end = await self._bus.last_position(DATA_FEED)
        self._watch_start(end)
        async with aclosing(reader.read()) as stream:
            async for deliveries in stream:
                if self._writer.is_full:
                    log.warning("reading_stopped", unstored=self._writer.unstored)
                    await self._writer.wait_for_room()
                self._writer.begin()
                await self._apply(deliveries)
                self._applied = reader.applied
                self._progress.advance(applied_seq(self._applied), settled_seq(self._applied))
                self._writer.end(self._applied, due=not _only_heartbeats(deliveries))
                self._watch_start(end)
                await asyncio.sleep(0)

    async def _apply(self, deliveries: list[Delivery[AnyFeedRecord]]) -> None:
        """Apply messages; others may run between two of them, but never within one."""
        apply, publish = self._projections.apply, self._fanout.publish
        since_yield = 0
        for delivery in deliveries:
            for record in delivery.records:
                if type(record) is Heartbeat:
                    self._listener.hear(record)
                    self._engine.check(record, self._progress.applied_seq)
                apply(record)
                publish(record)
                if type(record) is TradeExecuted or type(record) is AccountOpened:
                    self._progress.executed(record.seq, record.execution_seq)
            if delivery.records and isinstance(last := delivery.records[-1], Event):
                self._progress.applied(last.seq)
            count = len(delivery.records)
            self._records.inc(count)
            if count:
                self._lag.set((now_us() - delivery.records[-1].time_us) / 1e6)
            since_yield += count
            if since_yield >= YIELD_RECORDS:
                since_yield = 0
                await asyncio.sleep(0)

    def _watch_start(self, end: int | None) -> None:
        """Whether everything that was in the log at the start is applied."""
        if self._behind is None:
            return
        position = self._applied.position or 0
        behind = end is not None and position < end
        self._behind = f"at {position} of {end} of the log" if behind else None


def _only_heartbeats(deliveries: list[Delivery[AnyFeedRecord]]) -> bool:
    """Whether nothing came that is worth a transaction."""
    return all(
        delivery.records and all(type(record) is Heartbeat for record in delivery.records)
        for delivery in deliveries
    )
