"""Auctions: orders gather while nothing trades, then all that is crossed trades at one price."""

from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import Market
from matching_engine.core.trading.cancel import cancel
from matching_engine.core.trading.self_trades import prevent_self_trade
from matching_engine.core.trading.trade import trade


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


def uncross(market: Market, book: OrderBook) -> None:
    """Trade all that is crossed at the price of the auction, best price and time first."""
    security = book.security
    while book.is_crossed:
        price_e4, _quantity, _surplus = book.indicative()
        assert price_e4 is not None, "a crossed book has no price"
        market.touched[security.security_id] = book
        _trade_at(market, book, price_e4)
        if security.auction in ("opening", "closing"):
            security.reference_price_e4 = price_e4


def _trade_at(market: Market, book: OrderBook, price_e4: int) -> None:
    bids, asks = book.bids, book.asks
    while (
        (bid := bids.best) is not None
        and (ask := asks.best) is not None
        and bid.price_e4 >= price_e4 >= ask.price_e4
    ):
        buy, sell = bid.first, ask.first
        assert buy is not None, "an empty level was kept"
        assert sell is not None, "an empty level was kept"
        quantity = min(buy.remaining_quantity, sell.remaining_quantity)
        bids.shrink(buy, quantity)
        asks.shrink(sell, quantity)
        trade(market, book.security, price_e4, quantity, buy, sell, None)
