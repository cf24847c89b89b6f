"""`python -m exchange_migrations.make_secrets`: give each container its secrets, then end.

Each has a directory of its own, and in it only what it needs. A secret that a setting gives is
taken; one that is there stays; any other is made at random.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import structlog

from exchange_shared.invariants import refuse_optimized
from exchange_shared.logs import configure_logs
from exchange_shared.secret_files import new_secret, read_secret, write_secret

SECRETS: Mapping[str, tuple[str, ...]] = {
    "POSTGRES_ADMIN_PASSWORD": (
        "postgres/password",
        "migrations/exchange_postgres_admin_password",
    ),
    "RABBITMQ_ADMIN_PASSWORD": (
        "rabbitmq/password",
        "migrations/exchange_broker_admin_password",
    ),
    "ORDER_ENTRY_GATEWAY_PASSWORD": (
        "order-entry-gateway/exchange_service_password",
        "migrations/exchange_order_entry_gateway_db_password",
        "migrations/exchange_order_entry_gateway_broker_password",
    ),
    "MATCHING_ENGINE_PASSWORD": (
        "matching-engine/exchange_service_password",
        "migrations/exchange_matching_engine_broker_password",
    ),
    "CLEARINGHOUSE_PASSWORD": (
        "clearinghouse/exchange_service_password",
        "migrations/exchange_clearinghouse_db_password",
        "migrations/exchange_clearinghouse_broker_password",
    ),
    "MARKET_DATA_FEED_PASSWORD": (
        "market-data-feed/exchange_service_password",
        "migrations/exchange_market_data_feed_db_password",
        "migrations/exchange_market_data_feed_broker_password",
    ),
    "OPERATOR_KEY": (
        "order-entry-gateway/exchange_operator_key",
        "market-data-feed/exchange_operator_key",
    ),
    "BOTS_SECRET": ("bots/exchange_bot_secret",),
}
"""Where each secret is kept, by the setting that gives it."""

KNOWN_TO_EVERYBODY = frozenset(
    {
        "local-bots",
        "local-broker-admin",
        "local-clearinghouse",
        "local-database-admin",
        "local-engine",
        "local-feed",
        "local-gateway",
        "local-operator-key",
    }
)
"""Values that an `.env.example` showed, and that are no secrets where it was copied."""

READABLE = 0o444
"""Containers read as users of their own; which of them can is decided by what they mount."""

log = structlog.get_logger()


def make_secrets(root: Path, given: Mapping[str, str]) -> None:
    """See that every secret is in each of its places; may be repeated, and broken off."""
    for name, places in SECRETS.items():
        paths = [root / place for place in places]
        wanted = given.get(name, "").strip()
        if wanted in KNOWN_TO_EVERYBODY:
            log.warning("example_is_no_secret", setting=name)
            wanted = ""
        kept = next((secret for path in paths if (secret := read_secret(path))), None)
        if not wanted and kept is None:
            log.info("secret_made", name=name)
        secret = wanted or kept or new_secret()
        for path in paths:
            if read_secret(path) != secret:
                write_secret(path, secret, READABLE)


def main() -> int:
    """The exit status: 0 when every secret is where it is needed."""
    refuse_optimized()
    configure_logs("info", "json")
    prefix = "EXCHANGE_"
    given = {name: os.environ.get(prefix + name, "") for name in SECRETS}
    root = Path(os.environ.get("EXCHANGE_SECRETS_ROOT", "/secrets"))
    try:
        make_secrets(root, given)
    except OSError as error:
        sys.stderr.write(f"secrets: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
