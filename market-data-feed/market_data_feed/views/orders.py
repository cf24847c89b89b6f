"""The JSON of orders and reports."""

from typing import cast

from exchange_shared.messages import (
    OrderOptions,
    OrderRepeated,
    OrderReport,
    Side,
    TradeExecuted,
    TradeSettled,
)
from exchange_shared.units import average_e4, format_time
from market_data_feed.projections import Order
from market_data_feed.projections.changes import OrderAnswer, repeated_message
from market_data_feed.views import shapes
from market_data_feed.views.numbers import amount, percent, time

_UNKNOWN_OPTIONS = cast("shapes.Options", dict.fromkeys(shapes.Options.__annotations__))
"""Of orders that the engine has not accepted: only what is accepted is told with its options."""


def order(found: Order) -> shapes.Order:
    """The state of an order."""
    return {
        "order_id": found.order_id,
        "client_order_id": found.client_order_id,
        "client_id": found.client_id,
        "security_id": found.security_id,
        "side": found.side,
        "type": found.order_type,
        "time_in_force": found.time_in_force,
        "quantity": found.quantity,
        "price": amount(found.price_e4),
        **(_UNKNOWN_OPTIONS if found.status == "rejected" else _options(found.options)),
        "status": found.status,
        "filled_quantity": found.filled_quantity,
        "remaining_quantity": found.remaining_quantity,
        "average_price": amount(average_e4(found.notional_e4, found.filled_quantity)),
        "reason": found.reason,
        "message": found.message,
        "created": format_time(found.created_us),
        "timestamp": format_time(found.updated_us),
        "seq": found.seq,
    }


def _options(options: OrderOptions) -> shapes.Options:
    return {
        "stop_price": amount(options.stop_price_e4),
        "trail_amount": amount(options.trail_e4),
        "trail_percent": percent(options.trail_ppm),
        "expires_at": time(options.expires_us),
        "post_only": options.post_only,
        "display_quantity": options.display_quantity,
        "hidden": options.hidden,
        "self_trade_prevention": options.self_trade_prevention,
        "oco_group": options.oco_group,
    }


def unanswered_order(report: OrderReport) -> shapes.Order:
    """The state of an order that the engine has not answered, or that the gateway denied."""
    denied = report.status == "denied"
    return {
        "order_id": report.order_id,
        "client_order_id": report.client_order_id,
        "client_id": report.client_id,
        "security_id": report.security_id,
        "side": report.side,
        "type": None,
        "time_in_force": None,
        "quantity": report.quantity,
        "price": amount(report.price_e4),
        **_UNKNOWN_OPTIONS,
        "status": "rejected" if denied else "pending",
        "filled_quantity": 0,
        "remaining_quantity": 0 if denied else report.quantity,
        "average_price": None,
        "reason": report.reason,
        "message": report.message,
        "created": format_time(report.time_us),
        "timestamp": format_time(report.time_us),
        "seq": None,
    }


def unreported_order(found: Order) -> shapes.OrderReport:
    """The confirmation of an order that is accepted, while the gateway's own is yet to be read."""
    return {
        "event_type": "order",
        "report_seq": None,
        "status": "confirmed",
        "order_id": found.order_id,
        "client_order_id": found.client_order_id,
        "client_id": found.client_id,
        "security_id": found.security_id,
        "side": found.side,
        "quantity": found.quantity,
        "price": amount(found.price_e4),
        "reason": None,
        "message": None,
        "timestamp": format_time(found.created_us),
    }


def order_report(report_seq: int, record: OrderAnswer) -> shapes.OrderReport:
    """The report that an order was taken in or denied."""
    report: shapes.OrderReport = {
        "event_type": "order",
        "report_seq": report_seq,
        "status": "denied",
        "order_id": record.order_id,
        "client_order_id": record.client_order_id,
        "client_id": record.client_id,
        "security_id": record.security_id,
        "side": None,
        "quantity": None,
        "price": None,
        "reason": "order_repeated",
        "message": None,
        "timestamp": format_time(record.time_us),
    }
    if isinstance(record, OrderRepeated):
        report["order_id"] = record.request_id
        report["message"] = repeated_message(record)
        return report
    if isinstance(record, OrderReport):
        report["status"] = record.status
    report["side"] = record.side
    report["quantity"] = record.quantity
    report["price"] = amount(record.price_e4)
    report["reason"] = record.reason
    report["message"] = record.message
    return report


def fill_report(
    report_seq: int, record: TradeExecuted | TradeSettled, side: Side
) -> shapes.FillReport:
    """The report of a trade, or of its settlement, to the buyer or the seller."""
    buys = side == "buy"
    report: shapes.FillReport = {
        "event_type": "trade" if isinstance(record, TradeExecuted) else "settlement",
        "report_seq": report_seq,
        "status": "confirmed",
        "trade_id": record.trade_id,
        "security_id": record.security_id,
        "quantity": record.quantity,
        "price": amount(record.price_e4),
        "reason": None,
        "timestamp": format_time(record.time_us),
        "execution_seq": record.execution_seq,
        "side": side,
        "order_id": record.buy_order_id if buys else record.sell_order_id,
        "client_id": record.buyer_id if buys else record.seller_id,
        "fee": amount(record.buyer_fee_e4 if buys else record.seller_fee_e4),
    }
    if isinstance(record, TradeExecuted):
        report["remaining_quantity"] = (
            record.buy_remaining_quantity if buys else record.sell_remaining_quantity
        )
        report["seq"] = record.seq
    return report
