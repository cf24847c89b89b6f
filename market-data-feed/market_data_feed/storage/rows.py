"""Rows of `market_data` from what the projections changed, and records from rows."""

from typing import Any, NamedTuple

import msgspec

from exchange_shared.messages import (
    NO_OPTIONS,
    OrderOptions,
    OrderRejected,
    OrderReport,
    PriceChanged,
    SecurityTerms,
    TradeExecuted,
    TradeSettled,
)
from market_data_feed.projections import Changes, Order, Security
from market_data_feed.projections.changes import OrderAnswer, repeated_message

Row = tuple[Any, ...]
Record = Any
"""A row as asyncpg returns it."""

_json = msgspec.json.Encoder()
_options = msgspec.json.Decoder(OrderOptions)

ORDER_REPORT_COLUMNS = (
    "report_seq", "order_id", "time_us", "quantity", "price_e4", "client_id", "security_id",
    "status", "side", "client_order_id", "reason", "message",
)  # fmt: skip
TRADE_COLUMNS = (
    "report_seq", "trade_id", "seq", "execution_seq", "time_us", "price_e4", "quantity",
    "buy_order_id", "sell_order_id", "buyer_fee_e4", "seller_fee_e4", "buy_remaining_quantity",
    "sell_remaining_quantity", "security_id", "buyer_id", "seller_id", "aggressor_side",
)  # fmt: skip
SETTLEMENT_COLUMNS = (
    "report_seq", "trade_id", "execution_seq", "time_us", "price_e4", "quantity", "buy_order_id",
    "sell_order_id", "buyer_fee_e4", "seller_fee_e4", "security_id", "buyer_id", "seller_id",
)  # fmt: skip
PRICE_COLUMNS = (
    "security_id", "seq", "time_us", "bid_e4", "bid_quantity", "ask_e4", "ask_quantity", "last_e4",
)  # fmt: skip


class Rows(NamedTuple):
    """What one transaction writes, as it was when it was taken."""

    clients: list[Row]
    client_rates: list[Row]
    securities: list[Row]
    balances: list[Row]
    holdings: list[Row]
    orders: list[Row]
    order_reports: list[Row]
    trades: list[Row]
    settlements: list[Row]
    prices: list[Row]

    @classmethod
    def of(cls, changes: Changes) -> "Rows":
        """The rows for these changes."""
        return cls(
            clients=[
                (account.client_id, account.api_key_hash, account.opened_us,
                 account.opening_equity_e4)
                for account in changes.clients
            ],
            client_rates=[
                (event.client_id, event.orders_per_second, event.order_burst)
                for event in changes.limits.values()
            ],
            securities=[_security_row(found) for found in changes.securities],
            balances=[
                (account.client_id, account.cash_e4, account.settled_cash_e4, account.trades,
                 account.volume, account.fees_e4)
                for account in changes.accounts
            ],
            holdings=[
                (found.client_id, found.security_id, found.quantity, found.settled_quantity,
                 found.cost_e4)
                for found in changes.holdings
            ],
            orders=[_order_row(order) for order in changes.orders.values()],
            order_reports=[_report_row(*numbered) for numbered in changes.order_reports],
            trades=[_trade_row(*numbered) for numbered in changes.trades],
            settlements=[_settlement_row(*numbered) for numbered in changes.settlements],
            prices=[_price_row(event) for event in changes.prices.values()],
        )  # fmt: skip

    def total(self) -> int:
        """How many rows these are."""
        return sum(map(len, self))


def _storable(text: str | None) -> str | None:
    """Postgres has no place for U+0000 in a text."""
    return text if text is None or "\0" not in text else text.replace("\0", "")


def _security_row(found: Security) -> Row:
    return (
        found.security_id, found.last_e4, found.volume, found.trades,
        found.seq, found.time_us, found.state, found.auction, found.until_us,
        found.indicative_price_e4, found.indicative_quantity, found.surplus,
        *msgspec.structs.astuple(found.terms),
    )  # fmt: skip


def _order_row(order: Order) -> Row:
    return (
        order.order_id,
        order.unit_hold_e4,
        order.price_e4,
        order.quantity,
        order.filled_quantity,
        order.notional_e4,
        order.last_trade_id,
        order.seq,
        order.created_us,
        order.updated_us,
        order.remaining_quantity > 0,
        _storable(order.client_id),
        _storable(order.security_id),
        order.side,
        order.order_type,
        order.time_in_force,
        order.status,
        _storable(order.client_order_id),
        order.reason,
        _storable(order.message),
        None if order.options is NO_OPTIONS else _options_text(order.options),
        order.displayed_quantity if order.options.display_quantity else None,
    )


def _options_text(options: OrderOptions) -> str:
    group = _storable(options.oco_group)
    if group != options.oco_group:
        options = msgspec.structs.replace(options, oco_group=group)
    return _json.encode(options).decode()


def _report_row(report_seq: int, record: OrderAnswer) -> Row:
    if isinstance(record, OrderReport):
        order_id, status, reason = record.order_id, record.status, _storable(record.reason)
        message = record.message
    elif isinstance(record, OrderRejected):
        order_id, status, reason = record.order_id, "denied", record.reason
        message = record.message
    else:
        return (
            report_seq, record.request_id, record.time_us, None, None, record.client_id,
            record.security_id, "denied", None, _storable(record.client_order_id),
            "order_repeated", repeated_message(record),
        )  # fmt: skip
    return (
        report_seq,
        order_id,
        record.time_us,
        record.quantity,
        record.price_e4,
        _storable(record.client_id),
        _storable(record.security_id),
        status,
        record.side,
        _storable(record.client_order_id),
        reason,
        _storable(message),
    )


def _trade_row(report_seq: int, event: TradeExecuted) -> Row:
    return (
        report_seq, event.trade_id, event.seq, event.execution_seq, event.time_us, event.price_e4,
        event.quantity, event.buy_order_id, event.sell_order_id, event.buyer_fee_e4,
        event.seller_fee_e4, event.buy_remaining_quantity, event.sell_remaining_quantity,
        event.security_id, event.buyer_id, event.seller_id, event.aggressor_side,
    )  # fmt: skip


def _settlement_row(report_seq: int, report: TradeSettled) -> Row:
    return (
        report_seq, report.trade_id, report.execution_seq, report.time_us, report.price_e4,
        report.quantity, report.buy_order_id, report.sell_order_id, report.buyer_fee_e4,
        report.seller_fee_e4, report.security_id, report.buyer_id, report.seller_id,
    )  # fmt: skip


def _price_row(event: PriceChanged) -> Row:
    return (
        event.security_id, event.seq, event.time_us, event.bid_e4, event.bid_quantity,
        event.ask_e4, event.ask_quantity, event.last_e4,
    )  # fmt: skip


def security_of(row: Record) -> Security:
    """The security in a row of `security`, with an empty book and without its trades."""
    values = dict(row)
    terms = SecurityTerms(**{name: values.pop(name) for name in SecurityTerms.__struct_fields__})
    return Security(**values, terms=terms)


def order_of(row: Record) -> Order:
    """The order in a row of `orders`."""
    values = dict(row)
    is_open, options = values.pop("is_open"), values.pop("options")
    displayed_quantity = values.pop("displayed_quantity")
    remaining_quantity = values["quantity"] - values["filled_quantity"] if is_open else 0
    if options is not None:
        values["options"] = _options.decode(options)
    order = Order(**values, remaining_quantity=remaining_quantity)
    order.displayed_quantity = order.part() if displayed_quantity is None else displayed_quantity
    return order


def trade_of(row: Record) -> TradeExecuted:
    """The event in a row of `trade`."""
    return TradeExecuted(**{name: row[name] for name in TRADE_COLUMNS if name != "report_seq"})


def settlement_of(row: Record) -> TradeSettled:
    """The report in a row of `settlement`; what the accounts held then is not kept, and is 0."""
    values = {name: row[name] for name in SETTLEMENT_COLUMNS if name != "report_seq"}
    return TradeSettled(
        **values, buyer_cash_e4=0, seller_cash_e4=0, buyer_shares=0, seller_shares=0
    )


def order_report_of(row: Record) -> OrderReport:
    """A row of `order_report`, in the form of the gateway's report."""
    values = {name: row[name] for name in ORDER_REPORT_COLUMNS if name != "report_seq"}
    return OrderReport(**values)
