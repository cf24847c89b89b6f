"""How stops wait in the naive exchange, and are triggered."""

from exchange_shared.messages import OrderTriggered
from exchange_shared.units import PPM
from tests.support.naive_market import NaiveMarket
from tests.support.naive_matching import trade_and_rest
from tests.support.naive_records import NaiveOrder, NaiveSecurity


def let_wait(market: NaiveMarket, stop: NaiveOrder) -> None:
    """Let a new stop wait, or trigger it at once."""
    security = market.security_of(stop)
    stop.where = "waiting"
    stop.stop_e4 = stop.request.stop_price_e4
    if stop.request.order_type == "trailing_stop":
        stop.stop_e4 = _trailing_price_e4(stop, security.mark_e4())
    if security.state == "continuous" and _condition_holds(stop, security):
        stop.where = "set_off"
        _trigger_all(market, security, [stop])


def trigger_stops(market: NaiveMarket, security: NaiveSecurity) -> None:
    """Trigger the stops that the last trade price sets off, and those that their trades do."""
    _trigger_all(market, security, _set_off(market, security))


def _trigger_all(market: NaiveMarket, security: NaiveSecurity, queue: list[NaiveOrder]) -> None:
    while queue:
        order = queue.pop(0)
        if order.where != "set_off":
            continue
        if security.state != "continuous":
            order.where = "waiting"
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
        trade_and_rest(market, order)
        queue += _set_off(market, security)


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
        for order in market.orders_of(security)
        if order.where == "waiting" and order.is_stop()
    ]
    for order in waiting:
        if order.request.order_type == "trailing_stop":
            _follow(order, security)
    if security.state != "continuous":
        return []
    set_off = [order for order in waiting if _condition_holds(order, security)]
    for order in set_off:
        order.where = "set_off"
    return sorted(set_off, key=_nearest_to_the_market)


def _follow(order: NaiveOrder, security: NaiveSecurity) -> None:
    if security.last_e4 is not None:
        assert order.stop_e4 is not None
        follows_e4 = _trailing_price_e4(order, security.last_e4)
        nearer = min if order.request.side == "buy" else max
        order.stop_e4 = nearer(order.stop_e4, follows_e4)


def _nearest_to_the_market(stop: NaiveOrder) -> tuple[bool, int, int]:
    assert stop.stop_e4 is not None
    sells = stop.request.side == "sell"
    return sells, -stop.stop_e4 if sells else stop.stop_e4, stop.accepted
