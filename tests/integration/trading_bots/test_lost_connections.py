"""What the client library does about connections and answers that get lost."""

import asyncio
from decimal import Decimal

import pytest

from tests.support.bot_clients import Connect, within
from tests.support.tcp_proxy import TcpProxy
from trading_bots import ExchangeError, NewOrder, OutcomeUnknown, ReportsLost, orders

pytestmark = pytest.mark.postgres


async def test_the_session_comes_back_by_itself(connect: Connect, gateway: TcpProxy) -> None:
    alice = await connect("alice")
    reports = alice.reports()
    await alice.sell("MSFT", 1, "430")
    gateway.cut()
    order = await within(alice.sell("MSFT", 1, "431"))
    assert alice.sessions == 2
    assert (await within(anext(reports))).event == "accepted"
    with pytest.raises(ReportsLost, match="connection_lost"):
        await within(anext(reports))
    reports = alice.reports()
    await alice.cancel(order.order_id)
    told = await within(anext(reports))
    assert (told.event, told.order_id) == ("cancelled", order.order_id)


async def test_an_order_whose_answer_is_lost_is_repeated_and_acted_upon_once(
    connect: Connect, gateway: TcpProxy
) -> None:
    alice = await connect("alice")
    await alice.sell("MSFT", 1, "440")
    gateway.swallow_answers()
    sending = asyncio.ensure_future(alice.sell("MSFT", 7, "430"))
    await within(gateway.swallowed.wait())
    gateway.cut_and_pass()
    order = await within(sending)
    assert (order.repeated, order.status, order.quantity) == (True, "new", 7)
    assert (await alice.book("MSFT")).asks == [(Decimal(430), 7, 1), (Decimal(440), 1, 1)]


async def test_a_batch_whose_answer_is_lost_is_repeated_and_acted_upon_once(
    connect: Connect, gateway: TcpProxy
) -> None:
    alice = await connect("alice")
    await alice.sell("MSFT", 1, "440")
    gateway.swallow_answers()
    wanted = [NewOrder(security_id="MSFT", side="sell", quantity=2, price="430")] * 3
    sending = asyncio.ensure_future(alice.batch(wanted))
    await within(gateway.swallowed.wait())
    gateway.cut_and_pass()
    answers = await within(sending)
    assert [(one.repeated, one.status) for one in answers] == [(True, "new")] * 3
    assert (await alice.book("MSFT")).asks == [(Decimal(430), 6, 3), (Decimal(440), 1, 1)]


async def test_an_unknown_outcome_can_be_asked_for_later(
    connect: Connect, gateway: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "TRIES", 1)
    alice = await connect("alice")
    await alice.sell("MSFT", 1, "440")
    gateway.swallow_answers()
    sending = asyncio.ensure_future(alice.sell("MSFT", 7, "430"))
    await within(gateway.swallowed.wait())
    gateway.cut_and_pass()
    with pytest.raises(OutcomeUnknown) as caught:
        await within(sending)
    (again,) = await within(alice.batch(caught.value.orders))
    assert (again.repeated, again.client_order_id) == (True, caught.value.client_order_id)
    assert (await alice.book("MSFT")).asks == [(Decimal(430), 7, 1), (Decimal(440), 1, 1)]


async def test_a_cancel_whose_answer_is_lost_says_so(connect: Connect, gateway: TcpProxy) -> None:
    alice = await connect("alice")
    order = await alice.sell("MSFT", 1, "440")
    gateway.swallow_answers()
    cancelling = asyncio.ensure_future(alice.cancel(order.order_id))
    await within(gateway.swallowed.wait())
    gateway.cut_and_pass()
    with pytest.raises(OutcomeUnknown):
        await within(cancelling)
    with pytest.raises(ExchangeError, match="unknown_order"):
        await within(alice.cancel(order.order_id))


async def test_an_exchange_that_is_away_is_unreachable(
    connect: Connect, gateway: TcpProxy, feed: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "ANSWER_SECONDS", 0.2)
    alice = await connect("alice")
    await alice.sell("MSFT", 1, "440")
    feed.refuse()
    gateway.refuse()
    with pytest.raises(ExchangeError, match="unreachable"):
        await within(alice.balance())
    with pytest.raises(ExchangeError, match="unreachable"):
        await within(alice.sell("MSFT", 1, "440"))
