"""Creates the databases, and one role per service with no more rights than it needs."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg
import structlog

from exchange_migrations.runner import DATABASES, MigrationError

log = structlog.get_logger()

SERVICE_DATABASES = {
    "clearinghouse": "clearing_data",
    "market_data_feed": "market_data",
    "order_entry_gateway": "market_data",
}
"""The one database that each service may connect to. What it may do there is in `rights/`."""

_LOCK_KEY = 0x7072657061726521
"""The advisory lock ("prepare!") under which databases and roles are created."""

FORMER_PASSWORD = "local-database-admin"  # noqa: S105 (it is why the password is renewed)
"""The superuser's in volumes that were made where no password was set."""

_RETRY_SECONDS = 0.5
_NOT_READY = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError)


def database_dsn(dsn: str, database: str) -> str:
    """The same server and user, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def connect(dsn: str, wait_seconds: float = 0.0) -> asyncpg.Connection:
    """A connection, as soon as the server takes one.

    Raises:
        MigrationError: it took none within `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return await asyncpg.connect(dsn, timeout=10)
        except _NOT_READY as error:
            if time.monotonic() >= deadline:
                raise MigrationError(f"Postgres does not answer: {error}") from error
            log.info("waiting_for_postgres", error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"Postgres refuses the connection: {error}") from error


async def renew_superuser(admin_dsn: str, wait_seconds: float = 60.0) -> None:
    """Give the superuser the password of `admin_dsn` where it has the one that all had.

    Postgres takes a superuser's password when its volume is made, and no other by itself.

    Raises:
        MigrationError: it has neither of them.
    """
    parts = urlsplit(admin_dsn)
    try:
        connection = await connect(admin_dsn, wait_seconds)
    except MigrationError as error:
        if parts.password is None or not isinstance(error.__cause__, asyncpg.InvalidPasswordError):
            raise
        place = parts.netloc.rpartition("@")[2]
        former = parts._replace(netloc=f"{parts.username}:{FORMER_PASSWORD}@{place}")
        try:
            connection = await connect(urlunsplit(former))
        except MigrationError:
            raise error from None
        await _set_password(connection, unquote(parts.username or ""), unquote(parts.password))
        log.info("superuser_renewed")
    await connection.close()


async def create_databases(admin_dsn: str, *, wait_seconds: float = 60.0) -> None:
    """Create the databases that are missing. May be run by several processes at once.

    `admin_dsn` is a URL to any database of the server, as a role that may create databases.
    """
    async with _alone(admin_dsn, wait_seconds) as connection:
        existing = {row[0] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for database in DATABASES:
            if database not in existing:
                await connection.execute(
                    f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'"
                )
                log.info("database_created", database=database)


async def create_roles(admin_dsn: str, passwords: Mapping[str, str]) -> None:
    """Create or update the role of each service given here, and take all rights from the public.

    The tables must be there already. May be repeated.
    """
    async with _alone(admin_dsn) as admin:
        for role, password in passwords.items():
            await _create_role(admin, role, password)
        for database in DATABASES:
            roles = [role for role in passwords if SERVICE_DATABASES[role] == database]
            connection = await connect(database_dsn(admin_dsn, database))
            try:
                async with connection.transaction():
                    await _grant_rights(connection, database, roles)
            finally:
                await connection.close()


@asynccontextmanager
async def _alone(admin_dsn: str, wait_seconds: float = 0.0) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the server while no other run of this job changes it."""
    connection = await connect(admin_dsn, wait_seconds)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        yield connection
    finally:
        await connection.close()


async def _create_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    if not exists:
        await connection.execute(f"CREATE ROLE {role}")
        log.info("role_created", role=role)
    await connection.execute(f"ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
    await _set_password(connection, role, password)


async def _set_password(connection: asyncpg.Connection, role: str, password: str) -> None:
    statement = await connection.fetchval(
        "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password
    )
    await connection.execute(statement)


async def _grant_rights(connection: asyncpg.Connection, database: str, roles: list[str]) -> None:
    """Exactly the rights of the files: what an earlier version gave is taken back."""
    await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    await connection.execute(_rights("public"))
    for role in roles:
        await connection.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
        await connection.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}")
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")
        await connection.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        await connection.execute(_rights(role))


def _rights(name: str) -> str:
    return files(__package__).joinpath("rights", f"{name}.sql").read_text(encoding="utf-8")
