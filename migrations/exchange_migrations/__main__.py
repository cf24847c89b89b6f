"""`python -m exchange_migrations`: prepare Postgres and the broker, then end."""

import asyncio
import sys

import structlog
from pydantic import ValidationError

from exchange_migrations.broker import create_users, declare_queues, renew_administrator
from exchange_migrations.databases import (
    create_databases,
    create_roles,
    database_dsn,
    renew_superuser,
)
from exchange_migrations.runner import DATABASES, MigrationError, migrate
from exchange_migrations.settings import MigrationSettings
from exchange_shared.invariants import refuse_optimized
from exchange_shared.logs import configure_logs

log = structlog.get_logger()


async def prepare(settings: MigrationSettings) -> None:
    """Everything that the settings name, in the order in which it is needed.

    Raises:
        MigrationError: something of it could not be prepared; says what.
    """
    admin_dsn = settings.postgres_admin_dsn.get_secret_value()
    await renew_superuser(admin_dsn, settings.wait_seconds)
    await create_databases(admin_dsn, wait_seconds=settings.wait_seconds)
    for database in DATABASES:
        await migrate(database_dsn(admin_dsn, database), database)
    if settings.db_passwords():
        await create_roles(admin_dsn, settings.db_passwords())
    if settings.broker_admin_url:
        broker_url = settings.broker_admin_url.get_secret_value()
        management_url = settings.broker_management_url
        if management_url:
            await renew_administrator(management_url, broker_url, settings.wait_seconds)
        await declare_queues(broker_url, settings.wait_seconds)
        if management_url:
            await create_users(
                management_url,
                broker_url,
                settings.broker_passwords(),
                settings.wait_seconds,
            )


def main() -> int:
    """The exit status: 0 when everything is prepared."""
    refuse_optimized()
    try:
        settings = MigrationSettings.model_validate({})
    except ValidationError as error:
        sys.stderr.write(f"settings: {error}\n")
        return 2
    configure_logs(settings.log_level, settings.log_format)
    try:
        asyncio.run(prepare(settings))
    except MigrationError as error:
        log.error("migration_failed", error=str(error))
        return 1
    log.info("prepared")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
