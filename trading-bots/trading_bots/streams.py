"""What the exchange tells unasked: prices, and execution reports, as async iterators."""

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import ClientConnection

from trading_bots.errors import ExchangeError, refusal
from trading_bots.links import keep_open, websocket_url
from trading_bots.models import Price, Report

MAX_UNREAD_REPORTS = 10_000
TRY_AGAIN = 503

_price = msgspec.json.Decoder(Price)


class Prices(AsyncIterator[Price]):
    """The newest price of each security, whenever it changes.

    A reader that is slower than the market gets the newest price, and never an outdated one.
    """

    def __init__(self) -> None:
        self._news: dict[str, Price] = {}
        self._arrived = asyncio.Event()
        self._failure: ExchangeError | None = None

    def put(self, price: Price) -> None:
        """Replace what has not been read of this security."""
        self._news[price.security_id] = price
        self._arrived.set()

    def fail(self, failure: ExchangeError) -> None:
        """Let the reader have this error after what is unread."""
        self._failure = failure
        self._arrived.set()

    async def __anext__(self) -> Price:
        """The next change.

        Raises:
            ExchangeError: the feed refuses this stream, for instance an unknown security.
        """
        while not self._news:
            if self._failure is not None:
                raise self._failure
            self._arrived.clear()
            await self._arrived.wait()
        return self._news.pop(next(iter(self._news)))


class Reports(AsyncIterator[Report]):
    """The own execution reports, every one and in order."""

    def __init__(self) -> None:
        self._unread: deque[Report] = deque()
        self._arrived = asyncio.Event()
        self._lost = False

    def put(self, report: Report) -> None:
        """Add a report; too many unread ones end the iteration."""
        if len(self._unread) >= MAX_UNREAD_REPORTS:
            self._lost = True
        else:
            self._unread.append(report)
        self._arrived.set()

    async def __anext__(self) -> Report:
        """The next report.

        Raises:
            ExchangeError: `slow_consumer`, when more than `MAX_UNREAD_REPORTS` had gathered.
        """
        while not self._unread:
            if self._lost:
                raise ExchangeError("slow_consumer", "reports came faster than they were read")
            self._arrived.clear()
            await self._arrived.wait()
        return self._unread.popleft()


class PriceFeed:
    """One connection to the price stream, and whoever reads it."""

    def __init__(self, feed_url: str, security_id: str | None) -> None:
        query = f"?security_id={quote(security_id)}" if security_id else ""
        self._url = websocket_url(feed_url, f"/stream/price{query}")
        self._readers: weakref.WeakSet[Prices] = weakref.WeakSet()
        self._latest: dict[str, Price] = {}
        self._task: asyncio.Task[None] | None = None

    def subscribe(self) -> Prices:
        """A new reader, which begins with the prices that are known already."""
        prices = Prices()
        for price in self._latest.values():
            prices.put(price)
        self._readers.add(prices)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="prices")
        return prices

    async def close(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await keep_open(self._url, None, self._use)
        except ExchangeError as error:
            for reader in self._readers:
                reader.fail(error)

    async def _use(self, connection: ClientConnection) -> None:
        while True:
            message = await connection.recv(decode=False)
            try:
                price = _price.decode(message)
            except msgspec.ValidationError:
                error = refusal(message)
                if error.status == TRY_AGAIN:
                    return
                raise error from None
            self._latest[price.security_id] = price
            for reader in self._readers:
                reader.put(price)
