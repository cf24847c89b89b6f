"""The feed stopped, cut off from its database, and given what it cannot read: nothing is lost."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchange_shared.bus import DATA_FEED, DEAD_LETTER, Bus, SequenceGap
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.messages import (
    AnyCommand,
    OrderReport,
    encode_batch,
)
from market_data_feed.storage.writer import StoreMoved
from tests.conftest import Databases
from tests.support.feed_log import ENGINE
from tests.support.feed_market import FeedMarket
from tests.support.flows import market_commands, order_flow
from tests.support.rich_flow import SHAPES, Shape, rich_flow
from tests.support.rich_flow import opening as opening_of
from tests.support.running_feed import RunningFeed, headers_of, limit, running_feed
from tests.support.servers import PostgresServer
from tests.support.small_market import small_market

RICH = Shape("mixed", display=0.3, hidden=0.2, apart=1, mistakes=0)


(EVERYTHING,) = (replace(one, mistakes=0) for one in SHAPES if one.name == "everything")


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """An empty log."""
    opened = await SQLiteBus.open(tmp_path / "log.db")
    yield opened
    await opened.close()


@pytest.fixture
async def feed(databases: Databases, bus: Bus) -> AsyncIterator[RunningFeed]:
    """A feed with nothing to tell yet."""
    async with running_feed(databases.market_data, bus) as running:
        yield running


@pytest.fixture
async def market(bus: Bus) -> FeedMarket:
    """A market in which alice sells 10 at 100 and bob buys 4 of them, up to the event `SEQ`."""
    return await small_market(bus)


async def everything(feed: RunningFeed, market: FeedMarket) -> dict[str, Any]:
    """All answers about everything, once all of it is applied, settled and stored."""
    seq = market.exchange.seq
    answers: dict[str, Any] = {"securities": await feed.get("/securities", min_seq=seq)}
    listed = [security["security_id"] for security in answers["securities"]]
    for path in ("/leaderboard", *(f"/book/{name}?depth=1000" for name in listed)):
        answers[path] = await feed.get(path)
    answers |= {f"/trades/{name}": await all_pages(feed, f"/trades/{name}") for name in listed}
    for account in market.exchange.state().accounts:
        name = account.client_id
        told = answers[name] = await feed.get(f"/accounts/{name}", "operator")
        profit = told["realised_profit"] + told["unrealised_profit"]
        cash = told["held"] + told["available"]
        assert (round(profit, 4), round(cash, 4)) == (told["profit"], told["balance"])
        for path in (f"/orders?client_id={name}", f"/reports?client_id={name}"):
            answers[path] = await all_pages(feed, path)
        path = f"/orders?client_id={name}&status=open"
        answers[path] = await all_pages(feed, path)
        for order in answers[f"/orders?client_id={name}"]:
            path = f"/report/{order['security_id']}/{order['order_id']}"
            if order["security_id"] in listed:
                answers[path] = await feed.get(path, "operator")
    return answers


async def all_pages(feed: RunningFeed, path: str) -> list[Any]:
    separator = "&" if "?" in path else "?"
    name = {"/tra": "trade_id", "/ord": "order_id", "/rep": "report_seq"}[path[:4]]
    found: list[Any] = []
    before = 2**53 - 1
    while page := await feed.get(f"{path}{separator}before={before}&limit=500", "operator"):
        found += page
        before = page[-1][name]
    return found


def commands(seed: int, count: int, shape: Shape | None = None) -> Iterator[list[AnyCommand]]:
    """A busy market's commands, a few at a time; with every type and option if it has a shape."""
    flow = order_flow(seed, count)
    if shape is not None:
        flow = rich_flow(seed, count, shape)
        assert list(itertools.islice(flow, len(opening_of(shape)))) == opening_of(shape)
    while group := list(itertools.islice(flow, 20)):
        yield group


@pytest.mark.parametrize("shape", [None, RICH, EVERYTHING], ids=["plain", "rich", "everything"])
async def test_a_restarted_feed_tells_the_same_as_before(
    databases: Databases, bus: Bus, postgres_server: PostgresServer, shape: Shape | None
) -> None:
    market = FeedMarket(bus)
    await market.trade(*(market_commands() if shape is None else opening_of(shape)))
    groups = commands(7, 600, shape)
    async with running_feed(databases.market_data, bus) as feed:
        for group in itertools.islice(groups, 15):
            await market.trade(*group)
        before = await everything(feed, market)
    async with running_feed(databases.market_data, bus) as feed:
        assert await everything(feed, market) == before
        for group in groups:
            await market.trade(*group)
        interrupted = await everything(feed, market)
    fresh = await postgres_server.create_database("market_data_again", "market_data_template")
    async with running_feed(fresh, bus) as feed:
        assert await everything(feed, market) == interrupted


async def test_books_and_accounts_are_the_engines(databases: Databases, bus: Bus) -> None:
    market = FeedMarket(bus)
    async with running_feed(databases.market_data, bus) as feed:
        await market.trade(*market_commands())
        for group in commands(8, 400):
            await market.trade(*group)
        answers = await everything(feed, market)
    state = market.exchange.state()
    for security in state.securities:
        book = answers[f"/book/{security.security_id}?depth=1000"]
        open_orders = [
            order
            for order in state.orders
            if order.place and order.request.security_id == security.security_id
        ]
        assert sum(level[1] for level in book["bids"] + book["asks"]) == sum(
            order.remaining_quantity for order in open_orders
        )
        assert sum(level[2] for level in book["bids"] + book["asks"]) == len(open_orders)
    for account in state.accounts:
        answer = answers[account.client_id]
        assert round(answer["balance"] * 10_000) == account.cash_e4
        assert round(answer["held"] * 10_000) == account.cash_held_e4
        assert [(h["security_id"], h["quantity"], h["held"]) for h in answer["holdings"]] == [
            position for position in sorted(account.positions) if position[1]
        ]


async def stored(dsn: str) -> dict[str, Any]:
    """What the database has, as far as it must not be there twice or not at all."""
    connection = await asyncpg.connect(dsn)
    try:
        return {
            "orders": await connection.fetchval("SELECT count(*) FROM orders"),
            "trades": await connection.fetchval("SELECT count(*) FROM trade"),
            "volume": await connection.fetchval("SELECT sum(quantity) FROM trade"),
            "settlements": await connection.fetchval("SELECT count(*) FROM settlement"),
            "reports": await connection.fetchval("SELECT count(*) FROM order_report"),
            "position": await connection.fetchval("SELECT position FROM consumer_position"),
        }
    finally:
        await connection.close()


async def test_lost_connections_lose_and_double_nothing(
    databases: Databases, bus: Bus, postgres_server: PostgresServer
) -> None:
    market = FeedMarket(bus)
    await market.trade(*market_commands())
    async with running_feed(databases.market_data, bus) as feed:
        killer = await asyncpg.connect(postgres_server.dsn())
        for group in commands(9, 1_000):
            await market.trade(*group)
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'market_data' AND state <> 'idle'"
            )
        await killer.close()
        answers = await patiently(feed, market)
    fresh = await postgres_server.create_database("market_data_again", "market_data_template")
    async with running_feed(fresh, bus) as feed:
        assert await everything(feed, market) == answers
    assert await stored(databases.market_data) == await stored(fresh)


async def patiently(feed: RunningFeed, market: FeedMarket) -> dict[str, Any]:
    """`everything`, as soon as the database answers again."""
    while (
        await feed.http.get("/reports?client_id=client0", headers=headers_of("operator"))
    ).status_code != 200:
        await asyncio.sleep(0)
    return await everything(feed, market)


async def test_a_killed_postgres_is_survived_and_everything_stored_once(
    databases: Databases, bus: Bus, postgres_server: PostgresServer
) -> None:
    market = FeedMarket(bus)
    await market.trade(*market_commands())
    groups = commands(10, 600)
    async with running_feed(databases.market_data, bus) as feed:
        for group in itertools.islice(groups, 10):
            await market.trade(*group)
        await asyncio.to_thread(postgres_server.kill)
        try:
            for group in itertools.islice(groups, 10):
                await market.trade(*group)
            seq = market.exchange.seq
            price = await feed.get("/price/MSFT", min_seq=seq)
            assert price["volume"] > 0
            balance = await feed.get("/balance/client0", "operator", min_seq=seq)
            assert balance["seq"] == seq
            newest = await feed.get("/orders?client_id=client0&status=open", "operator")
            state = await feed.get(
                f"/status/{newest[0]['security_id']}/{newest[0]['order_id']}", "operator"
            )
            assert state == newest[0]
            refusal = (503, "storage_unavailable", None)
            assert await feed.refused("/reports?client_id=client0", "operator") == refusal
            while (ready := await feed.http.get("/readyz")).status_code == 200:
                pass
            problems = ready.json()["dependencies"]
            assert [name for name, text in problems.items() if text != "ok"] == ["postgres"]
        finally:
            await asyncio.to_thread(postgres_server.start)
        for group in groups:
            await market.trade(*group)
        answers = await patiently(feed, market)
        assert (await feed.http.get("/readyz")).status_code == 200
    fresh = await postgres_server.create_database("market_data_again", "market_data_template")
    async with running_feed(fresh, bus) as feed:
        assert await everything(feed, market) == answers
    assert await stored(databases.market_data) == await stored(fresh)


async def test_reading_stops_while_too_much_is_not_stored(
    databases: Databases, bus: Bus, postgres_server: PostgresServer
) -> None:
    market = FeedMarket(bus)
    await market.trade(*market_commands())
    async with running_feed(databases.market_data, bus, max_unstored_rows=100) as feed:
        await feed.get("/price/MSFT", min_seq=market.exchange.seq)
        await asyncio.to_thread(postgres_server.kill)
        try:
            for group in commands(11, 600):
                await market.trade(*group)
            while "reading has stopped" not in (await feed.http.get("/readyz")).text:
                pass
            applied = (await feed.get("/book/MSFT"))["seq"]
            assert applied < market.exchange.seq
        finally:
            await asyncio.to_thread(postgres_server.start)
        await patiently(feed, market)
        assert (await feed.get("/book/MSFT"))["seq"] == market.exchange.seq


async def test_garbage_in_the_log_is_passed_over(
    feed: RunningFeed, market: FeedMarket, bus: Bus
) -> None:
    await bus.publish(DATA_FEED, b"\xff garbage")
    report = OrderReport(time_us=1, status="confirmed", client_id="bob", order_id=2**64)
    await bus.publish(DATA_FEED, encode_batch("forged", 1, [report]))
    await market.trade(limit(41, "alice", "sell", 1, 200))
    assert (await feed.get("/book/MSFT", min_seq=market.exchange.seq))["asks"] == [
        [100, 6, 1],
        [200, 1, 1],
    ]
    assert await bus.last_position(DEAD_LETTER) == 2


async def test_a_gap_in_the_log_halts_the_feed(
    feed: RunningFeed, market: FeedMarket, bus: Bus
) -> None:
    events = market.apply([limit(41, "alice", "sell", 1, 200)])
    await bus.publish(DATA_FEED, encode_batch(ENGINE, events[-1].seq + 5, events))
    with pytest.raises(SequenceGap):
        await feed.service.tasks.failed()


async def test_two_feeds_on_one_database_do_not_both_store(
    databases: Databases, bus: Bus, market: FeedMarket
) -> None:
    async with (
        running_feed(databases.market_data, bus) as first,
        running_feed(databases.market_data, bus) as second,
    ):
        failures = [asyncio.create_task(feed.service.tasks.failed()) for feed in (first, second)]
        for number in itertools.count(50):
            await market.trade(limit(number, "alice", "sell", 1, 100_000 + number))
            await (first, second)[number % 2].http.get("/reports", headers=headers_of("bob"))
            if any(task.done() for task in failures):
                break
        done, pending = await asyncio.wait(failures, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        with pytest.raises(StoreMoved):
            done.pop().result()
