"""The wiring of the feed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from exchange_shared.bus import Bus, LogPosition
from exchange_shared.heartbeats import Listener
from exchange_shared.http import Health, create_app
from exchange_shared.http.failed_keys import FailedKeys
from exchange_shared.messages import CLEARINGHOUSE, MATCHING_ENGINE
from exchange_shared.metrics import Metrics
from exchange_shared.opening import Waiting
from exchange_shared.postgres import open_pool, until_possible
from exchange_shared.runner import BackgroundTasks, Service
from market_data_feed.api.access import Access
from market_data_feed.api.accounts import add_account_routes
from market_data_feed.api.history import History
from market_data_feed.api.market import add_market_routes
from market_data_feed.api.orders import add_order_routes
from market_data_feed.api.places import stream_places, waiting_reads
from market_data_feed.api.reads import Reads
from market_data_feed.api.streams import Streams, add_streams
from market_data_feed.consumer import Consumer, applied_seq, settled_seq
from market_data_feed.dashboard import add_dashboard
from market_data_feed.fanout import Fanout
from market_data_feed.progress import Progress
from market_data_feed.projections import Projections
from market_data_feed.settings import SERVICE, MarketDataFeedSettings
from market_data_feed.storage.database import Database
from market_data_feed.storage.loading import load_projections
from market_data_feed.storage.writer import Writer

DESCRIPTION = (
    "Tells what happens on the exchange: prices, books, trades, orders, accounts. Send"
    " `Authorization: Bearer <api_key>` for what is yours, and `?min_seq=` with the `seq` of an"
    " answer of the gateway to read your own writes.\n\n"
    "WebSockets: `/stream/price?security_id=` tells everybody every change of a best price, of the"
    " last one, of the state, and of what an auction would do, shaped like `/price/{security_id}`;"
    " `/stream/report` tells a client its own orders, trades and settlements, after"
    ' `{"type": "login", "api_key": "…"}` or with the key in the header `Authorization`.'
)

PARTS = ("order-entry-gateway", MATCHING_ENGINE, CLEARINGHOUSE)
"""Whose heartbeats are on `data_feed`."""

log = structlog.get_logger()


@asynccontextmanager
async def open_market_data_feed(
    settings: MarketDataFeedSettings, bus: Bus, health: Health | None = None
) -> AsyncIterator[Service]:
    """The feed, from its database's position on, while the context is open.

    It opens when the database has been read; meanwhile `health` tells what it waits for.
    """
    metrics, health = Metrics(), health or Health()
    postgres = Waiting()
    health.depends_on("bus", bus.unavailable_reason)
    health.depends_on("postgres", postgres.problem)
    async with AsyncExitStack() as stack:
        pool = await open_pool(settings.market_dsn.get_secret_value(), tell=postgres.tell)
        stack.callback(pool.terminate)
        database = Database(pool)

        async def load() -> tuple[Projections, LogPosition]:
            async with pool.acquire() as connection:
                return await load_projections(connection)

        projections, stored = await until_possible(load, postgres.tell)
        log.info("projections_loaded", position=stored.position, seq=applied_seq(stored))

        progress = Progress(applied_seq(stored), settled_seq(stored), projections.execution_seq)
        fanout = Fanout(projections, metrics)
        writer = Writer(
            database, projections, stored, metrics, max_unstored=settings.max_unstored_rows
        )
        listener = Listener()
        consumer = Consumer(bus, projections, progress, fanout, writer, stored, metrics, listener)
        access = Access(
            projections,
            settings.operator_key,
            consumer.problem,
            failed_keys=FailedKeys(settings.failed_keys_per_minute, settings.operator_key),
            public_accounts=settings.public_accounts,
        )
        history = History(database, writer, projections)
        waiting = waiting_reads(settings, metrics)
        reads = Reads(projections, progress, history, access, waiting)

        health.depends_on("postgres", lambda: database.problem)
        health.depends_on("caught_up", consumer.problem)
        health.tells("exchange", lambda: _parts(listener, health))
        app = create_app(
            "Market data feed",
            DESCRIPTION,
            health,
            metrics,
            allowed_hosts=settings.allowed_hosts,
            owner_of=access.owner,
        )
        add_market_routes(app, reads)
        add_order_routes(app, reads)
        add_account_routes(app, reads)
        places = stream_places(settings, metrics)
        backlog, origins = settings.max_stream_backlog, settings.allowed_origins
        streams = Streams(reads, fanout, places, backlog, origins)
        add_streams(app, streams)
        add_dashboard(app, settings.gateway_url, settings.gateway_port)

        tasks = await stack.enter_async_context(BackgroundTasks())
        tasks.start(database.watch(), f"{SERVICE}-database")
        tasks.start(writer.run(), f"{SERVICE}-writer")
        tasks.start(consumer.run(), f"{SERVICE}-consumer")
        tasks.start(listener.run(), f"{SERVICE}-listener")
        yield Service(SERVICE, app, tasks)


def _parts(listener: Listener, health: Health) -> dict[str, str]:
    """Which part of the exchange is at work; nothing is known while the log is not read."""
    problems = health.problems()
    deaf = problems.get("bus") or problems.get("caught_up")
    if deaf is not None:
        return {part.replace("-", "_"): f"unknown: {deaf}" for part in PARTS}
    return {part.replace("-", "_"): listener.problem(part) or "ok" for part in PARTS}
