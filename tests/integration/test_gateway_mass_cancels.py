"""A mass cancel is about a batch that is still being checked, by whatever connection it came."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus import ORDER_ENTRY
from exchange_shared.messages import MassCancel, NewOrder
from order_entry_gateway.requests.parsing import new_orders
from order_entry_gateway.sequencing import order_entry
from tests.support.core_engine import CoreEngine
from tests.support.gateways import (
    BUY,
    WAIT_SECONDS,
    Gateway,
    bearer,
    market_with_rate,
    order_reports,
    receive_until,
    records_in,
    running_engine,
    running_gateway,
    send,
    session,
)
from tests.support.memory_bus import MemoryBus

CHEAP = {**BUY, "quantity": 1, "price": 10}
BATCH = [CHEAP, {**CHEAP, "security_id": "AAPL"}] * 250

Answers = Callable[[Gateway, str], Any]


@pytest.fixture
def checking(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Is set when an order has been checked; others are served after each."""
    begun = asyncio.Event()

    def check(values: list[Any], client_id: str, seen_seq: int) -> Any:
        begun.set()
        return new_orders(values, client_id, seen_seq)

    monkeypatch.setattr(order_entry, "new_orders", check)
    monkeypatch.setattr(order_entry, "PARSED_AT_ONCE", 1)
    return begun


@contextlib.asynccontextmanager
async def unlimited_gateway(bus: MemoryBus, directory: Path) -> AsyncIterator[Gateway]:
    """A gateway that takes any number of orders, with the real matching core behind it."""
    market = market_with_rate(0)
    async with (
        running_engine(bus, CoreEngine()),
        running_gateway(bus, directory, market=market, max_lag_seconds=0) as gateway,
    ):
        await gateway.until_ready()
        yield gateway


async def batch_by_http(gateway: Gateway, api_key: str) -> list[Any]:
    answer = await gateway.http.post(
        "/orders/batch", headers=bearer(api_key), json={"orders": BATCH}
    )
    answers: list[Any] = answer.json()["answers"]
    return answers


async def batch_by_session(gateway: Gateway, api_key: str) -> list[Any]:
    async with session(gateway, api_key) as connection:
        await send(connection, type="batch", ref=1, orders=BATCH)
        answers: list[Any] = (await receive_until(connection, 1))["answers"]
        return answers


@pytest.mark.parametrize("send_batch", [batch_by_http, batch_by_session])
async def test_by_a_session_of_everything(
    send_batch: Answers, checking: asyncio.Event, bus: MemoryBus, tmp_path: Path
) -> None:
    async with unlimited_gateway(bus, tmp_path) as gateway:
        alice = await gateway.open_account("alice")
        async with session(gateway, alice) as other, asyncio.timeout(WAIT_SECONDS):
            batch = asyncio.create_task(send_batch(gateway, alice))
            await checking.wait()
            await send(other, type="mass_cancel", ref=1)
            await receive_until(other, 1)
            answers = await batch
        assert [one["error"]["code"] for one in answers] == ["withdrawn"] * len(BATCH)
        reports = await order_reports(bus, len(BATCH))
        assert {(one.status, one.reason) for one in reports} == {("denied", "withdrawn")}
        records = await records_in(bus, ORDER_ENTRY)
        assert [type(one) for one in records if isinstance(one, NewOrder | MassCancel)] == [
            MassCancel
        ]


async def test_by_http_of_one_security_and_what_comes_after_it_is_taken(
    checking: asyncio.Event, bus: MemoryBus, tmp_path: Path
) -> None:
    async with unlimited_gateway(bus, tmp_path) as gateway:
        alice, bob = [await gateway.open_account(name) for name in ("alice", "bob")]
        async with session(gateway, bob) as bobs, asyncio.timeout(WAIT_SECONDS):
            batch = asyncio.create_task(batch_by_session(gateway, alice))
            await checking.wait()
            await send(bobs, type="batch", ref=1, orders=[CHEAP] * 3)
            cancel = await gateway.http.delete("/orders?security_id=MSFT", headers=bearer(alice))
            assert cancel.status_code == 200
            answers = await batch
            others = (await receive_until(bobs, 1))["answers"]
            again = await batch_by_http(gateway, alice)
        codes = [one.get("error", {}).get("code") for one in answers]
        assert codes == ["withdrawn", None] * (len(BATCH) // 2)
        assert {one["status"] for one in others} == {"new"}
        assert {one["status"] for one in again} == {"new"}
