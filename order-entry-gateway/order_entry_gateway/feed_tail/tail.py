"""The tail of `data_feed`: where the gateway learns keys, states, answers and execution reports."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import asyncpg
import msgspec
import structlog

from exchange_shared.bus import DATA_FEED, Bus, LogPosition, QueueReader
from exchange_shared.heartbeats import Listener
from exchange_shared.messages import (
    MATCHING_ENGINE,
    WRITERS,
    AccountConfirmed,
    AccountOpened,
    BatchDecoder,
    ClientLimitsSet,
    ClientSuspended,
    Heartbeat,
    MarketConfigured,
    MarketStateChanged,
    MarketStateSet,
    MassCancelled,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    OrderTriggered,
    RequestRejected,
    SecurityListed,
    TradeExecuted,
)
from exchange_shared.messages.commands import snake_case
from exchange_shared.metrics import Metrics
from exchange_shared.postgres import load_position, load_queries, open_pool, until_possible
from order_entry_gateway.answers.builder import AnswerBuilder
from order_entry_gateway.api_keys import KeyTable
from order_entry_gateway.feed_tail.execution_reports import Report
from order_entry_gateway.feed_tail.report_collector import ReportCollector
from order_entry_gateway.market_status import MarketStatus, SecurityStatus
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.order_ids import MAX_FLOOR, OrderIds

log = structlog.get_logger()


class _Uninteresting(msgspec.Struct, tag=snake_case, gc=False):
    """A record of which the gateway needs nothing: its fields are skipped, not decoded."""


class OrderReport(_Uninteresting):
    """The gateways' own reports."""


class AccountFunded(_Uninteresting):
    """The clearinghouse's report of a new account."""


class TradeSettled(_Uninteresting):
    """The clearinghouse's report of a settlement."""


class PriceChanged(msgspec.Struct, tag=snake_case, gc=False):
    """Of a new price, only where it stands in the sequence."""

    seq: int


class IndicativeChanged(msgspec.Struct, tag=snake_case, gc=False):
    """Likewise of the price that an auction would have now."""

    seq: int


TailRecord = (
    MarketConfigured
    | SecurityListed
    | AccountOpened
    | AccountConfirmed
    | RequestRejected
    | OrderAccepted
    | OrderRejected
    | OrderRepeated
    | TradeExecuted
    | OrderCancelled
    | OrderTriggered
    | OrderReplaced
    | OrderReduced
    | MassCancelled
    | ClientLimitsSet
    | ClientSuspended
    | MarketStateChanged
    | MarketStateSet
    | PriceChanged
    | IndicativeChanged
    | OrderReport
    | AccountFunded
    | TradeSettled
    | Heartbeat
)

_WRITERS: dict[type, str] = {
    **WRITERS,
    PriceChanged: MATCHING_ENGINE,
    IndicativeChanged: MATCHING_ENGINE,
}


async def load_stored(
    dsn: str,
    keys: KeyTable,
    ids: OrderIds,
    market: MarketStatus,
    readiness: Readiness,
) -> LogPosition:
    """Take in the keys, the states of securities and the greatest order id of `market_data`.

    Returns the position in `data_feed` up to which they are complete. A database without tables
    yet is that of a fresh exchange: its position is the beginning.
    """
    queries = load_queries("order_entry_gateway.feed_tail")
    pool = await open_pool(dsn, max_size=1, tell=readiness.keys_wait_for)
    try:
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            stored = await load_position(connection, DATA_FEED)
            for row in await connection.fetch(queries["clients"]):
                keys.add(row["client_id"], row["api_key_hash"])
            for row in await connection.fetch(queries["securities"]):
                market.add(SecurityStatus(**row))
            greatest = await connection.fetchval(queries["greatest_order_id"], MAX_FLOOR)
            ids.raise_floor(greatest)
            return stored
    except asyncpg.UndefinedTableError:
        return LogPosition()
    finally:
        await pool.close()


class Tail:
    """Reads `data_feed` for ever, and hands each event to whoever waits for it."""

    def __init__(
        self,
        *,
        keys: KeyTable,
        ids: OrderIds,
        market: MarketStatus,
        readiness: Readiness,
        answers: AnswerBuilder,
        reports: ReportCollector,
        send_reports: Callable[[str, list[Report]], None],
    ) -> None:
        self._keys = keys
        self._ids = ids
        self._market = market
        self._readiness = readiness
        self._answers = answers
        self._reports = reports
        self._send_reports = send_reports
        own: dict[type, Callable[[Any], None]] = {
            AccountOpened: self._learn_key,
            PriceChanged: self._follow,
            IndicativeChanged: self._follow,
        }
        takers = (own, market.handlers, answers.handlers, reports.handlers)
        self._handlers: dict[type, tuple[Callable[[Any], None], ...]] = {
            event_type: tuple(taker[event_type] for taker in takers if event_type in taker)
            for event_type in {event_type for taker in takers for event_type in taker}
        }

    def listen(self, listener: Listener) -> None:
        """Hand every heartbeat to a listener."""
        self._handlers[Heartbeat] = (listener.hear,)

    async def run(
        self,
        bus: Bus,
        dsn: str | None,
        metrics: Metrics,
        on_loaded: Callable[[], None],
    ) -> None:
        """Load what is stored, call `on_loaded`, then read on from there."""
        stored = LogPosition()
        if dsn is not None:
            stored = await until_possible(
                lambda: load_stored(dsn, self._keys, self._ids, self._market, self._readiness),
                self._readiness.keys_wait_for,
            )
        log.info("api_keys_loaded", clients=len(self._keys), position=stored.position)
        self._readiness.api_keys = None
        on_loaded()
        reader: QueueReader[Any] = QueueReader(
            bus,
            DATA_FEED,
            BatchDecoder(TailRecord, _WRITERS),
            stored,
            reader="order-entry-gateway",
            metrics=metrics,
            whole_from=MATCHING_ENGINE,
        )
        async with aclosing(reader.read()) as stream:
            async for deliveries in stream:
                for delivery in deliveries:
                    self.apply(delivery.records)
                    await asyncio.sleep(0)  # requests are served between two messages

    def apply(self, records: list[Any]) -> None:
        """Take in the records of one message; answers and reports leave at its end."""
        if self._readiness.matching_engine is not None:
            self._raise_floor(records)
        handlers = self._handlers
        for record in records:
            for handle in handlers.get(type(record), ()):
                handle(record)
        self._answers.end_of_message()
        for client_id, reports in self._reports.end_of_message().items():
            self._send_reports(client_id, reports)

    def _raise_floor(self, records: list[Any]) -> None:
        """Until the engine has answered, all ids in the log are of earlier commands."""
        for record in records:
            for name in ("order_id", "request_id"):
                id_ = getattr(record, name, None)
                if id_ is not None:
                    self._ids.raise_floor(id_)

    def _learn_key(self, event: AccountOpened) -> None:
        self._keys.add(event.client_id, event.api_key_hash)

    def _follow(self, event: PriceChanged | IndicativeChanged) -> None:
        self._answers.follow(event.seq)
