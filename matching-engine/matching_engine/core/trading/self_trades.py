"""Self-trade prevention: what happens instead of a trade between two orders of one client."""

from exchange_shared.messages import OrderReduced
from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import Market
from matching_engine.core.trading.cancel import cancel


def prevent_self_trade(market: Market, incoming: Order, resting: Order, book: OrderBook) -> bool:
    """Deal with an own order that is next; returns whether the incoming one may go on."""
    mode = incoming.request.self_trade_prevention
    if mode == "cancel_newest":
        return False
    if mode != "decrement":
        cancel(market, resting, "self_trade")
        return mode == "cancel_oldest"
    quantity = min(incoming.remaining_quantity, resting.remaining_quantity)
    if resting.remaining_quantity > quantity:
        book.opposite(incoming.request.side).shrink(resting, quantity)
        _report_reduced(market, resting, quantity)
    else:
        cancel(market, resting, "self_trade")
    if incoming.remaining_quantity > quantity:
        incoming.remaining_quantity -= quantity
        _report_reduced(market, incoming, quantity)
        return True
    return False


def _report_reduced(market: Market, order: Order, quantity: int) -> None:
    order.quantity -= quantity
    order.account.release(order, quantity)
    market.events.append(
        OrderReduced(
            seq=market.next_seq(),
            time_us=market.time_us,
            order_id=order.order_id,
            client_id=order.request.client_id,
            security_id=order.request.security_id,
            quantity=quantity,
            remaining_quantity=order.remaining_quantity,
        )
    )
