"""The tail of `data_feed`: where the gateway learns keys, states, answers and execution reports."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import structlog

from exchange_shared.bus import DATA_FEED, Bus, LogPosition, QueueReader
from exchange_shared.engine_watch import EngineWatch
from exchange_shared.heartbeats import Listener
from exchange_shared.messages import (
    MATCHING_ENGINE,
    AccountOpened,
    Heartbeat,
    PartialFeedDecoder,
    PassedEvent,
)
from exchange_shared.metrics import Metrics
from exchange_shared.postgres import until_possible
from order_entry_gateway.answers.builder import AnswerBuilder
from order_entry_gateway.answers.known_fills import KnownFills
from order_entry_gateway.api_keys import KeyTable
from order_entry_gateway.clock_watch import ClockWatch
from order_entry_gateway.feed_tail.execution_reports import Report
from order_entry_gateway.feed_tail.report_collector import ReportCollector
from order_entry_gateway.feed_tail.stored import load_stored
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.rate_limits import ClientRates
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.order_ids import OrderIds
from order_entry_gateway.settings import SERVICE

log = structlog.get_logger()


class Tail:
    """Reads `data_feed` for ever, and hands each event to whoever waits for it."""

    def __init__(
        self,
        *,
        keys: KeyTable,
        rates: ClientRates,
        ids: OrderIds,
        market: MarketStatus,
        clock: ClockWatch,
        readiness: Readiness,
        answers: AnswerBuilder,
        fills: KnownFills,
        reports: ReportCollector,
        send_reports: Callable[[str, list[Report]], None],
        answers_came: Callable[[], None],
        listener: Listener,
    ) -> None:
        self._keys = keys
        self._rates = rates
        self._ids = ids
        self._market = market
        self._listener = listener
        self._engine = EngineWatch()
        self._read_seq = 0
        self._readiness = readiness
        self._answers = answers
        self._reports = reports
        self._send_reports = send_reports
        self._answers_came = answers_came
        own: dict[type, Callable[[Any], None]] = {
            AccountOpened: self._learn_key,
            Heartbeat: self._hear,
        }
        # The reports forget the names of orders that end, which the others ask for.
        takers = (
            own,
            market.handlers,
            rates.handlers,
            clock.handlers,
            answers.handlers,
            fills.handlers,
            reports.handlers,
        )
        self._handlers: dict[type, tuple[Callable[[Any], None], ...]] = {
            event_type: tuple(taker[event_type] for taker in takers if event_type in taker)
            for event_type in {event_type for taker in takers for event_type in taker}
        }
        self._decoder = PartialFeedDecoder(self._handlers.keys())
        self._handlers |= dict.fromkeys(self._decoder.passed_events, (self._follow,))

    async def run(
        self,
        bus: Bus,
        dsn: str | None,
        metrics: Metrics,
        on_loaded: Callable[[], None],
    ) -> None:
        """Load what is stored, call `on_loaded`, then read on from there.

        Raises:
            SequenceGap, LogTruncated: records are missing from the log.
            EngineBegunAgain: the engine knows less than was read of it.
        """
        stored = LogPosition()
        if dsn is not None:
            stored = await until_possible(
                lambda: load_stored(
                    dsn, self._keys, self._rates, self._ids, self._market, self._readiness
                ),
                self._readiness.keys_wait_for,
            )
        log.info("api_keys_loaded", clients=len(self._keys), position=stored.position)
        self._read_seq = stored.sources.get(MATCHING_ENGINE, 0)
        self._readiness.api_keys = None
        on_loaded()
        reader: QueueReader[Any] = QueueReader(
            bus,
            DATA_FEED,
            self._decoder,
            stored,
            reader=SERVICE,
            metrics=metrics,
            whole_from=MATCHING_ENGINE,
        )
        async with aclosing(reader.read()) as stream:
            async for deliveries in stream:
                for delivery in deliveries:
                    self.apply(delivery.records)
                    await asyncio.sleep(0)  # requests are served between two messages
                self._read_seq = reader.applied.sources.get(MATCHING_ENGINE, 0)

    def apply(self, records: list[Any]) -> None:
        """Take in the records of one message; answers and reports leave at its end."""
        if self._readiness.matching_engine is not None:
            self._raise_floor(records)
        if records:
            self._market.seq = getattr(records[-1], "seq", self._market.seq)
        handlers = self._handlers
        for record in records:
            for handle in handlers.get(type(record), ()):
                handle(record)
        self._answers.end_of_message()
        for client_id, reports in self._reports.end_of_message().items():
            self._send_reports(client_id, reports)
        self._answers_came()

    def _raise_floor(self, records: list[Any]) -> None:
        """Until the engine has answered, all ids in the log are of earlier commands."""
        for record in records:
            for name in ("order_id", "request_id"):
                id_ = getattr(record, name, None)
                if id_ is not None:
                    self._ids.raise_floor(id_)

    def _hear(self, heartbeat: Heartbeat) -> None:
        self._listener.hear(heartbeat)
        self._engine.check(heartbeat, self._read_seq)

    def _learn_key(self, event: AccountOpened) -> None:
        self._keys.add(event.client_id, event.api_key_hash)

    def _follow(self, event: PassedEvent) -> None:
        self._answers.follow(event.seq)
