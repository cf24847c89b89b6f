"""Roles, rights, and the broker: everybody may do what they need, and no more."""

import asyncio
import os
import sys
from pathlib import Path

import aio_pika
import aiormq
import asyncpg
import httpx
import pytest

from exchange_migrations import broker, create_databases, databases, migrate
from exchange_migrations.__main__ import prepare
from exchange_migrations.databases import create_roles
from exchange_migrations.runner import MigrationError
from exchange_migrations.settings import MigrationSettings
from tests.support.broker import Broker
from tests.support.migrated import PASSWORDS, fetch, journal
from tests.support.paths import ROOT
from tests.support.processes import free_port
from tests.support.servers import PostgresServer


async def test_two_jobs_at_once_prepare_everything_and_a_third_changes_nothing(
    fresh_server: PostgresServer,
) -> None:
    settings = MigrationSettings.model_validate(
        {
            "postgres_admin_dsn": fresh_server.dsn(),
            **{f"{role}_db_password": password for role, password in PASSWORDS.items()},
        }
    )
    await asyncio.gather(prepare(settings), prepare(settings))
    for database in ("clearing_data", "market_data"):
        before = await journal(fresh_server.dsn(database))
        assert before
        await prepare(settings)
        assert await journal(fresh_server.dsn(database)) == before


CLEARING_RIGHTS = [
    ("SELECT * FROM account, transfer, trade_settlement, consumer_position, outbox", True),
    ("INSERT INTO account (owner, asset) VALUES ('ada', 'cash')", True),
    ("UPDATE account SET balance = balance", False),
    ("INSERT INTO consumer_position VALUES ('q', 1, '{}')", True),
    ("UPDATE consumer_position SET position = 2", True),
    ("INSERT INTO outbox VALUES (1, 1, '')", True),
    ("DELETE FROM outbox", True),
    ("INSERT INTO transfer SELECT 1, 1, 1, 1, 1 WHERE false", True),
    ("INSERT INTO account (owner, asset, balance) VALUES ('bob', 'cash', 7)", False),
    ("UPDATE account SET owner = 'bob'", False),
    ("DELETE FROM account", False),
    ("UPDATE transfer SET amount = 1", False),
    ("DELETE FROM transfer", False),
    ("TRUNCATE transfer", False),
    ("ALTER TABLE transfer DISABLE TRIGGER ALL", False),
    ("UPDATE trade_settlement SET trade_id = 1", False),
    ("DELETE FROM trade_settlement", False),
    ("DELETE FROM consumer_position", False),
    ("SELECT * FROM schema_migrations", False),
    ("CREATE TABLE mine (id integer)", False),
]
FEED_RIGHTS = [
    ("SELECT * FROM client, orders, trade", True),
    ("INSERT INTO client VALUES ('eve', 'hash', 0, 0)", True),
    ("UPDATE client SET api_key_hash = 'mine'", False),
    ("DELETE FROM client", False),
    ("ALTER TABLE client DISABLE TRIGGER ALL", False),
    ("INSERT INTO consumer_position VALUES ('q', 1, '{}')", True),
    ("UPDATE consumer_position SET position = 2", True),
    ("DELETE FROM orders", True),
    ("SELECT * FROM gateway_node", False),
    ("UPDATE gateway_node SET holder = NULL", False),
    ("SELECT * FROM schema_migrations", False),
    ("DROP TABLE orders", False),
    ("CREATE TABLE mine (id integer)", False),
]
GATEWAY_RIGHTS = [
    ("SELECT * FROM client", True),
    ("SELECT * FROM consumer_position", True),
    ("SELECT max(order_id) FROM orders", True),
    ("SELECT * FROM orders", False),
    ("SELECT * FROM trade", False),
    ("SELECT * FROM balance", False),
    ("INSERT INTO client VALUES ('eve', '', 0, 0)", False),
    ("UPDATE client SET api_key_hash = ''", False),
    ("SELECT * FROM gateway_node ORDER BY node LIMIT 1 FOR UPDATE SKIP LOCKED", True),
    ("UPDATE gateway_node SET holder = '', expires_at = now(), ids_until_ms = 1", True),
    ("UPDATE gateway_node SET node = 15 - node", False),
    ("INSERT INTO gateway_node VALUES (16, NULL, now(), 0)", False),
    ("DELETE FROM gateway_node", False),
    ("CREATE TABLE mine (id integer)", False),
]


@pytest.mark.parametrize(
    ("role", "database", "rights"),
    [
        ("clearinghouse", "clearing_data", CLEARING_RIGHTS),
        ("market_data_feed", "market_data", FEED_RIGHTS),
        ("order_entry_gateway", "market_data", GATEWAY_RIGHTS),
    ],
)
async def test_a_role_may_do_exactly_what_its_service_needs(
    fresh_server: PostgresServer, role: str, database: str, rights: list[tuple[str, bool]]
) -> None:
    await _prepare_postgres(fresh_server)
    dsn = fresh_server.dsn(database).replace("postgres@", f"{role}@")
    connection = await asyncpg.connect(dsn)
    try:
        allowed = []
        for statement, _ in rights:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(statement)
                allowed.append((statement, True))
            except asyncpg.InsufficientPrivilegeError:
                allowed.append((statement, False))
            finally:
                await transaction.rollback()
    finally:
        await connection.close()
    assert allowed == rights


@pytest.mark.parametrize(
    ("role", "database"),
    [
        ("clearinghouse", "market_data"),
        ("market_data_feed", "clearing_data"),
        ("order_entry_gateway", "clearing_data"),
        ("somebody", "clearing_data"),
        ("somebody", "market_data"),
    ],
)
async def test_a_role_cannot_connect_to_a_database_that_is_not_its_own(
    fresh_server: PostgresServer, role: str, database: str
) -> None:
    await _prepare_postgres(fresh_server)
    if not await fetch(fresh_server.dsn(), "SELECT 1 FROM pg_roles WHERE rolname = 'somebody'"):
        await fetch(fresh_server.dsn(), "CREATE ROLE somebody LOGIN")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
        await asyncpg.connect(fresh_server.dsn(database).replace("postgres@", f"{role}@"))


async def test_roles_get_their_passwords_and_nothing_that_only_administrators_have(
    fresh_server: PostgresServer,
) -> None:
    await _prepare_postgres(fresh_server)
    query = (
        "SELECT rolname::text, rolpassword LIKE 'SCRAM-SHA-256$%', rolcanlogin,"
        " rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication"
        " FROM pg_authid WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', 'somebody')"
        " ORDER BY 1"
    )
    assert await fetch(fresh_server.dsn(), query) == [
        (role, True, True, False) for role in sorted(PASSWORDS)
    ]


async def test_a_superuser_with_the_password_that_all_had_gets_his_own() -> None:
    with PostgresServer(fsync=False) as server:
        await fetch(server.dsn(), f"ALTER ROLE postgres PASSWORD '{databases.FORMER_PASSWORD}'")
        ((hba_file,),) = await fetch(server.dsn(), "SHOW hba_file")
        _take_no_one_without_a_password(Path(str(hba_file)))
        server.stop()
        server.start()
        own = server.dsn().replace("postgres@", "postgres:p%2F%40%3Aw@")
        for _ in range(2):
            await databases.renew_superuser(own, 0)
            assert await fetch(own, "SELECT 1") == [(1,)]
        for other in (databases.FORMER_PASSWORD, "another"):
            with pytest.raises(MigrationError, match="Postgres refuses the connection") as refusal:
                await databases.renew_superuser(own.replace("p%2F%40%3Aw", other), 0)
            assert other not in str(refusal.value)


def _take_no_one_without_a_password(hba_file: Path) -> None:
    hba_file.write_text("host all all all scram-sha-256\n", encoding="utf-8")


async def _prepare_postgres(server: PostgresServer) -> None:
    await create_databases(server.dsn())
    for database in ("clearing_data", "market_data"):
        await migrate(server.dsn(database), database)
    await create_roles(server.dsn(), PASSWORDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("admin_dsn", "status", "said"),
    [
        ("", 2, "postgres_admin_dsn"),
        ("postgresql://eve:hidden@127.0.0.1:{nobody}/a", 1, "Postgres does not answer"),
        ("postgresql://postgres:hidden@127.0.0.1:{port}/missing", 1, "Postgres refuses"),
        ("postgresql://postgres:hidden@127.0.0.1:{port}/postgres", 0, "prepared"),
    ],
)
async def test_the_program_says_what_is_wrong_and_never_a_password(
    fresh_server: PostgresServer, admin_dsn: str, status: int, said: str
) -> None:
    environment = {
        **os.environ,
        "EXCHANGE_WAIT_SECONDS": "0",
        "EXCHANGE_CLEARINGHOUSE_DB_PASSWORD": "hidden",
        "EXCHANGE_POSTGRES_ADMIN_DSN": admin_dsn.format(port=fresh_server.port, nobody=free_port()),
    }
    if not admin_dsn:
        del environment["EXCHANGE_POSTGRES_ADMIN_DSN"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "exchange_migrations",
        env=environment,
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == status
    assert said in stderr.decode()
    assert "hidden" not in stderr.decode()
    assert "Traceback" not in stderr.decode()


async def test_the_broker_gets_its_queues_and_users_who_may_only_do_their_work(
    rabbitmq_server: Broker, fresh_server: PostgresServer
) -> None:
    virtual_host = "prepared"
    admin_url = await asyncio.to_thread(rabbitmq_server.create_virtual_host, virtual_host)
    settings = MigrationSettings.model_validate(
        {
            "postgres_admin_dsn": fresh_server.dsn(),
            "broker_admin_url": admin_url,
            "broker_management_url": rabbitmq_server.management_url,
            "clearinghouse_broker_password": "p/@:w",
            "matching_engine_broker_password": "secret",
        }
    )
    await prepare(settings)
    await prepare(settings)
    url = rabbitmq_server.url(virtual_host, "clearinghouse:p%2F%40%3Aw")
    async with await aio_pika.connect(url) as connection:
        assert await _allowed_to_read(connection, "order_execution")
        assert not await _allowed_to_read(connection, "order_entry")
        assert not await _allowed_to_read(connection, "data_feed")
        async with connection.channel(on_return_raises=True) as channel:
            broker_exchange = await channel.get_exchange("stock_exchange", ensure=False)
            await broker_exchange.publish(aio_pika.Message(b"x"), "data_feed", timeout=10)
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            async with connection.channel() as channel:
                await channel.declare_queue("mine")
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            async with connection.channel() as channel:
                await channel.default_exchange.publish(aio_pika.Message(b"x"), "data_feed")
    await asyncio.to_thread(rabbitmq_server.delete_virtual_host, virtual_host)


async def test_an_administrator_with_the_password_that_all_had_gets_his_own(
    rabbitmq_server: Broker,
) -> None:
    user = {"password": broker.FORMER_PASSWORD, "tags": "administrator"}
    rabbitmq_server.manage("PUT", "users/first-admin", user)
    url = rabbitmq_server.url("/", "first-admin:p%2F%40%3Aw")
    try:
        for _ in range(2):
            await broker.renew_administrator(rabbitmq_server.management_url, url, 10)
            whoami = f"{rabbitmq_server.management_url}/api/whoami"
            async with httpx.AsyncClient(trust_env=False) as client:
                former = await client.get(whoami, auth=("first-admin", broker.FORMER_PASSWORD))
                own = await client.get(whoami, auth=("first-admin", "p/@:w"))
            assert (former.status_code, own.status_code) == (401, 200)
            assert own.json()["tags"] == ["administrator"]
    finally:
        rabbitmq_server.manage("DELETE", "users/first-admin")


async def _ignore(_: aio_pika.abc.AbstractIncomingMessage) -> None:
    pass


async def _allowed_to_read(connection: aio_pika.abc.AbstractConnection, name: str) -> bool:
    try:
        async with connection.channel() as channel:
            await channel.set_qos(10)
            queue = await channel.get_queue(name, ensure=False)
            await queue.consume(_ignore, arguments={"x-stream-offset": "first"})
    except aiormq.exceptions.ChannelAccessRefused:
        return False
    return True
