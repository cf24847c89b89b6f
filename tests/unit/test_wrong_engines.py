"""The comparison with the naive exchange is worth something: it catches engines that are wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from exchange_shared.messages import ReplaceOrder
from exchange_shared.units import PPM
from matching_engine.core import exchange, matching, orders
from matching_engine.core.market import Market
from matching_engine.core.order import Order
from matching_engine.core.order_book import BookSide, OrderBook, PriceLevel
from matching_engine.core.stops import StopBook
from tests.support.comparison import DifferenceError, compare, shrunk
from tests.support.rich_flow import rich_flow
from tests.support.rich_market import SHAPES

COMMANDS_PER_SHAPE = 1_000

Patch = Callable[[pytest.MonkeyPatch], None]


def replaced(owner: object, name: str, wrong: Callable[..., Any]) -> Patch:
    """A patch of a function by one that gets the right one as its first argument."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = getattr(owner, name)

        def called(*arguments: Any) -> Any:
            return wrong(right, *arguments)

        monkeypatch.setattr(owner, name, called)

    return patch


def latest_first(_right: object, level: PriceLevel) -> Order:
    return list(level)[-1]


def at_the_takers_price(
    right: Callable[..., None],
    market: Market,
    book: OrderBook,
    price_e4: int,
    incoming: Order,
    *rest: Any,
) -> None:
    right(market, book, incoming.price_e4 or price_e4, incoming, *rest)


def only_when_passed(right: Callable[..., list[Order]], stops: StopBook, last: int) -> list[Order]:
    triggered = right(stops, last)
    late = [order for order in triggered if order.stop_price_e4 == last]
    for order in late:
        stops.restore(order)
    return [order for order in triggered if order not in late]


def lost_next_part(right: Callable[..., None], side: BookSide, order: Order, quantity: int) -> None:
    shown = order.displayed_quantity
    right(side, order, quantity)
    if shown == quantity and order.level is not None:
        side.remove(order)


def next_part_in_its_place(
    right: Callable[..., None], side: BookSide, order: Order, quantity: int
) -> None:
    shown = order.displayed_quantity
    right(side, order, quantity)
    if shown == quantity and order.level is not None:
        order.level.displayed = {order.order_id: order, **order.level.displayed}


def in_its_old_place(right: Callable[..., None], market: Market, command: ReplaceOrder) -> None:
    order = market.orders.get(command.order_id)
    level = None if order is None else order.level
    before = [] if level is None else list(level.displayed)
    right(market, command)
    if order is not None and level is not None and order.level is level:
        queue = [*before, *(number for number in level.displayed if number not in before)]
        level.displayed = {
            number: level.displayed[number] for number in queue if number in level.displayed
        }


def traded_with_oneself(
    _right: object, market: Market, incoming: Order, resting: Order, book: OrderBook
) -> bool:
    assert resting.price_e4 is not None
    quantity = min(incoming.remaining_quantity, resting.shown_quantity)
    matching._trade(market, book, resting.price_e4, incoming, resting, quantity)
    return True


def nothing(*_arguments: object, answer: object = None) -> Any:
    return answer


def filed_without_trailing(_right: object, stops: StopBook, order: Order) -> None:
    stops._file(order)


def cut_fee(_right: object, notional_e4: int, rate_ppm: int) -> int:
    return notional_e4 * rate_ppm // PPM


def last_in_its_level(
    right: Callable[..., None], side: BookSide, order: Order, quantity: int
) -> None:
    right(side, order, quantity)
    side.remove(order)
    side.add(order)


WRONG: dict[str, Patch] = {
    "cash is not held": replaced(orders, "_hold", nothing),
    "funds are not checked": replaced(orders, "_lacks_cash", nothing),
    "shares are not checked": replaced(orders, "_lacks_shares", nothing),
    "the latest order trades first": replaced(PriceLevel, "first", latest_first),
    "trades print at the incoming price": replaced(matching, "_trade", at_the_takers_price),
    "fees are cut off": replaced(matching, "fee_e4", cut_fee),
    "a stop fires only when passed": replaced(StopBook, "take_triggered", only_when_passed),
    "trailing stops stand still": replaced(StopBook, "_follow", nothing),
    "a restored trailing stop stands still": replaced(StopBook, "restore", filed_without_trailing),
    "an iceberg ends with its part": replaced(BookSide, "fill", lost_next_part),
    "an iceberg keeps its place": replaced(BookSide, "fill", next_part_in_its_place),
    "hidden prices are told": replaced(BookSide, "best_displayed", lambda _, side: side.best),
    "post-only is ignored": replaced(orders, "_would_take", nothing),
    "fill or kill fills in part": replaced(matching, "_can_fill", partial(nothing, answer=True)),
    "a group keeps its orders": replaced(matching, "cancel_siblings", nothing),
    "every replaced order keeps its place": replaced(exchange, "replace_order", in_its_old_place),
    "a reduced order loses its place": replaced(BookSide, "shrink", last_in_its_level),
    "self-trades happen": replaced(matching, "_prevent_self_trade", traded_with_oneself),
    "nothing expires": replaced(exchange, "expire_orders", nothing),
}


def compare_all_shapes() -> None:
    for shape in SHAPES:
        commands = list(rich_flow(1, COMMANDS_PER_SHAPE, shape))
        compare(commands, check_every=10, restore_after=range(50, COMMANDS_PER_SHAPE, 100))


@pytest.mark.parametrize("patch", WRONG.values(), ids=WRONG)
def test_a_wrong_engine_is_caught(patch: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    patch(monkeypatch)
    with pytest.raises(DifferenceError):
        compare_all_shapes()


def test_the_right_engine_is_not_caught() -> None:
    compare_all_shapes()


def test_what_is_caught_is_told_as_a_short_table(monkeypatch: pytest.MonkeyPatch) -> None:
    WRONG["fees are cut off"](monkeypatch)
    report = shrunk(list(rich_flow(1, 300, SHAPES[0])))
    commands = [line for line in report.splitlines() if line and not line.startswith(" ")]
    assert len(commands) <= 8
    assert "    engine: trade 1:" in report
    assert "    naive:  trade 1:" in report
