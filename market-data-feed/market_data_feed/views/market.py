"""The JSON of securities: prices and states, terms, books, and trades."""

from exchange_shared.messages import (
    IndicativeChanged,
    MarketStateChanged,
    PriceChanged,
    TradeExecuted,
)
from exchange_shared.units import format_time, from_e4
from market_data_feed.projections import Level, Security
from market_data_feed.views import shapes
from market_data_feed.views.numbers import amount, percent, seconds, time


def _price(security: Security, bid: Level | None, ask: Level | None) -> shapes.Price:
    return {
        "security_id": security.security_id,
        "bid": amount(bid[0]) if bid else None,
        "ask": amount(ask[0]) if ask else None,
        "bid_quantity": bid[1] if bid else 0,
        "ask_quantity": ask[1] if ask else 0,
        "last": amount(security.last_e4),
        "reference_price": amount(security.reference_price_e4),
        "volume": security.volume,
        "timestamp": format_time(security.time_us),
        "seq": security.seq,
        **_phase(security),
    }


def _phase(security: Security) -> shapes.Phase:
    return {
        "state": security.state,
        "auction": security.auction,
        "until": time(security.until_us),
        "indicative_price": amount(security.indicative_price_e4),
        "indicative_quantity": security.indicative_quantity,
        "surplus": security.surplus,
    }


def price(security: Security) -> shapes.Price:
    """The prices and the state of a security, as they are now.

    Only continuous trading has best prices; in other states the book may be crossed.
    """
    if security.state != "continuous":
        return _price(security, None, None)
    return _price(security, security.book.best_bid(), security.book.best_ask())


def price_change(
    security: Security, event: PriceChanged | MarketStateChanged | IndicativeChanged
) -> shapes.Price:
    """The same, as the event tells that they have become.

    When continuous trading begins, the best prices are told by the next event.
    """
    if not isinstance(event, PriceChanged):
        return _price(security, None, None)
    bid = None if event.bid_e4 is None else (event.bid_e4, event.bid_quantity, 0)
    ask = None if event.ask_e4 is None else (event.ask_e4, event.ask_quantity, 0)
    return _price(security, bid, ask)


def listing(security: Security) -> shapes.Listing:
    """A security: its price and state, and its terms. What is null does not apply to it."""
    terms = security.terms
    return {
        **price(security),
        "tick": amount(terms.tick_e4),
        "lot": terms.lot_quantity,
        "granted_quantity": terms.granted_quantity,
        "max_order_quantity": terms.max_order_quantity,
        "max_order_value": amount(terms.max_order_value_e4),
        "static_band_percent": percent(terms.static_band_ppm),
        "dynamic_band_percent": percent(terms.dynamic_band_ppm),
        "halt_seconds": seconds(terms.halt_us),
        "auction_seconds": seconds(terms.auction_us),
        "short_margin_percent": percent(terms.short_margin_ppm),
    }


def book(security: Security, depth: int, seq: int) -> shapes.Book:
    """The best levels of a book, as `[price, quantity, orders]`, and why they may be crossed."""
    bids, asks = security.book.levels(depth)
    return {
        "security_id": security.security_id,
        "bids": [[from_e4(price_e4), quantity, orders] for price_e4, quantity, orders in bids],
        "asks": [[from_e4(price_e4), quantity, orders] for price_e4, quantity, orders in asks],
        "seq": seq,
        "checksum": security.book.checksum(),
        **_phase(security),
    }


def trade(event: TradeExecuted) -> shapes.Trade:
    """A trade, as everybody may see it; nobody is the aggressor in an auction."""
    return {
        "trade_id": event.trade_id,
        "security_id": event.security_id,
        "price": amount(event.price_e4),
        "quantity": event.quantity,
        "aggressor_side": event.aggressor_side,
        "timestamp": format_time(event.time_us),
        "seq": event.seq,
    }
