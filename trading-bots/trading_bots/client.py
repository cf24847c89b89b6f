"""The client library: everything that a trader needs, in one class."""

import itertools
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import quote

import msgspec

from exchange_shared.auth import new_api_key
from exchange_shared.messages import Side
from trading_bots.errors import ExchangeError, OutcomeUnknown
from trading_bots.http_client import HttpClient
from trading_bots.links import server_url
from trading_bots.models import (
    Account,
    Amount,
    Balance,
    Book,
    Cancelled,
    EventType,
    Holding,
    MassCancelled,
    NewOrder,
    Order,
    OrderOptions,
    OrderState,
    Price,
    Replaced,
    Report,
    ReportRow,
    Security,
    Standing,
    Trade,
    exact,
)
from trading_bots.orders import ANSWER_SECONDS, is_pending, send_orders, with_id
from trading_bots.price_feed import PriceFeed
from trading_bots.readers import Prices, Reports
from trading_bots.sessions import OrderSession

GATEWAY_URL = "http://127.0.0.1:2400"
FEED_URL = "http://127.0.0.1:2404"
PAGE = 1_000

Answer = TypeVar("Answer")
OneAnswer = TypeVar("OneAnswer", Cancelled, MassCancelled, Replaced)


class ExchangeClient:
    """A trader's connection to the exchange; an async context manager.

        async with ExchangeClient("my_bot", api_key=os.environ["MY_BOT_KEY"]) as exchange:
            order = await exchange.buy("MSFT", 1, price="420.00")
            print(order.status, await exchange.balance())

    Entering opens the account `client_id`, or finds it when it is there already with this key;
    without a key a new one is made, which is then in `api_key`. Without a `client_id` only
    what is public can be read.

    It reconnects by itself. Orders carry a `client_order_id`, so that one whose answer was lost is
    repeated without the risk of a second order. Account reads wait until they show everything that
    this client has been told. Prices are exact `Decimal`s.

    Every method raises `ExchangeError` when the exchange refuses, or cannot be reached. An address
    that is none raises `ValueError` at once.
    """

    def __init__(
        self,
        client_id: str | None = None,
        api_key: str | None = None,
        *,
        gateway_url: str = GATEWAY_URL,
        feed_url: str = FEED_URL,
    ) -> None:
        self.client_id = client_id
        self.api_key = api_key
        self.seq = 0
        """The highest sequence number that an answer or a report has told."""
        self._gateway_url = server_url(gateway_url)
        self._feed_url = server_url(feed_url)
        self._gateway = HttpClient(gateway_url)
        self._feed = HttpClient(feed_url)
        self._session: OrderSession | None = None
        self._price_feeds: dict[str | None, PriceFeed] = {}
        self._order_prefix = secrets.token_urlsafe(9)
        self._order_numbers = itertools.count(1)
        self._open = AsyncExitStack()
        self._closed = False

    async def __aenter__(self) -> Self:
        """Open the account and the order-entry session."""
        self._open.push_async_callback(self._gateway.close)
        self._open.push_async_callback(self._feed.close)
        try:
            if self.client_id is not None:
                await self.open_account()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection. What is in the market stays there.

        Readers end after what they have not read yet; every later call raises `RuntimeError`.
        """
        self._closed = True
        await self._open.aclose()

    async def open_account(self) -> Account:
        """Open the account, or find it again by the same key, and log in.

        Raises:
            ExchangeError: 409 when the `client_id` belongs to another key.
        """
        self.api_key = self.api_key or new_api_key()
        account = await self._ask_for_account()
        if self._session is None:
            self._session = OrderSession(
                self._gateway_url,
                self.api_key,
                on_login=self._catch_up,
                on_reports=self._saw_reports,
            )
            self._open.push_async_callback(self._session.close)
            self._session.start()
        await self._session.connected(ANSWER_SECONDS)
        return account

    async def buy(
        self,
        security_id: str,
        quantity: int,
        price: Amount | None = None,
        **options: Unpack[OrderOptions],
    ) -> Order:
        """Buy at `price` or better; without a price, at the market's. Options as of `NewOrder`."""
        return await self.order(security_id, "buy", quantity, price, **options)

    async def sell(
        self,
        security_id: str,
        quantity: int,
        price: Amount | None = None,
        **options: Unpack[OrderOptions],
    ) -> Order:
        """Sell at `price` or better; without a price, at the market's. Options as of `NewOrder`."""
        return await self.order(security_id, "sell", quantity, price, **options)

    async def order(
        self,
        security_id: str,
        side: Side,
        quantity: int,
        price: Amount | None = None,
        **options: Unpack[OrderOptions],
    ) -> Order:
        """Send an order; returns its state right after it came in. Options as of `NewOrder`.

        A lost answer is asked for again, under the same `client_order_id`.

        Raises:
            OutcomeUnknown: no answer after several tries; repeat it with its `client_order_id`.
        """
        wanted = NewOrder(
            security_id=security_id, side=side, quantity=quantity, price=price, **options
        )
        answer = (await self._send([wanted], single=True))[0]
        if isinstance(answer, ExchangeError):
            raise answer
        return answer

    async def batch(self, orders: Sequence[NewOrder]) -> Sequence[Order | ExchangeError]:
        """Send up to 500 orders at once; each has its own answer or refusal, in the same order.

        Raises:
            OutcomeUnknown: no answer after several tries; send its `orders` again.
        """
        return await self._send(orders, single=False)

    async def replace(
        self, order_id: int, *, quantity: int | None = None, price: Amount | None = None
    ) -> Replaced:
        """Change the quantity (in all, with what is filled) or the price of an own order.

        It keeps its place in the queue when the price stays and the quantity does not grow.

        Raises:
            ExchangeError: 404 when it is not open; 409 when it cannot be what is asked for.
            OutcomeUnknown: no answer yet, or the connection was lost; `status` tells what it is.
        """
        exact("price", price)
        wanted = {"quantity": quantity, "price": price}
        message = {name: value for name, value in wanted.items() if value is not None}
        return await self._request({"type": "replace", "order_id": order_id, **message}, Replaced)

    async def cancel(self, order_id: int) -> Cancelled:
        """Take an own order out of the market.

        Raises:
            ExchangeError: 404 when it is not open: unknown, filled, or cancelled already.
            OutcomeUnknown: no answer yet, or the connection was lost; cancelling again is safe.
        """
        return await self._request({"type": "cancel", "order_id": order_id}, Cancelled)

    async def cancel_all(
        self, security_id: str | None = None, side: Side | None = None
    ) -> MassCancelled:
        """Take all own orders out of the market, or those of one security or one side.

        Raises:
            OutcomeUnknown: no answer yet, or the connection was lost; cancelling again is safe.
        """
        which = {"security_id": security_id, "side": side}
        message = {name: value for name, value in which.items() if value is not None}
        return await self._request({"type": "mass_cancel", **message}, MassCancelled)

    def reports(self) -> Reports:
        """The own execution reports from now on, every one and in order, as an async iterator.

        There can be several; each gets all. Where reports may be missing, because the connection
        was lost or too many were not read, the iterator raises `ReportsLost`, which tells how to go
        on. It ends when it, or the client, is closed.
        """
        return self._logged_in().subscribe()

    @property
    def sessions(self) -> int:
        """How many times the client has logged in for order entry."""
        return self._session.connections if self._session is not None else 0

    def prices(self, security_id: str | None = None) -> Prices:
        """The prices now and at each change, of one security or all, as an async iterator.

        It goes on by itself after the connection was lost, and ends when it, or the client, is
        closed.
        """
        if self._closed:
            raise RuntimeError("the client is closed")
        if security_id not in self._price_feeds:
            self._price_feeds[security_id] = PriceFeed(self._feed_url, security_id, self.api_key)
            self._open.push_async_callback(self._price_feeds[security_id].close)
        return self._price_feeds[security_id].subscribe()

    async def balance(self) -> Balance:
        """The own cash."""
        return await self._own(f"/balance/{self._own_id()}", Balance)

    async def holdings(self) -> dict[str, Holding]:
        """The own shares, by security."""
        answer = await self._own(f"/holdings/{self._own_id()}", list[Holding])
        return {holding.security_id: holding for holding in answer}

    async def open_orders(self) -> list[OrderState]:
        """The own orders in the market, newest first."""
        orders: list[OrderState] = []
        while True:
            before = orders[-1].order_id if orders else None
            query = {"status": "open", "before": before, "limit": PAGE}
            page = await self._own("/orders", list[OrderState], **query)
            orders += page
            if len(page) < PAGE:
                return orders

    async def status(self, security_id: str, order_id: int) -> OrderState:
        """The latest state of an own order."""
        return await self._own(f"/status/{quote(security_id)}/{order_id}", OrderState)

    async def report_history(
        self,
        event_type: EventType | None = None,
        limit: int | None = None,
        *,
        after: int | None = None,
    ) -> list[ReportRow]:
        """What has been reported of this client, newest first.

        With `after`, a `report_seq`: what was reported next, oldest first.
        """
        query = {
            "client_id": self._own_id(),
            "event_type": event_type,
            "after": after,
            "limit": limit,
        }
        return await self._own("/reports", list[ReportRow], **query)

    async def price(self, security_id: str) -> Price:
        """The best prices of a security."""
        return await self._feed.get(f"/price/{quote(security_id)}", Price)

    async def book(self, security_id: str, depth: int | None = None) -> Book:
        """The order book of a security, to this many levels."""
        return await self._feed.get(f"/book/{quote(security_id)}", Book, depth=depth)

    async def trades(self, security_id: str, limit: int | None = None) -> list[Trade]:
        """The trades of a security, newest first."""
        return await self._feed.get(f"/trades/{quote(security_id)}", list[Trade], limit=limit)

    async def securities(self) -> dict[str, Security]:
        """What is listed, by security."""
        listed = await self._feed.get("/securities", list[Security])
        return {security.security_id: security for security in listed}

    async def leaderboard(self) -> list[Standing]:
        """Every client's rank and results."""
        return await self._feed.get("/leaderboard", list[Standing])

    async def _send(
        self, orders: Sequence[NewOrder], *, single: bool
    ) -> Sequence[Order | ExchangeError]:
        named = [with_id(order, self._next_client_order_id) for order in orders]
        answers = await send_orders(self._logged_in(), named, single=single)
        self._saw(max((answer.seq for answer in answers if isinstance(answer, Order)), default=0))
        return answers

    async def _request(self, message: dict[str, Any], answer_type: type[OneAnswer]) -> OneAnswer:
        """The answer to a request that is sent once."""
        (raw,) = await self._logged_in().request(message, ANSWER_SECONDS)
        if is_pending(raw):
            raise OutcomeUnknown("the exchange has the request, but has not come to it yet")
        answer = msgspec.json.decode(raw, type=answer_type)
        self._saw(answer.seq)
        return answer

    def _next_client_order_id(self) -> str:
        return f"{self._order_prefix}-{next(self._order_numbers)}"

    async def _ask_for_account(self) -> Account:
        content = {"client_id": self._own_id(), "api_key": self.api_key}
        account = await self._gateway.post("/clients", Account, content)
        self._saw(account.seq)
        return account

    async def _catch_up(self) -> None:
        """Let account reads show all that happened before this login; its reports are not told."""
        await self._ask_for_account()

    def _saw_reports(self, reports: list[Report]) -> None:
        for report in reports:
            self._saw(report.seq)

    def _saw(self, seq: int) -> None:
        self.seq = max(self.seq, seq)

    async def _own(self, path: str, answer: type[Answer], **query: Any) -> Answer:
        """An account read, with the key, that shows all that this client has been told."""
        min_seq = self.seq or None
        return await self._feed.get(path, answer, self.api_key, min_seq=min_seq, **query)

    def _own_id(self) -> str:
        if self.client_id is None:
            raise ExchangeError("no_api_key", "this client has no account", status=401)
        return self.client_id

    def _logged_in(self) -> OrderSession:
        if self._session is None:
            raise ExchangeError("no_api_key", "this client has no account", status=401)
        return self._session
