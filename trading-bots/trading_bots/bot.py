"""Runs a strategy against the exchange."""

import asyncio
import secrets
from decimal import Decimal
from random import Random

import structlog

from exchange_shared.auth import public_bot_key
from exchange_shared.units import E4, now_us
from trading_bots.books import Books
from trading_bots.client import ExchangeClient
from trading_bots.errors import ExchangeError, ReportsLost
from trading_bots.links import pause_seconds
from trading_bots.models import NewOrder, Security
from trading_bots.pauses import BUSY, Pauses
from trading_bots.readers import Prices, Reports
from trading_bots.settings import BotSettings
from trading_bots.strategies import Decision, PlaceOrder, Strategy, make_strategy

MIN_REFRESH_SECONDS = 1.0
"""After refusals the books are compared at once, but not more often than this."""

HOPELESS = (409, 422)
"""Statuses that no waiting changes: the account has another key, or the key is not of the form."""

log = structlog.get_logger()


class Bot:
    """One strategy that trades through one client."""

    def __init__(
        self, exchange: ExchangeClient, strategy: Strategy, settings: BotSettings, books: Books
    ) -> None:
        self._exchange = exchange
        self._strategy = strategy
        self._settings = settings
        self._books = books
        self._refreshed = float("-inf")
        self._doubtful = False
        self._missed_reports = True
        self._refused_in_a_row = 0
        self._log = log.bind(client_id=settings.account_id, strategy=settings.strategy)
        self._pauses = Pauses(self._log)

    async def run(self) -> None:
        """Trade until something fails.

        Raises:
            ExchangeError: an account read or a stream failed; begin again with a new client.
        """
        prices, reports = self._exchange.prices(), self._exchange.reports()
        await self._cancel_leftovers()
        work = [self._follow_prices(prices), self._follow_reports(reports), self._trade()]
        tasks = [asyncio.create_task(part) for part in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _cancel_leftovers(self) -> None:
        """Take back what an earlier run of this bot has left in the market."""
        leftovers = await self._exchange.cancel_all()
        self._log.info("bot_started", cancelled=leftovers.cancelled)

    async def _follow_prices(self, prices: Prices) -> None:
        async for price in prices:
            self._books.price(price)

    async def _follow_reports(self, reports: Reports) -> None:
        while True:
            try:
                async for report in reports:
                    self._books.report(report)
                return
            except ReportsLost as lost:
                self._log.info("reports_lost", reason=str(lost))
                reports = self._exchange.reports()
                self._missed_reports = True

    async def _trade(self) -> None:
        while True:
            await self._compare_books()
            self._books.view.time_us = now_us()
            decision = self._strategy.decide(self._books.view)
            pause = await self._act(decision)
            await asyncio.sleep(max(decision.delay_seconds, pause))

    async def _compare_books(self) -> None:
        """Begin with the exchange's books again, when they are old, or there is reason to doubt."""
        age = asyncio.get_running_loop().time() - self._refreshed
        allowed_age = MIN_REFRESH_SECONDS if self._doubtful else self._settings.refresh_seconds
        if age < allowed_age and not self._missed_reports:
            return
        self._doubtful = self._missed_reports = False
        balance = await self._exchange.balance()
        holdings = await self._exchange.holdings()
        self._books.reset(balance, holdings, await self._exchange.open_orders())
        self._refreshed = asyncio.get_running_loop().time()

    async def _act(self, decision: Decision) -> float:
        """Carry out a decision; returns for how many seconds the exchange wants a pause.

        Refusals are part of the business: they cast doubt on the own books, and give a security
        a pause.
        """
        loop = asyncio.get_running_loop()
        try:
            await asyncio.gather(*(self._cancel(cancel.order_id) for cancel in decision.cancels))
            orders = self._pauses.allowed(decision.orders, loop.time())
            if not orders:
                return 0.0
            answers = await self._exchange.batch([_new_order(order) for order in orders])
            self._pauses.learn(orders, answers, loop.time())
            refusals = [answer for answer in answers if isinstance(answer, ExchangeError)]
        except ExchangeError as error:
            refusals = [error]
        if not refusals:
            self._refused_in_a_row = 0
            return 0.0
        self._doubtful = True
        self._refused_in_a_row += 1
        self._log.debug("refused", count=len(refusals), reason=str(refusals[0]))
        wanted = max(refusal.retry_after_seconds or 0.0 for refusal in refusals)
        busy = any(refusal.status in BUSY for refusal in refusals)
        return max(wanted, pause_seconds(self._refused_in_a_row)) if busy else 0.0

    async def _cancel(self, order_id: int) -> None:
        try:
            await self._exchange.cancel(order_id)
        except ExchangeError as error:
            if error.status != 404:
                raise
            self._books.gone(order_id)


async def run_bot(settings: BotSettings, stop: asyncio.Event) -> None:
    """Trade until `stop` is set, through every outage of the exchange.

    Raises:
        ExchangeError: no waiting will help: the account belongs to another key, for instance.
    """
    trading = asyncio.create_task(_keep_trading(settings), name=f"bot-{settings.account_id}")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([trading, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (trading, stopping):
            task.cancel()
        await asyncio.gather(trading, stopping, return_exceptions=True)
    if not trading.cancelled():
        trading.result()


async def _keep_trading(settings: BotSettings) -> None:
    seed = settings.seed if settings.seed is not None else secrets.randbits(53)
    bot_log = log.bind(client_id=settings.account_id, strategy=settings.strategy, seed=seed)
    strategy = make_strategy(
        settings.strategy,
        Random(f"{seed} {settings.account_id}"),
        settings.interval_seconds,
        settings.orders_per_second,
    )
    failures, key = 0, settings.account_key
    taken: ExchangeError | None = None
    while True:
        try:
            async with ExchangeClient(
                settings.account_id,
                key,
                gateway_url=settings.gateway_url,
                feed_url=settings.feed_url,
            ) as exchange:
                if taken is not None:
                    bot_log.warning("bot_key_is_public", reason="the account was opened with it")
                books = Books(await _traded(exchange, settings.securities))
                failures, taken = 0, None
                await Bot(exchange, strategy, settings, books).run()
        except ExchangeError as error:
            if error.code == "client_id_taken" and _may_be_public(settings, key):
                key, taken = public_bot_key(settings.account_id), error
                continue
            if error.status in HOPELESS:
                raise taken or error from None
            bot_log.warning("bot_waits", reason=str(error))
        await asyncio.sleep(pause_seconds(failures))
        failures += 1


def _may_be_public(settings: BotSettings, key: str) -> bool:
    """Whether the account may have been opened where nobody had set a secret."""
    return settings.api_key is None and key != public_bot_key(settings.account_id)


async def _traded(exchange: ExchangeClient, wanted: list[str]) -> list[Security]:
    """The listed securities that the bot trades.

    Raises:
        ExchangeError: one that it should trade is not listed, or none is, yet.
    """
    listed = await exchange.securities()
    missing = [name for name in wanted if name not in listed]
    if missing or not listed:
        raise ExchangeError("unknown_security", f"not listed: {', '.join(missing) or 'anything'}")
    return [listed[name] for name in wanted or listed]


def _new_order(order: PlaceOrder) -> NewOrder:
    price = None if order.price_e4 is None else Decimal(order.price_e4) / E4
    return NewOrder(
        security_id=order.security_id,
        side=order.side,
        quantity=order.quantity,
        price=price,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
    )
