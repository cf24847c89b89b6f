"""The feed's WebSocket streams, through its real server: what they send, to whom, and limits."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from exchange_shared.bus import Bus
from exchange_shared.bus.sqlite import SQLiteBus
from exchange_shared.messages import AnyCommand, CancelOrder, OrderReport
from market_data_feed.api import reads, streams
from tests.conftest import Databases
from tests.support.feed_log import GATEWAY
from tests.support.feed_market import FeedMarket
from tests.support.running_feed import (
    RunningFeed,
    headers_of,
    key_of,
    limit,
    opening,
    running_feed,
)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """An empty log."""
    opened = await SQLiteBus.open(tmp_path / "log.db")
    yield opened
    await opened.close()


@pytest.fixture
async def feed(databases: Databases, bus: Bus) -> AsyncIterator[RunningFeed]:
    """A feed with nothing to tell yet, and small limits."""
    async with running_feed(databases.market_data, bus, max_streams=6) as running:
        yield running


@pytest.fixture
async def market(feed: RunningFeed, bus: Bus) -> FeedMarket:
    """A market with the accounts of alice and bob, which the feed has applied."""
    market = FeedMarket(bus)
    await market.trade(*opening())
    await feed.get("/price/MSFT", min_seq=market.exchange.seq)
    return market


async def received(connection: ClientConnection) -> Any:
    """The next message."""
    return msgspec.json.decode(await connection.recv())


async def refusal(connection: ClientConnection) -> tuple[str, int]:
    """The error that a stream ends with, and how it is closed."""
    error = (await received(connection))["error"]
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == error["code"]
    return error["code"], closed.value.rcvd.code


async def test_the_price_stream_begins_with_the_price_and_tells_each_change(
    feed: RunningFeed, market: FeedMarket
) -> None:
    now = await feed.get("/price/MSFT")
    async with (
        websockets.connect(f"{feed.stream_url}/price?security_id=MSFT") as one,
        websockets.connect(f"{feed.stream_url}/price") as every,
    ):
        assert (await received(one), await received(every)) == (now, now)
        changes = []
        for order in (
            limit(11, "alice", "sell", 10, 100),
            limit(12, "alice", "sell", 5, 100),
            limit(13, "bob", "buy", 1, 99),
            limit(14, "bob", "buy", 12, 100),
        ):
            events = await market.trade(order)
            if events[-1].seq == (await feed.get("/price/MSFT", min_seq=events[-1].seq))["seq"]:
                changes.append(await feed.get("/price/MSFT"))
        assert [change["seq"] for change in changes] == [6, 9, 13]
        for connection in (one, every):
            assert [await received(connection) for _ in changes] == changes


async def test_reports_go_to_whom_they_concern(feed: RunningFeed, market: FeedMarket) -> None:
    async with (
        websockets.connect(
            f"{feed.stream_url}/report", additional_headers=headers_of("alice")
        ) as alice,
        websockets.connect(f"{feed.stream_url}/report") as bob,
    ):
        await bob.send(msgspec.json.encode({"type": "login", "api_key": key_of("bob")}).decode())
        assert await received(alice) == {"type": "logged_in", "client_id": "alice", "report_seq": 0}
        assert await received(bob) == {"type": "logged_in", "client_id": "bob", "report_seq": 0}
        await market.trade(limit(11, "alice", "sell", 10, 100))
        await market.trade(limit(12, "bob", "buy", 4, 100))
        await market.trade(limit(13, "bob", "buy", 100_000, 100))
        denied = OrderReport(
            time_us=1, status="denied", client_id="alice", reason="invalid_field", message="no"
        )
        await market.publish(GATEWAY, [denied])
        expected = {
            name: list(reversed(await feed.get("/reports", name, min_seq=market.exchange.seq)))
            for name in ("alice", "bob")
        }
        assert [(r["event_type"], r["status"]) for r in expected["bob"]] == [
            ("order", "confirmed"),
            ("trade", "confirmed"),
            ("settlement", "confirmed"),
            ("order", "confirmed"),
            ("order", "denied"),
        ]
        assert [await received(bob) for _ in expected["bob"]] == expected["bob"]
        while len(expected["alice"]) < 4:
            expected["alice"] = list(reversed(await feed.get("/reports", "alice")))
        assert [await received(alice) for _ in expected["alice"]] == expected["alice"]


async def test_the_operator_names_whose_reports_it_wants(
    feed: RunningFeed, market: FeedMarket
) -> None:
    operator = headers_of("operator")
    url = f"{feed.stream_url}/report"
    async with websockets.connect(f"{url}?client_id=bob", additional_headers=operator) as stream:
        assert (await received(stream))["client_id"] == "bob"
    async with websockets.connect(url, additional_headers=operator) as stream:
        assert await refusal(stream) == ("missing_field", 1008)
    own = headers_of("bob")
    async with websockets.connect(f"{url}?client_id=alice", additional_headers=own) as stream:
        assert await refusal(stream) == ("not_your_account", 1008)


@pytest.mark.parametrize(
    ("first_message", "code"),
    [
        ('{"type": "login", "api_key": "nobody has this key"}', "unknown_api_key"),
        ('{"type": "login", "api_key": 7}', "no_api_key"),
        ('{"type": "login"}', "no_api_key"),
        ('{"type": "hello"}', "no_api_key"),
        ("[]", "no_api_key"),
        ('{"type": "login", "api_key": "k", "client": "bob"}', "unknown_field"),
        ("garbage", "malformed_json"),
        (b"\xff\xff", "malformed_json"),
        ('{"type": "login", "api_key": "\\ud800"}', "malformed_json"),
        (None, "no_api_key"),
    ],
)
async def test_a_bad_login_is_refused(
    feed: RunningFeed,
    market: FeedMarket,
    monkeypatch: pytest.MonkeyPatch,
    first_message: str | bytes | None,
    code: str,
) -> None:
    if first_message is None:
        monkeypatch.setattr(streams, "LOGIN_SECONDS", 0.05)
    async with websockets.connect(f"{feed.stream_url}/report") as stream:
        if first_message is not None:
            await stream.send(first_message)
        assert await refusal(stream) == (code, 1008)


async def test_an_unknown_security_is_refused(feed: RunningFeed) -> None:
    async with websockets.connect(f"{feed.stream_url}/price?security_id=NONE") as stream:
        assert await refusal(stream) == ("unknown_security", 1008)


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("price?symbol=MSFT", "unknown_field", "symbol"),
        ("price?security_id=MSFT&min_seq=1", "unknown_field", "min_seq"),
        ("price?security_id=MSFT&security_id=AAPL", "repeated_field", "security_id"),
        ("price?client_id=bob", "unknown_field", "client_id"),
        ("report?client=bob", "unknown_field", "client"),
        ("report?client_id=alice&client_id=bob", "repeated_field", "client_id"),
        ("report?api_key=secret", "unknown_field", "api_key"),
    ],
)
async def test_a_wrong_parameter_is_refused_before_the_stream_is_accepted(
    feed: RunningFeed, path: str, code: str, field: str
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"{feed.stream_url}/{path}")
    response = refused.value.response
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/json")
    assert response.body is not None
    error = msgspec.json.decode(response.body)["error"]
    assert (error["code"], error["field"]) == (code, field)
    known = path.split("?")[0].replace("price", "security_id").replace("report", "client_id")
    assert known in error["message"]


async def test_messages_to_a_stream_are_answered_with_what_is_wrong(
    feed: RunningFeed, market: FeedMarket
) -> None:
    login = msgspec.json.encode({"type": "login", "api_key": key_of("bob")}).decode()
    async with (
        websockets.connect(f"{feed.stream_url}/price") as prices,
        websockets.connect(f"{feed.stream_url}/report") as reports,
    ):
        await reports.send(login)
        for stream in (prices, reports):
            await received(stream)
        told = []
        for stream, message in (
            (prices, '{"type": "subscribe", "securities": ["MSFT"]}'),
            (prices, login),
            (prices, "garbage"),
            (reports, login),
            (reports, '{"type": "ping"}'),
            (reports, b"\xff"),
        ):
            await stream.send(message)
            told.append((await received(stream))["error"])
        assert [error["code"] for error in told] == [
            "unexpected_message",
            "unexpected_message",
            "malformed_json",
            "already_logged_in",
            "unexpected_message",
            "malformed_json",
        ]
        assert "security_id" in told[0]["message"]
        assert "bob" in told[3]["message"]
        await market.trade(limit(11, "bob", "sell", 10, 100))
        assert (await received(prices))["ask"] == 100
        assert (await received(reports))["event_type"] == "order"


async def test_pages_of_other_sites_are_refused_before_they_are_accepted(
    databases: Databases, bus: Bus
) -> None:
    allowed = "https://my.site"
    async with running_feed(databases.market_data, bus, allowed_origins=[allowed]) as feed:
        url = f"{feed.stream_url}/price"
        for origin in (allowed, f"http://127.0.0.1:{feed.port}"):
            async with websockets.connect(url, additional_headers={"Origin": origin}):
                pass
        for origin in ("https://evil.site", "null", "http://[", "http://127.0.0.1"):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(url, additional_headers={"Origin": origin})
            response = refused.value.response
            assert response.status_code == 403
            assert response.body is not None
            assert msgspec.json.decode(response.body)["error"]["code"] == "origin_not_allowed"


async def test_streams_are_limited_and_half_of_them_are_for_those_with_a_key(
    feed: RunningFeed, market: FeedMarket
) -> None:
    url = f"{feed.stream_url}/price"
    alice = headers_of("alice")
    async with AsyncExitStack() as stack:

        async def opened(headers: dict[str, str] | None = None) -> ClientConnection:
            connecting = websockets.connect(url, additional_headers=headers)
            return await stack.enter_async_context(connecting)

        for _ in range(3):
            await received(await opened())
        assert await refusal(await opened()) == ("too_many_streams", 1013)
        for _ in range(2):
            await received(await opened(alice))
        async with websockets.connect(f"{feed.stream_url}/report") as reports:
            await reports.send(msgspec.json.encode({"type": "login", "api_key": key_of("alice")}))
            assert (await received(reports))["type"] == "logged_in"
            assert await refusal(await opened(alice)) == ("too_many_streams", 1013)


async def test_one_address_or_client_has_only_so_many_streams(
    databases: Databases, bus: Bus
) -> None:
    limits: dict[str, Any] = {"max_streams_per_address": 1, "max_streams_per_client": 1}
    async with running_feed(databases.market_data, bus, **limits) as feed:
        market = FeedMarket(bus)
        await market.trade(*opening())
        await feed.get("/securities", min_seq=market.exchange.seq)
        url = f"{feed.stream_url}/price"
        for headers in ({}, headers_of("alice"), headers_of("bob")):
            async with (
                websockets.connect(url, additional_headers=headers) as first,
                websockets.connect(url, additional_headers=headers) as second,
            ):
                await received(first)
                assert await refusal(second) == ("too_many_streams", 1013)


async def test_one_caller_has_only_so_many_reads_that_wait(
    databases: Databases, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_feed(databases.market_data, bus, max_waiting_reads_per_caller=2) as feed:
        market = FeedMarket(bus)
        await market.trade(*opening())
        await feed.get("/securities", min_seq=market.exchange.seq)
        monkeypatch.setattr(reads, "MIN_SEQ_SECONDS", 0.5)
        far = 2**53 - 1
        for client in (None, "alice"):
            answers = await asyncio.gather(
                *(feed.refused("/securities", client, min_seq=far) for _ in range(5))
            )
            late = (503, "seq_not_reached", "min_seq")
            assert sorted(answers) == [(429, "too_many_waiting_reads", None)] * 3 + [late] * 2


async def test_a_slow_reader_is_closed_and_others_are_not_kept_waiting(
    databases: Databases, bus: Bus
) -> None:
    market = FeedMarket(bus)
    async with running_feed(databases.market_data, bus, max_stream_backlog=1_000) as feed:
        await market.trade(*opening())
        seen = await feed.get("/price/MSFT", min_seq=market.exchange.seq)
        url = f"{feed.stream_url}/price"
        async with websockets.connect(url) as slow, websockets.connect(url) as quick:
            await received(slow)
            slow.transport.pause_reading()
            order_ids = itertools.count(100)
            while "exchange_feed_slow_consumers_total 1.0" not in (await metrics(feed)):
                await market.trade(*flicker(order_ids, 200))
                while seen["seq"] < market.exchange.seq:
                    seen = await received(quick)
            slow.transport.resume_reading()
            messages: list[Any] = []
            with suppress(websockets.ConnectionClosed):
                while True:
                    messages.append(await received(slow))
            assert messages[-1]["error"]["code"] == "slow_consumer"
            assert (slow.close_code, slow.close_reason) == (1013, "slow_consumer")
            seqs = [message["seq"] for message in messages[:-1]]
            assert seqs == sorted(set(seqs))


async def metrics(feed: RunningFeed) -> str:
    return (await feed.http.get("/metrics")).text


def flicker(order_ids: Iterator[int], count: int) -> list[AnyCommand]:
    """Orders that each change the best bid, and are cancelled at once."""
    commands: list[AnyCommand] = []
    for order_id in itertools.islice(order_ids, count):
        commands.append(limit(order_id, "bob", "buy", 1, 50))
        commands.append(CancelOrder(time_us=1, request_id=1, client_id="bob", order_id=order_id))
    return commands
