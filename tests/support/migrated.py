"""Looking into databases that migrations have made."""

import asyncpg

from exchange_migrations.runner import (
    Migration,
)

PASSWORDS = {
    "clearinghouse": "it's \\ secret",
    "market_data_feed": "secret",
    "order_entry_gateway": "secret",
}


async def fetch(dsn: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def tables(dsn: str) -> list[str]:
    query = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    return [str(name) for (name,) in await fetch(dsn, query)]


async def journal(dsn: str) -> list[tuple[object, ...]]:
    return await fetch(dsn, "SELECT version, name, sha256 FROM schema_migrations ORDER BY version")


def recorded(*migrations: Migration) -> list[tuple[object, ...]]:
    return [(item.version, item.name, item.sha256) for item in migrations]
