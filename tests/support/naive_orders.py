"""How the naive exchange checks and accepts new orders, and replaces open ones."""

from typing import Any

from exchange_shared.messages import (
    NewOrder,
    OrderAccepted,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    RejectReason,
    ReplaceOrder,
)
from tests.support.naive_accounts import fields_of, reject
from tests.support.naive_auction import collar_e4, gather
from tests.support.naive_cash import why_not_held
from tests.support.naive_limits import (
    why_too_far,
    why_too_large,
    why_too_little_shown,
    why_too_many,
)
from tests.support.naive_market import NaiveMarket
from tests.support.naive_matching import can_be_filled, trade_and_rest
from tests.support.naive_records import NaiveOrder, NaiveSecurity, is_outside
from tests.support.naive_stops import let_wait, trigger_stops

REMEMBERED_REFUSALS = 1_000


def new_order(market: NaiveMarket, command: NewOrder) -> None:
    """Refuse an order, tell what became of one that came before, or take it."""
    if market.account(command.client_id) is None:
        reject_order(market, command, "unknown_client")
        return
    first = _first_of_this_name(market, command)
    if first is not None:
        if _without_identity(command) == _without_identity(first.request):
            _repeat(market, command, first)
        else:
            reject_order(market, command, "client_order_id_reused")
        return
    order = NaiveOrder(
        request=command,
        accepted=market.accepted + 1,
        maker_ppm=market.terms.maker_fee_ppm,
        taker_ppm=market.terms.taker_fee_ppm,
        open=command.quantity,
        price_e4=command.price_e4,
    )
    reason = _why_not(market, order)
    if reason is not None:
        reject_order(market, command, reason)
        return
    market.accepted += 1
    market.orders.append(order)
    fields = fields_of(command, OrderAccepted)
    market.publish(OrderAccepted, **fields, unit_hold_e4=order.unit_hold_e4())
    _enter(market, order)


def _why_not(market: NaiveMarket, order: NaiveOrder) -> RejectReason | None:
    command, account = order.request, market.owner(order)
    if _was_refused_since(market, command):
        return "superseded"
    if account.suspended:
        return "client_suspended"
    security = market.security(command.security_id)
    if security is None:
        return "unknown_security"
    if any(one.request.order_id == command.order_id for one in market.orders):
        return "order_id_in_use"
    if command.order_type == "market" and (security.gathers() or command.time_in_force == "cls"):
        order.price_e4 = collar_e4(security, command.side)
    return (
        _why_not_in_state(security, command)
        or _why_not_with_terms(market, security, command)
        or why_too_large(
            market,
            order,
            ordered=command.quantity,
            still_open=command.quantity,
            price_e4=order.price_e4,
        )
        or why_too_many(market, account)
        or why_too_little_shown(market, order, command.quantity)
        or why_too_far(market, order, command.quantity)
        or why_not_held(market, order, command.quantity, order.unit_hold_e4())
        or _why_not_post_only(market, order, order.price_e4)
    )


def _why_not_in_state(security: NaiveSecurity, command: NewOrder) -> RejectReason | None:
    if security.state == "closed":
        return "market_closed"
    if security.state == "halted":
        return "trading_halted"
    if security.gathers() and command.time_in_force in ("ioc", "fok"):
        return "no_continuous_trading"
    opens = security.state == "pre_open" or security.auction == "opening"
    if command.time_in_force == "opg" and not opens:
        return "auction_over"
    return None


def _why_not_with_terms(
    market: NaiveMarket, security: NaiveSecurity, command: NewOrder
) -> RejectReason | None:
    prices = (command.price_e4, command.stop_price_e4)
    if any((price or 0) % security.terms.tick_e4 for price in prices):
        return "price_off_tick"
    quantities = (command.quantity, command.display_quantity)
    if any((quantity or 0) % security.terms.lot_quantity for quantity in quantities):
        return "quantity_off_lot"
    if command.expires_us is not None and command.expires_us <= market.time_us:
        return "expired"
    if command.price_e4 is not None and is_outside(command.price_e4, security.static_band_e4()):
        return "price_outside_band"
    return None


def _why_not_post_only(
    market: NaiveMarket, order: NaiveOrder, price_e4: int | None
) -> RejectReason | None:
    trades = market.security_of(order).state == "continuous"
    if trades and order.request.post_only and market.to_trade_with(order.request, price_e4):
        return "would_take"
    return None


def _enter(market: NaiveMarket, order: NaiveOrder) -> None:
    security, time_in_force = market.security_of(order), order.request.time_in_force
    if order.is_stop():
        let_wait(market, order)
    elif time_in_force == "cls" and security.auction != "closing":
        order.where = "waiting"
    elif time_in_force == "fok" and not can_be_filled(market, order):
        market.cancel(order, "fill_or_kill")
    else:
        _trade_or_gather(market, order)


def _trade_or_gather(market: NaiveMarket, order: NaiveOrder) -> None:
    security = market.security_of(order)
    if security.gathers():
        gather(market, order)
    else:
        trade_and_rest(market, order)
        trigger_stops(market, security)


def _first_of_this_name(market: NaiveMarket, command: NewOrder) -> NaiveOrder | None:
    account = market.account(command.client_id)
    assert account is not None
    for order in market.orders + account.finished:
        name = order.request.client_order_id
        own = order.request.client_id == command.client_id
        if own and name is not None and name == command.client_order_id:
            return order
    return None


def _repeat(market: NaiveMarket, command: NewOrder, first: NaiveOrder) -> None:
    status = first.status()
    market.publish(
        OrderRepeated,
        request_id=command.order_id,
        order_id=first.request.order_id,
        client_id=command.client_id,
        client_order_id=command.client_order_id,
        security_id=command.security_id,
        status=status,
        filled_quantity=first.filled,
        remaining_quantity=0 if status in ("cancelled", "expired") else first.open,
        notional_e4=first.notional_e4,
        quantity=first.filled + first.open,
        price_e4=None if first.request.price_e4 is None else first.price_e4,
    )


def reject_order(market: NaiveMarket, command: NewOrder, reason: RejectReason) -> None:
    """Refuse a new order, and remember which event did."""
    fields = fields_of(command, OrderRejected)
    market.publish(OrderRejected, **fields, reason=reason, message="")
    account = market.account(command.client_id)
    if account is not None and command.client_order_id and command.after_seq is not None:
        name = command.client_order_id
        others = [refusal for refusal in account.refusals if refusal[0] != name]
        account.refusals = [*others, (name, market.seq)]
        while len(account.refusals) > REMEMBERED_REFUSALS:
            account.forgotten_seq = account.refusals.pop(0)[1]


def _was_refused_since(market: NaiveMarket, command: NewOrder) -> bool:
    account = market.account(command.client_id)
    assert account is not None
    if command.client_order_id is None or command.after_seq is None:
        return False
    refused = [seq for name, seq in account.refusals if name == command.client_order_id]
    return any(command.after_seq < seq for seq in [*refused, account.forgotten_seq])


def _without_identity(order: NewOrder) -> dict[str, Any]:
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    del fields["order_id"], fields["time_us"], fields["after_seq"]
    return fields


def replace_order(market: NaiveMarket, command: ReplaceOrder) -> None:
    """Give an open order another quantity or limit price."""
    order = market.open_order(command.client_id, command.order_id)
    if order is None:
        reject(market, command, "unknown_order")
        return
    quantity = order.filled + order.open if command.quantity is None else command.quantity
    price_e4 = command.price_e4 or order.price_e4
    remaining = quantity - order.filled
    keeps_place = price_e4 == order.price_e4 and remaining <= order.open
    reason = _why_not_replaced(market, order, remaining, price_e4)
    if reason is None and not keeps_place:
        reason = _why_not_entered_again(market, order, remaining, price_e4)
    if reason is not None:
        reject(market, command, reason)
        return
    order.open = remaining
    order.price_e4 = price_e4
    order.shown = min(order.shown, remaining)
    market.publish(
        OrderReplaced,
        request_id=command.request_id,
        order_id=command.order_id,
        client_id=command.client_id,
        security_id=order.request.security_id,
        quantity=quantity,
        price_e4=price_e4,
        remaining_quantity=remaining,
        unit_hold_e4=order.unit_hold_e4(),
        kept_priority=keeps_place,
        notional_e4=order.notional_e4,
    )
    if not keeps_place:
        order.where = "incoming"
        _trade_or_gather(market, order)


def _why_not_replaced(
    market: NaiveMarket, order: NaiveOrder, remaining: int, price_e4: int | None
) -> RejectReason | None:
    security = market.security_of(order)
    if market.owner(order).suspended:
        return "client_suspended"
    if order.where == "waiting" or order.request.order_type == "market":
        return "not_replaceable"
    if security.state == "closed":
        return "market_closed"
    if security.state == "halted":
        return "trading_halted"
    assert price_e4 is not None, "an order without a limit rests"
    if remaining <= 0:
        return "quantity_filled"
    if price_e4 % security.terms.tick_e4:
        return "price_off_tick"
    if (order.filled + remaining) % security.terms.lot_quantity:
        return "quantity_off_lot"
    return None


def _why_not_entered_again(
    market: NaiveMarket, order: NaiveOrder, remaining: int, price_e4: int | None
) -> RejectReason | None:
    security = market.security_of(order)
    assert price_e4 is not None, "an order without a limit rests"
    if is_outside(price_e4, security.static_band_e4()):
        return "price_outside_band"
    return (
        why_too_large(
            market,
            order,
            ordered=order.filled + remaining,
            still_open=remaining,
            price_e4=price_e4,
        )
        or why_too_little_shown(market, order, order.filled + remaining)
        or why_too_far(market, order, remaining)
        or why_not_held(market, order, remaining, order.unit_cost_e4(price_e4))
        or _why_not_post_only(market, order, price_e4)
    )
