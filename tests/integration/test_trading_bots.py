"""The client library and the bots against the whole exchange, over connections that get lost."""

import asyncio
import functools
import gc
import itertools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Databases
from tests.support.embedded_exchange import OPERATOR_KEY, EmbeddedExchange, embedded_exchange
from tests.support.paths import ROOT
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from trading_bots import (
    BotSettings,
    ExchangeClient,
    ExchangeError,
    NewOrder,
    Order,
    OutcomeUnknown,
    ReportsLost,
    orders,
    run_bot,
)
from trading_bots.strategies import STRATEGIES

pytestmark = pytest.mark.postgres

WAIT_SECONDS = 20.0

Connect = Callable[[str], Awaitable[ExchangeClient]]


def key_of(client_id: str) -> str:
    return f"key-of-{client_id}-0123456789"


@pytest.fixture
async def exchange(tmp_path: Path, databases: Databases) -> AsyncIterator[EmbeddedExchange]:
    """The whole exchange, empty."""
    async with embedded_exchange(
        tmp_path, databases.clearing_data, databases.market_data
    ) as running:
        yield running


@pytest.fixture
async def gateway(exchange: EmbeddedExchange) -> AsyncIterator[TcpProxy]:
    """What a client takes for the gateway."""
    async with tcp_proxy(exchange.gateway_url) as proxy:
        yield proxy


@pytest.fixture
async def feed(exchange: EmbeddedExchange) -> AsyncIterator[TcpProxy]:
    """What a client takes for the feed."""
    async with tcp_proxy(exchange.feed_url) as proxy:
        yield proxy


@pytest.fixture
async def connect(gateway: TcpProxy, feed: TcpProxy) -> AsyncIterator[Connect]:
    """Makes clients that trade."""
    async with AsyncExitStack() as stack:

        async def connected(client_id: str) -> ExchangeClient:
            client = ExchangeClient(
                client_id, key_of(client_id), gateway_url=gateway.url, feed_url=feed.url
            )
            return await stack.enter_async_context(client)

        yield connected


async def within(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(WAIT_SECONDS):
        return await awaitable


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():
            await asyncio.sleep(0)


def bot(gateway: TcpProxy, feed: TcpProxy, **changes: Any) -> BotSettings:
    urls = {"gateway_url": gateway.url, "feed_url": feed.url}
    return BotSettings(**{"strategy": "market_maker", "seed": 1, **urls, **changes})


def as_bot(settings: BotSettings) -> ExchangeClient:
    """A client of the bot's own account."""
    return ExchangeClient(
        settings.account_id,
        settings.account_key,
        gateway_url=settings.gateway_url,
        feed_url=settings.feed_url,
    )


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


async def test_orders_have_options_and_can_be_replaced_and_all_cancelled(
    connect: Connect,
) -> None:
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
    assert (await alice.cancel_all("MSFT", "buy")).order_ids == [
        trailing.order_id,
        hidden.order_id,
    ]
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


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_bot_trades_and_stops_when_told(
    connect: Connect, gateway: TcpProxy, feed: TcpProxy, strategy: str
) -> None:
    watcher = await connect("watcher")
    await watcher.batch(
        [
            NewOrder(security_id="SHEL", side="buy", quantity=10, price="69"),
            NewOrder(security_id="SHEL", side="sell", quantity=10, price="71"),
        ]
    )
    stop = asyncio.Event()
    settings = bot(gateway, feed, strategy=strategy, interval_seconds=0.01, securities=["SHEL"])
    running = asyncio.ensure_future(run_bot(settings, stop))
    async with as_bot(settings) as owner:

        async def has_ordered() -> bool:
            rows = await owner.report_history("order")
            return any(row.status == "confirmed" for row in rows)

        await until(has_ordered)
        stop.set()
        await within(running)
        assert {row.security_id for row in await owner.report_history("order")} == {"SHEL"}


async def test_a_bot_goes_on_after_outages_and_takes_back_what_an_earlier_run_left(
    connect: Connect, gateway: TcpProxy, feed: TcpProxy
) -> None:
    settings = bot(gateway, feed, interval_seconds=0.02, securities=["JPM"])
    async with as_bot(settings) as owner:
        left = await owner.sell("JPM", 1, "300")
        stop = asyncio.Event()
        running = asyncio.ensure_future(run_bot(settings, stop))

        async def quotes_both_sides() -> bool:
            book = await owner.book("JPM")
            return len(book.bids) == 3 and len(book.asks) == 3

        await until(quotes_both_sides)
        assert (await owner.status("JPM", left.order_id)).status == "cancelled"
        for outage in (gateway, feed):
            connections = outage.connections
            outage.refuse()

            async def tried_in_vain(outage: TcpProxy = outage, before: int = connections) -> bool:
                return outage.connections >= before + 3

            await until(tried_in_vain)
            outage.refuse(False)
        for order in await owner.open_orders():
            await owner.cancel(order.order_id)
        await until(quotes_both_sides)
        stop.set()
        await within(running)
        again = asyncio.ensure_future(run_bot(settings, stop := asyncio.Event()))
        await until(quotes_both_sides)
        stop.set()
        await within(again)


async def test_a_bot_goes_on_when_securities_are_halted_and_when_it_was_suspended(
    exchange: EmbeddedExchange, gateway: TcpProxy, feed: TcpProxy
) -> None:
    settings = bot(gateway, feed, interval_seconds=0.02, securities=["JPM", "SHEL"])
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    kill_switch = "/admin/clients/market_maker/kill-switch"
    operator = httpx.AsyncClient(
        base_url=exchange.gateway_url, headers=headers, timeout=WAIT_SECONDS, trust_env=False
    )
    async with as_bot(settings) as owner, operator:

        async def quotes(*securities: str) -> None:
            async def quotes_both_sides() -> bool:
                books = [await owner.book(name) for name in securities]
                return all(len(book.bids) == len(book.asks) == 3 for book in books)

            await until(quotes_both_sides)

        async def operate(method: str, path: str, **content: Any) -> None:
            answer = await operator.request(method, path, json=content)
            assert answer.status_code == 200, answer.text

        stop = asyncio.Event()
        running = asyncio.ensure_future(run_bot(settings, stop))
        await quotes("JPM", "SHEL")
        await operate("POST", "/admin/state", action="halt", security_id="JPM")
        await owner.cancel_all()
        await quotes("SHEL")
        assert (await owner.book("JPM")).bids == []
        await operate("PUT", kill_switch, active=True)
        await operate("POST", "/admin/state", action="open", security_id="JPM")
        with pytest.raises(ExchangeError) as refusal:
            await owner.sell("JPM", 1, "300")
        assert (refusal.value.code, refusal.value.status) == ("client_suspended", 403)
        assert await owner.open_orders() == []
        await operate("PUT", kill_switch, active=False)
        await quotes("JPM", "SHEL")
        stop.set()
        await within(running)


async def test_a_bot_whose_name_belongs_to_somebody_else_gives_up(
    connect: Connect, gateway: TcpProxy, feed: TcpProxy
) -> None:
    await connect("market_maker")
    with pytest.raises(ExchangeError, match="client_id_taken"):
        await within(run_bot(bot(gateway, feed), asyncio.Event()))


async def test_a_bot_that_waits_for_the_exchange_can_be_stopped(
    gateway: TcpProxy, feed: TcpProxy
) -> None:
    gateway.refuse()
    stop = asyncio.Event()
    running = asyncio.ensure_future(run_bot(bot(gateway, feed), stop))

    async def tried() -> bool:
        return gateway.connections > 0

    await until(tried)
    stop.set()
    await within(running)


async def test_the_bot_of_the_readme_trades(
    connect: Connect, gateway: TcpProxy, feed: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = functools.partial(ExchangeClient, gateway_url=gateway.url, feed_url=feed.url)
    monkeypatch.setattr("trading_bots.ExchangeClient", here)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    source = readme.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(source.replace("asyncio.run(main())", ""), names)  # noqa: S102
    watcher = await connect("watcher")
    await watcher.sell("MSFT", 5, price="400")
    await watcher.buy("MSFT", 5, price="399")
    running = asyncio.ensure_future(names["main"]())
    async with here("my_bot", "a-secret-of-my-own") as owner:
        offers = itertools.count()

        async def has_traded() -> bool:
            assert not running.done(), running.result()
            offer = Decimal("399.40") - Decimal("0.01") * next(offers)
            await watcher.sell("MSFT", 1, price=offer)
            return bool(await owner.report_history("trade"))

        await until(has_traded)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_bot_as_a_process_trades_and_ends_well_on_sigterm(
    connect: Connect, exchange: EmbeddedExchange
) -> None:
    environment = {
        **os.environ,
        "EXCHANGE_BOT_STRATEGY": "uniform",
        "EXCHANGE_BOT_CLIENT_ID": "in-a-container",
        "EXCHANGE_BOT_API_KEY": key_of("in-a-container"),
        "EXCHANGE_BOT_GATEWAY_URL": exchange.gateway_url,
        "EXCHANGE_BOT_FEED_URL": exchange.feed_url,
        "EXCHANGE_BOT_INTERVAL_SECONDS": "0.01",
    }
    command = [sys.executable, "-m", "trading_bots"]
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        owner = await connect("in-a-container")

        async def has_ordered() -> bool:
            return bool(await owner.report_history("order"))

        await until(has_ordered)
        process.terminate()
        assert await within(process.wait()) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_bot_without_a_strategy_says_what_is_missing() -> None:
    environment = {name: value for name, value in os.environ.items() if "EXCHANGE" not in name}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trading_bots", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await within(process.communicate())
    assert process.returncode == 1
    assert errors.decode().strip() == "EXCHANGE_BOT_STRATEGY: it is missing"


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
