"""A day at the market by the public API: auctions, halts, a short sale, and the kill switch."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.e2e.conftest import RunningExchange
from tests.e2e.test_trading import key, open_account, order
from tests.support.stack import OPERATOR_KEY

MARKET = """
initial_balance = 10_000

[fees]
maker_bps = -1
taker_bps = 2

[[securities]]
id = "MSFT"
reference_price = 100
auction_seconds = 600
short_margin_percent = 50

[[securities]]
id = "AAPL"
reference_price = 200
dynamic_band_percent = 5
halt_seconds = 0.2
auction_seconds = 0.2
"""
WAIT_SECONDS = 30


@pytest.fixture
def market_file(tmp_path: Path) -> Path:
    """A market with rebates, short selling, and a circuit breaker."""
    path = tmp_path / "market.toml"
    path.write_text(MARKET, encoding="utf-8")
    return path


@dataclass
class Day:
    """A running exchange, and the number of the newest answer, up to which balances are read."""

    http: httpx.AsyncClient
    exchange: RunningExchange
    seq: int = 0

    async def order(self, client_id: str, side: str, quantity: int, **fields: Any) -> Any:
        """Send an order for MSFT, a limit order unless said otherwise; the answer to it."""
        fields = {"side": side, "quantity": quantity, **fields}
        answer = (await order(self.http, self.exchange, client_id, **fields)).json()
        self.seq = answer["seq"]
        return answer

    async def places(self, client_id: str, side: str, quantity: int, **fields: Any) -> int:
        """Send an order that stays open whole; its id."""
        answer = await self.order(client_id, side, quantity, **fields)
        assert (answer["status"], answer["fills"]) == ("new", []), answer
        order_id: int = answer["order_id"]
        return order_id

    async def fills(self, client_id: str, side: str, quantity: int, **fields: Any) -> list[Any]:
        """Send an order that trades whole; price, quantity and fee of each trade."""
        answer = await self.order(client_id, side, quantity, **fields)
        assert answer["status"] == "filled", answer
        return [(fill["price"], fill["quantity"], fill["fee"]) for fill in answer["fills"]]

    async def is_refused(self, client_id: str, side: str, quantity: int, **fields: Any) -> str:
        """Send an order that the engine refuses; why."""
        answer = await self.order(client_id, side, quantity, **fields)
        code: str = answer["error"]["code"]
        return code

    async def operate(self, method: str, path: str, **body: Any) -> Any:
        """What the operator is answered, which is the newest answer if it has a number."""
        answer = await self.http.request(
            method,
            f"{self.exchange.gateway_url}/admin/{path}",
            json=body or None,
            headers={"Authorization": f"Bearer {OPERATOR_KEY}"},
        )
        assert answer.status_code == 200, answer.text
        content = answer.json()
        self.seq = content.get("seq", self.seq)
        return content

    async def set_state(self, action: str, **more: Any) -> None:
        """The operator changes the state of MSFT."""
        answer = await self.operate("POST", "state", action=action, security_id="MSFT", **more)
        assert answer["count"] == 1

    async def read(self, path: str, client_id: str | None = None) -> Any:
        """What the feed says when it knows the newest answer, and that is settled."""
        if client_id is None:
            await self.read("balance/alice", "alice")
        answer = await self.http.get(
            f"{self.exchange.feed_url}/{path}",
            params={} if client_id is None else {"min_seq": self.seq},
            headers={} if client_id is None else key(client_id),
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def assert_account(self, client_id: str, balance: float, **shares: int) -> None:
        """Cash and shares are these, to the cent and beyond."""
        found = await self.read(f"balance/{client_id}", client_id)
        assert found["balance"] == balance
        holdings = await self.read(f"holdings/{client_id}", client_id)
        assert {one["security_id"]: one["quantity"] for one in holdings} == shares

    async def assert_order(self, client_id: str, order_id: int, **expected: Any) -> None:
        """The feed says so of an order of MSFT."""
        found = await self.read(f"status/MSFT/{order_id}", client_id)
        assert {name: found[name] for name in expected} == expected


async def opening_auction(day: Day) -> None:
    """15 shares trade at 100.00, nearest to the mark; all pay the taker's fee."""
    await day.set_state("start_auction", auction="opening")
    offered = await day.places("alice", "sell", 20, price=99, time_in_force="opg")
    await day.places("bob", "buy", 10, type="market")
    await day.places("carol", "buy", 5, price=101, time_in_force="opg")
    assert await day.is_refused("bob", "buy", 1, price=101, time_in_force="ioc") == (
        "no_continuous_trading"
    )
    price = await day.read("price/MSFT")
    assert (price["state"], price["bid"], price["ask"], price["last"]) == (
        "auction",
        None,
        None,
        None,
    )
    await day.set_state("uncross")
    await day.assert_order(
        "alice", offered, status="cancelled", reason="auction_over", filled_quantity=15
    )
    await day.assert_account("alice", 11_499.70, MSFT=85, AAPL=100)
    await day.assert_account("bob", 8_999.80, MSFT=110, AAPL=100)
    await day.assert_account("carol", 9_499.90, MSFT=105, AAPL=100)
    assert await day.is_refused("alice", "buy", 1, price=99, time_in_force="opg") == "auction_over"


async def rebates(day: Day) -> None:
    """The taker pays two basis points, of which the maker gets one."""
    await day.places("alice", "sell", 10, price=100.5)
    assert await day.fills("bob", "buy", 10, type="market") == [(100.5, 10, 0.201)]
    await day.assert_account("alice", 12_504.8005, MSFT=75, AAPL=100)
    await day.assert_account("bob", 7_994.599, MSFT=120, AAPL=100)


async def halt_and_resumption(day: Day) -> None:
    """A halt takes cancels alone; the auction after it trades four shares at 100.00."""
    resting = await day.places("bob", "buy", 1, price=90)
    await day.set_state("halt")
    assert await day.is_refused("alice", "buy", 1, price=90) == "trading_halted"
    url = f"{day.exchange.gateway_url}/orders/{resting}"
    assert (await day.http.delete(url, headers=key("bob"))).status_code == 200
    await day.set_state("resume")
    await day.places("bob", "sell", 4, price=100)
    await day.places("carol", "buy", 4, price=100)
    await day.set_state("uncross")
    await day.assert_account("bob", 8_394.519, MSFT=116, AAPL=100)
    await day.assert_account("carol", 9_099.82, MSFT=109, AAPL=100)


async def short_sale_and_cover(day: Day) -> None:
    """Carol sells ten shares more than she has, keeps their value and half back, and covers."""
    refused = await day.is_refused("carol", "sell", 101, price=200, security_id="AAPL")
    assert refused == "insufficient_shares"
    assert await day.is_refused("carol", "sell", 1_000, price=100) == "insufficient_margin"
    await day.places("carol", "sell", 119, price=100)
    assert await day.fills("alice", "buy", 119, price=100) == [(100, 119, 2.38)]
    await day.assert_account("alice", 602.4205, MSFT=194, AAPL=100)
    await day.assert_account("carol", 21_001.01, MSFT=-10, AAPL=100)
    balance = await day.read("balance/carol", "carol")
    assert (balance["short_margin"], balance["available"]) == (1_500, 19_501.01)

    await day.places("bob", "sell", 10, price=100.2)
    assert await day.fills("carol", "buy", 10, type="market") == [(100.2, 10, 0.2004)]
    await day.assert_account("bob", 9_396.6192, MSFT=106, AAPL=100)
    await day.assert_account("carol", 19_998.8096, AAPL=100)


async def kill_switch(day: Day) -> None:
    """Bob's orders are cancelled, the waiting stop too, and he may order when it is off again."""
    await day.places("bob", "buy", 1, price=50)
    stop = await day.order("bob", "sell", 1, type="stop", stop_price=50)
    assert stop["status"] == "pending_trigger"
    answer = await day.operate("PUT", "clients/bob/kill-switch", active=True)
    assert (answer["active"], answer["cancelled"]) == (True, 2)
    await day.assert_order("bob", stop["order_id"], status="cancelled", reason="kill_switch")
    assert await day.is_refused("bob", "buy", 1, price=50) == "client_suspended"
    answer = await day.operate("PUT", "clients/bob/kill-switch", active=False)
    assert (answer["active"], answer["cancelled"]) == (False, 0)


async def circuit_breaker(day: Day) -> None:
    """The second trade would be 7.5% from the mark; it is made when the halt is over by itself."""
    await day.places("bob", "sell", 2, price=205, security_id="AAPL")
    await day.places("bob", "sell", 2, price=215, security_id="AAPL")
    answer = await day.order("carol", "buy", 4, price=215, security_id="AAPL")
    assert (answer["status"], answer["remaining_quantity"]) == ("partially_filled", 2)
    assert [(fill["price"], fill["quantity"]) for fill in answer["fills"]] == [(205, 2)]
    async with asyncio.timeout(WAIT_SECONDS):
        while (await day.read("price/AAPL"))["last"] != 215:
            await asyncio.sleep(0.05)
    price = await day.read("price/AAPL")
    assert (price["state"], price["bid"], price["ask"]) == ("continuous", None, None)
    trades = await day.read("trades/AAPL")
    assert [(trade["price"], trade["aggressor_side"]) for trade in trades] == [
        (215, None),
        (205, "buy"),
    ]
    day.seq = trades[0]["seq"]
    await day.assert_account("bob", 10_236.5742, MSFT=106, AAPL=96)
    await day.assert_account("carol", 19_158.6416, AAPL=104)


async def closing_auction(day: Day) -> None:
    """Orders for the close wait until its auction, and trade at 99.00; the day's orders end."""
    await day.places("alice", "sell", 4, type="market", time_in_force="cls")
    await day.places("bob", "buy", 4, price=99, time_in_force="cls")
    until_evening = await day.places("carol", "buy", 1, price=50, time_in_force="day")
    await day.set_state("start_auction", auction="closing")
    await day.set_state("uncross")
    await day.assert_order("carol", until_evening, status="expired", reason="expired")
    await day.assert_account("alice", 998.3413, MSFT=190, AAPL=100)
    await day.assert_account("bob", 9_840.495, MSFT=110, AAPL=96)
    assert await day.is_refused("alice", "buy", 1, price=50) == "market_closed"


async def test_a_day_settles_to_the_cent(exchange: RunningExchange) -> None:
    async with httpx.AsyncClient() as http:
        for client_id in ("alice", "bob", "carol"):
            await open_account(http, exchange, client_id)
        day = Day(http, exchange)
        await opening_auction(day)
        await rebates(day)
        await halt_and_resumption(day)
        await short_sale_and_cover(day)
        await kill_switch(day)
        await circuit_breaker(day)
        await closing_auction(day)
        fees = {}
        for client_id in ("alice", "bob", "carol"):
            fees[client_id] = (await day.read(f"accounts/{client_id}", client_id))["fees"]
        assert fees == {"alice": 2.6587, "bob": 0.505, "carol": -0.6416}
        states = (await day.operate("GET", "status"))["securities"]
        assert [(one["security_id"], one["state"]) for one in states] == [
            ("AAPL", "continuous"),
            ("MSFT", "closed"),
        ]
    connection = await asyncpg.connect(exchange.clearing_dsn)
    sums = await connection.fetch("SELECT asset, sum(balance) AS total FROM account GROUP BY asset")
    fees_e4 = await connection.fetchval(
        "SELECT balance FROM account WHERE owner = 'house:fees' AND asset = 'cash'"
    )
    await connection.close()
    assert {row["asset"]: row["total"] for row in sums} == {"cash": 0, "MSFT": 0, "AAPL": 0}
    assert fees_e4 == 25_221
    await exchange.assert_nothing_lost_or_doubled()
