"""Orders that come in while nothing trades: they rest, and the book may be crossed."""

from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import Market
from matching_engine.core.trading.cancel import cancel
from matching_engine.core.trading.self_trades import prevent_self_trade


def gather(market: Market, order: Order, book: OrderBook) -> None:
    """Let an order rest, unless it would be crossed with orders of its own client."""
    for resting in _own_crossed(order):
        if not prevent_self_trade(market, order, resting, book):
            cancel(market, order, "self_trade")
            return
    order.show_next_part()
    (book.bids if order.buys else book.asks).add(order)


def _own_crossed(order: Order) -> list[Order]:
    """The resting orders of the same client that an order's limit reaches, in matching order."""
    price_e4 = order.price_e4
    assert price_e4 is not None, "an order without a limit is gathered"
    reached = {
        own.level.price_e4: own.level
        for own in order.account.orders.values()
        if own.level is not None
        and own.position is order.position
        and own.buys != order.buys
        and (own.level.price_e4 <= price_e4 if order.buys else own.level.price_e4 >= price_e4)
    }
    return [
        resting
        for best_first in sorted(reached, reverse=not order.buys)
        for resting in reached[best_first]
        if resting.account is order.account
    ]
