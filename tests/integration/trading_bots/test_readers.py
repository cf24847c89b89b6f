"""The readers of prices and reports against the whole exchange: what they miss, they tell."""

import asyncio
import gc
from decimal import Decimal

import pytest

from tests.support.bot_clients import Connect, key_of, within
from tests.support.embedded_exchange import EmbeddedExchange
from tests.support.tcp_proxy import TcpProxy
from trading_bots import ExchangeClient, ExchangeError, ReportsLost

pytestmark = pytest.mark.postgres


async def test_a_reader_that_only_its_own_task_knows_is_told_everything(connect: Connect) -> None:
    alice, bob = await connect("alice"), await connect("bob-the-buyer")
    told: list[str] = []
    sold = asyncio.Event()

    async def fills() -> None:
        async for report in alice.reports():
            told.append(report.event)
            if report.event == "trade" and report.remaining_quantity == 0:
                sold.set()

    asyncio.create_task(fills())  # noqa: RUF006
    await asyncio.sleep(0)
    gc.collect()
    await alice.sell("MSFT", 3, price="420.50")
    gc.collect()
    for _ in range(3):
        await bob.buy("MSFT", 1, price="420.50")
        gc.collect()
    await within(sold.wait())
    assert told == ["accepted", "trade", "trade", "trade"]


async def test_what_happens_while_the_connection_is_lost_is_shown_by_reads_after_it(
    connect: Connect, exchange: EmbeddedExchange, gateway: TcpProxy, feed: TcpProxy
) -> None:
    alice = await connect("alice")
    offer = await alice.sell("MSFT", 3, "430")
    reports = alice.reports()
    gateway.refuse()
    with pytest.raises(ReportsLost):
        await within(anext(reports))
    blind = alice.reports()
    while not (known := await alice.report_history(limit=1)):
        pass
    async with ExchangeClient(
        "bob", key_of("bob"), gateway_url=exchange.gateway_url, feed_url=feed.url
    ) as bob:
        bought = await bob.buy("MSFT", 3, "430")
    gateway.refuse(False)
    with pytest.raises(ReportsLost, match="there was no session before"):
        await within(anext(blind))
    reports = alice.reports()
    balance = await alice.balance()
    assert balance.seq >= bought.seq
    assert await alice.open_orders() == []
    assert (await alice.holdings())["MSFT"].quantity == 97
    (missed,) = await alice.report_history("trade", after=known[0].report_seq)
    assert (missed.order_id, missed.quantity, missed.price) == (offer.order_id, 3, Decimal(430))
    with pytest.raises(ExchangeError, match="unknown_order"):
        await alice.cancel(offer.order_id)
    await alice.buy("MSFT", 1, "400")
    while (told := await within(anext(reports))).seq <= balance.seq:
        pass
    assert told.event == "accepted"


async def test_prices_go_on_after_the_feed_was_away(connect: Connect, feed: TcpProxy) -> None:
    alice = await connect("alice")
    prices = alice.prices("MSFT")
    assert (await within(anext(prices))).ask is None
    feed.refuse()
    await alice.sell("MSFT", 1, "430")
    feed.refuse(False)
    while (price := await within(anext(prices))).ask is None:
        pass
    assert price.ask == Decimal(430)


async def test_an_unknown_security_has_no_prices(connect: Connect) -> None:
    alice = await connect("alice")
    with pytest.raises(ExchangeError) as caught:
        await within(anext(alice.prices("NOPE")))
    assert (caught.value.code, caught.value.status) == ("unknown_security", 404)
