"""Engines that are wrong in one thing each: states, auctions, bands, limits, shorts, rebates."""

from collections.abc import Callable
from functools import partial
from typing import Any

from exchange_shared.units import PPM
from matching_engine.core import exchange as exchange_module
from matching_engine.core.accounts import Position
from matching_engine.core.book import equilibrium
from matching_engine.core.book.equilibrium import Equilibrium
from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.commands import (
    administration,
    checks,
    market_clock,
    market_states,
    orders,
)
from matching_engine.core.market import Market
from matching_engine.core.security import Security
from matching_engine.core.trading import auction as auction_module
from matching_engine.core.trading import continuous
from matching_engine.core.trading import trade as trade_module
from tests.support.wrong_engines import Patch, nothing, replaced


def _charged(right: Callable[..., int], notional_e4: int, rate_ppm: int) -> int:
    return abs(right(notional_e4, rate_ppm))


def _nearest_or_lower(
    right: Callable[..., int], tick_e4: int, mark_e4: int, lowest_e4: int, highest_e4: int
) -> int:
    price_e4 = right(tick_e4, mark_e4, lowest_e4, highest_e4)
    tie = 2 * (price_e4 - mark_e4) == tick_e4
    return price_e4 - tick_e4 if tie and price_e4 > lowest_e4 else price_e4


def _without_surplus(
    right: Callable[..., Any], auction: Equilibrium, tick_e4: int, mark_e4: int
) -> Any:
    price_e4, most, surplus = right(auction, tick_e4, mark_e4)
    for first_e4, last_e4, demand, supply in auction._ranges_around(tick_e4):
        if min(demand, supply) == most > 0:
            price_e4 = equilibrium._nearest(tick_e4, mark_e4, first_e4, last_e4)
            return price_e4, most, demand - supply
    return price_e4, most, surplus


def _shorter(right: Callable[..., Any], *arguments: Any) -> Any:
    ranges = list(right(*arguments))
    return ranges[:-1] if len(ranges) > 5 else ranges


def _old_reference(right: Callable[..., None], market: Market, book: OrderBook) -> None:
    reference_e4 = book.security.reference_price_e4
    right(market, book)
    book.security.reference_price_e4 = reference_e4


def _with_a_new_band(
    right: Callable[..., None], market: Market, security: Security, *rest: Any
) -> Any:
    right(market, security, *rest)
    security.fix_band()


def _not_marked(right: Callable[..., int], position: Position, **more: int) -> int:
    security, last_e4 = position.security, position.security.last_e4
    security.last_e4 = None
    margin_e4 = right(position, **more)
    security.last_e4 = last_e4
    return margin_e4


def _only_resting(right: Callable[..., None], market: Market, order: Order, *rest: Any) -> None:
    if order.level is not None:
        right(market, order, *rest)


def _late(right: Callable[..., None], market: Market, order: Order, book: OrderBook) -> None:
    if order.request.time_in_force == "cls":
        book.at_close[order.order_id] = order
    else:
        right(market, order, book)


def _but(
    reason: str, right: Callable[..., None], market: Market, order: Order, why: str, *rest: Any
) -> None:
    if why != reason:
        right(market, order, why, *rest)


def _in_single_shares(_right: object, incoming: Order, price_e4: int, _security: Security) -> int:
    return max(0, continuous._spendable_e4(incoming)) // incoming.unit_cost_e4(price_e4)


def _when_new(right: Callable[..., Any], *arguments: Any) -> Any:
    open_before = arguments[5] if len(arguments) > 5 else 0
    return None if open_before else right(*arguments)


def _around_the_mark(_right: object, security: Security, price_e4: int) -> bool:
    band_ppm, mark_e4 = security.terms.static_band_ppm, security.mark_e4
    return band_ppm is not None and abs(price_e4 - mark_e4) > mark_e4 * band_ppm // PPM


def _no_margin_for_orders(right: Callable[..., int], position: Position, **more: int) -> int:
    held, position.held = position.held, 0
    margin_e4 = right(position, bought=more.get("bought", 0))
    position.held = held
    return margin_e4


def _from_when_it_was_due(
    right: Callable[..., None], market: Market, book: OrderBook, *rest: Any, **named: Any
) -> None:
    now_us, due_us = market.clock_us, book.security.until_us
    if rest[1] == "timer" and due_us is not None:
        market.clock_us = due_us
    right(market, book, *rest, **named)
    market.clock_us = now_us


def _follow(_right: object, market: Market, time_us: int) -> None:
    market.clock_us = max(market.clock_us, time_us)


STATES_AND_RISK: dict[str, Patch] = {
    "an auction ignores the surplus": replaced(Equilibrium, "indicative", _without_surplus),
    "an auction ignores the mark": replaced(
        equilibrium,
        "_nearest",
        lambda _, _tick_e4, _mark_e4, _lowest_e4, highest_e4: highest_e4,
    ),
    "an auction looks at too few prices": replaced(Equilibrium, "_ranges_around", _shorter),
    "an auction leaves the reference price": replaced(market_states, "uncross", _old_reference),
    "gathered orders cross their client's own": replaced(
        auction_module, "_own_crossed", partial(nothing, answer=())
    ),
    "what is for auctions stays in the book": replaced(
        market_states, "cancel", partial(_but, "auction_over")
    ),
    "waiting cls orders miss the closing auction": replaced(market_states, "gather", _late),
    "a cls waits during the closing auction": replaced(orders, "enter", _late),
    "day orders outlast the close": replaced(market_states, "cancel", partial(_but, "expired")),
    "no state ends by itself": replaced(market_states, "_is_due", partial(nothing, answer=False)),
    "what ended late goes on from when it was due": replaced(
        market_states, "_change", _from_when_it_was_due
    ),
    "the day ends at midnight everywhere": replaced(Market, "end_days_at_close", nothing),
    "every time is followed": replaced(exchange_module, "keep_time", _follow),
    "a time that is contradicted is believed": replaced(
        market_clock, "_silent", partial(nothing, answer=True)
    ),
    "nobody can confirm the time": replaced(market_clock, "_set", nothing),
    "trades print outside the band": replaced(Security, "fix_band", nothing),
    "the band moves with each print": replaced(continuous, "trade", _with_a_new_band),
    "the static band is around the mark": replaced(
        Security, "outside_static_band", _around_the_mark
    ),
    "lots are cut to the cash": replaced(continuous, "_affordable", _in_single_shares),
    "a replaced order is within all limits": replaced(checks, "_beyond_limits", _when_new),
    "the kill switch leaves what waits": replaced(administration, "cancel", _only_resting),
    "the margin is not marked": replaced(Position, "margin_e4", _not_marked),
    "sell orders need no margin": replaced(Position, "margin_e4", _no_margin_for_orders),
    "nothing is freed to cover": replaced(Position, "covered", partial(nothing, answer=0)),
    "a rebate is charged as a fee": replaced(trade_module, "fee_e4", _charged),
}

ONLY_IN_TABLES: dict[str, Patch] = {
    "of two prices an auction takes the lower": replaced(
        equilibrium, "_nearest", _nearest_or_lower
    ),
}
"""What streams seldom reach: a mark is halfway between two ticks only before the first trade."""
