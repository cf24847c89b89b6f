"""Servers and databases for migrations."""

from collections.abc import Iterator

import pytest

from tests.support.servers import PostgresServer


@pytest.fixture
async def dsn(postgres_server: PostgresServer) -> str:
    """An empty database."""
    return await postgres_server.create_database("migrated")


@pytest.fixture(scope="module")
def fresh_server() -> Iterator[PostgresServer]:
    """A server for the tests that make databases and roles on it."""
    with PostgresServer(fsync=False) as server:
        yield server
