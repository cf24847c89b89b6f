"""Reads that may need the database: what is only in memory is stored first, so none is missed."""

from collections.abc import Callable
from typing import Any

from exchange_shared.messages import OrderReport, Side, TradeExecuted, TradeSettled
from market_data_feed.projections import Account, Order, Projections, Security
from market_data_feed.storage.database import READ_SECONDS, Database, storage_unavailable
from market_data_feed.storage.rows import order_of, order_report_of, settlement_of, trade_of
from market_data_feed.storage.writer import Writer
from market_data_feed.views import market as market_views
from market_data_feed.views import orders as order_views
from market_data_feed.views import shapes

Page = tuple[int, int, int]
"""Only what is numbered above the first and below the second, and how many at the most."""


class History:
    """Orders, trades and reports, however old."""

    def __init__(self, database: Database, writer: Writer, projections: Projections) -> None:
        self._database = database
        self._writer = writer
        self._projections = projections

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        """Rows, among them those of all that is applied now."""
        if not await self._writer.wait_stored(READ_SECONDS):
            raise storage_unavailable()
        return await self._database.fetch(query, *arguments)

    async def trades(self, security: Security, page: Page) -> list[shapes.Trade]:
        """A page of a security's trades, newest first."""
        after, before, limit = page
        found: list[TradeExecuted] = []
        for event in reversed(security.recent_trades):
            if event.trade_id <= after or len(found) == limit:
                break
            if event.trade_id < before:
                found.append(event)
        else:
            if security.older_trades:
                rows = await self._fetch("trades_of_security", security.security_id, *page)
                found = [trade_of(row) for row in rows]
        return [market_views.trade(event) for event in found]

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

    async def orders(self, account: Account, page: Page) -> list[shapes.Order]:
        """A page of a client's orders, newest first."""
        rows = await self._fetch("orders_of_client", account.client_id, *page)
        return [order_views.order(order_of(row)) for row in rows]

    def open_orders(self, account: Account, page: Page) -> list[shapes.Order]:
        """The same of the open ones."""
        after, before, limit = page
        numbers = sorted((n for n in account.open_orders if after < n < before), reverse=True)
        return [order_views.order(account.open_orders[number]) for number in numbers[:limit]]

    async def reports(
        self, account: Account, event_type: str | None, page: Page
    ) -> list[shapes.Report]:
        """A page of a client's reports, newest first: of one type, or of all together."""
        found: list[shapes.Report] = []
        for name, query, report_of in _REPORTS:
            if event_type in (None, name):
                rows = await self._fetch(query, account.client_id, *page)
                found += [report_of(row, account.client_id) for row in rows]
        found.sort(key=lambda report: report["report_seq"] or 0, reverse=True)
        return found[: page[2]]


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
