"""How two orders trade in the naive exchange, and how those of one client do not."""

from fractions import Fraction

from exchange_shared.messages import OrderReduced, TradeExecuted
from exchange_shared.units import PPM
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import NaiveOrder


def trade_with_resting(
    market: NaiveMarket, incoming: NaiveOrder, resting: NaiveOrder, quantity: int
) -> None:
    """Let an incoming order take this much of a resting one, at the resting order's price."""
    buy, sell = (incoming, resting) if incoming.request.side == "buy" else (resting, incoming)
    assert resting.price_e4 is not None
    if resting.request.display_quantity is not None:
        resting.shown -= quantity
    _exchange(market, buy, sell, quantity, resting.price_e4, taker=incoming)
    if resting.open and resting.request.display_quantity is not None and resting.shown == 0:
        resting.show_next_part()
        market.go_to_the_end(resting)
    _end_filled(market, resting, incoming)


def trade_in_auction(market: NaiveMarket, buy: NaiveOrder, sell: NaiveOrder, price_e4: int) -> None:
    """Let two resting orders trade as much as they can; both keep their places."""
    _exchange(market, buy, sell, min(buy.open, sell.open), price_e4, taker=None)
    for order in (buy, sell):
        order.shown = min(order.shown, order.open)
    _end_filled(market, buy, sell)


def _exchange(
    market: NaiveMarket,
    buy: NaiveOrder,
    sell: NaiveOrder,
    quantity: int,
    price_e4: int,
    taker: NaiveOrder | None,
) -> None:
    notional_e4 = price_e4 * quantity
    security = market.security_of(buy)
    buyer, seller = market.owner(buy), market.owner(sell)
    buyer_fee_e4 = _fee_e4(notional_e4, buy, taker)
    seller_fee_e4 = _fee_e4(notional_e4, sell, taker)
    for order in (buy, sell):
        order.open -= quantity
        order.filled += quantity
        order.notional_e4 += notional_e4
    buyer.cash_e4 -= notional_e4 + buyer_fee_e4
    seller.cash_e4 += notional_e4 - seller_fee_e4
    buyer.shares[security.security_id] = buyer.shares.get(security.security_id, 0) + quantity
    seller.shares[security.security_id] = seller.shares.get(security.security_id, 0) - quantity
    security.last_e4 = price_e4
    market.trade_id += 1
    market.publish(
        TradeExecuted,
        trade_id=market.trade_id,
        security_id=security.security_id,
        price_e4=price_e4,
        quantity=quantity,
        aggressor_side=None if taker is None else taker.request.side,
        buy_order_id=buy.request.order_id,
        sell_order_id=sell.request.order_id,
        buyer_id=buyer.client_id,
        seller_id=seller.client_id,
        buyer_fee_e4=buyer_fee_e4,
        seller_fee_e4=seller_fee_e4,
        buy_remaining_quantity=buy.open,
        sell_remaining_quantity=sell.open,
        buy_filled_quantity=buy.filled,
        sell_filled_quantity=sell.filled,
    )


def _fee_e4(notional_e4: int, order: NaiveOrder, taker: NaiveOrder | None) -> int:
    if taker is None:
        rate_ppm = order.higher_ppm()
    else:
        rate_ppm = order.taker_ppm if order is taker else order.maker_ppm
    return round(Fraction(notional_e4 * rate_ppm, PPM))


def _end_filled(market: NaiveMarket, first: NaiveOrder, second: NaiveOrder) -> None:
    for order in (first, second):
        if order.open == 0:
            market.end(order, "filled")
    market.cancel_group_of(first)
    market.cancel_group_of(second)


def prevent_self_trade(market: NaiveMarket, incoming: NaiveOrder, resting: NaiveOrder) -> None:
    """What happens instead of a trade of a client with itself."""
    match incoming.request.self_trade_prevention:
        case "cancel_newest":
            market.cancel(incoming, "self_trade")
        case "cancel_oldest":
            market.cancel(resting, "self_trade")
        case "cancel_both":
            market.cancel(resting, "self_trade")
            market.cancel(incoming, "self_trade")
        case "decrement":
            quantity = min(incoming.open, resting.open)
            _reduce(market, resting, quantity)
            _reduce(market, incoming, quantity)


def _reduce(market: NaiveMarket, order: NaiveOrder, quantity: int) -> None:
    if quantity == order.open:
        market.cancel(order, "self_trade")
        return
    order.open -= quantity
    order.shown = min(order.shown, order.open)
    market.publish(
        OrderReduced,
        order_id=order.request.order_id,
        client_id=order.request.client_id,
        security_id=order.request.security_id,
        quantity=quantity,
        remaining_quantity=order.open,
    )
