"""Loading the projections as the database has them, at its position."""

from exchange_shared.bus import DATA_FEED, LogPosition
from exchange_shared.postgres import Connection, load_position, load_queries
from market_data_feed.projections import Projections
from market_data_feed.projections.market import RECENT_TRADES
from market_data_feed.storage.rows import order_of, security_of, trade_of

_QUERIES = load_queries(__package__)
_LAST = 2**62


async def load_projections(connection: Connection) -> tuple[Projections, LogPosition]:
    """The projections, and the position after which reading goes on."""
    projections = Projections()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        stored = await load_position(connection, DATA_FEED)
        progress = await connection.fetchrow(_QUERIES["load_progress"])
        if progress is not None:
            projections.execution_seq = progress["execution_seq"]
            projections.report_seq = progress["report_seq"]
        await _load_securities(connection, projections)
        await _load_accounts(connection, projections)
        for row in await connection.fetch(_QUERIES["load_open_orders"]):
            projections.know_open_order(order_of(row))
    return projections, stored


async def _load_securities(connection: Connection, projections: Projections) -> None:
    for row in await connection.fetch(_QUERIES["load_securities"]):
        security = security_of(row)
        projections.securities[security.security_id] = security
        trades = await connection.fetch(
            _QUERIES["trades_of_security"], security.security_id, 0, _LAST, RECENT_TRADES
        )
        security.recent_trades.extend(map(trade_of, reversed(trades)))


async def _load_accounts(connection: Connection, projections: Projections) -> None:
    for row in await connection.fetch(_QUERIES["load_accounts"]):
        account = projections.account(row["client_id"])
        account.cash_e4 = row["cash_e4"]
        account.settled_cash_e4 = row["settled_cash_e4"]
        account.trades = row["trades"]
        account.volume = row["volume"]
        account.fees_e4 = row["fees_e4"]
        if row["api_key_hash"] is not None:
            account.api_key_hash = row["api_key_hash"]
            account.opened_us = row["opened_us"]
            account.opening_equity_e4 = row["opening_equity_e4"]
            projections.know_client(account)
    for row in await connection.fetch(_QUERIES["load_holdings"]):
        holding = projections.account(row["client_id"]).holding(row["security_id"])
        holding.quantity = row["quantity"]
        holding.settled_quantity = row["settled_quantity"]
        holding.cost_e4 = row["cost_e4"]
