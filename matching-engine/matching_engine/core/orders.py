"""Commands about orders: new, replace, cancel, mass cancel. Checked first, then carried out."""

import msgspec

from exchange_shared.messages import (
    CancelOrder,
    MassCancel,
    MassCancelled,
    NewOrder,
    OrderAccepted,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    RejectReason,
    ReplaceOrder,
    RequestRejected,
    Side,
)
from exchange_shared.messages.commands import is_plain
from exchange_shared.units import format_e4
from matching_engine.core.accounts import Account
from matching_engine.core.closing import cancel
from matching_engine.core.market import Market
from matching_engine.core.matching import enter, trigger_stops
from matching_engine.core.order import Order
from matching_engine.core.order_book import OrderBook

Refusal = tuple[RejectReason, str]
"""Why a command is refused: a code, and words with the numbers."""


def new_order(market: Market, command: NewOrder) -> None:
    """Accept an order, or refuse it, or tell that it came before."""
    account = market.accounts.get(command.client_id)
    if account is None:
        _reject_order(market, command, "unknown_client", f"there is no client {command.client_id}")
        return
    name = command.client_order_id
    if name is not None and (first := account.named_order(name)) is not None:
        if first.asks_the_same(command):
            _repeat(market, command, first)
        else:
            message = f"client_order_id {name} names another order; give this one a new name"
            _reject_order(market, command, "client_order_id_reused", message)
        return
    book = market.books.get(command.security_id)
    if book is None:
        message = f"{command.security_id} is not listed here"
        _reject_order(market, command, "unknown_security", message)
        return
    if command.order_id in market.orders:
        message = f"order id {command.order_id} is in use"
        _reject_order(market, command, "order_id_in_use", message)
        return
    order = Order(command, account, market.arrivals + 1, market.maker_fee_ppm, market.taker_fee_ppm)
    if command.side == "buy" and command.price_e4 is not None:
        order.unit_hold_e4 = order.unit_cost_e4(command.price_e4)
    refusal = _cannot_accept(market, order, book)
    if refusal is not None:
        _reject_order(market, command, *refusal)
        return
    _accept(market, order, book)


def _cannot_accept(market: Market, order: Order, book: OrderBook) -> Refusal | None:
    """Why an order of a known client for a listed security is refused, if it is."""
    command, account = order.request, order.account
    price_e4, stop_price_e4, quantity = command.price_e4, command.stop_price_e4, command.quantity
    if price_e4 is not None and price_e4 % book.tick_e4:
        return _off_tick(book, price_e4)
    if stop_price_e4 is not None and stop_price_e4 % book.tick_e4:
        return _off_tick(book, stop_price_e4)
    if command.expires_us is not None and command.expires_us <= market.clock_us:
        return "expired", "the time at which this order expires has come already"
    if command.side == "sell":
        refusal = _lacks_shares(account, command.security_id, quantity)
    else:
        refusal = _lacks_cash(account, order.unit_hold_e4 * quantity)
    if refusal is None and command.post_only:
        assert price_e4 is not None, "a post-only order without a limit"
        return _would_take(book, command.side, price_e4)
    return refusal


def _off_tick(book: OrderBook, price_e4: int) -> Refusal:
    message = f"{format_e4(price_e4)} is not a multiple of {format_e4(book.tick_e4)}"
    return "price_off_tick", message


def _lacks_shares(account: Account, security_id: str, quantity: int) -> Refusal | None:
    position = account.positions.get(security_id)
    available = 0 if position is None else position.quantity - position.held
    if available >= quantity:
        return None
    message = f"{quantity} shares of {security_id} are needed, {available} are available"
    return "insufficient_shares", message


def _lacks_cash(account: Account, cost_e4: int) -> Refusal | None:
    available_e4 = account.cash_e4 - account.cash_held_e4
    if available_e4 >= cost_e4:
        return None
    message = (
        f"{format_e4(cost_e4)} with the highest fee is needed,"
        f" {format_e4(available_e4)} is available"
    )
    return "insufficient_funds", message


def _would_take(book: OrderBook, side: Side, price_e4: int) -> Refusal | None:
    if not book.would_trade(side, price_e4):
        return None
    return "would_take", f"a post-only order at {format_e4(price_e4)} would trade at once"


def _accept(market: Market, order: Order, book: OrderBook) -> None:
    """Below the checks nothing can fail: hold what the order needs, and let it in."""
    command = order.request
    market.arrivals += 1
    market.touched[book.security_id] = book
    _hold(order)
    market.open(order)
    accepted = OrderAccepted(
        seq=market.next_seq(),
        time_us=command.time_us,
        order_id=command.order_id,
        client_id=command.client_id,
        security_id=command.security_id,
        side=command.side,
        order_type=command.order_type,
        quantity=command.quantity,
        price_e4=command.price_e4,
        time_in_force=command.time_in_force,
        client_order_id=command.client_order_id,
        unit_hold_e4=order.unit_hold_e4,
    )
    market.events.append(accepted if is_plain(command) else _with_options(accepted, command))
    if order.is_stop:
        last_e4 = book.last_e4
        book.stops.add(order, book.reference_price_e4 if last_e4 is None else last_e4)
        trigger_stops(market, book)
    else:
        enter(market, order, book)


def _with_options(accepted: OrderAccepted, command: NewOrder) -> OrderAccepted:
    return msgspec.structs.replace(
        accepted,
        stop_price_e4=command.stop_price_e4,
        trail_e4=command.trail_e4,
        trail_ppm=command.trail_ppm,
        expires_us=command.expires_us,
        post_only=command.post_only,
        display_quantity=command.display_quantity,
        hidden=command.hidden,
        self_trade_prevention=command.self_trade_prevention,
        oco_group=command.oco_group,
    )


def replace_order(market: Market, command: ReplaceOrder) -> None:
    """Change an open order, or refuse to."""
    order = _own_order(market, command)
    if order is None:
        return
    book = market.books[order.request.security_id]
    refusal = _cannot_replace(command, order, book)
    if refusal is not None:
        reject(market, command, *refusal)
        return
    price_e4, open_quantity, unit_hold_e4 = _wanted(command, order)
    kept_priority = price_e4 == order.price_e4 and open_quantity <= order.remaining_quantity
    side = book.side(order.request.side)
    account = order.account
    if kept_priority:
        account.release(order, order.remaining_quantity - open_quantity)
        side.shrink(order, order.remaining_quantity - open_quantity)
        order.quantity = command.quantity or order.quantity
    else:
        side.remove(order)
        account.release(order, order.remaining_quantity)
        order.quantity = command.quantity or order.quantity
        order.remaining_quantity = open_quantity
        order.displayed_quantity = None
        order.price_e4 = price_e4
        order.unit_hold_e4 = unit_hold_e4
        _hold(order)
    market.touched[book.security_id] = book
    market.events.append(
        OrderReplaced(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            order_id=order.order_id,
            client_id=command.client_id,
            security_id=book.security_id,
            quantity=order.quantity,
            price_e4=price_e4,
            remaining_quantity=open_quantity,
            unit_hold_e4=order.unit_hold_e4,
            kept_priority=kept_priority,
        )
    )
    if not kept_priority:
        enter(market, order, book)


def _wanted(command: ReplaceOrder, order: Order) -> tuple[int, int, int]:
    """The limit price, the open quantity, and the cash held for each open share, as replaced."""
    assert order.price_e4 is not None, "an order without a limit rests"
    price_e4 = order.price_e4 if command.price_e4 is None else command.price_e4
    quantity = order.quantity if command.quantity is None else command.quantity
    unit_hold_e4 = order.unit_cost_e4(price_e4) if order.request.side == "buy" else 0
    return price_e4, quantity - order.filled_quantity, unit_hold_e4


def _cannot_replace(command: ReplaceOrder, order: Order, book: OrderBook) -> Refusal | None:
    request = order.request
    if order.level is None:
        return "not_replaceable", "a stop that still waits cannot be replaced; cancel it"
    price_e4, open_quantity, unit_hold_e4 = _wanted(command, order)
    if open_quantity <= 0:
        message = f"{order.filled_quantity} shares are filled already; ask for more, or cancel"
        return "quantity_filled", message
    if price_e4 % book.tick_e4:
        return _off_tick(book, price_e4)
    if price_e4 == order.price_e4 and open_quantity <= order.remaining_quantity:
        return None
    if request.side == "sell":
        refusal = _lacks_shares(
            order.account, request.security_id, open_quantity - order.remaining_quantity
        )
    else:
        held_e4 = order.unit_hold_e4 * order.remaining_quantity
        refusal = _lacks_cash(order.account, unit_hold_e4 * open_quantity - held_e4)
    if refusal is None and request.post_only:
        return _would_take(book, request.side, price_e4)
    return refusal


def _hold(order: Order) -> None:
    """Hold what an order needs for all of its open shares."""
    request = order.request
    if request.side == "buy":
        order.account.cash_held_e4 += order.unit_hold_e4 * order.remaining_quantity
    else:
        order.account.positions[request.security_id].held += order.remaining_quantity


def cancel_order(market: Market, command: CancelOrder) -> None:
    """Take an own order out, or refuse to."""
    order = _own_order(market, command)
    if order is not None:
        cancel(market, order, "requested", command.request_id)


def _own_order(market: Market, command: CancelOrder | ReplaceOrder) -> Order | None:
    """The open order that a command is about; refuses the command when it has none."""
    order = market.orders.get(command.order_id)
    if order is None or order.request.client_id != command.client_id:
        message = f"you have no open order {command.order_id}"
        reject(market, command, "unknown_order", message)
        return None
    return order


def mass_cancel(market: Market, command: MassCancel) -> None:
    """Take out all open orders of a client, or some of them."""
    client_id, security_id, side = command.client_id, command.security_id, command.side
    account = market.accounts.get(client_id)
    if account is None:
        reject(market, command, "unknown_client", f"there is no client {client_id}")
        return
    if security_id is not None and security_id not in market.books:
        reject(market, command, "unknown_security", f"{security_id} is not listed here")
        return
    orders = [
        order
        for order in market.orders.values()
        if order.account is account
        and (security_id is None or order.request.security_id == security_id)
        and (side is None or order.request.side == side)
    ]
    for order in orders:
        cancel(market, order, "requested", command.request_id)
    market.events.append(
        MassCancelled(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            client_id=client_id,
            count=len(orders),
        )
    )


def _repeat(market: Market, command: NewOrder, first: Order) -> None:
    assert command.client_order_id is not None, "an order without a name was repeated"
    market.events.append(
        OrderRepeated(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.order_id,
            order_id=first.order_id,
            client_id=command.client_id,
            client_order_id=command.client_order_id,
            security_id=command.security_id,
            status=first.status,
            filled_quantity=first.filled_quantity,
            remaining_quantity=0 if first.ended else first.remaining_quantity,
            notional_e4=first.notional_e4,
        )
    )


def _reject_order(market: Market, command: NewOrder, reason: RejectReason, message: str) -> None:
    market.events.append(
        OrderRejected(
            seq=market.next_seq(),
            time_us=command.time_us,
            order_id=command.order_id,
            client_id=command.client_id,
            security_id=command.security_id,
            side=command.side,
            order_type=command.order_type,
            quantity=command.quantity,
            price_e4=command.price_e4,
            client_order_id=command.client_order_id,
            reason=reason,
            message=message,
        )
    )


def reject(
    market: Market,
    command: CancelOrder | ReplaceOrder | MassCancel,
    reason: RejectReason,
    message: str,
) -> None:
    """Report that a command about orders was refused."""
    market.events.append(
        RequestRejected(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            reason=reason,
            message=message,
            client_id=command.client_id,
            order_id=None if isinstance(command, MassCancel) else command.order_id,
        )
    )
