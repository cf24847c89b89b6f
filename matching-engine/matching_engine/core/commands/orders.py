"""Commands about orders: new, replace, cancel, mass cancel. Checked first, then carried out."""

from exchange_shared.messages import (
    CancelOrder,
    MassCancel,
    MassCancelled,
    NewOrder,
    OrderAccepted,
    OrderRepeated,
    OrderReplaced,
    ReplaceOrder,
)
from exchange_shared.messages.commands import STOP_TYPES
from matching_engine.core.accounts import Position
from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.commands.checks import cannot_accept, cannot_replace, suspended
from matching_engine.core.commands.refusals import reject, reject_order
from matching_engine.core.market import Market
from matching_engine.core.security import Security
from matching_engine.core.trading.cancel import cancel
from matching_engine.core.trading.continuous import enter, trigger_stops


def new_order(market: Market, command: NewOrder) -> None:
    """Accept an order, or refuse it, or tell that it came before."""
    account = market.accounts.get(command.client_id)
    if account is None:
        reject_order(market, command, "unknown_client", f"there is no client {command.client_id}")
        return
    name = command.client_order_id
    if name is not None and (first := account.named_order(name)) is not None:
        if first.asks_the_same(command):
            _repeat(market, command, first)
        else:
            message = f"client_order_id {name} names another order; give this one a new name"
            reject_order(market, command, "client_order_id_reused", message)
        return
    if account.refused_since(command):
        message = "a later copy of this order was refused; send it again if it is still wanted"
        reject_order(market, command, "superseded", message)
        return
    if account.suspended:
        reject_order(market, command, *suspended(account))
        return
    book = market.books.get(command.security_id)
    if book is None:
        message = f"{command.security_id} is not listed here"
        reject_order(market, command, "unknown_security", message)
        return
    if command.order_id in market.orders:
        message = f"order id {command.order_id} is in use"
        reject_order(market, command, "order_id_in_use", message)
        return
    position = account.positions.get(command.security_id)
    order = Order(
        command,
        account,
        Position(book.security) if position is None else position,
        market.arrivals + 1,
        market.maker_fee_ppm,
        market.taker_fee_ppm,
    )
    if order.price_e4 is None and _needs_collar(command, book.security):
        order.price_e4 = book.security.collar_e4(command.side)
    if order.buys and order.price_e4 is not None:
        order.unit_hold_e4 = order.unit_cost_e4(order.price_e4)
    refusal = cannot_accept(order, book, market.clock_us)
    if refusal is not None:
        reject_order(market, command, *refusal)
        return
    account.positions[command.security_id] = order.position
    _accept(market, order, book)


def _needs_collar(command: NewOrder, security: Security) -> bool:
    if command.order_type != "market":
        return False
    return security.gathers or command.time_in_force == "cls"


def _accept(market: Market, order: Order, book: OrderBook) -> None:
    """Below the checks nothing can fail: hold what the order needs, and let it in."""
    command = order.request
    market.arrivals += 1
    market.touched[command.security_id] = book
    order.account.hold(order)
    market.open(order)
    market.seq += 1
    market.events.append(
        OrderAccepted(  # by position, because this is the engine's most frequent step
            market.seq,
            market.time_us,
            order.order_id,
            command.client_id,
            command.security_id,
            command.side,
            command.order_type,
            command.quantity,
            command.price_e4,
            command.time_in_force,
            command.client_order_id,
            order.unit_hold_e4,
            command.stop_price_e4,
            command.trail_e4,
            command.trail_ppm,
            command.expires_us,
            command.post_only,
            command.display_quantity,
            command.hidden,
            command.self_trade_prevention,
            command.oco_group,
        )
    )
    if command.order_type in STOP_TYPES:
        book.stops.add(order, book.security.mark_e4)
        if not book.security.gathers:
            trigger_stops(market, book)
    elif command.time_in_force == "cls" and book.security.auction != "closing":
        book.at_close[order.order_id] = order
    else:
        enter(market, order, book)


def replace_order(market: Market, command: ReplaceOrder) -> None:
    """Change an open order, or refuse to."""
    order = _own_order(market, command)
    if order is None:
        return
    security_id = order.request.security_id
    book = market.books[security_id]
    price_e4 = command.price_e4 or order.price_e4 or 0
    quantity = command.quantity or order.quantity
    open_quantity = quantity - order.filled_quantity
    refusal = cannot_replace(command, order, book, price_e4, open_quantity)
    if refusal is not None:
        reject(market, command, *refusal)
        return
    kept_priority = price_e4 == order.price_e4 and open_quantity <= order.remaining_quantity
    side = book.bids if order.buys else book.asks
    account = order.account
    if kept_priority:
        account.release(order, order.remaining_quantity - open_quantity)
        side.shrink(order, order.remaining_quantity - open_quantity)
    else:
        side.remove(order)
        account.release(order, order.remaining_quantity)
        order.remaining_quantity = open_quantity
        order.displayed_quantity = None
        order.price_e4 = price_e4
        if order.buys:
            order.unit_hold_e4 = order.unit_cost_e4(price_e4)
        account.hold(order)
    order.quantity = quantity
    market.touched[security_id] = book
    market.seq += 1
    market.events.append(
        OrderReplaced(
            market.seq,
            command.time_us,
            command.request_id,
            order.order_id,
            command.client_id,
            security_id,
            quantity,
            price_e4,
            open_quantity,
            order.unit_hold_e4,
            kept_priority,
            order.notional_e4,
        )
    )
    if not kept_priority:
        enter(market, order, book)


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
    doomed = [
        order
        for order in account.orders.values()
        if security_id in (None, order.request.security_id) and side in (None, order.request.side)
    ]
    for order in doomed:
        cancel(market, order, "requested", command.request_id)
    market.events.append(
        MassCancelled(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            client_id=client_id,
            count=len(doomed),
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
            quantity=first.quantity,
            price_e4=None if first.request.price_e4 is None else first.price_e4,
        )
    )
