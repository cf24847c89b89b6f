"""The bots against the whole exchange: they trade, go on after every trouble, and stop."""

import asyncio
import functools
import itertools
import os
import sys
from decimal import Decimal
from typing import Any

import httpx
import pytest

from exchange_shared.auth import public_bot_key
from tests.support.bot_clients import WAIT_SECONDS, Connect, as_bot, bot, key_of, until, within
from tests.support.embedded_exchange import OPERATOR_KEY, EmbeddedExchange
from tests.support.paths import ROOT
from tests.support.tcp_proxy import TcpProxy
from trading_bots import ExchangeClient, ExchangeError, NewOrder, run_bot
from trading_bots.strategies import STRATEGIES

pytestmark = pytest.mark.postgres


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
        await owner.cancel_all()
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


async def test_a_bot_goes_on_with_an_account_that_was_opened_without_a_secret(
    exchange: EmbeddedExchange, gateway: TcpProxy, feed: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = bot(gateway, feed, client_id="of_before", interval_seconds=0.02)
    public_key = public_bot_key("of_before")
    with monkeypatch.context() as before:
        before.setattr("order_entry_gateway.api.accounts.weakness", lambda *_: None)
        async with ExchangeClient(
            "of_before", public_key, gateway_url=exchange.gateway_url, feed_url=exchange.feed_url
        ) as owner:
            stop = asyncio.Event()
            running = asyncio.ensure_future(run_bot(settings, stop))

            async def quotes() -> bool:
                assert not running.done(), running.result()
                return bool(await owner.open_orders())

            await until(quotes)
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
    monkeypatch.setenv("MY_BOT_KEY", key_of("my_bot"))
    exec(source.replace("asyncio.run(main())", ""), names)  # noqa: S102
    watcher = await connect("watcher")
    await watcher.sell("MSFT", 5, price="400")
    await watcher.buy("MSFT", 5, price="399")
    running = asyncio.ensure_future(names["main"]())
    async with here("my_bot", key_of("my_bot")) as owner:
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
