"""Orders, replacements, cancels, batches and accounts through the client library."""

from collections.abc import Awaitable
from decimal import Decimal
from typing import Any

import pytest

from tests.support.bot_clients import Connect, key_of, within
from tests.support.tcp_proxy import TcpProxy
from trading_bots import ExchangeClient, ExchangeError, NewOrder, Order

pytestmark = pytest.mark.postgres


async def test_two_traders_trade_and_read_what_they_wrote(connect: Connect) -> None:
    alice, bob = await connect("alice"), await connect("bob-the-buyer")
    reports = alice.reports()
    offer = await alice.sell("MSFT", 3, price="420.50")
    bought = await bob.buy("MSFT", 2, price=Decimal(421))
    assert (offer.status, offer.is_open, offer.price) == ("new", True, Decimal("420.5"))
    assert (bought.status, bought.is_open, bought.average_price) == (
        "filled",
        False,
        Decimal("420.5"),
    )
    told = [await within(anext(reports)) for _ in range(2)]
    assert [(one.event, one.order_id, one.remaining_quantity) for one in told] == [
        ("accepted", offer.order_id, 3),
        ("trade", offer.order_id, 1),
    ]
    assert (await alice.balance()).balance == Decimal(10_841)
    assert (await bob.holdings())["MSFT"].quantity == 102
    assert [order.order_id for order in await alice.open_orders()] == [offer.order_id]
    assert (await alice.status("MSFT", offer.order_id)).status == "partially_filled"
    assert (await bob.book("MSFT")).asks == [(Decimal("420.5"), 1, 1)]
    assert [trade.quantity for trade in await bob.trades("MSFT")] == [2]
    assert (await bob.price("MSFT")).last == Decimal("420.5")
    assert (await bob.securities())["JPM"].tick == Decimal("0.01")
    assert {row.client_id for row in await bob.leaderboard()} == {"alice", "bob-the-buyer"}
    assert {row.event_type for row in await alice.report_history()} == {
        "order",
        "trade",
        "settlement",
    }
    assert (await alice.cancel(offer.order_id)).cancelled_quantity == 1
    assert await alice.open_orders() == []


async def test_refusals_carry_the_code_the_field_and_the_status(connect: Connect) -> None:
    alice = await connect("alice")
    refused: list[tuple[Awaitable[Any], tuple[str, str | None, int]]] = [
        (alice.buy("NOPE", 1), ("unknown_security", "security_id", 404)),
        (alice.buy("MSFT", 0, "400"), ("invalid_field", "quantity", 422)),
        (alice.buy("MSFT", 1, "400.001"), ("price_off_tick", "price", 422)),
        (alice.sell("MSFT", 101, "400"), ("insufficient_shares", None, 422)),
        (alice.cancel(77), ("unknown_order", "order_id", 404)),
        (alice.price("NOPE"), ("unknown_security", "security_id", 404)),
    ]
    for request, expected in refused:
        with pytest.raises(ExchangeError) as caught:
            await request
        assert (caught.value.code, caught.value.field, caught.value.status) == expected


async def test_orders_have_options_and_can_be_replaced_and_all_cancelled(connect: Connect) -> None:
    alice, bob = await connect("alice"), await connect("bob-the-buyer")
    reports = alice.reports()
    iceberg = await alice.sell("MSFT", 9, "420", display_quantity=3, oco_group="exit")
    stop = await alice.sell("MSFT", 5, stop_price="410", oco_group="exit")
    trailing = await alice.buy("MSFT", 1, trail_percent="2.5", time_in_force="day")
    hidden = await alice.buy("MSFT", 2, "400", hidden=True)
    assert [order.status for order in (iceberg, stop, trailing, hidden)] == [
        "new",
        "pending_trigger",
        "pending_trigger",
        "new",
    ]
    assert stop.is_open
    assert [(order.type, order.stop_price) for order in await alice.open_orders()] == [
        ("limit", None),
        ("trailing_stop", None),
        ("stop", Decimal(410)),
        ("limit", None),
    ]
    book = await bob.book("MSFT")
    assert (book.bids, book.asks) == ([], [(Decimal(420), 3, 1)])
    with pytest.raises(ExchangeError) as caught:
        await bob.buy("MSFT", 1, "420", post_only=True)
    assert (caught.value.code, caught.value.field) == ("would_take", "price")

    moved = await alice.replace(iceberg.order_id, quantity=8, price="421")
    assert (moved.status, moved.remaining_quantity, moved.kept_priority) == ("new", 8, False)
    smaller = await alice.replace(iceberg.order_id, quantity=7)
    assert (smaller.price, smaller.remaining_quantity, smaller.kept_priority) == (
        Decimal(421),
        7,
        True,
    )
    refused: list[tuple[Awaitable[Any], tuple[str, str | None, int]]] = [
        (alice.replace(stop.order_id, quantity=1), ("not_replaceable", "order_id", 409)),
        (bob.replace(stop.order_id, quantity=1), ("unknown_order", "order_id", 404)),
        (alice.replace(iceberg.order_id), ("missing_field", "quantity", 422)),
        (alice.cancel_all("NOPE"), ("unknown_security", "security_id", 404)),
    ]
    for request, expected in refused:
        with pytest.raises(ExchangeError) as caught:
            await request
        assert (caught.value.code, caught.value.field, caught.value.status) == expected

    bought = await bob.buy("MSFT", 4, "421", time_in_force="fok")
    assert [fill.quantity for fill in bought.fills] == [3, 1]
    state = await alice.status("MSFT", stop.order_id)
    assert (state.status, state.reason) == ("cancelled", "one_cancels_other")
    assert (await alice.cancel_all("MSFT", "buy")).order_ids == [trailing.order_id, hidden.order_id]
    assert (await alice.cancel_all()).cancelled == 1
    assert await alice.open_orders() == []
    told = [await within(anext(reports)) for _ in range(14)]
    assert [one.event for one in told] == [
        *["accepted"] * 4,
        *["replaced"] * 2,
        *["trade", "cancelled", "trade"],
        *["cancelled", "cancelled", "mass_cancelled"],
        *["cancelled", "mass_cancelled"],
    ]
    assert (told[-1].count, told[-1].order_id) == (1, None)
    assert (told[2].trail_percent, told[2].time_in_force) == (Decimal("2.5"), "day")


async def test_a_batch_has_an_answer_for_each_order(connect: Connect) -> None:
    alice = await connect("alice")
    good = NewOrder(security_id="MSFT", side="sell", quantity=1, price="430")
    bad = NewOrder(security_id="MSFT", side="sell", quantity=101, price="430")
    first, second, third = await alice.batch([good, bad, good])
    assert isinstance(first, Order)
    assert isinstance(second, ExchangeError)
    assert isinstance(third, Order)
    assert (first.status, second.code, third.status) == ("new", "insufficient_shares", "new")
    assert first.order_id != third.order_id


async def test_an_account_is_found_again_by_its_key_and_refused_to_another(
    connect: Connect, gateway: TcpProxy, feed: TcpProxy
) -> None:
    alice = await connect("alice")
    assert not (await alice.open_account()).opened
    for client_id, api_key, code in (
        ("alice", "another-key-than-hers", "client_id_taken"),
        ("bob", key_of("alice"), "api_key_in_use"),
    ):
        with pytest.raises(ExchangeError) as caught:
            async with ExchangeClient(
                client_id, api_key, gateway_url=gateway.url, feed_url=feed.url
            ):
                pytest.fail("it has no right to come in")
        assert (caught.value.code, caught.value.status) == (code, 409)


async def test_a_wrong_key_opens_no_account_for_reading(connect: Connect) -> None:
    alice = await connect("alice")
    alice.api_key = "some-other-api-key"
    with pytest.raises(ExchangeError) as caught:
        await alice.balance()
    assert (caught.value.code, caught.value.status) == ("unknown_api_key", 401)
