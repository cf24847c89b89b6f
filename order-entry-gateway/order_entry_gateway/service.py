"""The wiring of the gateway, from top to bottom."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable

import structlog
from fastapi import FastAPI

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, Bus, Publisher
from exchange_shared.heartbeats import Listener, beat
from exchange_shared.http import Health
from exchange_shared.http.failed_keys import FailedKeys
from exchange_shared.market import load_market
from exchange_shared.messages import MATCHING_ENGINE
from exchange_shared.runner import BackgroundTasks, Service
from exchange_shared.units import now_us
from order_entry_gateway.answers.answers import Answer
from order_entry_gateway.answers.builder import AnswerBuilder
from order_entry_gateway.answers.known_fills import KnownFills
from order_entry_gateway.answers.pending import Pending
from order_entry_gateway.api.app import build_app
from order_entry_gateway.api.dependencies import Gateway
from order_entry_gateway.api.sessions import Sessions
from order_entry_gateway.api_keys import KeyTable, Operator
from order_entry_gateway.clock_watch import ClockWatch
from order_entry_gateway.feed_tail.report_collector import ReportCollector
from order_entry_gateway.feed_tail.tail import Tail
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.metrics import GatewayMetrics
from order_entry_gateway.rate_limits import ClientRates, MinuteLimit, Rate, RateLimit
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.confirmations import Confirmations
from order_entry_gateway.sequencing.market_clock import MarketClock
from order_entry_gateway.sequencing.node_lease import NodeLease
from order_entry_gateway.sequencing.opening import Opening
from order_entry_gateway.sequencing.order_entry import OrderEntry, OrderFlow
from order_entry_gateway.sequencing.order_ids import OrderIds
from order_entry_gateway.sequencing.schedule import Schedule
from order_entry_gateway.settings import SERVICE, GatewaySettings
from order_entry_gateway.standstill import Standstill

__all__ = ["GatewaySettings", "open_order_entry_gateway"]

log = structlog.get_logger()


class _Parts:
    """What more than one step of the wiring needs."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.metrics = GatewayMetrics()
        self.readiness = Readiness()
        self.keys = KeyTable(self.readiness)
        self.market_status = MarketStatus()
        self.source = f"{SERVICE}-{secrets.token_hex(8)}"
        self.dsn = settings.market_dsn.get_secret_value() if settings.market_dsn else None
        self.ids = OrderIds(now_us)
        self.lease = NodeLease(self.dsn, self.source, self.ids, settings.node_lease_seconds)
        self.standstill = Standstill()
        self.readiness.depends_on(self.lease.problem)
        self.readiness.depends_on(self.lease.unconfirmed)
        self.readiness.depends_on(self.standstill.problem)
        self.pending: Pending[Answer] = Pending(settings.max_waiting_requests)
        self.sessions = Sessions(settings)
        self.rates = ClientRates()
        self.listener = Listener()


@contextlib.asynccontextmanager
async def open_order_entry_gateway(
    settings: GatewaySettings,
    bus: Bus,
    wall_clock_us: Callable[[], int] = now_us,
    health: Health | None = None,
    clock_us: Callable[[], int] = now_us,
) -> AsyncIterator[Service]:
    """Run a gateway while the context is open; at its end what was taken in is published.

    The schedule goes by `wall_clock_us`, and the times of the commands by `clock_us`.

    Raises:
        MarketFileError: the market's configuration cannot be used.
    """
    market = load_market(settings.market_file)
    parts = _Parts(settings)
    readiness, metrics = parts.readiness, parts.metrics
    entry, report_publisher, order_entry = _way_into_the_log(parts, bus, clock_us)
    clock = MarketClock(Schedule(market.schedule), order_entry, wall_clock_us)
    clock_watch = ClockWatch(readiness, clock_us, clock.tell_again)
    tail = _way_back(parts, order_entry, clock_watch)

    opening = Opening(market, clock, parts.lease, order_entry, readiness)
    app = _doors(parts, bus, order_entry, health or Health())
    metrics.watch(
        "clock_ahead_seconds",
        "How far ahead of the market's clock this gateway's is; below: behind",
        lambda: clock_watch.ahead_us / 1_000_000,
    )
    metrics.watch("queued_requests", "Requests waiting for their turn", lambda: order_entry.queued)
    metrics.watch("unconfirmed_commands", "Commands that are not durable", lambda: entry.pending)
    metrics.watch(
        "unpublished_reports", "Reports that are not durable", lambda: report_publisher.pending
    )
    async with BackgroundTasks() as tasks:
        tasks.start(entry.run(), "order-entry-publisher")
        tasks.start(report_publisher.run(), "order-report-publisher")
        tasks.start(tail.run(bus, parts.dsn, metrics, opening.loaded), "order-entry-tail")
        tasks.start(opening.run(), "order-entry-node")
        tasks.start(parts.standstill.run(), "order-entry-standstill")
        tasks.start(parts.listener.run(), "order-entry-listener")
        tasks.start(
            beat(
                bus,
                SERVICE,
                lambda: entry.confirmed_seq,
                lambda: readiness.stopping or readiness.api_keys or parts.lease.problem(),
            ),
            "order-entry-heartbeat",
        )
        if settings.clock_tick_seconds:
            tasks.start(clock.run(settings.clock_tick_seconds), "order-entry-clock")
        yield Service(SERVICE, app, tasks)
        readiness.stopping = "the gateway is stopping"
        try:
            async with asyncio.timeout(settings.drain_seconds):
                await order_entry.drain()
                await report_publisher.wait_confirmed(report_publisher.last_seq)
            await parts.lease.release()
        except TimeoutError:
            commands = entry.pending + order_entry.queued
            unconfirmed = {"commands": commands, "reports": report_publisher.pending}
            log.warning("stopped_unconfirmed", **unconfirmed)


def _way_into_the_log(
    parts: _Parts, bus: Bus, clock_us: Callable[[], int]
) -> tuple[Publisher, Publisher, OrderEntry]:
    """The publishers of commands and of reports, and the one who gives them what they publish."""
    settings = parts.settings
    report_publisher = Publisher(
        bus, DATA_FEED, parts.source, max_pending=settings.max_unpublished_records
    )
    denials_limit = RateLimit("denials", _at_once(5, settings.denials_per_second))
    confirmations = Confirmations(report_publisher, denials_limit, parts.metrics)
    entry = Publisher(
        bus,
        ORDER_ENTRY,
        parts.source,
        max_pending=settings.max_unpublished_records,
        on_confirmed=confirmations.confirmed,
    )
    flow = OrderFlow(
        rates=parts.rates,
        orders_limit=RateLimit("orders"),
        cancels_limit=RateLimit("cancels"),
        max_queued=settings.max_queued_orders,
        max_unanswered=settings.max_unanswered_orders,
        max_lag_seconds=settings.max_lag_seconds,
    )
    order_entry = OrderEntry(
        bus=bus,
        entry=entry,
        confirmations=confirmations,
        ids=parts.ids,
        pending=parts.pending,
        readiness=parts.readiness,
        market_status=parts.market_status,
        flow=flow,
        answer_seconds=settings.answer_seconds,
        metrics=parts.metrics,
        clock_us=clock_us,
    )
    return entry, report_publisher, order_entry


def _way_back(parts: _Parts, order_entry: OrderEntry, clock_watch: ClockWatch) -> Tail:
    """What reads `data_feed`, and hands answers and execution reports on."""
    settings = parts.settings
    reports = ReportCollector(parts.sessions.by_client, settings.max_remembered_orders)
    fills = KnownFills(reports.name_of, settings.max_fills_of_order, settings.max_remembered_fills)
    parts.metrics.watch("remembered_fills", "Fills that can be told again", lambda: len(fills))
    answers = AnswerBuilder(
        parts.pending,
        order_entry.complete,
        reports.name_of,
        fills.of,
        parts.market_status.securities,
    )
    return Tail(
        keys=parts.keys,
        rates=parts.rates,
        ids=parts.ids,
        market=parts.market_status,
        clock=clock_watch,
        readiness=parts.readiness,
        answers=answers,
        fills=fills,
        reports=reports,
        send_reports=parts.sessions.send_reports,
        answers_came=order_entry.answers_came,
        listener=parts.listener,
    )


def _doors(parts: _Parts, bus: Bus, order_entry: OrderEntry, health: Health) -> FastAPI:
    """The application, with what it tells of the gateway's health and numbers."""
    settings = parts.settings
    readiness, pending, sessions = parts.readiness, parts.pending, parts.sessions
    health.depends_on("message_bus", bus.unavailable_reason)
    health.depends_on("api_keys", lambda: readiness.api_keys)
    health.depends_on(
        "matching_engine",
        lambda: (
            readiness.matching_engine
            or readiness.stopping
            or parts.lease.unconfirmed()
            or parts.listener.problem_once_heard(MATCHING_ENGINE)
        ),
    )
    health.depends_on("node", parts.lease.problem)
    health.depends_on("standstill", parts.standstill.problem)
    health.depends_on("market_clock", lambda: readiness.market_clock)
    parts.metrics.watch("waiting_requests", "Requests without an answer yet", lambda: len(pending))
    parts.metrics.watch("sessions", "Open WebSocket sessions", lambda: sessions.open)
    gateway = Gateway(
        settings=settings,
        keys=parts.keys,
        operator=Operator(settings.operator_key, parts.keys),
        failed_keys=FailedKeys(settings.failed_keys_per_minute, settings.operator_key),
        readiness=readiness,
        market=parts.market_status,
        order_entry=order_entry,
        sessions=sessions,
        frames_limit=RateLimit("frames", _at_once(2, settings.frames_per_second)),
        refusals_limit=RateLimit("refused requests", _refusals(settings)),
        chosen_keys_limit=MinuteLimit(
            "chosen API keys that are new here",
            settings.failed_keys_per_minute,
            5 * settings.failed_keys_per_minute,
        ),
        new_clients_limit=RateLimit("new clients", _at_once(1, settings.new_clients_per_second)),
    )
    return build_app(gateway, health, parts.metrics)


def _refusals(settings: GatewaySettings) -> Rate:
    return _at_once(5, settings.refusals_per_second)


def _at_once(seconds: int, per_second: int) -> Rate:
    """A rate with a burst of as much as is allowed in some seconds."""
    return Rate(per_second, max(1, seconds * per_second))
