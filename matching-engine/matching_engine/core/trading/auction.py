"""The uncross: all that is crossed trades at one price."""

from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import Market
from matching_engine.core.trading.trade import trade


def uncross(market: Market, book: OrderBook) -> None:
    """Trade all that is crossed at the price of the auction, best price and time first."""
    while book.is_crossed:
        price_e4, _quantity, _surplus = book.indicative()
        assert price_e4 is not None, "a crossed book has no price"
        market.touched[book.security_id] = book
        _trade_at(market, book, price_e4)
        if book.auction in ("opening", "closing"):
            book.reference_price_e4 = price_e4


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
        trade(market, book, price_e4, quantity, buy, sell, None)
