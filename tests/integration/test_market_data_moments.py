"""Every answer about an account is of one moment: that of the `seq` which it carries."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus import Bus
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.messages import Event
from market_data_feed import consumer
from market_data_feed.projections import Projections
from market_data_feed.views import accounts as account_views
from tests.conftest import Databases
from tests.support.feed_log import ENGINE
from tests.support.feed_market import FeedMarket
from tests.support.flows import market_commands, order_flow
from tests.support.running_feed import RunningFeed, headers_of, limit, opening, running_feed


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """An empty log."""
    opened = await SQLiteBus.open(tmp_path / "log.db")
    yield opened
    await opened.close()


async def unsettled(market: FeedMarket, *commands: Any) -> int:
    """Let the engine do this while the clearinghouse is away; returns its last `seq`."""
    await market.publish(ENGINE, market.apply(commands))
    return market.exchange.seq


async def reached(feed: RunningFeed, seq: int) -> None:
    """Return once an event is applied, settled or not."""
    while (await feed.get("/leaderboard") or [{"seq": 0}])[0]["seq"] < seq:
        await asyncio.sleep(0)


async def test_figures_do_not_wait_for_the_clearinghouse(databases: Databases, bus: Bus) -> None:
    market = FeedMarket(bus)
    async with running_feed(databases.market_data, bus) as feed:
        await reached(feed, await unsettled(market, *opening()))
        new = await feed.get("/accounts/bob", "bob")
        assert (new["balance"], new["available"], new["profit"]) == (10_000, 10_000, 0)
        assert new["holdings"] == await feed.get("/holdings/bob", "bob")
        orders = (limit(11, "alice", "sell", 10, 100), limit(12, "bob", "buy", 4, 100))
        await reached(feed, await unsettled(market, *orders))
        bob = await feed.get("/accounts/bob", "bob")
        assert (bob["balance"], bob["available"], bob["profit"]) == (9_599.96, 9_599.96, -0.04)
        assert [held["quantity"] for held in bob["holdings"]] == [104]
        leaders = {leader["client_id"]: leader for leader in await feed.get("/leaderboard")}
        same = ("equity", "profit", "return", "trades", "volume", "seq")
        assert [leaders["bob"][name] for name in same] == [bob[name] for name in same]


async def test_a_restarted_feed_tells_what_is_not_settled_as_before(
    databases: Databases, bus: Bus
) -> None:
    market = FeedMarket(bus)
    async with running_feed(databases.market_data, bus) as feed:
        await reached(feed, await unsettled(market, *opening()))
        orders = (limit(11, "alice", "sell", 10, 100), limit(12, "bob", "buy", 4, 100))
        await reached(feed, await unsettled(market, *orders))
        await feed.get("/reports", "bob")
        before = await feed.get("/accounts/bob", "bob")
    async with running_feed(databases.market_data, bus) as feed:
        assert await feed.get("/accounts/bob", "bob") == before


async def test_every_answer_is_what_the_engine_had_after_its_seq(
    databases: Databases, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are let run between any two messages, and read meanwhile."""
    monkeypatch.setattr(consumer, "YIELD_RECORDS", 1)
    market = FeedMarket(bus)
    await market.trade(*market_commands())
    flow = order_flow(3, 600)
    while group := list(itertools.islice(flow, 3)):
        await market.trade(*group)
    last = market.exchange.seq
    name = "client0"
    told: dict[int, Any] = {}
    async with running_feed(databases.market_data, bus) as feed:
        while max(told, default=0) < last:
            answer = await feed.http.get(f"/accounts/{name}", headers=headers_of("operator"))
            if answer.status_code == 200:
                account = answer.json()
                assert told.setdefault(account["seq"], account) == account
    assert len(told) > 10
    projections, expected = Projections(), {}
    for record in market.records:
        projections.apply(record)
        if isinstance(record, Event) and record.seq in told:
            account = projections.accounts[name]
            securities = projections.securities
            expected[record.seq] = account_views.whole_account(account, securities, record.seq)
    assert told == expected
