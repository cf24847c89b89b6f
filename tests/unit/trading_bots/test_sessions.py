"""The order-entry session and its readers, against a server that says what a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.support.fake_sessions import FakeSessions, fake_sessions
from trading_bots import ExchangeError, OutcomeUnknown, Report, ReportsLost
from trading_bots.readers import Reports
from trading_bots.sessions import OrderSession

LOGGED_IN = {"type": "logged_in", "ref": None, "client_id": "alice"}
SECONDS = 10.0


class Trader:
    """A session, with what it has told its owner."""

    def __init__(self, gateway: FakeSessions) -> None:
        self.logins = 0
        self.login_problem: Exception | None = None
        self.told: list[int] = []
        self.session = OrderSession(
            gateway.url, "key-of-alice", on_login=self._log_in, on_reports=self._tell
        )

    async def _log_in(self) -> None:
        self.logins += 1
        problem, self.login_problem = self.login_problem, None
        if problem is not None:
            raise problem

    def _tell(self, reports: list[Report]) -> None:
        self.told += [report.seq for report in reports]


@pytest.fixture
async def gateway() -> AsyncIterator[FakeSessions]:
    async with asyncio.timeout(SECONDS), fake_sessions(LOGGED_IN) as fake:
        yield fake


@pytest.fixture
async def trader(gateway: FakeSessions) -> AsyncIterator[Trader]:
    made = Trader(gateway)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(made.session.close)
        yield made


def frame(*seqs: int) -> str:
    reports = [
        {"event": "cancelled", "seq": seq, "time": "2026-01-31T09:30:00.000001Z"} for seq in seqs
    ]
    return json.dumps({"type": "execution_reports", "reports": reports})


async def logged_in(trader: Trader, gateway: FakeSessions) -> ServerConnection:
    trader.session.start()
    await trader.session.connected(SECONDS)
    return await gateway.opened.get()


async def seqs(reader: Reports, count: int) -> list[int]:
    return [(await anext(reader)).seq for _ in range(count)]


async def test_every_reader_is_told_every_report_and_so_is_the_owner(
    gateway: FakeSessions, trader: Trader
) -> None:
    connection = await logged_in(trader, gateway)
    readers = [trader.session.subscribe() for _ in range(3)]
    await connection.send(frame(1, 2))
    await connection.send(frame(3))
    assert [await seqs(reader, 3) for reader in readers] == [[1, 2, 3]] * 3
    assert trader.told == [1, 2, 3]


async def test_a_lost_connection_is_told_at_once_after_what_came_before(
    gateway: FakeSessions, trader: Trader
) -> None:
    connection = await logged_in(trader, gateway)
    reader = trader.session.subscribe()
    await connection.send(frame(1))
    gateway.greeting = None
    connection.transport.abort()
    assert await seqs(reader, 1) == [1]
    with pytest.raises(ReportsLost, match="connection_lost: the connection was lost; reports may"):
        await anext(reader)


async def test_a_reader_made_while_there_is_no_session_fails_at_the_next_login(
    gateway: FakeSessions, trader: Trader
) -> None:
    connection = await logged_in(trader, gateway)
    lost = trader.session.subscribe()
    gateway.greeting = None
    connection.transport.abort()
    with pytest.raises(ReportsLost):
        await anext(lost)
    early = trader.session.subscribe()
    connection = await gateway.opened.get()
    await connection.send(json.dumps(LOGGED_IN))
    with pytest.raises(ReportsLost, match="connection_lost: there was no session before"):
        await anext(early)
    late = trader.session.subscribe()
    await connection.send(frame(7))
    assert await seqs(late, 1) == [7]
    assert (trader.logins, trader.session.connections) == (2, 2)


async def test_the_exchange_s_reason_for_ending_a_session_is_told(
    gateway: FakeSessions, trader: Trader
) -> None:
    connection = await logged_in(trader, gateway)
    reader = trader.session.subscribe()
    error = {"code": "slow_consumer", "message": "read faster", "field": None}
    await connection.send(json.dumps({"type": "error", "ref": None, "error": error}))
    await connection.close(1013, "slow_consumer")
    with pytest.raises(ReportsLost, match=r"was lost \(slow_consumer: read faster\)"):
        await anext(reader)


async def test_a_login_that_is_refused_for_now_is_tried_again(
    gateway: FakeSessions, trader: Trader
) -> None:
    error = {"code": "too_many_sessions", "message": "five are open", "field": None}
    gateway.greeting = {"type": "error", "ref": None, "error": error}
    trader.session.start()
    with pytest.raises(ExchangeError, match=r"unreachable: .*too_many_sessions: five are open"):
        await trader.session.connected(0.2)
    gateway.greeting = LOGGED_IN
    trader.login_problem = ExchangeError("unreachable", "nobody answers")
    await trader.session.connected(SECONDS)
    assert (trader.logins, trader.session.connections) == (2, 1)


@pytest.mark.parametrize("problem", [ExchangeError("client_id_taken", "", status=409), KeyError()])
async def test_a_failure_that_will_not_go_away_is_told_to_everybody_for_ever(
    gateway: FakeSessions, trader: Trader, problem: Exception
) -> None:
    gateway.greeting = None
    trader.session.start()
    connection = await gateway.opened.get()
    reader = trader.session.subscribe()
    waiting = asyncio.ensure_future(trader.session.request({"type": "ping"}, SECONDS))
    trader.login_problem = problem
    await connection.send(json.dumps(LOGGED_IN))
    await asyncio.wait([waiting])
    assert waiting.exception() is problem
    for failed in (reader, trader.session.subscribe()):
        with pytest.raises(type(problem)) as caught:
            await anext(failed)
        assert caught.value is problem


@pytest.mark.parametrize("message", ["nothing", '{"reports": 7}', '{"reports": [{}]}'])
async def test_what_cannot_be_understood_ends_the_session_and_is_told(
    gateway: FakeSessions, trader: Trader, message: str
) -> None:
    connection = await logged_in(trader, gateway)
    reader = trader.session.subscribe()
    await connection.send(message)
    for _ in range(2):
        with pytest.raises(ExchangeError, match="malformed_answer: not understood"):
            await anext(reader)
    with pytest.raises(ExchangeError, match="malformed_answer: not understood"):
        await trader.session.request({"type": "ping"}, SECONDS)


async def test_closing_ends_readers_and_tells_who_waits_for_an_answer(
    gateway: FakeSessions, trader: Trader
) -> None:
    connection = await logged_in(trader, gateway)
    reader = trader.session.subscribe()
    await connection.send(frame(1))
    waiting = asyncio.ensure_future(trader.session.request({"type": "ping"}, SECONDS))
    await gateway.requests.get()
    await trader.session.close()
    assert [report.seq async for report in reader] == [1]
    with pytest.raises(OutcomeUnknown):
        await waiting
    uses: list[Any] = [
        trader.session.request({"type": "ping"}, SECONDS),
        anext(trader.session.subscribe()),
    ]
    for use in uses:
        with pytest.raises(RuntimeError, match="the client is closed"):
            await use
    with pytest.raises(RuntimeError, match="the client is closed"):
        trader.session.start()


async def test_who_waits_for_a_session_is_told_when_it_is_closed(
    gateway: FakeSessions, trader: Trader
) -> None:
    gateway.greeting = None
    trader.session.start()
    waiting = asyncio.ensure_future(trader.session.request({"type": "ping"}, SECONDS))
    await gateway.opened.get()
    await trader.session.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        await waiting
