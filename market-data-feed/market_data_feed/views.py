"""The JSON of prices, books, trades, orders and reports. `docs/` has the shapes."""

from typing import Any

from exchange_shared.messages import (
    OrderRejected,
    OrderRepeated,
    OrderReport,
    PriceChanged,
    TradeExecuted,
    TradeSettled,
)
from exchange_shared.units import format_time, from_e4
from market_data_feed.projections import NO_OPTIONS, Level, Options, Order, Security
from market_data_feed.projections.changes import OrderAnswer

Json = dict[str, Any]
Number = Any


def amount(amount_e4: int | None) -> Number:
    """An amount as a JSON number, or null."""
    return None if amount_e4 is None else from_e4(amount_e4)


def average_e4(total_e4: int, quantity: int) -> int | None:
    """Total ÷ quantity, rounded half-even to 1/10,000; `None` without a quantity."""
    if quantity <= 0:
        return None
    quotient, remainder = divmod(total_e4, quantity)
    doubled = 2 * remainder
    return quotient + (doubled > quantity or (doubled == quantity and quotient & 1))


def _price(security: Security, bid: Level | None, ask: Level | None, last_e4: int | None) -> Json:
    return {
        "security_id": security.security_id,
        "bid": amount(bid[0]) if bid else None,
        "ask": amount(ask[0]) if ask else None,
        "bid_quantity": bid[1] if bid else 0,
        "ask_quantity": ask[1] if ask else 0,
        "last": amount(last_e4),
        "volume": security.volume,
        "timestamp": format_time(security.time_us),
        "seq": security.seq,
        "state": "continuous",
    }


def price(security: Security) -> Json:
    """The best prices and the last trade of a security, as they are now."""
    book = security.book
    return _price(security, book.best_bid(), book.best_ask(), security.last_e4)


def price_change(security: Security, event: PriceChanged) -> Json:
    """The same, as the event tells that they have become."""
    bid = None if event.bid_e4 is None else (event.bid_e4, event.bid_quantity, 0)
    ask = None if event.ask_e4 is None else (event.ask_e4, event.ask_quantity, 0)
    return _price(security, bid, ask, event.last_e4)


def listing(security: Security) -> Json:
    """A security: its price, and its terms."""
    return {
        **price(security),
        "tick": amount(security.tick_e4),
        "reference_price": amount(security.reference_price_e4),
        "granted_quantity": security.granted_quantity,
    }


def book(security: Security, depth: int, seq: int) -> Json:
    """The best levels of a book, as `[price, quantity, orders]`."""
    bids, asks = security.book.levels(depth)
    return {
        "security_id": security.security_id,
        "bids": [[from_e4(price_e4), quantity, orders] for price_e4, quantity, orders in bids],
        "asks": [[from_e4(price_e4), quantity, orders] for price_e4, quantity, orders in asks],
        "seq": seq,
        "checksum": security.book.checksum(),
    }


def trade(event: TradeExecuted) -> Json:
    """A trade, as everybody may see it."""
    return {
        "trade_id": event.trade_id,
        "security_id": event.security_id,
        "price": amount(event.price_e4),
        "quantity": event.quantity,
        "aggressor_side": event.aggressor_side,
        "timestamp": format_time(event.time_us),
        "seq": event.seq,
    }


def order(found: Order) -> Json:
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
        **_options(found.options),
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


def _options(options: Options) -> Json:
    return {
        "stop_price": amount(options.stop_price_e4),
        "trail_amount": amount(options.trail_e4),
        "trail_percent": amount(options.trail_ppm),  # 10,000 ppm are one percent
        "expires_at": None if options.expires_us is None else format_time(options.expires_us),
        "post_only": options.post_only,
        "display_quantity": options.display_quantity,
        "hidden": options.hidden,
        "self_trade_prevention": options.self_trade_prevention,
        "oco_group": options.oco_group,
    }


def unanswered_order(report: OrderReport) -> Json:
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
        **_options(NO_OPTIONS),
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


def unreported_order(found: Order) -> Json:
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


def order_report(report_seq: int, record: OrderAnswer) -> Json:
    """The report that an order was taken in or denied."""
    if isinstance(record, OrderReport):
        status, reason, message = record.status, record.reason, record.message
    elif isinstance(record, OrderRejected):
        status, reason, message = "denied", record.reason, record.message
    else:
        return _repeated(report_seq, record)
    return _order_report(
        report_seq,
        status,
        record,
        record.order_id,
        side=record.side,
        quantity=record.quantity,
        price=amount(record.price_e4),
        reason=reason,
        message=message,
    )


def repeated_message(record: OrderRepeated) -> str:
    """What a client is told whose order came a second time."""
    return f"the same order came before: it is order {record.order_id}"


def _repeated(report_seq: int, record: OrderRepeated) -> Json:
    return _order_report(
        report_seq,
        "denied",
        record,
        record.request_id,
        side=None,
        quantity=None,
        price=None,
        reason="order_repeated",
        message=repeated_message(record),
    )


def _order_report(
    report_seq: int, status: str, record: OrderAnswer, order_id: int | None, **rest: Any
) -> Json:
    return {
        "event_type": "order",
        "report_seq": report_seq,
        "status": status,
        "order_id": order_id,
        "client_order_id": record.client_order_id,
        "client_id": record.client_id,
        "security_id": record.security_id,
        **rest,
        "timestamp": format_time(record.time_us),
    }


def fill_reports(report_seq: int, record: TradeExecuted | TradeSettled) -> tuple[Json, Json]:
    """The buyer's and the seller's report of a trade, or of its settlement."""
    common = {
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
    }
    buyer = {
        **common,
        "side": "buy",
        "order_id": record.buy_order_id,
        "client_id": record.buyer_id,
        "fee": amount(record.buyer_fee_e4),
    }
    seller = {
        **common,
        "side": "sell",
        "order_id": record.sell_order_id,
        "client_id": record.seller_id,
        "fee": amount(record.seller_fee_e4),
    }
    if isinstance(record, TradeExecuted):
        buyer |= {"remaining_quantity": record.buy_remaining_quantity, "seq": record.seq}
        seller |= {"remaining_quantity": record.sell_remaining_quantity, "seq": record.seq}
    return buyer, seller
