"""How orders trade in the naive exchange, and how stops are triggered."""

from fractions import Fraction

from exchange_shared.messages import (
    OrderCancelled,
    OrderReduced,
    OrderTriggered,
    TradeExecuted,
)
from exchange_shared.units import PPM
from tests.support.naive_market import NaiveMarket, NaiveOrder, NaiveSecurity


def enter(market: NaiveMarket, order: NaiveOrder) -> None:
    """Let a new, accepted order trade, rest, wait, or end; and all that follows from it."""
    request = order.request
    security = market.security_of(order)
    if request.order_type in ("stop", "stop_limit", "trailing_stop"):
        order.where = "waiting"
        order.stop_e4 = request.stop_price_e4
        if request.order_type == "trailing_stop":
            order.stop_e4 = _trailing_price_e4(
                order, security.last_e4 or security.reference_price_e4
            )
        if _condition_holds(order, security):
            order.where = "set_off"
            trigger_all(market, security, [order])
    elif request.time_in_force == "fok" and not _can_be_filled(market, order):
        market.cancel(order, "fill_or_kill")
    else:
        trade_and_trigger(market, order)


def trade_and_trigger(market: NaiveMarket, order: NaiveOrder) -> None:
    """Let an order trade and rest or end, and then trigger the stops that this sets off."""
    security = market.security_of(order)
    _trade_and_rest(market, order)
    trigger_all(market, security, _set_off(market, security))


def trigger_all(market: NaiveMarket, security: NaiveSecurity, queue: list[NaiveOrder]) -> None:
    """Trigger the stops in the queue; those that their trades set off join at its end."""
    while queue:
        order = queue.pop(0)
        if order.where != "set_off":
            continue
        order.where = "incoming"
        market.publish(
            OrderTriggered,
            order_id=order.request.order_id,
            client_id=order.request.client_id,
            security_id=order.request.security_id,
            last_e4=security.last_e4,
        )
        market.cancel_group_of(order)
        _trade_and_rest(market, order)
        queue += _set_off(market, security)


def _trade_and_rest(market: NaiveMarket, order: NaiveOrder) -> None:
    _match(market, order)
    if order.where != "incoming":
        return
    if order.price_e4 is None:
        market.cancel(order, "no_liquidity")
    elif order.request.time_in_force == "ioc":
        market.cancel(order, "immediate_or_cancel")
    else:
        assert order.request.time_in_force != "fok", "a fill-or-kill order was filled in part"
        market.rest(order)


def _match(market: NaiveMarket, incoming: NaiveOrder) -> None:
    request = incoming.request
    while incoming.where == "incoming":
        others = market.to_trade_with(request.security_id, request.side, incoming.price_e4)
        if not others:
            return
        resting = others[0]
        if resting.request.client_id == request.client_id:
            _prevent_self_trade(market, incoming, resting)
            continue
        assert resting.price_e4 is not None
        quantity = min(incoming.open, resting.tradable())
        if request.side == "buy" and incoming.price_e4 is None:
            cash_e4 = market.available_cash_e4(request.client_id)
            quantity = min(quantity, cash_e4 // incoming.unit_cost_e4(resting.price_e4))
            if quantity == 0:
                market.cancel(incoming, "insufficient_funds")
                return
        _trade(market, incoming, resting, quantity)


def _trade(market: NaiveMarket, incoming: NaiveOrder, resting: NaiveOrder, quantity: int) -> None:
    price_e4 = resting.price_e4
    assert price_e4 is not None
    notional_e4 = price_e4 * quantity
    fees_e4 = {
        incoming.request.side: _fee_e4(notional_e4, incoming.taker_ppm),
        resting.request.side: _fee_e4(notional_e4, resting.maker_ppm),
    }
    for order in (incoming, resting):
        order.open -= quantity
        order.filled += quantity
        order.notional_e4 += notional_e4
    if resting.request.display_quantity is not None:
        resting.shown -= quantity
    buy, sell = (incoming, resting) if incoming.request.side == "buy" else (resting, incoming)
    security_id = buy.request.security_id
    buyer, seller = market.owner(buy), market.owner(sell)
    buyer.cash_e4 -= notional_e4 + fees_e4["buy"]
    seller.cash_e4 += notional_e4 - fees_e4["sell"]
    buyer.shares[security_id] = buyer.shares.get(security_id, 0) + quantity
    seller.shares[security_id] -= quantity
    market.security_of(buy).last_e4 = price_e4
    market.trade_id += 1
    market.publish(
        TradeExecuted,
        trade_id=market.trade_id,
        security_id=security_id,
        price_e4=price_e4,
        quantity=quantity,
        aggressor_side=incoming.request.side,
        buy_order_id=buy.request.order_id,
        sell_order_id=sell.request.order_id,
        buyer_id=buyer.client_id,
        seller_id=seller.client_id,
        buyer_fee_e4=fees_e4["buy"],
        seller_fee_e4=fees_e4["sell"],
        buy_remaining_quantity=buy.open,
        sell_remaining_quantity=sell.open,
    )
    if resting.open and resting.request.display_quantity is not None and resting.shown == 0:
        resting.show_next_part()
        market.go_to_the_end(resting)
    for order in (resting, incoming):
        if order.open == 0:
            market.end(order, "filled")
    market.cancel_group_of(resting)
    market.cancel_group_of(incoming)


def _fee_e4(notional_e4: int, rate_ppm: int) -> int:
    return round(Fraction(notional_e4 * rate_ppm, PPM))


def _prevent_self_trade(market: NaiveMarket, incoming: NaiveOrder, resting: NaiveOrder) -> None:
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
    request = order.request
    fields = {
        "order_id": request.order_id,
        "client_id": request.client_id,
        "security_id": request.security_id,
        "quantity": quantity,
    }
    order.open -= quantity
    order.shown = min(order.shown, order.open)
    if order.open:
        market.publish(OrderReduced, **fields, remaining_quantity=order.open)
    else:
        market.publish(OrderCancelled, **fields, reason="self_trade")
        market.end(order, "cancelled")


def _can_be_filled(market: NaiveMarket, order: NaiveOrder) -> bool:
    request = order.request
    needed = order.open
    cash_e4 = market.available_cash_e4(request.client_id)
    counted_groups = []
    for resting, quantity in _reachable(market, order):
        group = (resting.request.client_id, resting.request.oco_group)
        if resting.request.oco_group is not None and group in counted_groups:
            continue
        counted_groups.append(group)
        counted = min(quantity, needed)
        if request.side == "buy" and order.price_e4 is None:
            assert resting.price_e4 is not None
            unit_cost_e4 = order.unit_cost_e4(resting.price_e4)
            if counted > cash_e4 // unit_cost_e4:
                return False
            cash_e4 -= counted * unit_cost_e4
        needed -= counted
        if needed == 0:
            return True
    return False


def _reachable(market: NaiveMarket, order: NaiveOrder) -> list[tuple[NaiveOrder, int]]:
    """What a fill-or-kill order can get at, in matching order, and how much of each."""
    request = order.request
    others = market.to_trade_with(request.security_id, request.side, order.price_e4)
    own = [other for other in others if other.request.client_id == request.client_id]
    if request.self_trade_prevention == "cancel_oldest":
        return [(other, other.open) for other in others if other not in own]
    if not own:
        return [(other, other.open) for other in others]
    in_the_way = own[0]
    return [
        (other, other.open)
        if in_the_way.request.hidden or other.price_e4 != in_the_way.price_e4
        else (other, other.tradable())
        for other in others[: others.index(in_the_way)]
    ]


def _condition_holds(stop: NaiveOrder, security: NaiveSecurity) -> bool:
    if security.last_e4 is None:
        return False
    assert stop.stop_e4 is not None
    if stop.request.side == "buy":
        return security.last_e4 >= stop.stop_e4
    return security.last_e4 <= stop.stop_e4


def _trailing_price_e4(order: NaiveOrder, market_e4: int) -> int:
    request = order.request
    if request.trail_e4 is not None:
        distance_e4 = request.trail_e4
    else:
        assert request.trail_ppm is not None
        distance_e4 = market_e4 * request.trail_ppm // PPM
    if request.side == "buy":
        return market_e4 + distance_e4
    return max(1, market_e4 - distance_e4)


def _set_off(market: NaiveMarket, security: NaiveSecurity) -> list[NaiveOrder]:
    """Let the trailing stops follow the last trade; returns the stops whose condition holds."""
    waiting = [
        order
        for order in market.orders
        if order.where == "waiting" and order.request.security_id == security.security_id
    ]
    for order in waiting:
        if order.request.order_type == "trailing_stop" and security.last_e4 is not None:
            assert order.stop_e4 is not None
            follows_e4 = _trailing_price_e4(order, security.last_e4)
            nearer = min if order.request.side == "buy" else max
            order.stop_e4 = nearer(order.stop_e4, follows_e4)
    set_off = [order for order in waiting if _condition_holds(order, security)]
    for order in set_off:
        order.where = "set_off"
    return sorted(set_off, key=_nearest_to_the_market)


def _nearest_to_the_market(stop: NaiveOrder) -> tuple[bool, int, int]:
    assert stop.stop_e4 is not None
    sells = stop.request.side == "sell"
    return sells, -stop.stop_e4 if sells else stop.stop_e4, stop.accepted
