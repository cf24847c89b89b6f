"""Fan-out to WebSocket clients: each message is encoded once, each client has a bounded queue."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from exchange_shared.http import encode_json
from exchange_shared.messages import (
    AnyFeedRecord,
    IndicativeChanged,
    MarketStateChanged,
    OrderRejected,
    OrderRepeated,
    OrderReport,
    PriceChanged,
    SecurityListed,
    TradeExecuted,
    TradeSettled,
)
from exchange_shared.metrics import Metrics
from market_data_feed.projections import Projections
from market_data_feed.views import market as market_views
from market_data_feed.views import orders as order_views
from market_data_feed.views import shapes

Topic = tuple[str, str]

ALL_PRICES: Topic = ("price", "")


def price_of(security_id: str) -> Topic:
    """Every change of a security's price, state or terms."""
    return ("price", security_id)


def reports_of(client_id: str) -> Topic:
    """Every report to a client."""
    return ("report", client_id)


class Subscriber:
    """What waits to be sent to one client. `overflowed` is set once it is more than `limit`."""

    def __init__(self, first: Iterable[str], limit: int) -> None:
        self._waiting = deque(first)
        self._limit = limit + len(self._waiting)
        self._arrived = asyncio.Event()
        self.overflowed = asyncio.Event()
        if self._waiting:
            self._arrived.set()

    def offer(self, message: str) -> None:
        """Queue a message; past the limit drop everything, because the client is given up."""
        if len(self._waiting) < self._limit:
            self._waiting.append(message)
            self._arrived.set()
        else:
            self.overflowed.set()

    async def next(self) -> str:
        """The next message, as soon as there is one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()


class Fanout:
    """Who listens to what."""

    def __init__(self, projections: Projections, metrics: Metrics) -> None:
        self._projections = projections
        self._topics: dict[Topic, set[Subscriber]] = {}
        self.slow_consumers = metrics.counter(
            "feed_slow_consumers", "WebSocket clients that were closed because they read too slowly"
        )

    @contextmanager
    def subscribed(self, subscriber: Subscriber, topic: Topic) -> Iterator[None]:
        """Send what belongs to a topic to a subscriber, while the context is open."""
        subscribers = self._topics.setdefault(topic, set())
        subscribers.add(subscriber)
        try:
            yield
        finally:
            subscribers.discard(subscriber)
            if not subscribers:
                self._topics.pop(topic, None)

    def publish(self, record: AnyFeedRecord) -> None:
        """Send what a record means to whom it concerns; it must just have been applied."""
        if not self._topics:
            return
        if isinstance(record, PriceChanged | MarketStateChanged | IndicativeChanged):
            self._price(record)
        elif isinstance(record, TradeExecuted | TradeSettled):
            self._fill(record)
        elif isinstance(record, OrderReport | OrderRejected | OrderRepeated):
            topic = reports_of(record.client_id)
            if topic in self._topics:
                self._send(order_views.order_report(self._projections.report_seq, record), topic)
        elif isinstance(record, SecurityListed):
            self._listing(record)

    def _price(self, event: PriceChanged | MarketStateChanged | IndicativeChanged) -> None:
        one = price_of(event.security_id)
        security = self._projections.securities.get(event.security_id)
        if security is not None and (one in self._topics or ALL_PRICES in self._topics):
            self._send(market_views.price_change(security, event), one, ALL_PRICES)

    def _listing(self, event: SecurityListed) -> None:
        security = self._projections.securities[event.security_id]
        if security.seq == event.seq:  # else it was listed before, with the same terms
            self._send(market_views.price(security), price_of(event.security_id), ALL_PRICES)

    def _fill(self, record: TradeExecuted | TradeSettled) -> None:
        number = self._projections.report_seq
        buyer, seller = reports_of(record.buyer_id), reports_of(record.seller_id)
        if buyer in self._topics:
            self._send(order_views.fill_report(number, record, "buy"), buyer)
        if seller in self._topics:
            self._send(order_views.fill_report(number, record, "sell"), seller)

    def _send(self, content: shapes.Price | shapes.Report, *topics: Topic) -> None:
        message = encode_json(content).decode()
        for topic in topics:
            for subscriber in self._topics.get(topic, ()):
                subscriber.offer(message)
