"""Continuous trading: an incoming order trades with the resting ones, best price and time first."""

from collections import deque

from exchange_shared.messages import CancelReason, OrderTriggered
from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import Group, Market
from matching_engine.core.security import Security
from matching_engine.core.trading.auction import gather
from matching_engine.core.trading.cancel import cancel, cancel_siblings
from matching_engine.core.trading.security_state import halt_by_circuit_breaker
from matching_engine.core.trading.self_trades import prevent_self_trade
from matching_engine.core.trading.trade import trade


def enter(market: Market, order: Order, book: OrderBook) -> None:
    """Let an accepted order trade, let what is left of it rest or end, and set off stops.

    In a state without continuous trading, it is gathered.
    """
    security = book.security
    if security.state != "continuous":
        gather(market, order, book)
        return
    if security.terms.dynamic_band_ppm is not None:
        security.fix_band()
    _enter(market, order, book)
    if book.stops.buys or book.stops.sells:
        _trigger(market, book)


def trigger_stops(market: Market, book: OrderBook) -> None:
    """Trigger the stops that the last trade set off, and those that their trades set off."""
    book.security.fix_band()
    _trigger(market, book)


def _trigger(market: Market, book: OrderBook) -> None:
    security = book.security
    waiting = deque(book.stops.take_triggered(security.last_e4))
    while waiting and security.state == "continuous":
        order = waiting.popleft()
        if order.ended is not None:
            continue
        assert security.last_e4 is not None, "a stop was set off without a trade"
        order.stop_price_e4 = None
        market.touched[security.security_id] = book
        market.events.append(
            OrderTriggered(
                seq=market.next_seq(),
                time_us=market.time_us,
                order_id=order.order_id,
                client_id=order.request.client_id,
                security_id=security.security_id,
                last_e4=security.last_e4,
            )
        )
        cancel_siblings(market, order)
        _enter(market, order, book)
        waiting.extend(book.stops.take_triggered(security.last_e4))
    for order in waiting:
        if order.ended is None:
            book.stops.restore(order)


def _enter(market: Market, order: Order, book: OrderBook) -> None:
    request = order.request
    reason: CancelReason | None
    if request.time_in_force == "fok" and not _can_fill(order, book):
        reason = "fill_or_kill"
    else:
        reason = _match(market, order, book)
    if order.ended is not None:
        return
    if reason is not None:
        cancel(market, order, reason)
    elif book.security.state != "continuous":
        gather(market, order, book)
    else:
        if request.display_quantity is not None:
            order.show_next_part()
        (book.bids if order.buys else book.asks).add(order)


def _match(market: Market, incoming: Order, book: OrderBook) -> CancelReason | None:
    """Trade an order as far as it goes, or until the circuit breaker halts the security.

    Returns `None` when what is left of it may rest, otherwise why it may not.
    """
    buying = incoming.buys
    limit_e4 = incoming.price_e4
    security = book.security
    opposite = book.asks if buying else book.bids
    cut_to_cash = limit_e4 is None and buying and incoming.request.time_in_force != "fok"
    while (level := opposite.best) is not None:
        price_e4 = level.price_e4
        if limit_e4 is not None and (price_e4 > limit_e4 if buying else price_e4 < limit_e4):
            break
        resting = level.first
        assert resting is not None, "an empty level was kept"
        if resting.account is incoming.account:
            if not prevent_self_trade(market, incoming, resting, book):
                return "self_trade"
        else:
            quantity = incoming.remaining_quantity
            shown = resting.displayed_quantity
            offered = resting.remaining_quantity if shown is None else shown
            if offered < quantity:
                quantity = offered
            if cut_to_cash:
                quantity = min(quantity, _affordable(incoming, price_e4, security))
                if quantity == 0:
                    return "insufficient_funds"
            if security.band_e4 is not None and not (
                security.band_e4[0] <= price_e4 <= security.band_e4[1]
            ):
                halt_by_circuit_breaker(market, book)
                return None if incoming.may_rest else "circuit_breaker"
            incoming.remaining_quantity -= quantity
            opposite.fill(resting, quantity)
            trade(market, security, price_e4, quantity, resting, incoming, incoming.request.side)
        if incoming.ended is not None:
            return None
    if limit_e4 is None:
        return "no_liquidity"
    return None if incoming.may_rest else "immediate_or_cancel"


def _spendable_e4(incoming: Order) -> int:
    """What a buy without a limit may spend now."""
    position, quantity = incoming.position, incoming.remaining_quantity
    return incoming.account.spendable_e4(position, quantity, position.buying - quantity)


def _affordable(incoming: Order, price_e4: int, security: Security) -> int:
    """How many shares a buy without a limit can pay at a price, in whole lots."""
    shares = max(0, _spendable_e4(incoming)) // incoming.unit_cost_e4(price_e4)
    return shares - shares % security.terms.lot_quantity


def _can_fill(incoming: Order, book: OrderBook) -> bool:
    """Whether a fill-or-kill order would be filled completely; changes nothing."""
    request = incoming.request
    buying = incoming.buys
    security = book.security
    limit_e4, band_e4, lot = incoming.price_e4, security.band_e4, security.terms.lot_quantity
    wanted = incoming.remaining_quantity
    cash_e4 = max(0, _spendable_e4(incoming)) if buying else 0
    passes_own = request.self_trade_prevention == "cancel_oldest"
    groups: set[Group] = set()
    for level in book.opposite(request.side):
        price_e4 = level.price_e4
        if limit_e4 is not None and (price_e4 > limit_e4 if buying else price_e4 < limit_e4):
            return False
        outside = band_e4 is not None and not band_e4[0] <= price_e4 <= band_e4[1]
        blocked = not passes_own and any(
            resting.account is incoming.account and not resting.hidden for resting in level
        )
        for resting in level:
            if resting.account is incoming.account:
                if passes_own:
                    continue
                return False
            if outside:
                return False
            name = resting.request.oco_group
            if name is not None:
                group = (resting.request.client_id, name)
                if group in groups:
                    continue
                groups.add(group)
            # The next part of an iceberg would come after the own order at this price.
            offered = resting.shown_quantity if blocked else resting.remaining_quantity
            counted = min(wanted, offered)
            if buying and limit_e4 is None:
                unit_cost_e4 = incoming.unit_cost_e4(price_e4)
                affordable = cash_e4 // unit_cost_e4
                if affordable - affordable % lot < counted:
                    return False
                cash_e4 -= counted * unit_cost_e4
            wanted -= counted
            if wanted == 0:
                return True
    return False
