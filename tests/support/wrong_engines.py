"""Engines that are wrong in one thing each, in what every market has."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

from exchange_shared.messages import ReplaceOrder, Side
from exchange_shared.units import PPM
from matching_engine.core import exchange
from matching_engine.core.accounts import Account
from matching_engine.core.book.book_side import BookSide
from matching_engine.core.book.order import Order, PriceLevel
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.book.stops import StopBook
from matching_engine.core.commands import checks, market_states
from matching_engine.core.market import Market
from matching_engine.core.security import Security
from matching_engine.core.trading import continuous
from matching_engine.core.trading import trade as trade_module

Patch = Callable[[pytest.MonkeyPatch], None]


def replaced(owner: object, name: str, wrong: Callable[..., Any]) -> Patch:
    """A patch of a function by one that gets the right one as its first argument."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = getattr(owner, name)

        def called(*arguments: Any, **named: Any) -> Any:
            return wrong(right, *arguments, **named)

        monkeypatch.setattr(owner, name, called)

    return patch


def nothing(*_arguments: object, answer: object = None) -> Any:
    """A function that only answers this."""
    return answer


def _relink(level: PriceLevel, queue: Iterable[Order]) -> None:
    queue = list(queue)
    for order in list(level):
        level.unlink(order)
    for order in queue:
        level.link(order)


def _before_all(right: Callable[..., None], level: PriceLevel, order: Order) -> None:
    others = list(level)
    for other in others:
        level.unlink(other)
    for each in (order, *others):
        right(level, each)


def _at_the_takers_price(
    right: Callable[..., None],
    market: Market,
    security: Security,
    price_e4: int,
    quantity: int,
    resting: Order,
    incoming: Order,
    side: Side,
) -> None:
    right(market, security, incoming.price_e4 or price_e4, quantity, resting, incoming, side)


def _only_when_passed(
    right: Callable[..., list[Order]], stops: StopBook, last_e4: int | None
) -> list[Order]:
    triggered = right(stops, last_e4)
    late = [order for order in triggered if order.stop_price_e4 == last_e4]
    for order in late:
        stops.restore(order)
    return [order for order in triggered if order not in late]


def _filed_without_trailing(_right: object, stops: StopBook, order: Order) -> None:
    stops._file(order)


def _lost_next_part(
    right: Callable[..., None], side: BookSide, order: Order, quantity: int
) -> None:
    shown = order.displayed_quantity
    right(side, order, quantity)
    if shown == quantity and order.level is not None:
        side.remove(order)


def _next_part_in_its_place(
    right: Callable[..., None], side: BookSide, order: Order, quantity: int
) -> None:
    shown = order.displayed_quantity
    right(side, order, quantity)
    if shown == quantity and order.level is not None:
        others = [other for other in order.level if other is not order]
        _relink(order.level, [order, *others])


def _in_its_old_place(right: Callable[..., None], market: Market, command: ReplaceOrder) -> None:
    order = market.orders.get(command.order_id)
    level = None if order is None else order.level
    before = [] if level is None else list(level)
    right(market, command)
    if order is not None and level is not None and order.level is level:
        others = [other for other in level if other not in before]
        _relink(level, [*(other for other in before if other.level is level), *others])


def _last_in_its_level(
    right: Callable[..., None], side: BookSide, order: Order, quantity: int
) -> None:
    right(side, order, quantity)
    if order.level is not None:
        side.remove(order)
        side.add(order)


def _traded_with_oneself(
    _right: object, market: Market, incoming: Order, resting: Order, book: OrderBook
) -> bool:
    assert resting.price_e4 is not None
    quantity = min(incoming.remaining_quantity, resting.shown_quantity)
    incoming.remaining_quantity -= quantity
    book.opposite(incoming.request.side).fill(resting, quantity)
    side = incoming.request.side
    trade_module.trade(market, book.security, resting.price_e4, quantity, resting, incoming, side)
    return True


def _cut_fee(_right: object, notional_e4: int, rate_ppm: int) -> int:
    return notional_e4 * rate_ppm // PPM


CONTINUOUS: dict[str, Patch] = {
    "cash is not held": replaced(Account, "hold", nothing),
    "funds are not checked": replaced(checks, "_lacks_cash", nothing),
    "shares are not checked": replaced(checks, "_lacks_shares", nothing),
    "the latest order trades first": replaced(PriceLevel, "link", _before_all),
    "trades print at the incoming price": replaced(continuous, "trade", _at_the_takers_price),
    "fees are cut off": replaced(trade_module, "fee_e4", _cut_fee),
    "a stop fires only when passed": replaced(StopBook, "take_triggered", _only_when_passed),
    "trailing stops stand still": replaced(StopBook, "_follow", nothing),
    "a restored trailing stop stands still": replaced(StopBook, "restore", _filed_without_trailing),
    "an iceberg ends with its part": replaced(BookSide, "fill", _lost_next_part),
    "an iceberg keeps its place": replaced(BookSide, "fill", _next_part_in_its_place),
    "hidden prices are told": replaced(BookSide, "best_displayed", lambda _, side: side.best),
    "post-only is ignored": replaced(checks, "_would_take", nothing),
    "fill or kill fills in part": replaced(continuous, "_can_fill", partial(nothing, answer=True)),
    "a group keeps its orders": replaced(trade_module, "cancel_siblings", nothing),
    "every replaced order keeps its place": replaced(exchange, "replace_order", _in_its_old_place),
    "a reduced order loses its place": replaced(BookSide, "shrink", _last_in_its_level),
    "self-trades happen": replaced(continuous, "prevent_self_trade", _traded_with_oneself),
    "nothing expires": replaced(market_states, "expire_orders", nothing),
}
