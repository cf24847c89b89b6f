"""The naive exchange's auctions: how orders gather, their price, and the uncross."""

from collections.abc import Iterable

from exchange_shared.messages import Side
from exchange_shared.units import MAX_PRICE_E4
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import (
    NO_INDICATIVE,
    Indicative,
    NaiveOrder,
    NaiveSecurity,
)
from tests.support.naive_trading import prevent_self_trade, trade_in_auction


def collar_e4(security: NaiveSecurity, side: Side) -> int:
    """The limit of an order that came without one to an auction."""
    tick_e4 = security.terms.tick_e4
    lowest_e4, highest_e4 = security.static_band_e4() or (0, 2 * security.reference_price_e4)
    ticks = highest_e4 // tick_e4 if side == "buy" else -(-lowest_e4 // tick_e4)
    return min(max(ticks, 1), MAX_PRICE_E4 // tick_e4) * tick_e4


def gather(market: NaiveMarket, order: NaiveOrder) -> None:
    """Put an order into the book without trading, but never across its client's own orders."""
    while order.where == "incoming":
        reached = market.to_trade_with(order.request, order.price_e4)
        own = [other for other in reached if other.request.client_id == order.request.client_id]
        if own:
            prevent_self_trade(market, order, own[0])
        else:
            market.rest(order)


def auction_outcome(market: NaiveMarket, security: NaiveSecurity) -> Indicative:
    """What an auction would do if it ended now."""
    buys = market.resting(security.security_id, "buy")
    sells = market.resting(security.security_id, "sell")
    return best_outcome(
        [(order.price_e4 or 0, order.open) for order in buys],
        [(order.price_e4 or 0, order.open) for order in sells],
        tick_e4=security.terms.tick_e4,
        mark_e4=security.mark_e4(),
    )


def best_outcome(
    buys: list[tuple[int, int]], sells: list[tuple[int, int]], *, tick_e4: int, mark_e4: int
) -> Indicative:
    """The price at which these prices and quantities trade, how much, and the surplus."""
    outcomes = []
    for price_e4 in _prices_to_try([price for price, _ in buys + sells], tick_e4, mark_e4):
        demand = sum(quantity for limit_e4, quantity in buys if limit_e4 >= price_e4)
        supply = sum(quantity for limit_e4, quantity in sells if limit_e4 <= price_e4)
        traded, surplus = min(demand, supply), demand - supply
        rank = (traded, -abs(surplus), -abs(price_e4 - mark_e4), price_e4)
        outcomes.append((rank, (price_e4, traded, surplus)))
    if not outcomes or max(outcomes)[1][1] == 0:
        return NO_INDICATIVE
    return max(outcomes)[1]


def _prices_to_try(limits_e4: Iterable[int], tick_e4: int, mark_e4: int) -> set[int]:
    """Each limit, one tick to either side, and the reference price rounded both ways.

    Between two limits that are next to one another nothing changes, so of these prices only the
    first, the last, and the nearest to the reference price can be the best.
    """
    below_e4 = mark_e4 // tick_e4 * tick_e4
    around = {below_e4, below_e4 + tick_e4}
    around.update(limit + step for limit in limits_e4 for step in (-tick_e4, 0, tick_e4))
    return around


def uncross(market: NaiveMarket, security: NaiveSecurity) -> None:
    """Let the crossed orders of a book trade at the price of the auction."""
    price_e4, _, _ = auction_outcome(market, security)
    while price_e4 is not None:
        pair = _crossed(market, security, price_e4)
        while pair is not None:
            trade_in_auction(market, *pair, price_e4)
            pair = _crossed(market, security, price_e4)
        if security.auction in ("opening", "closing"):
            security.reference_price_e4 = price_e4
        price_e4, _, _ = auction_outcome(market, security)
    security.band_mark_e4 = security.mark_e4()


def _crossed(
    market: NaiveMarket, security: NaiveSecurity, price_e4: int
) -> tuple[NaiveOrder, NaiveOrder] | None:
    """The first buy and the first sell that trade at this price."""
    buys = market.resting(security.security_id, "buy")
    sells = market.resting(security.security_id, "sell")
    if not buys or not sells:
        return None
    if (buys[0].price_e4 or 0) < price_e4 or (sells[0].price_e4 or 0) > price_e4:
        return None
    assert buys[0].request.client_id != sells[0].request.client_id, "crossed with oneself"
    return buys[0], sells[0]
