"""Applies the numbered SQL files of a database, each once, in order, in its own transaction."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import asyncpg
import structlog

log = structlog.get_logger()

DATABASES = ("clearing_data", "market_data")

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_LOCK_KEY = 0x6D696772617465
"""The advisory lock of the runner ("migrate"); advisory locks are per database."""

_CREATE_JOURNAL = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(Exception):
    """The database cannot be brought to the form that this version of the exchange needs."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    sql: str

    @property
    def label(self) -> str:
        """How messages name it: `0001_ledger`."""
        return f"{self.version:04d}_{self.name}"

    @property
    def sha256(self) -> str:
        """The fingerprint by which a changed file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(database: str) -> list[Migration]:
    """The files of a database, which are numbered from 0001 without a gap.

    Raises:
        MigrationError: the database is unknown, or a file is named or numbered wrongly.
    """
    if database not in DATABASES:
        raise MigrationError(f"{database!r} is none of the databases {', '.join(DATABASES)}")
    folder = files(__package__).joinpath(database)
    entries = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return number_migrations({entry.name: entry.read_text(encoding="utf-8") for entry in entries})


def number_migrations(texts: Mapping[str, str]) -> list[Migration]:
    """The migrations in these files, by file name, in order.

    Raises:
        MigrationError: a file is named wrongly, or the numbers are not 1, 2, 3 and so on.
    """
    migrations: list[Migration] = []
    for file_name in sorted(texts):
        match = _FILE_NAME.fullmatch(file_name)
        if match is None:
            raise MigrationError(f"{file_name}: expected a name like 0001_ledger.sql")
        if int(match[1]) != len(migrations) + 1:
            raise MigrationError(f"{file_name}: expected number {len(migrations) + 1:04d}")
        migrations.append(Migration(int(match[1]), match[2], texts[file_name]))
    return migrations


async def migrate(dsn: str, database: str) -> None:
    """Bring the database at `dsn` to the newest form of `database` ("clearing_data", …).

    May be repeated, and run by several processes at once: they wait for each other.

    Raises:
        MigrationError: a file was changed or is missing after it was applied, or cannot be
            applied. The files before it stay applied; of itself nothing stays.
    """
    await apply_migrations(dsn, load_migrations(database))


async def apply_migrations(dsn: str, migrations: list[Migration]) -> None:
    """`migrate` for a given list."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        await connection.execute("SET client_min_messages TO warning")
        await connection.execute(_CREATE_JOURNAL)
        applied = await _check_applied(connection, migrations)
        for migration in migrations[applied:]:
            await _apply(connection, migration)
    finally:
        await connection.close()


async def _check_applied(connection: asyncpg.Connection, migrations: list[Migration]) -> int:
    """How many migrations are applied already; what is applied must be what the files say."""
    rows = await connection.fetch(
        "SELECT version, name, sha256 FROM schema_migrations ORDER BY version"
    )
    known = {migration.version: migration for migration in migrations}
    for row in rows:
        label = f"{row['version']:04d}_{row['name']}"
        migration = known.get(row["version"])
        if row["version"] > len(migrations):
            raise MigrationError(
                f"a newer version of the exchange wrote the database: it has {label}, which this"
                " one does not know; start that version"
            )
        if migration is None or migration.label != label:
            raise MigrationError(f"{label} is applied to the database, but its file is missing")
        if migration.sha256 != row["sha256"]:
            raise MigrationError(
                f"{label} was changed after it was applied; put the change in a new file"
            )
    return len(rows)


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.sha256,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.label} failed: {error}") from error
    log.info("migration_applied", migration=migration.label)
