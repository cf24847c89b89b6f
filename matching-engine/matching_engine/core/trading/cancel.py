"""How orders end without trading: cancelled, expired, or by the fill of another."""

from exchange_shared.messages import CancelReason, OrderCancelled
from matching_engine.core.book.order import Order
from matching_engine.core.market import Market


def cancel(
    market: Market, order: Order, reason: CancelReason, request_id: int | None = None
) -> None:
    """Take an open order out of wherever it is, free what it holds, and report that it is gone."""
    request = order.request
    security_id = request.security_id
    book = market.books[security_id]
    market.touched[security_id] = book
    if order.level is not None:
        (book.bids if order.buys else book.asks).remove(order)
    elif order.stop_price_e4 is not None:
        book.stops.remove(order)
    else:
        book.at_close.pop(order.order_id, None)
    order.account.release(order, order.remaining_quantity)
    market.close(order, "expired" if reason == "expired" else "cancelled")
    market.seq += 1
    market.events.append(
        OrderCancelled(
            market.seq,
            market.time_us,
            order.order_id,
            request.client_id,
            security_id,
            order.remaining_quantity,
            reason,
            request_id,
        )
    )


def cancel_siblings(market: Market, order: Order) -> None:
    """Cancel the other orders of a group, because one of them traded or triggered."""
    for sibling in market.siblings(order):
        cancel(market, sibling, "one_cancels_other")


def expire_orders(market: Market) -> None:
    """Cancel every order whose time has come."""
    while (order := market.take_expired()) is not None:
        cancel(market, order, "expired")
