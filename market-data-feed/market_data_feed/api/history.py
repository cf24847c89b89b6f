"""Reads that may need the database: what is only in memory is stored first, so none is missed."""

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter, itemgetter
from typing import Any

from exchange_shared.messages import OrderReport, Side, TradeExecuted, TradeSettled
from market_data_feed.api.paging import Part, Window
from market_data_feed.projections import Account, Order, Projections, Security
from market_data_feed.storage.database import READ_SECONDS, Database, storage_unavailable
from market_data_feed.storage.rows import order_of, order_report_of, settlement_of, trade_of
from market_data_feed.storage.writer import Writer
from market_data_feed.views import market as market_views
from market_data_feed.views import orders as order_views
from market_data_feed.views import shapes


class History:
    """Orders, trades and reports, however old."""

    def __init__(self, database: Database, writer: Writer, projections: Projections) -> None:
        self._database = database
        self._writer = writer
        self._projections = projections

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        """Rows, among them those of all that is applied now."""
        await self._all_stored()
        return await self._database.fetch(query, *arguments)

    async def _all_stored(self) -> None:
        if not await self._writer.wait_stored(READ_SECONDS):
            raise storage_unavailable()

    async def _fetch_window(self, query: str, whose: str, window: Window) -> list[Any]:
        """The rows of a query that there is in both directions."""
        return await self._fetch(_directed(query, window), whose, *window.bounds)

    async def trades(self, security: Security, window: Window) -> Part[shapes.Trade]:
        """A part of a security's trades."""
        found = _recent(security, window)
        if found is None:
            rows = await self._fetch_window("trades_of_security", security.security_id, window)
            found = [trade_of(row) for row in rows]
        trades = [market_views.trade(event) for event in found]
        return Part.of(trades, window, itemgetter("trade_id"))

    async def order(self, security_id: str, order_id: int) -> Order | OrderReport | None:
        """The latest state of an order, or the report of one that the engine did not answer."""
        found = self._projections.orders.get(order_id)
        if found is None:
            rows = await self._fetch("order_by_id", order_id)
            found = order_of(rows[0]) if rows else None
        if found is None:
            rows = await self._fetch("report_of_order", order_id)
            report = order_report_of(rows[0]) if rows else None
            return report if report and report.security_id == security_id else None
        return found if found.security_id == security_id else None

    async def latest_report(self, order: Order | OrderReport) -> shapes.Report:
        """The latest report of an order: of its last trade, or else of its acceptance."""
        if isinstance(order, Order):
            latest = order.latest_report
            if latest is None and order.last_trade_id is not None:
                latest = await self._latest_fill(order.security_id, order.last_trade_id)
            if latest is not None:
                return order_views.fill_report(*latest, order.side)
        rows = await self._fetch("report_of_order", order.order_id)
        if rows:
            return order_views.order_report(rows[0]["report_seq"], order_report_of(rows[0]))
        assert isinstance(order, Order), "a report that was just found is gone"
        return order_views.unreported_order(order)

    async def _latest_fill(
        self, security_id: str, trade_id: int
    ) -> tuple[int, TradeExecuted | TradeSettled] | None:
        for query, record_of in (("settlement_of_trade", settlement_of), ("trade_by_id", trade_of)):
            for row in await self._fetch(query, security_id, trade_id):
                return row["report_seq"], record_of(row)
        return None

    async def orders(self, account: Account, window: Window) -> Part[shapes.Order]:
        """A part of a client's orders."""
        rows = await self._fetch_window("orders_of_client", account.client_id, window)
        orders = [order_views.order(order_of(row)) for row in rows]
        return Part.of(orders, window, itemgetter("order_id"))

    def open_orders(self, account: Account, window: Window) -> Part[shapes.Order]:
        """The same of the open ones."""
        numbers = sorted(account.open_orders, reverse=not window.forward)
        found = window.among(numbers, int)
        orders = [order_views.order(account.open_orders[number]) for number in found]
        return Part.of(orders, window, itemgetter("order_id"))

    async def reports(
        self, account: Account, event_type: str | None, window: Window
    ) -> Part[shapes.Report]:
        """A part of a client's reports: of one type, or of all together.

        Each table is read at a moment of its own. What is stored between two of them is left for
        the next part, or it would be passed over where the tables' rows are put together.
        """
        await self._all_stored()
        before = min(window.before, self._writer.stored_report_seq + 1)
        window = replace(window, before=before)
        found: list[shapes.Report] = []
        for name, query, report_of in _REPORTS:
            if event_type in (None, name):
                client_id, directed = account.client_id, _directed(query, window)
                rows = await self._database.fetch(directed, client_id, *window.bounds)
                found += [report_of(row, client_id) for row in rows]
        found.sort(key=itemgetter("report_seq"), reverse=not window.forward)
        return Part.of(found, window, itemgetter("report_seq"))


def _directed(query: str, window: Window) -> str:
    return f"{query}_forward" if window.forward else query


def _recent(security: Security, window: Window) -> list[TradeExecuted] | None:
    """The trades for a window, `None` unless those that are in memory tell them all."""
    recent = security.recent_trades
    number_of = attrgetter("trade_id")
    if window.forward:
        if security.older_trades and (not recent or recent[0].trade_id > window.after + 1):
            return None
        return window.among(recent, number_of)
    found = window.among(reversed(recent), number_of)
    if security.older_trades and len(found) <= window.limit:
        return None
    return found


def _order_report(row: Any, _client_id: str) -> shapes.Report:
    return order_views.order_report(row["report_seq"], order_report_of(row))


def _trade_report(row: Any, client_id: str) -> shapes.Report:
    return order_views.fill_report(row["report_seq"], trade_of(row), _side(row, client_id))


def _settlement_report(row: Any, client_id: str) -> shapes.Report:
    return order_views.fill_report(row["report_seq"], settlement_of(row), _side(row, client_id))


def _side(row: Any, client_id: str) -> Side:
    """Of a client in a trade; nobody trades with themselves."""
    return "buy" if row["buyer_id"] == client_id else "sell"


_REPORTS: tuple[tuple[str, str, Callable[[Any, str], shapes.Report]], ...] = (
    ("order", "order_reports_of_client", _order_report),
    ("trade", "trades_of_client", _trade_report),
    ("settlement", "settlements_of_client", _settlement_report),
)
