"""Fixtures for all tests: private servers for a session, fresh databases and queues for a test."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from exchange_shared.bus.topology import declare_topology
from tests.support.broker import NOT_OURS, Broker
from tests.support.compiled_core import CORE_FILE, core_is_compiled
from tests.support.processes import ServerFailed
from tests.support.servers import PostgresServer, RabbitMQServer

DATABASES = ("clearing_data", "market_data")

_virtual_hosts = itertools.count(1)


def pytest_configure() -> None:
    """Refuse half a broker, and the interpreted core where the compiled one is to be proved."""
    try:
        Broker.given()
    except ServerFailed as error:
        raise pytest.UsageError(str(error)) from error
    if os.environ.get("EXPECT_COMPILED_CORE") == "1" and not core_is_compiled():
        raise pytest.UsageError(f"the core is not compiled: it is {CORE_FILE}")


def pytest_report_header() -> list[str]:
    """Tell on which broker and which core the tests run: others may behave in another way."""
    return [
        f"RabbitMQ: {_broker_of_the_tests()}",
        f"core: {'compiled' if core_is_compiled() else 'interpreted'}",
    ]


def _broker_of_the_tests() -> str:
    given = Broker.given()
    if given is not None:
        try:
            return f"{given.version()} ({given.management_url})"
        except (ServerFailed, httpx.TransportError) as error:
            raise pytest.UsageError(f"{given.management_url} cannot be used: {error}") from error
    return f"{RabbitMQServer.program_version()} ({RabbitMQServer.program()})"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, so that `-m "not rabbitmq"` leaves them out."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        for server in ("postgres", "rabbitmq"):
            if f"{server}_server" in fixtures:
                item.add_marker(server)


@pytest.fixture
async def flood() -> None:
    """Leave asyncio's debug mode, which records a stack for each of thousands of tasks."""
    asyncio.get_running_loop().set_debug(False)


@dataclass(frozen=True)
class Databases:
    """The URLs of a fresh pair of databases with their tables, in which nothing is stored."""

    clearing_data: str
    market_data: str


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres of our own. A test that kills it starts it again."""
    with PostgresServer(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_program() -> str:
    """The program `rabbitmq-server`; where it is not installed no test runs that needs it."""
    program = RabbitMQServer.program()
    if program is None:
        reason = "rabbitmq-server is missing (Debian and Ubuntu: apt-get install rabbitmq-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@pytest.fixture(scope="session")
def rabbitmq_server(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A RabbitMQ: the one that the environment names, or one of our own."""
    given = Broker.given()
    if given is not None:
        yield given
        return
    request.getfixturevalue("rabbitmq_program")
    with RabbitMQServer() as server:
        yield server


@pytest.fixture
def own_rabbitmq_server(rabbitmq_server: Broker) -> RabbitMQServer:
    """A RabbitMQ of our own. A test that kills it starts it again."""
    if not isinstance(rabbitmq_server, RabbitMQServer):
        pytest.skip(NOT_OURS)
    return rabbitmq_server


async def _start_again(server: PostgresServer | Broker) -> None:
    """Start a server that a failed test left killed, so that no other test fails with it."""
    if isinstance(server, PostgresServer | RabbitMQServer) and server.pid is None:
        await asyncio.to_thread(server.start)


@pytest.fixture(scope="session")
def _database_templates(postgres_server: PostgresServer) -> dict[str, str]:
    """Databases to copy from, by the name of the copy."""

    async def migrate_all() -> dict[str, str]:
        from exchange_migrations import migrate

        templates = {name: f"{name}_template" for name in DATABASES}
        for name, template in templates.items():
            await migrate(await postgres_server.create_database(template), name)
        return templates

    # Not in this thread, whose event loop belongs to the tests.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, migrate_all()).result()


@pytest.fixture
async def databases(
    postgres_server: PostgresServer, _database_templates: dict[str, str]
) -> Databases:
    """Fresh databases `clearing_data` and `market_data` with their tables."""
    await _start_again(postgres_server)
    urls = {
        name: await postgres_server.create_database(name, template)
        for name, template in _database_templates.items()
    }
    return Databases(**urls)


@pytest.fixture
async def rabbitmq_url(rabbitmq_server: Broker, worker_id: str) -> AsyncIterator[str]:
    """A virtual host of the RabbitMQ with the exchange's queues, all of them empty."""
    await _start_again(rabbitmq_server)
    virtual_host = f"test-{worker_id}-{next(_virtual_hosts)}"
    url = await asyncio.to_thread(rabbitmq_server.create_virtual_host, virtual_host)
    await declare_topology(url)
    yield url
    await asyncio.to_thread(rabbitmq_server.delete_virtual_host, virtual_host)
