"""Lists in parts: walked either way, while they grow, each entry comes once."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus import Bus
from exchange_shared.bus.sqlite import SQLiteBus
from market_data_feed.projections import market as market_module
from tests.conftest import Databases
from tests.support.feed_market import FeedMarket
from tests.support.running_feed import RunningFeed, headers_of, limit, opening, running_feed

LISTS = [
    ("/trades/MSFT?limit=7", "trade_id"),
    ("/orders?limit=7", "order_id"),
    ("/orders?status=open&limit=7", "order_id"),
    ("/reports?limit=7", "report_seq"),
    ("/reports?event_type=trade&limit=7", "report_seq"),
    ("/reports?client_id=alice&event_type=settlement&limit=7", "report_seq"),
]


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """An empty log."""
    opened = await SQLiteBus.open(tmp_path / "log.db")
    yield opened
    await opened.close()


@pytest.fixture(params=["in memory", "from Postgres"])
async def feed(
    request: pytest.FixtureRequest,
    databases: Databases,
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[RunningFeed]:
    """A feed that has all trades in memory, or only the latest three."""
    if request.param == "from Postgres":
        monkeypatch.setattr(market_module, "RECENT_TRADES", 3)
    async with running_feed(databases.market_data, bus) as running:
        yield running


class Growing:
    """A market whose lists grow: each round alice sells one to bob, and offers one more."""

    def __init__(self, bus: Bus) -> None:
        self.market = FeedMarket(bus)
        self._rounds = 0

    async def grow(self, rounds: int) -> None:
        """Let so many rounds happen."""
        for _ in range(rounds):
            self._rounds += 1
            number = self._rounds * 3
            await self.market.trade(
                limit(number, "alice", "sell", 1, 100),
                limit(number + 1, "bob", "buy", 1, 100),
                limit(number + 2, "alice", "sell", 1, 200),
            )


@pytest.fixture
async def growing(feed: RunningFeed, bus: Bus) -> Growing:
    """Lists that are some pages long."""
    growing = Growing(bus)
    await growing.market.trade(*opening())
    await growing.grow(15)
    await feed.get("/price/MSFT", min_seq=growing.market.exchange.seq)
    return growing


async def walk(feed: RunningFeed, path: str, name: str) -> list[int]:
    """The ids on the way from one part to the next, until there is none."""
    found: list[int] = []
    url: str | None = path
    while url is not None:
        answer = await feed.http.get(url, headers=headers_of("alice"))
        assert answer.status_code == 200, answer.text
        page = [entry[name] for entry in answer.json()]
        assert len(page) <= 7
        found += page
        url = answer.links.get("next", {}).get("url")
        assert url is None or len(page) == 7
    return found


@pytest.mark.parametrize(("path", "name"), LISTS)
async def test_walking_a_growing_list_gives_each_entry_once(
    feed: RunningFeed, growing: Growing, path: str, name: str
) -> None:
    before = await walk(feed, path, name)
    grown = asyncio.create_task(growing.grow(30))
    back = await walk(feed, path, name)
    forward = await walk(feed, f"{path}&after=0", name)
    await grown
    await feed.get("/price/MSFT", min_seq=growing.market.exchange.seq)
    forward += await walk(feed, f"{path}&after={forward[-1]}", name)
    everything = await walk(feed, path, name)
    assert len(before) >= 15
    assert len(everything) >= 45
    assert everything == sorted(set(everything), reverse=True)
    assert forward == everything[::-1]
    assert before == everything[-len(before) :]
    assert back == everything[-len(back) :]


@pytest.mark.parametrize(("path", "name"), LISTS)
async def test_both_ends_make_a_window_that_ascends(
    feed: RunningFeed, growing: Growing, path: str, name: str
) -> None:
    everything = await walk(feed, path, name)
    low, high = everything[-3], everything[2]
    window = await walk(feed, f"{path}&after={low}&before={high}", name)
    assert window == everything[3:-3][::-1]
    assert await walk(feed, f"{path}&after={everything[0]}", name) == []
    assert await walk(feed, f"{path}&before={everything[-1]}", name) == []


async def test_a_part_without_a_next_has_no_link(feed: RunningFeed, growing: Growing) -> None:
    async def link(query: str) -> Any:
        return (await feed.http.get(f"/trades/MSFT?{query}")).headers.get("Link")

    assert await link("limit=15") is None
    assert await link("limit=14") == '</trades/MSFT?limit=14&before=2>; rel="next"'
    assert await link("after=1&limit=2") == '</trades/MSFT?after=3&limit=2>; rel="next"'
    assert await link("after=1&before=4&limit=2") is None


async def test_lists_are_paged_by_their_ids(feed: RunningFeed, bus: Bus) -> None:
    market = FeedMarket(bus)
    await market.trade(*opening())
    for number in range(1, 8):
        await market.trade(
            limit(number * 2, "alice", "sell", 1, 100), limit(number * 2 + 1, "bob", "buy", 1, 100)
        )
    await feed.get("/price/MSFT", min_seq=market.exchange.seq)

    async def ids(path: str, name: str, **query: Any) -> list[int]:
        return [entry[name] for entry in await feed.get(path, "alice", **query)]

    assert await ids("/trades/MSFT", "trade_id") == [7, 6, 5, 4, 3, 2, 1]
    assert await ids("/trades/MSFT", "trade_id", limit=2) == [7, 6]
    assert await ids("/trades/MSFT", "trade_id", limit=2, before=6) == [5, 4]
    assert await ids("/trades/MSFT", "trade_id", after=5) == [6, 7]
    assert await ids("/trades/MSFT", "trade_id", after=2, before=4) == [3]
    assert await ids("/orders", "order_id", limit=3) == [14, 12, 10]
    assert await ids("/orders", "order_id", limit=3, before=10) == [8, 6, 4]
    assert await ids("/orders", "order_id", after=10) == [12, 14]
    everything = await ids("/reports", "report_seq")
    assert len(everything) == 21
    assert everything == sorted(everything, reverse=True)
    assert await ids("/reports", "report_seq", limit=5, before=everything[4]) == everything[5:10]
    assert await ids("/reports", "report_seq", after=everything[3]) == everything[2::-1]


async def test_trades_older_than_those_in_memory_come_from_the_database(
    feed: RunningFeed, bus: Bus
) -> None:
    market = FeedMarket(bus)
    await market.trade(*opening())
    count = 1_100
    orders = itertools.chain.from_iterable(
        (limit(n * 2, "alice", "sell", 1, 1), limit(n * 2 + 1, "bob", "buy", 1, 1))
        if n % 2
        else (limit(n * 2, "bob", "sell", 1, 1), limit(n * 2 + 1, "alice", "buy", 1, 1))
        for n in range(1, count + 1)
    )
    await market.trade(*orders)
    await feed.get("/price/MSFT", min_seq=market.exchange.seq)
    found: list[int] = []
    while page := await feed.get("/trades/MSFT", limit=300, before=found[-1] if found else 2**52):
        found += [trade["trade_id"] for trade in page]
    assert found == list(range(count, 0, -1))
