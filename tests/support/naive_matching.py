"""How incoming orders are matched in the naive exchange, and when trading is halted."""

from tests.support.naive_auction import gather
from tests.support.naive_cash import spendable_cash_e4
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import NaiveOrder, is_outside
from tests.support.naive_trading import prevent_self_trade, trade_with_resting


def trade_and_rest(market: NaiveMarket, order: NaiveOrder) -> None:
    """Let an order trade, and what is left of it rest or end."""
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
    security = market.security_of(incoming)
    while incoming.where == "incoming":
        others = market.to_trade_with(request, incoming.price_e4)
        if not others:
            return
        resting = others[0]
        if resting.request.client_id == request.client_id:
            prevent_self_trade(market, incoming, resting)
            continue
        assert resting.price_e4 is not None
        quantity = min(incoming.open, resting.tradable())
        if _is_cut_to_cash(incoming):
            quantity = min(quantity, _affordable(market, incoming, resting.price_e4))
        if quantity == 0:
            market.cancel(incoming, "insufficient_funds")
        elif is_outside(resting.price_e4, security.dynamic_band_e4()):
            _halt(market, incoming)
        else:
            trade_with_resting(market, incoming, resting, quantity)


def _is_cut_to_cash(order: NaiveOrder) -> bool:
    pays_as_it_goes = order.request.side == "buy" and order.price_e4 is None
    return pays_as_it_goes and order.request.time_in_force != "fok"


def _affordable(market: NaiveMarket, buy: NaiveOrder, price_e4: int) -> int:
    cash_e4 = spendable_cash_e4(market, buy, buy.open)
    return _in_whole_lots(market, buy, max(cash_e4, 0) // buy.unit_cost_e4(price_e4))


def _in_whole_lots(market: NaiveMarket, order: NaiveOrder, quantity: int) -> int:
    lot = market.security_of(order).terms.lot_quantity
    return quantity // lot * lot


def _halt(market: NaiveMarket, incoming: NaiveOrder) -> None:
    security = market.security_of(incoming)
    market.become(security, "halted", None, security.terms.halt_us, "circuit_breaker")
    if incoming.price_e4 is None or incoming.request.time_in_force == "ioc":
        market.cancel(incoming, "circuit_breaker")
    else:
        gather(market, incoming)


def can_be_filled(market: NaiveMarket, order: NaiveOrder) -> bool:
    """Whether a fill-or-kill order finds enough to trade with."""
    request = order.request
    band_e4 = market.security_of(order).dynamic_band_e4()
    needed = order.open
    cash_e4 = spendable_cash_e4(market, order, order.open) if request.side == "buy" else 0
    counted_groups = []
    for resting, quantity in _reachable(market, order):
        assert resting.price_e4 is not None
        if is_outside(resting.price_e4, band_e4):
            return False
        group = (resting.request.client_id, resting.request.oco_group)
        if resting.request.oco_group is not None and group in counted_groups:
            continue
        counted_groups.append(group)
        counted = min(quantity, needed)
        if request.side == "buy" and order.price_e4 is None:
            unit_cost_e4 = order.unit_cost_e4(resting.price_e4)
            if counted > _in_whole_lots(market, order, cash_e4 // unit_cost_e4):
                return False
            cash_e4 -= counted * unit_cost_e4
        needed -= counted
        if needed == 0:
            return True
    return False


def _reachable(market: NaiveMarket, order: NaiveOrder) -> list[tuple[NaiveOrder, int]]:
    """What a fill-or-kill order can get at, in matching order, and how much of each."""
    request = order.request
    others = market.to_trade_with(request, order.price_e4)
    own = [other for other in others if other.request.client_id == request.client_id]
    if request.self_trade_prevention == "cancel_oldest":
        return [(other, other.open) for other in others if other not in own]
    if not own:
        return [(other, other.open) for other in others]
    in_the_way = own[0]
    return [
        (other, other.open)
        if in_the_way.is_hidden() or other.price_e4 != in_the_way.price_e4
        else (other, other.tradable())
        for other in others[: others.index(in_the_way)]
    ]
