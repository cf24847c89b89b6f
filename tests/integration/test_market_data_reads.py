"""The market data feed on a real Postgres and a real log, asked through its real HTTP server."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from exchange_shared.bus import Bus
from exchange_shared.bus.sqlite import SQLiteBus
from market_data_feed.api import reads
from tests.conftest import Databases
from tests.support.feed_log import ENGINE
from tests.support.feed_market import FeedMarket
from tests.support.running_feed import RunningFeed, headers_of, opening, running_feed
from tests.support.small_market import SEQ, small_market


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


async def test_prices_books_and_trades_are_told_to_everybody(
    feed: RunningFeed, market: FeedMarket
) -> None:
    price = {
        "security_id": "MSFT",
        "bid": None,
        "ask": 100,
        "bid_quantity": 0,
        "ask_quantity": 6,
        "last": 100,
        "reference_price": 100,
        "volume": 4,
        "timestamp": "1970-01-01T00:00:00.012000Z",
        "seq": 9,
        "state": "continuous",
        "auction": None,
        "until": None,
        "indicative_price": None,
        "indicative_quantity": 0,
        "surplus": 0,
    }
    assert await feed.get("/price/MSFT", min_seq=SEQ) == price
    terms = {
        "tick": 0.01,
        "lot": 1,
        "granted_quantity": 100,
        "max_order_quantity": None,
        "max_order_value": None,
        "static_band_percent": None,
        "dynamic_band_percent": None,
        "halt_seconds": 0,
        "auction_seconds": 0,
        "short_margin_percent": None,
    }
    assert await feed.get("/securities") == [price | terms]
    book = await feed.get("/book/MSFT")
    assert (book.pop("checksum"), book) == (
        zlib.crc32(b"a1000000:6"),
        {
            "security_id": "MSFT",
            "bids": [],
            "asks": [[100, 6, 1]],
            "seq": 9,
            "state": "continuous",
            "auction": None,
            "until": None,
            "indicative_price": None,
            "indicative_quantity": 0,
            "surplus": 0,
        },
    )
    trade = {
        "trade_id": 1,
        "security_id": "MSFT",
        "price": 100,
        "quantity": 4,
        "aggressor_side": "buy",
        "timestamp": "1970-01-01T00:00:00.012000Z",
        "seq": 8,
    }
    assert await feed.get("/trades/MSFT") == [trade]


async def test_accounts_show_cash_and_shares_and_what_is_held(
    feed: RunningFeed, market: FeedMarket
) -> None:
    bob = await feed.get("/balance/bob", "bob", min_seq=SEQ)
    paid = 400 + 0.04
    assert bob == {
        "client_id": "bob",
        "balance": 10_000 - paid,
        "held": 0,
        "available": 10_000 - paid,
        "short_margin": 0,
        "seq": 9,
    }
    assert await feed.get("/holdings/MSFT/bob", "bob") == {
        "security_id": "MSFT",
        "client_id": "bob",
        "quantity": 104,
        "held": 0,
        "available": 104,
        "average_cost": 100.0004,
        "seq": 9,
    }
    alice = {
        "security_id": "MSFT",
        "client_id": "alice",
        "quantity": 96,
        "held": 6,
        "available": 90,
        "average_cost": 100,
        "seq": 9,
    }
    assert await feed.get("/holdings/alice", "alice") == [alice]
    cash = {
        "client_id": "alice",
        "balance": 10_400,
        "held": 0,
        "available": 10_400,
        "short_margin": 0,
        "seq": 9,
    }
    results = {"equity": 20_000, "profit": 0, "return": 0, "trades": 1, "volume": 4}
    profits = {"realised_profit": 0, "unrealised_profit": 0, "fees": 0}
    assert await feed.get("/balance/alice", "alice") == cash
    account = cash | results | profits | {"holdings": [alice]}
    assert await feed.get("/accounts/alice", "alice") == account
    assert await feed.get("/leaderboard") == [
        {"rank": 1, "client_id": "alice", "seq": 9} | results,
        {"rank": 2, "client_id": "bob"}
        | results
        | {"seq": 9, "equity": 19_999.96, "profit": -0.04, "return": -0.000002},
    ]


async def test_a_read_waits_for_what_its_caller_has_seen(feed: RunningFeed, bus: Bus) -> None:
    market = FeedMarket(bus)
    events = market.apply(opening())
    waiting = asyncio.create_task(
        feed.http.get(
            f"/balance/alice?min_seq={market.exchange.seq}",
            headers=headers_of("alice"),
        )
    )
    await market.publish(ENGINE, events)
    price = await feed.http.get("/price/MSFT")
    while price.status_code != 200:
        price = await feed.http.get("/price/MSFT")
    assert not waiting.done()
    await market.settle(events)
    assert (await waiting).json()["balance"] == 10_000


async def test_a_read_of_what_does_not_come_is_refused_in_time(
    feed: RunningFeed, market: FeedMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "MIN_SEQ_SECONDS", 0.05)
    answer = await feed.http.get(f"/price/MSFT?min_seq={SEQ + 1}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "seq_not_reached")
    assert answer.headers["Retry-After"] == "1"


REFUSALS = [
    ("/price/NONE", None, (404, "unknown_security", "security_id")),
    ("/book/NONE", None, (404, "unknown_security", "security_id")),
    ("/trades/NONE", None, (404, "unknown_security", "security_id")),
    ("/price/%00", None, (404, "unknown_security", "security_id")),
    ("/book/MSFT?depth=0", None, (422, "invalid_field", "depth")),
    ("/book/MSFT?depth=1001", None, (422, "invalid_field", "depth")),
    ("/book/MSFT?deep=1", None, (422, "unknown_field", "deep")),
    ("/trades/MSFT?limit=ten", None, (422, "invalid_field", "limit")),
    ("/trades/MSFT?limit=1001", None, (422, "invalid_field", "limit")),
    ("/trades/MSFT?before=-1", None, (422, "invalid_field", "before")),
    ("/trades/MSFT?after=99999999999999999999", None, (422, "invalid_field", "after")),
    ("/trades/MSFT?min_seq=1.5", None, (422, "invalid_field", "min_seq")),
    ("/leaderboard?limit=0", None, (422, "invalid_field", "limit")),
    ("/nothing", None, (404, "not_found", None)),
    ("/balance/alice", None, (401, "no_api_key", None)),
    ("/balance/nobody", None, (401, "no_api_key", None)),
    ("/balance/alice", "stranger", (401, "unknown_api_key", None)),
    ("/balance/alice", "bob", (403, "not_your_account", "client_id")),
    ("/balance/nobody", "bob", (404, "unknown_client", "client_id")),
    ("/balance/nobody", "operator", (404, "unknown_client", "client_id")),
    ("/accounts/alice", "bob", (403, "not_your_account", "client_id")),
    ("/holdings/alice", "bob", (403, "not_your_account", "client_id")),
    ("/holdings/MSFT/alice", "bob", (403, "not_your_account", "client_id")),
    ("/holdings/NONE/bob", "bob", (404, "unknown_security", "security_id")),
    ("/orders", None, (401, "no_api_key", None)),
    ("/orders?client_id=alice", "bob", (403, "not_your_account", "client_id")),
    ("/orders?status=closed", "bob", (422, "invalid_field", "status")),
    ("/orders", "operator", (422, "missing_field", "client_id")),
    ("/reports?client_id=alice", "bob", (403, "not_your_account", "client_id")),
    ("/reports?client_id=a%20b", "bob", (422, "invalid_field", "client_id")),
    ("/reports?event_type=fill", "bob", (422, "invalid_field", "event_type")),
    ("/status/MSFT/11", None, (401, "no_api_key", None)),
    ("/status/MSFT/11", "bob", (404, "unknown_order", "order_id")),
    ("/status/MSFT/99", "bob", (404, "unknown_order", "order_id")),
    ("/status/NONE/12", "bob", (404, "unknown_security", "security_id")),
    ("/status/MSFT/0", "bob", (422, "invalid_field", "order_id")),
    ("/status/MSFT/99999999999999999999", "bob", (422, "invalid_field", "order_id")),
    ("/status/MSFT/one", "bob", (422, "invalid_field", "order_id")),
    ("/report/MSFT/11", "bob", (404, "unknown_order", "order_id")),
    ("/report/MSFT/11", None, (401, "no_api_key", None)),
]


async def test_refusals_name_the_reason_and_the_field(
    feed: RunningFeed, market: FeedMarket
) -> None:
    await feed.get("/price/MSFT", min_seq=SEQ)
    answers = [
        (path, client_id, await feed.refused(path, client_id)) for path, client_id, _ in REFUSALS
    ]
    assert answers == REFUSALS


async def test_the_operator_reads_every_account(feed: RunningFeed, market: FeedMarket) -> None:
    for path in ("/balance/bob", "/orders?client_id=bob", "/status/MSFT/12", "/report/MSFT/12"):
        own = await feed.get(path, "bob", min_seq=SEQ)
        assert await feed.get(path, "operator", min_seq=SEQ) == own


async def test_after_too_many_wrong_keys_only_those_who_were_there_read_on(
    databases: Databases, bus: Bus, market: FeedMarket
) -> None:
    limit = {"failed_keys_per_minute": 2}
    async with running_feed(databases.market_data, bus, **limit) as feed:
        await feed.get("/balance/bob", "bob", min_seq=SEQ)
        for name in ("nobody", "nobody-else"):
            assert await feed.refused("/balance/bob", name) == (401, "unknown_api_key", None)
        for name in ("somebody", "alice"):
            assert await feed.refused("/balance/bob", name) == (429, "too_many_failed_keys", None)
        for name in ("bob", "operator"):
            await feed.get("/balance/bob", name)


async def test_a_key_that_nothing_asks_for_is_a_try_too(
    databases: Databases, bus: Bus, market: FeedMarket
) -> None:
    limit = {"failed_keys_per_minute": 2}
    for public in (False, True):
        async with running_feed(
            databases.market_data, bus, public_accounts=public, **limit
        ) as feed:
            await feed.get("/balance/bob", "bob", min_seq=SEQ)
            for name in ("nobody", "nobody-else"):
                assert (await feed.refused("/nope", name))[0] == 404
            before = await clients_connected(feed)
            async with httpx.AsyncClient(base_url=feed.http.base_url, trust_env=False) as guesser:
                answer = await guesser.get("/nope", headers=headers_of("alice"))
                assert answer.status_code == 404
                assert await clients_connected(feed) == before


async def clients_connected(feed: RunningFeed) -> str:
    """How many connections count as those of clients."""
    page = (await feed.http.get("/metrics")).text.splitlines()
    return next(line for line in page if line.startswith('exchange_connections{kind="client"}'))


async def test_public_accounts_need_no_key(
    databases: Databases, bus: Bus, market: FeedMarket
) -> None:
    async with running_feed(databases.market_data, bus, public_accounts=True) as feed:
        for path in ("/balance/bob", "/orders?client_id=bob", "/status/MSFT/12", "/report/MSFT/12"):
            own = await feed.get(path, "bob", min_seq=SEQ)
            assert await feed.get(path) == own
        assert await feed.refused("/orders") == (422, "missing_field", "client_id")
        assert await feed.refused("/balance/nobody") == (404, "unknown_client", "client_id")


async def test_the_page_is_served_with_a_strict_policy(feed: RunningFeed) -> None:
    page = await feed.http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src")
    for name in ("page.js", "page.css", "icon.svg"):
        assert name in page.text
        assert (await feed.http.get(f"/{name}")).status_code == 200
    assert "{{" not in page.text


async def test_metrics_tell_what_was_read_and_stored(feed: RunningFeed, market: FeedMarket) -> None:
    await feed.get("/price/MSFT", min_seq=SEQ)
    await feed.get("/reports", "bob")
    text = (await feed.http.get("/metrics")).text
    assert f"exchange_feed_applied_records_total {len(market.records)}.0" in text
    assert "exchange_feed_unstored_rows 0.0" in text
    assert "exchange_feed_websocket_clients 0.0" in text
