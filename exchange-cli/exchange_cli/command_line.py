"""The command line of the program `exchange`."""

import argparse
import signal
import sys

import asyncpg

from exchange_cli.local_secrets import key_of
from exchange_cli.places import DATA_DIR, UnusablePlace
from exchange_cli.run import run_exchange
from exchange_cli.settings import read_local_settings
from exchange_cli.terminal import speak_plainly
from exchange_cli.verify_command import verify_exchange
from exchange_migrations import MigrationError
from exchange_shared.bus import BusError
from exchange_shared.invariants import MUST_STOP_CODE, MustStop, refuse_optimized
from exchange_shared.market import MarketFileError, load_market


def show_key(name: str) -> None:
    """Print a key that this exchange keeps."""
    settings = read_local_settings()
    market = load_market(settings.market_file)
    print(key_of(name, settings, [bot.client_id for bot in market.bots]))


def run_command_line() -> None:
    """Read the command line and do what it says."""
    refuse_optimized()
    speak_plainly()
    parser = argparse.ArgumentParser(prog="exchange", description="A stock exchange at home.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "run",
        help="run everything in this process",
        description="Run everything in this process: the four services on an embedded log and an"
        " embedded Postgres, and bots. Settings: EXCHANGE_BOTS, EXCHANGE_GATEWAY_PORT,"
        " EXCHANGE_FEED_PORT, EXCHANGE_HOST, EXCHANGE_DATA_DIR, EXCHANGE_MARKET_FILE,"
        " EXCHANGE_ALLOWED_HOSTS, EXCHANGE_TRUSTED_PROXIES, EXCHANGE_OPERATOR_KEY, EXCHANGE_QUIET,"
        " EXCHANGE_LOG_LEVEL.",
    )
    verify = commands.add_parser(
        "verify",
        help="check that nothing was lost, doubled or invented",
        description="Read the log, the ledger and the market data of an exchange, running or not,"
        " and check what must always hold. Exits with 1 when something does not.",
    )
    verify.add_argument("--bus", help="default: the log in EXCHANGE_DATA_DIR")
    verify.add_argument("--clearing-dsn", help="default: the Postgres in EXCHANGE_DATA_DIR")
    verify.add_argument("--market-dsn", help="default: the Postgres in EXCHANGE_DATA_DIR")
    verify.add_argument("--snapshots", help="default: the engine's snapshots in EXCHANGE_DATA_DIR")
    key = commands.add_parser(
        "key",
        help="show the operator's key, or a bot's",
        description="Show the API key of the operator, or of one of the bots, of the exchange in"
        " EXCHANGE_DATA_DIR.",
    )
    key.add_argument("name", help="`operator`, or the client_id of a bot in EXCHANGE_MARKET_FILE")
    arguments = parser.parse_args()
    try:
        if arguments.command == "run":
            run_exchange()
        elif arguments.command == "key":
            show_key(arguments.name)
        else:
            sys.exit(
                verify_exchange(
                    arguments.bus,
                    arguments.clearing_dsn,
                    arguments.market_dsn,
                    arguments.snapshots,
                )
            )
    except MustStop as error:
        sys.stderr.write(
            f"exchange: {type(error).__name__}: {error};"
            " see docs/running.md, When something stops\n"
        )
        sys.exit(MUST_STOP_CODE)
    except KeyboardInterrupt:
        sys.stderr.write("exchange: stopped\n")
        sys.exit(128 + signal.SIGINT)
    except asyncpg.DiskFullError as error:
        sys.exit(f"exchange: {DATA_DIR}: there is no room for the data: {error}")
    except (BusError, MarketFileError, MigrationError, UnusablePlace) as error:
        sys.exit(f"exchange: {error}")
