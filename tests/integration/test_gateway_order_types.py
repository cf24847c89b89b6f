"""Every kind of order and change through the gateway, answered by the real matching core."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, Publisher
from exchange_shared.units import format_time, now_us
from order_entry_gateway.answers.pending import Pending
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.metrics import GatewayMetrics
from order_entry_gateway.rate_limits import ClientRates, RateLimit
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.confirmations import Confirmations
from order_entry_gateway.sequencing.order_entry import OrderEntry, OrderFlow
from order_entry_gateway.sequencing.order_ids import OrderIds
from tests.support.core_engine import CoreEngine
from tests.support.gateway_traders import BUY, SELL, Trader, outcome
from tests.support.gateways import (
    WAIT_SECONDS,
    Gateway,
    receive,
    receive_until,
    running_engine,
    running_gateway,
    send,
)
from tests.support.memory_bus import MemoryBus


@pytest.fixture
async def engine(bus: MemoryBus) -> AsyncIterator[CoreEngine]:
    engine = CoreEngine()
    async with running_engine(bus, engine):
        yield engine


@pytest.fixture
async def alice(gateway: Gateway) -> Trader:
    return Trader(gateway, "alice", await gateway.open_account("alice"))


@pytest.fixture
async def bob(gateway: Gateway) -> Trader:
    return Trader(gateway, "bob", await gateway.open_account("bob"))


# New orders


async def test_a_stop_waits_and_one_whose_price_is_there_trades_at_once(
    alice: Trader, bob: Trader, engine: CoreEngine
) -> None:
    stop = {"security_id": "MSFT", "side": "sell", "type": "stop", "quantity": 4}
    waiting = await bob.order(stop, stop_price="419.50")
    assert waiting == {
        "order_id": waiting["order_id"],
        "client_order_id": None,
        "security_id": "MSFT",
        "side": "sell",
        "type": "stop",
        "quantity": 4,
        "price": None,
        "status": "pending_trigger",
        "filled_quantity": 0,
        "remaining_quantity": 4,
        "average_price": None,
        "fills": [],
        "seq": engine.seq,
    }
    await alice.order(BUY, price=419)
    await alice.order(BUY, price=420, quantity=3)
    first = await bob.order(SELL, quantity=1)
    assert outcome(first) == ("filled", 1, 0, None)
    at_once = await bob.order(stop, stop_price=420)
    assert outcome(at_once) == ("filled", 4, 0, None)
    assert [(fill["price"], fill["quantity"]) for fill in at_once["fills"]] == [(420, 2), (419, 2)]
    assert at_once["seq"] == engine.seq  # the other stop was set off by this one


async def test_a_stop_that_others_set_off_is_not_in_their_answers(
    alice: Trader, bob: Trader, engine: CoreEngine
) -> None:
    await alice.order(BUY, price=420, quantity=5)
    await alice.order(BUY, price=415)
    await bob.order(
        {"security_id": "MSFT", "side": "sell", "type": "stop", "quantity": 7, "stop_price": 420}
    )
    answer = await bob.order(SELL, quantity=5, oco_group="exit")
    assert outcome(answer) == ("filled", 5, 0, None)
    assert [fill["price"] for fill in answer["fills"]] == [420]
    assert answer["seq"] == engine.seq


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"time_in_force": "fok"}, ("cancelled", 0, 0, "fill_or_kill")),
        ({"time_in_force": "fok", "quantity": 4}, ("filled", 4, 0, None)),
        ({"time_in_force": "ioc"}, ("cancelled", 4, 0, "immediate_or_cancel")),
        ({"time_in_force": "day"}, ("partially_filled", 4, 6, None)),
        ({"display_quantity": 2}, ("partially_filled", 4, 6, None)),
        ({"hidden": True}, ("partially_filled", 4, 6, None)),
        ({"type": "market", "price": None, "time_in_force": "fok"},
         ("cancelled", 0, 0, "fill_or_kill")),
        ({"post_only": True, "price": 419}, ("new", 0, 10, None)),
    ],
)  # fmt: skip
async def test_options_decide_what_becomes_of_an_order(
    alice: Trader, bob: Trader, changes: Any, expected: Any
) -> None:
    await alice.order(SELL, quantity=4)
    assert outcome(await bob.order(BUY, **changes)) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("cancel_newest", ("cancelled", 0, 0, "self_trade")),
        ("cancel_oldest", ("new", 0, 10, None)),
        ("cancel_both", ("cancelled", 0, 0, "self_trade")),
        ("decrement", ("new", 0, 6, None)),
    ],
)
async def test_self_trades_are_prevented_in_the_way_that_was_asked_for(
    alice: Trader, mode: str, expected: Any
) -> None:
    await alice.order(SELL, quantity=4)
    answer = await alice.order(BUY, self_trade_prevention=mode)
    assert outcome(answer) == expected
    assert answer["quantity"] == (6 if mode == "decrement" else 10)


async def test_refusals_of_the_engine_name_the_field(alice: Trader, bob: Trader) -> None:
    await alice.order(SELL)
    order_id = (await alice.order(SELL, quantity=1))["order_id"]
    past, stop = format_time(now_us() - 1), {"type": "stop", "price": None}
    cases = [
        ({**BUY, "post_only": True}, (422, "would_take", "price")),
        ({**BUY, "time_in_force": "gtd", "expires_at": past}, (422, "expired", "expires_at")),
        ({**BUY, "price": "420.001"}, (422, "price_off_tick", "price")),
        ({**BUY, **stop, "stop_price": "420.001"}, (422, "price_off_tick", "stop_price")),
        (
            {**BUY, "type": "stop_limit", "stop_price": "420.001"},
            (422, "price_off_tick", "stop_price"),
        ),
        ({**SELL, **stop, "quantity": 101, "stop_price": 1}, (422, "insufficient_shares", None)),
    ]
    for content, expected in cases:
        assert await bob.refused("POST", "/orders", content) == expected, content
    path = f"/orders/{order_id}"
    assert await bob.refused("PATCH", path, {"price": 1}) == (404, "unknown_order", "order_id")


async def test_a_repeated_order_is_told_apart_by_every_option(alice: Trader) -> None:
    named = {**BUY, "client_order_id": "mine", "display_quantity": 3}
    first = await alice.order(named)
    again = await alice.request("POST", "/orders", named)
    assert again.status_code == 200
    assert again.json()["order_id"] == first["order_id"]
    other = {**named, "display_quantity": 4}
    refused = await alice.refused("POST", "/orders", other)
    assert refused == (409, "client_order_id_reused", "client_order_id")


# Sessions


async def test_a_session_replaces_and_cancels_and_hears_of_every_change(
    gateway: Gateway, alice: Trader, bob: Trader
) -> None:
    await bob.order(BUY, quantity=2, price=419)
    await bob.order(SELL, quantity=1, price=419, self_trade_prevention="decrement")
    async with gateway.connect(alice.api_key) as connection:
        await send(connection, type="new", ref=1, order={**SELL, "client_order_id": "mine"})
        order_id = (await receive_until(connection, 1))["answer"]["order_id"]
        await send(connection, type="replace", ref=2, order_id=order_id, price="419", quantity=5)
        replaced = await receive_until(connection, 2)
        await send(connection, type="mass_cancel", ref=3, side="sell")
        cancelled = await receive_until(connection, 3)
        await send(connection, type="replace", ref=4, order_id=order_id, quantity=5)
        unknown = await receive_until(connection, 4)
    assert (replaced["type"], outcome(replaced["answer"])) == (
        "replace",
        ("partially_filled", 1, 4, None),
    )
    assert (cancelled["type"], cancelled["answer"]["order_ids"]) == ("mass_cancel", [order_id])
    assert (unknown["type"], unknown["error"]["code"]) == ("error", "unknown_order")


async def test_execution_reports_tell_of_every_change(gateway: Gateway, alice: Trader) -> None:
    async with gateway.connect(alice.api_key) as connection:
        await receive(connection)
        buy = {**BUY, "price": 410}
        stop = {"type": "stop_limit", "price": 430, "stop_price": 425, "oco_group": "exit"}
        order_id = (await alice.order(buy))["order_id"]
        stop_id = (await alice.order({**SELL, **stop, "quantity": 1}))["order_id"]
        await alice.request("PATCH", f"/orders/{order_id}", {"quantity": 8})
        decrement = {"price": 410, "self_trade_prevention": "decrement", "quantity": 3}
        await alice.order({**SELL, **decrement})
        await alice.request("DELETE", "/orders")
        reports: list[Any] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while not reports or reports[-1]["event"] != "mass_cancelled":
                reports += (await receive(connection))["reports"]
    told = [
        (report["event"], report.get("order_id"), report.get("quantity"), report.get("reason"))
        for report in reports
    ]
    decrement_id = reports[3]["order_id"]
    assert told == [
        ("accepted", order_id, 10, None),
        ("accepted", stop_id, 1, None),
        ("replaced", order_id, 8, None),
        ("accepted", decrement_id, 3, None),
        ("reduced", order_id, 3, None),
        ("cancelled", decrement_id, 3, "self_trade"),
        ("cancelled", order_id, 5, "requested"),
        ("cancelled", stop_id, 1, "requested"),
        ("mass_cancelled", None, None, None),
    ]
    assert (reports[1]["stop_price"], reports[1]["oco_group"]) == (425, "exit")
    assert reports[-1]["count"] == 2


# Time


async def test_orders_expire_while_nobody_trades(
    bus: MemoryBus, engine: CoreEngine, tmp_path: Path
) -> None:
    async with running_gateway(bus, tmp_path, clock_tick_seconds=0.01) as gateway:
        await gateway.until_ready()
        alice = Trader(gateway, "alice", await gateway.open_account("alice"))
        async with gateway.connect(alice.api_key) as connection:
            await receive(connection)
            expires_at = format_time(now_us() + 300_000)
            order = await alice.order(BUY, time_in_force="gtd", expires_at=expires_at)
            assert order["status"] == "new"
            (accepted,) = (await receive(connection))["reports"]
            (expired,) = (await receive(connection))["reports"]
        assert accepted["expires_at"] == expires_at
        assert (expired["event"], expired["reason"]) == ("cancelled", "expired")
        assert expired["time"] >= expires_at
        page = (await gateway.http.get("/metrics")).text
        assert "exchange_orders_sequenced_total 1.0" in page
        assert "exchange_waiting_requests 0.0" in page


async def test_the_clock_ticks_only_while_ready_and_the_bus_there_and_not_full(
    bus: MemoryBus,
) -> None:
    readiness, metrics, unlimited = Readiness(), GatewayMetrics(), RateLimit("orders")
    entry = Publisher(bus, ORDER_ENTRY, "gateway", max_pending=2)
    order_entry = OrderEntry(
        bus=bus,
        entry=entry,
        confirmations=Confirmations(Publisher(bus, DATA_FEED, "gateway"), unlimited, metrics),
        ids=OrderIds(now_us),
        pending=Pending(1),
        readiness=readiness,
        market_status=MarketStatus(),
        flow=OrderFlow(
            rates=ClientRates(),
            orders_limit=unlimited,
            cancels_limit=unlimited,
            max_queued=1,
            max_unanswered=1,
            max_lag_seconds=0,
        ),
        answer_seconds=1,
        metrics=metrics,
        clock_us=now_us,
    )
    order_entry.tick()
    assert entry.pending == 0
    readiness.api_keys = readiness.matching_engine = None
    order_entry.tick()
    assert entry.pending == 1
    bus.reason = "the broker is gone"
    order_entry.tick()
    assert entry.pending == 1
    bus.reason = None
    order_entry.tick()
    order_entry.tick()
    assert entry.pending == 2
