"""`exchange run`: the four services and the bots in one process, on embedded parts.

The services are wired by the same functions as in their own processes; only the adapters differ:
a SQLite log instead of RabbitMQ, and a Postgres that comes as a Python package.
"""

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog
import uvloop

from clearinghouse.service import open_clearinghouse
from exchange_cli.embedded_postgres import embedded_postgres
from exchange_cli.local_secrets import make_secrets
from exchange_cli.places import base_url, check_data_dir, check_ports
from exchange_cli.service_settings import PartSettings, read_service_settings
from exchange_cli.settings import DEFAULT_DATA_DIR, LocalSettings, read_local_settings
from exchange_cli.terminal import say, stop_by_exception
from exchange_cli.ticker import show_lines
from exchange_migrations import create_databases, migrate
from exchange_shared.bus import open_bus
from exchange_shared.garbage import collect_rarely
from exchange_shared.http import Health
from exchange_shared.logs import configure_logs
from exchange_shared.market import MarketConfig, load_market
from exchange_shared.opening import Entrance
from exchange_shared.runner import (
    BackgroundTasks,
    Service,
    open_unless_stopped,
    serving,
    until_stopped,
)
from exchange_shared.signals import stop_signal
from market_data_feed.service import open_market_data_feed
from matching_engine.service import open_matching_engine
from order_entry_gateway.service import open_order_entry_gateway
from trading_bots import BotSettings, ExchangeError, run_bot
from trading_bots.strategies import STRATEGIES

log = structlog.get_logger()

_LOOK_SECONDS = 0.05
"""How often the gateway is asked whether it takes orders, before the welcome."""

BANNER = """\

  The exchange is open.{bots}

    Web page        {feed}/
    API pages       {gateway}/docs   (orders)
                    {feed}/docs   (prices, balances)
    Data            {data}
    Operator        {operator}

  Trade from another terminal:

    JSON='Content-Type: application/json'
    curl -s {gateway}/clients -H "$JSON" -d '{{"client_id": "alice"}}'
    KEY='Authorization: Bearer …'  # the api_key of that answer, which is told only there
    curl -s {gateway}/orders -H "$KEY" -H "$JSON" \\
         -d '{{"security_id": "{security}", "side": "buy", "type": "market", "quantity": 1}}'
    curl -s {feed}/balance/alice -H "$KEY"

  Ctrl-C stops it; `{again}` goes on where it was.
"""


OPERATOR = "has the key that `{command}` shows (docs/operating.md)"
OPERATOR_OF_SETTINGS = "has the key in EXCHANGE_OPERATOR_KEY (docs/operating.md)"


def run_exchange() -> None:
    """Run until SIGINT, SIGTERM or SIGHUP; wrong settings end the program before anything starts.

    Raises:
        MigrationError: a newer version wrote the data, or they were changed.
        MarketFileError: `exchange.toml` is missing or wrong.
        UnusablePlace: a port is taken, or the data cannot be kept where they are to be.
        BusError: another process runs on the same data.
    """
    settings = read_local_settings()
    market = load_market(settings.market_file, STRATEGIES)
    services = read_service_settings(settings, market.bots if settings.bots else [])
    configure_logs(settings.log_level, "text")
    check_ports(settings.host, settings.gateway_port, settings.feed_port)
    check_data_dir(settings.data_dir)
    services = services.with_secrets(make_secrets(settings))
    stop_by_exception()
    collect_rarely()
    with embedded_postgres(settings.data_dir / "postgres") as postgres:
        uvloop.run(
            _run(
                settings,
                services.with_databases(
                    postgres.get_uri("clearing_data"), postgres.get_uri("market_data")
                ),
                market,
                admin_dsn=postgres.get_uri(),
                at_last=postgres.leave,
            )
        )


async def _run(
    settings: LocalSettings,
    parts: PartSettings,
    market: MarketConfig,
    *,
    admin_dsn: str,
    at_last: Callable[[], None],
) -> None:
    stop = stop_signal(at_last=at_last)
    feed_door = Entrance("market-data-feed", Health())
    gateway_door = Entrance("order-entry-gateway", Health())
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(BackgroundTasks())
        gateway_server = await stack.enter_async_context(
            serving(gateway_door, parts.gateway, servers)
        )
        feed = parts.feed.model_copy(update={"gateway_port": gateway_server.port})
        parts = replace(parts, feed=feed)
        feed_server = await stack.enter_async_context(serving(feed_door, feed, servers))
        opening = _open_services(settings, parts, feed_door, gateway_door, admin_dsn)
        services = await open_unless_stopped(stack, opening, stop)
        if services is not None:
            stack.push_async_callback(feed_server.close)
            stack.push_async_callback(gateway_server.close)
            feed_url = base_url(settings.host, feed_server.port)
            gateway_url = base_url(settings.host, gateway_server.port)
            clients = await stack.enter_async_context(BackgroundTasks())
            _start_bots(clients, parts.bots, gateway_url, feed_url)
            welcome = _welcome(settings, market, gateway_door, gateway_url, feed_url)
            clients.start(welcome, "welcome")
            await until_stopped(stop, *_tasks(*services), servers, clients)
        say("\n  Stopping; nothing is lost.")


@asynccontextmanager
async def _open_services(
    settings: LocalSettings,
    parts: PartSettings,
    feed_door: Entrance,
    gateway_door: Entrance,
    admin_dsn: str,
) -> AsyncIterator[list[Service]]:
    """Prepare the databases, and open all four services and the doors that people use."""
    await create_databases(admin_dsn)
    await migrate(parts.clearinghouse.clearing_dsn, "clearing_data")
    await migrate(parts.feed.market_dsn.get_secret_value(), "market_data")
    async with AsyncExitStack() as stack:
        bus = await open_bus(settings.bus_url)
        stack.push_async_callback(bus.close)
        engine = await stack.enter_async_context(open_matching_engine(parts.engine, bus))
        clearing = await stack.enter_async_context(open_clearinghouse(parts.clearinghouse, bus))
        feed = await stack.enter_async_context(
            open_market_data_feed(parts.feed, bus, feed_door.health)
        )
        feed_door.open(feed.app)
        gateway = await stack.enter_async_context(
            open_order_entry_gateway(parts.gateway, bus, health=gateway_door.health)
        )
        gateway_door.open(gateway.app)
        yield [engine, clearing, feed, gateway]


async def _welcome(
    settings: LocalSettings,
    market: MarketConfig,
    gateway_door: Entrance,
    gateway_url: str,
    feed_url: str,
) -> None:
    """Tell where the exchange is once it takes orders, and then what goes on."""
    while gateway_door.health.first_problem() is not None:  # noqa: ASYNC110 (asked, it tells)
        await asyncio.sleep(_LOOK_SECONDS)
    _print_banner(settings, market, gateway_url, feed_url)
    if settings.quiet:
        await asyncio.Event().wait()
    await show_lines(gateway_url, feed_url, say)


def _tasks(*services: Service) -> list[BackgroundTasks]:
    return [service.tasks for service in services]


def _start_bots(
    clients: BackgroundTasks, bots: Iterable[BotSettings], gateway_url: str, feed_url: str
) -> None:
    urls = {"gateway_url": gateway_url, "feed_url": feed_url}
    for bot in bots:
        clients.start(_keep_bot(bot.model_copy(update=urls)), f"bot {bot.client_id}")


async def _keep_bot(settings: BotSettings) -> None:
    """Run a bot for ever. One that cannot have its account is missed, but stops nothing else."""
    try:
        await run_bot(settings, asyncio.Event())
    except ExchangeError as error:
        log.error("bot_stopped", client_id=settings.account_id, error=str(error))
    await asyncio.Event().wait()


def _print_banner(
    settings: LocalSettings, market: MarketConfig, gateway_url: str, feed_url: str
) -> None:
    names = ", ".join(bot.client_id for bot in market.bots) if settings.bots else ""
    bots = f" Trading now: {names}." if names else " No bots trade."
    again, show_key = "make run", ".venv/bin/exchange key operator"
    if settings.data_dir != DEFAULT_DATA_DIR:
        directory = shlex.quote(str(settings.data_dir.resolve()))
        again = f"DATA_DIR={directory} {again}"
        show_key = f"EXCHANGE_DATA_DIR={directory} {show_key}"
    text = BANNER.format(
        bots=bots,
        feed=feed_url,
        gateway=gateway_url,
        data=settings.data_dir.resolve(),
        operator=(
            OPERATOR_OF_SETTINGS if settings.operator_key else OPERATOR.format(command=show_key)
        ),
        again=again,
        security=market.securities[0].id,
    )
    say(text)
