"""Why an order, or a change of one, is refused: every check, in the order of the trading rules."""

from exchange_shared.messages import NewOrder, RejectReason, ReplaceOrder, Side
from exchange_shared.units import PPM, format_e4
from matching_engine.core.accounts import Account
from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.commands.refusals import Refusal
from matching_engine.core.security import Security


def cannot_accept(order: Order, book: OrderBook, clock_us: int) -> Refusal | None:
    """Why a new order of a known client for a listed security is refused, if it is."""
    command, security = order.request, book.security
    terms = security.terms
    price_e4, stop_price_e4 = command.price_e4, command.stop_price_e4
    if security.state != "continuous" or command.time_in_force == "opg":
        refusal = _wrong_state(command, security)
        if refusal is not None:
            return refusal
    if price_e4 is not None and price_e4 % terms.tick_e4:
        return _off_tick(security, price_e4)
    if stop_price_e4 is not None and stop_price_e4 % terms.tick_e4:
        return _off_tick(security, stop_price_e4)
    if terms.lot_quantity != 1:
        for shares in (command.quantity, command.display_quantity or 0):
            if shares % terms.lot_quantity:
                return _off_lot(security, shares)
    if command.expires_us is not None and command.expires_us <= clock_us:
        return "expired", "the time at which this order expires has come already"
    account, position, quantity = order.account, order.position, order.quantity
    if account.limits is not None or security.limits_orders:
        refusal = _outside_band(security, price_e4) or _beyond_limits(
            order, security, quantity, quantity, order.price_e4
        )
        if refusal is not None:
            return refusal
    refusal = None
    if order.buys:
        cost_e4 = order.unit_hold_e4 * quantity
        if account.shorts or account.cash_e4 - account.cash_held_e4 < cost_e4:
            refusal = _lacks_cash(order, quantity, 0, cost_e4)
    elif position.quantity - position.held < quantity:
        refusal = _lacks_shares(order, security, quantity)
    if refusal is None and command.post_only:
        assert price_e4 is not None, "a post-only order without a limit"
        return _would_take(book, command.side, price_e4)
    return refusal


def cannot_replace(
    command: ReplaceOrder, order: Order, book: OrderBook, price_e4: int, open_quantity: int
) -> Refusal | None:
    """Why an open order of this client is not replaced, if it is not."""
    security = book.security
    if order.level is None or order.request.price_e4 is None:
        message = "an order that still waits, or has no limit, cannot be replaced; cancel it"
        return "not_replaceable", message
    if security.state in ("halted", "closed"):
        return _not_open(security)
    if open_quantity <= 0:
        message = f"{order.filled_quantity} shares are filled already; ask for more, or cancel"
        return "quantity_filled", message
    if price_e4 % security.terms.tick_e4:
        return _off_tick(security, price_e4)
    if command.quantity is not None and command.quantity % security.terms.lot_quantity:
        return _off_lot(security, command.quantity)
    if price_e4 == order.price_e4 and open_quantity <= order.remaining_quantity:
        return None
    return _cannot_come_again(order, book, price_e4, open_quantity)


def _cannot_come_again(
    order: Order, book: OrderBook, price_e4: int, open_quantity: int
) -> Refusal | None:
    """Why an order may not give up its place for another price or a larger quantity."""
    security, remaining = book.security, order.remaining_quantity
    in_all = order.filled_quantity + open_quantity
    refusal = _outside_band(security, price_e4) or _beyond_limits(
        order, security, in_all, open_quantity, price_e4, remaining
    )
    if refusal is None and order.buys:
        more_e4 = order.unit_cost_e4(price_e4) * open_quantity - order.unit_hold_e4 * remaining
        refusal = _lacks_cash(order, open_quantity, remaining, more_e4)
    elif refusal is None:
        refusal = _lacks_shares(order, security, open_quantity - remaining)
    if refusal is None and order.request.post_only:
        return _would_take(book, order.request.side, price_e4)
    return refusal


def suspended(account: Account) -> Refusal:
    """The kill switch of a client is on."""
    return "client_suspended", f"{account.client_id} is suspended, and may only cancel"


def _wrong_state(command: NewOrder, security: Security) -> Refusal | None:
    """Why the state of a security does not take a new order, if it does not."""
    if security.state in ("halted", "closed"):
        return _not_open(security)
    time_in_force = command.time_in_force
    if time_in_force in ("ioc", "fok"):
        message = (
            f"{security.security_id} gathers orders for an auction; an {time_in_force} cannot wait"
        )
        return "no_continuous_trading", message
    if time_in_force == "opg" and security.state != "pre_open" and security.auction != "opening":
        return "auction_over", f"{security.security_id} is in no opening auction, nor before one"
    return None


def _not_open(security: Security) -> Refusal:
    reason: RejectReason = "trading_halted" if security.state == "halted" else "market_closed"
    return reason, f"{security.security_id} is {security.state}; orders can only be cancelled"


def _off_tick(security: Security, price_e4: int) -> Refusal:
    message = f"{format_e4(price_e4)} is not a multiple of {format_e4(security.terms.tick_e4)}"
    return "price_off_tick", message


def _off_lot(security: Security, quantity: int) -> Refusal:
    message = f"{quantity} is not a multiple of the lot of {security.terms.lot_quantity} shares"
    return "quantity_off_lot", message


def _outside_band(security: Security, price_e4: int | None) -> Refusal | None:
    if price_e4 is None or not security.outside_static_band(price_e4):
        return None
    message = (
        f"{format_e4(price_e4)} is too far from the reference price of"
        f" {format_e4(security.reference_price_e4)}"
    )
    return "price_outside_band", message


def _beyond_limits(
    order: Order,
    security: Security,
    quantity: int,
    open_quantity: int,
    price_e4: int | None,
    open_before: int = 0,
) -> Refusal | None:
    """Why an order of so many shares in all is beyond a limit, if it is.

    `open_quantity` of them would be open, where `open_before` are now.
    """
    terms, limits = security.terms, order.account.limits
    if terms.max_order_quantity is not None and quantity > terms.max_order_quantity:
        message = f"an order may have {terms.max_order_quantity} shares of {security.security_id}"
        return "quantity_limit", message
    if price_e4 is None:
        stop_price_e4 = order.request.stop_price_e4
        price_e4 = security.mark_e4 if stop_price_e4 is None else stop_price_e4
    if not order.buys:
        price_e4 = max(price_e4, security.mark_e4)
    value_e4 = open_quantity * price_e4
    client_limit_e4 = None if limits is None else limits.max_order_value_e4
    for limit_e4 in (terms.max_order_value_e4, client_limit_e4):
        if limit_e4 is not None and value_e4 > limit_e4:
            message = f"{format_e4(value_e4)} is more than the {format_e4(limit_e4)} allowed"
            return "order_value_limit", message
    if limits is None:
        return None
    max_open, max_position = limits.max_open_orders, limits.max_position
    if max_open is not None and not open_before and len(order.account.orders) >= max_open:
        return "too_many_open_orders", f"{max_open} orders may be open; cancel one first"
    displayed = order.request.display_quantity
    if displayed is not None and displayed * PPM < quantity * (limits.min_display_ppm or 0):
        return _shows_too_little(security, quantity, limits.min_display_ppm or 0)
    if max_position is None:
        return None
    position = order.position
    owned = position.quantity
    extreme = owned + position.buying if order.buys else position.held - owned
    extreme += open_quantity - open_before
    if extreme <= max_position:
        return None
    message = f"the position could become {extreme} shares, {max_position} are allowed"
    return "position_limit", message


def _shows_too_little(security: Security, quantity: int, least_ppm: int) -> Refusal:
    """An iceberg of so many shares in all takes too many trades: one for each displayed part."""
    lot = security.terms.lot_quantity
    least = -(-quantity * least_ppm // (PPM * lot)) * lot
    return "display_too_small", f"an iceberg of {quantity} shares displays at least {least} of them"


def _lacks_shares(order: Order, security: Security, more: int) -> Refusal | None:
    """Why a client cannot have so many more shares in sell orders, if it cannot."""
    position = order.position
    available = position.quantity - position.held
    if available >= more:
        return None
    if security.terms.short_margin_ppm is None:
        message = f"{more} shares of {security.security_id} are needed, {available} are available"
        return "insufficient_shares", message
    margin_e4 = position.margin_e4(sold=more) - position.margin_e4()
    available_e4 = order.account.available_e4
    if available_e4 >= margin_e4:
        return None
    available_text = format_e4(max(0, available_e4))
    message = f"a margin of {format_e4(margin_e4)} is needed, {available_text} is available"
    return "insufficient_margin", message


def _lacks_cash(order: Order, quantity: int, replaced: int, more_e4: int) -> Refusal | None:
    """Why a buy of so many shares cannot hold so much more cash, if it cannot.

    `replaced` of the client's open shares to buy are those of the order that it replaces.
    """
    position = order.position
    spendable_e4 = order.account.spendable_e4(position, quantity, position.buying - replaced)
    if spendable_e4 >= more_e4:
        return None
    if spendable_e4 < 0:
        message = f"short positions need {format_e4(-spendable_e4)} more margin than there is cash"
        return "insufficient_funds", message
    message = (
        f"{format_e4(more_e4)} with the highest fee is needed,"
        f" {format_e4(spendable_e4)} is available"
    )
    return "insufficient_funds", message


def _would_take(book: OrderBook, side: Side, price_e4: int) -> Refusal | None:
    if book.security.gathers or not book.would_trade(side, price_e4):
        return None
    return "would_take", f"a post-only order at {format_e4(price_e4)} would trade at once"
