"""States, auctions and short positions through the real feed, from hand-made events."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import websockets

from exchange_migrations import migrate
from exchange_migrations.runner import apply_migrations, load_migrations
from exchange_shared.bus import Bus
from exchange_shared.bus.sqlite import SQLiteBus
from market_data_feed.storage.loading import load_projections
from market_data_feed.views import accounts as account_views
from market_data_feed.views import market as market_views
from tests.conftest import Databases
from tests.support.feed_events import EventMaker
from tests.support.feed_log import ENGINE, FeedLog
from tests.support.running_feed import RunningFeed, running_feed
from tests.support.servers import PostgresServer

MINUTE_US = 60_000_000


class Told:
    """Hand-made events, and the log that a feed reads them from."""

    def __init__(self, bus: Bus) -> None:
        self.maker = EventMaker()
        self._log = FeedLog(bus)
        self._published = 0

    async def publish(self) -> int:
        """Publish what was made and is not published; returns the number of the last event."""
        events = self.maker.events[self._published :]
        self._published = len(self.maker.events)
        await self._log.publish(ENGINE, events)
        await self._log.settle(events)
        return self.maker.seq


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """An empty log."""
    opened = await SQLiteBus.open(tmp_path / "log.db")
    yield opened
    await opened.close()


@pytest.fixture
async def told(bus: Bus) -> Told:
    """A listed security that may be sold short, and the accounts of alice and bob."""
    told = Told(bus)
    told.maker.listed(short_margin_ppm=500_000, lot_quantity=1, static_band_ppm=200_000)
    told.maker.opened("alice")
    told.maker.opened("bob")
    await told.publish()
    return told


async def received(connection: websockets.ClientConnection) -> Any:
    """The next message."""
    return msgspec.json.decode(await connection.recv())


async def test_streams_tell_states_and_indicative_prices_as_the_price_does(
    databases: Databases, bus: Bus, told: Told
) -> None:
    maker = told.maker
    async with running_feed(databases.market_data, bus) as feed:
        now = await feed.get("/price/MSFT", min_seq=maker.seq)
        assert (now["state"], now["auction"], now["until"]) == ("continuous", None, None)
        async with (
            websockets.connect(f"{feed.stream_url}/price?security_id=MSFT") as one,
            websockets.connect(f"{feed.stream_url}/price") as every,
        ):
            assert (await received(one), await received(every)) == (now, now)
            changes = []
            sell = maker.accepted("alice", "sell", 10, 1_000_000)
            maker.price(None, (1_000_000, 10), None)
            changes.append(await feed.get("/price/MSFT", min_seq=await told.publish()))
            maker.state("auction", "reopening", MINUTE_US)
            changes.append(await feed.get("/price/MSFT", min_seq=await told.publish()))
            maker.price(None, None, None)
            buy = maker.accepted("bob", "buy", 4, 1_100_000)
            maker.indicative(1_100_000, 4, -6)
            await told.publish()
            changes += [changes[-1] | {"timestamp": "1970-01-01T00:00:00.007000Z", "seq": 7}]
            changes.append(await feed.get("/price/MSFT", min_seq=maker.seq))
            maker.traded(buy, sell, 4, 1_100_000)
            maker.state("closed", reference_price_e4=1_100_000)
            changes.append(await feed.get("/price/MSFT", min_seq=await told.publish()))
            assert [
                [change[name] for name in ("state", "ask", "indicative_price", "surplus", "seq")]
                for change in changes
            ] == [
                ["continuous", 100, None, 0, 5],
                ["auction", None, None, 0, 6],
                ["auction", None, None, 0, 7],
                ["auction", None, 110, -6, 9],
                ["closed", None, None, 0, 11],
            ]
            for connection in (one, every):
                assert [await received(connection) for _ in changes] == changes
        (trade,) = await feed.get("/trades/MSFT")
        assert (trade["aggressor_side"], trade["price"], trade["quantity"]) == (None, 110, 4)


async def test_new_terms_of_a_listed_security_are_streamed(
    databases: Databases, bus: Bus, told: Told
) -> None:
    async with running_feed(databases.market_data, bus) as feed:
        await feed.get("/price/MSFT", min_seq=told.maker.seq)
        async with websockets.connect(f"{feed.stream_url}/price?security_id=MSFT") as stream:
            await received(stream)
            told.maker.listed(short_margin_ppm=500_000, static_band_ppm=200_000)
            told.maker.listed(reference_price_e4=2_000_000)
            seq = await told.publish()
            now = await feed.get("/price/MSFT", min_seq=seq)
            assert (await received(stream), now["reference_price"]) == (now, 200)


async def answers(feed: RunningFeed, seq: int) -> dict[str, Any]:
    """All that states, auctions and short positions show in."""
    found = {"/securities": await feed.get("/securities", min_seq=seq)}
    for path in (
        "/book/MSFT",
        "/trades/MSFT",
        "/leaderboard",
        "/accounts/alice",
        "/accounts/bob",
        "/orders?client_id=alice",
        "/orders?client_id=bob&status=open",
        "/reports?client_id=bob",
    ):
        found[path] = await feed.get(path, "operator")
    return found


async def test_a_restarted_feed_tells_states_books_and_margins_as_before(
    databases: Databases, bus: Bus, told: Told
) -> None:
    maker = told.maker
    maker.state("auction", "opening", MINUTE_US)
    sell = maker.accepted("alice", "sell", 130, 1_000_000, display_quantity=50)
    buy = maker.accepted("bob", "buy", 95, 1_100_000)
    maker.traded(buy, sell, 95, 1_050_000, seller_fee_e4=-300, buyer_fee_e4=500)
    maker.state("continuous", reference_price_e4=1_050_000)
    maker.state("auction", "closing", 2 * MINUTE_US)
    maker.accepted("bob", "buy", 10, 1_200_000)
    maker.accepted("bob", "buy", 7, 1_200_000, time_in_force="cls")
    maker.accepted("bob", "sell", 300, None)
    maker.indicative(1_200_000, 17, -318)
    async with running_feed(databases.market_data, bus) as feed:
        before = await answers(feed, await told.publish())
    assert before["/book/MSFT"]["bids"] == [[120, 10, 1]]
    assert before["/book/MSFT"]["asks"] == [[100, 35, 1]]
    assert {name: before["/book/MSFT"][name] for name in ("state", "auction")} == {
        "state": "auction",
        "auction": "closing",
    }
    (price,) = before["/securities"]
    shared = before["/book/MSFT"].keys() & price.keys() - {"seq"}
    assert "indicative_price" in shared
    assert {before["/book/MSFT"][name] == price[name] for name in shared} == {True}
    assert before["/accounts/alice"]["short_margin"] == 30 * 52.5
    assert before["/accounts/bob"]["short_margin"] == 105 * 52.5
    assert before["/accounts/alice"]["fees"] == -0.03
    async with running_feed(databases.market_data, bus) as feed:
        assert await answers(feed, maker.seq) == before
        sell = maker.accepted("alice", "sell", 40, 1_000_000)
        buy = maker.accepted("bob", "buy", 40, 1_000_000)
        maker.traded(buy, sell, 40, 1_000_000)
        after = await answers(feed, await told.publish())
    (holding,) = after["/accounts/alice"]["holdings"]
    assert (holding["quantity"], holding["held"], holding["available"]) == (-35, 35, -70)


async def test_rows_of_the_first_release_are_read(postgres_server: PostgresServer) -> None:
    dsn = await postgres_server.create_database("old_market_data")
    await apply_migrations(dsn, load_migrations("market_data")[:1])
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            """
            INSERT INTO security VALUES ('MSFT', 100, 1000000, 50, 990000, 7, 2, 12, 13);
            INSERT INTO balance VALUES ('alice', 5, 6, 2, 7), ('bob', 7, 8, 2, 7);
            INSERT INTO balance VALUES ('eve', 1, 1, 0, 0);
            INSERT INTO client SELECT client_id, client_id, 1, 5 FROM balance;
            INSERT INTO trade SELECT
                number, number, number, number, number, 990000, 3 + number, 1, 2, 40, -10, 0, 0,
                'MSFT', 'alice', 'bob', 'buy'
            FROM generate_series(1, 2) AS number;
            """
        )
        await migrate(dsn, "market_data")
        projections, _ = await load_projections(connection)
    finally:
        await connection.close()
    security = projections.securities["MSFT"]
    listing = market_views.listing(security)
    assert (listing["state"], listing["lot"], listing["tick"]) == ("continuous", 1, 0.01)
    assert (listing["last"], listing["short_margin_percent"]) == (99, None)
    assert [trade.aggressor_side for trade in security.recent_trades] == ["buy", "buy"]
    assert {
        name: account_views.results(account, projections.securities)["fees"]
        for name, account in projections.accounts.items()
    } == {"alice": 0.008, "bob": -0.002, "eve": 0}
