"""Execution reports: which session hears what, in which order."""

import asyncio
from typing import Any

from tests.support.gateways import (
    BUY,
    SELL,
    WAIT_SECONDS,
    Gateway,
    bearer,
    receive,
    receive_until,
    send,
    session,
)


def without_numbers(report: dict[str, Any]) -> dict[str, Any]:
    """A report without its time, order id and seq, which differ from run to run."""
    return {key: value for key, value in report.items() if key not in ("time", "order_id", "seq")}


async def test_both_sides_hear_of_their_orders_in_order(gateway: Gateway) -> None:
    alice, bob = await gateway.open_account("alice"), await gateway.open_account("bob")
    async with session(gateway, alice) as alices, session(gateway, bob) as bobs:
        http = gateway.http
        await http.post("/orders", headers=bearer(alice), json={**SELL, "client_order_id": "s"})
        await http.post("/orders", headers=bearer(bob), json={**BUY, "quantity": 4})
        order_id = (await receive(alices))["reports"][0]["order_id"]
        await http.delete(f"/orders/{order_id}", headers=bearer(alice))
        trade, cancel = [await receive(alices) for _ in range(2)]
        bobs_frame = await receive(bobs)
    (sold,), (ended,) = trade["reports"], cancel["reports"]
    accepted, bought = bobs_frame["reports"]
    assert sold["seq"] == bought["seq"]
    assert accepted["seq"] < bought["seq"] < ended["seq"]
    common = {"event": "trade", "security_id": "MSFT", "trade_id": 1, "quantity": 4, "fee": 0}
    common["filled_quantity"] = 4
    assert without_numbers(sold) == {
        **common,
        "client_order_id": "s",
        "side": "sell",
        "price": 420.5,
        "remaining_quantity": 6,
        "liquidity": "maker",
    }
    assert without_numbers(bought) == {
        **common,
        "client_order_id": None,
        "side": "buy",
        "price": 420.5,
        "remaining_quantity": 0,
        "liquidity": "taker",
    }
    assert without_numbers(ended) == {
        "event": "cancelled",
        "client_order_id": "s",
        "security_id": "MSFT",
        "quantity": 6,
        "remaining_quantity": 0,
        "reason": "requested",
    }


async def test_every_session_of_a_client_hears_and_nobody_elses(gateway: Gateway) -> None:
    alice, bob = await gateway.open_account("alice"), await gateway.open_account("bob")
    async with (
        session(gateway, alice) as first,
        session(gateway, alice) as second,
        session(gateway, bob) as bobs,
    ):
        await send(first, type="new", ref=1, order=SELL)
        await receive_until(first, 1)
        assert (await receive(second))["type"] == "execution_reports"
        await send(bobs, type="ping", ref=2)
        assert await receive(bobs) == {"type": "pong", "ref": 2}


async def test_a_session_that_left_is_forgotten(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    async with session(gateway, api_key) as connection:
        await send(connection, type="ping")
        await receive(connection)
        assert "exchange_sessions 1.0" in (await gateway.http.get("/metrics")).text
    async with asyncio.timeout(WAIT_SECONDS):
        while "exchange_sessions 0.0" not in (await gateway.http.get("/metrics")).text:
            await asyncio.sleep(0)
    answer = await gateway.http.post("/orders", headers=bearer(api_key), json=SELL)
    assert answer.status_code == 201
