"""Matching: an incoming order trades with the resting ones, best price and earliest time first."""

from collections import deque

from exchange_shared.messages import CancelReason, OrderReduced, OrderTriggered, TradeExecuted
from exchange_shared.units import fee_e4
from matching_engine.core.closing import cancel, cancel_siblings
from matching_engine.core.market import Group, Market
from matching_engine.core.order import Order
from matching_engine.core.order_book import OrderBook


def enter(market: Market, order: Order, book: OrderBook) -> None:
    """Let an accepted order trade, let what is left of it rest or end, and set off stops."""
    _enter(market, order, book)
    if book.stops:
        trigger_stops(market, book)


def trigger_stops(market: Market, book: OrderBook) -> None:
    """Trigger the stops that the last trade set off, and those that their trades set off."""
    waiting = deque(book.stops.take_triggered(book.last_e4))
    while waiting:
        order = waiting.popleft()
        if order.ended is not None:
            continue
        assert book.last_e4 is not None, "a stop was set off without a trade"
        order.stop_price_e4 = None
        market.touched[book.security_id] = book
        market.events.append(
            OrderTriggered(
                seq=market.next_seq(),
                time_us=market.time_us,
                order_id=order.order_id,
                client_id=order.request.client_id,
                security_id=book.security_id,
                last_e4=book.last_e4,
            )
        )
        cancel_siblings(market, order)
        _enter(market, order, book)
        waiting.extend(book.stops.take_triggered(book.last_e4))


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
    else:
        if request.display_quantity is not None:
            order.show_next_part()
        book.side(request.side).add(order)


def _match(market: Market, incoming: Order, book: OrderBook) -> CancelReason | None:
    """Trade an order as far as it goes.

    Returns `None` when what is left of it may rest, otherwise why it may not.
    """
    request = incoming.request
    buying = request.side == "buy"
    limit_e4 = incoming.price_e4
    opposite = book.asks if buying else book.bids
    while (level := opposite.best) is not None:
        price_e4 = level.price_e4
        if limit_e4 is not None and (price_e4 > limit_e4 if buying else price_e4 < limit_e4):
            break
        resting = level.first()
        if resting.account is incoming.account:
            if not _prevent_self_trade(market, incoming, resting, book):
                return "self_trade"
        else:
            quantity = min(incoming.remaining_quantity, resting.shown_quantity)
            if limit_e4 is None and buying:
                affordable = incoming.account.available_e4 // incoming.unit_cost_e4(price_e4)
                quantity = min(quantity, affordable)
                if quantity == 0:
                    return "insufficient_funds"
            _trade(market, book, price_e4, incoming, resting, quantity)
        if incoming.ended is not None:
            return None
    if limit_e4 is None:
        return "no_liquidity"
    return "immediate_or_cancel" if request.time_in_force in ("ioc", "fok") else None


def _trade(
    market: Market,
    book: OrderBook,
    price_e4: int,
    incoming: Order,
    resting: Order,
    quantity: int,
) -> None:
    """Move cash, shares and fees between two orders, and report the trade."""
    security_id = book.security_id
    notional_e4 = price_e4 * quantity
    taker_fee_e4 = fee_e4(notional_e4, incoming.taker_fee_ppm)
    maker_fee_e4 = fee_e4(notional_e4, resting.maker_fee_ppm)
    side = incoming.request.side
    incoming.remaining_quantity -= quantity
    incoming.notional_e4 += notional_e4
    resting.notional_e4 += notional_e4
    if side == "buy":
        book.asks.fill(resting, quantity)
        buy, sell, buyer_fee_e4, seller_fee_e4 = incoming, resting, taker_fee_e4, maker_fee_e4
    else:
        book.bids.fill(resting, quantity)
        buy, sell, buyer_fee_e4, seller_fee_e4 = resting, incoming, maker_fee_e4, taker_fee_e4
    buyer, seller = buy.account, sell.account
    buyer.cash_e4 -= notional_e4 + buyer_fee_e4
    buyer.cash_held_e4 -= quantity * buy.unit_hold_e4
    buyer.position(security_id).quantity += quantity
    seller.cash_e4 += notional_e4 - seller_fee_e4
    sold = seller.positions[security_id]
    sold.quantity -= quantity
    sold.held -= quantity
    market.fees_e4 += buyer_fee_e4 + seller_fee_e4
    assert buyer.cash_e4 >= buyer.cash_held_e4 >= 0, "a buyer paid with cash that was not there"
    assert sold.quantity >= sold.held >= 0, "a seller sold shares that were not there"
    book.last_e4 = price_e4
    market.seq += 1
    market.execution_seq += 1
    market.trade_id += 1
    market.events.append(
        TradeExecuted(  # by position what is more than 15 keywords, which would need a dict
            market.seq,
            market.time_us,
            execution_seq=market.execution_seq,
            trade_id=market.trade_id,
            security_id=security_id,
            price_e4=price_e4,
            quantity=quantity,
            aggressor_side=side,
            buy_order_id=buy.order_id,
            sell_order_id=sell.order_id,
            buyer_id=buyer.client_id,
            seller_id=seller.client_id,
            buyer_fee_e4=buyer_fee_e4,
            seller_fee_e4=seller_fee_e4,
            buy_remaining_quantity=buy.remaining_quantity,
            sell_remaining_quantity=sell.remaining_quantity,
        )
    )
    if market.groups:
        cancel_siblings(market, resting)
        cancel_siblings(market, incoming)
    for order in (incoming, resting):
        if order.remaining_quantity == 0:
            market.close(order, "filled")


def _prevent_self_trade(market: Market, incoming: Order, resting: Order, book: OrderBook) -> bool:
    """Deal with an own order that is next; returns whether the incoming one may go on."""
    mode = incoming.request.self_trade_prevention
    if mode == "cancel_newest":
        return False
    if mode != "decrement":
        cancel(market, resting, "self_trade")
        return mode == "cancel_oldest"
    quantity = min(incoming.remaining_quantity, resting.remaining_quantity)
    if resting.remaining_quantity > quantity:
        book.opposite(incoming.request.side).shrink(resting, quantity)
        _report_reduced(market, resting, quantity)
    else:
        cancel(market, resting, "self_trade")
    if incoming.remaining_quantity > quantity:
        incoming.remaining_quantity -= quantity
        _report_reduced(market, incoming, quantity)
        return True
    return False


def _report_reduced(market: Market, order: Order, quantity: int) -> None:
    order.quantity -= quantity
    order.account.release(order, quantity)
    market.events.append(
        OrderReduced(
            seq=market.next_seq(),
            time_us=market.time_us,
            order_id=order.order_id,
            client_id=order.request.client_id,
            security_id=order.request.security_id,
            quantity=quantity,
            remaining_quantity=order.remaining_quantity,
        )
    )


def _can_fill(incoming: Order, book: OrderBook) -> bool:
    """Whether a fill-or-kill order would be filled completely; changes nothing."""
    request = incoming.request
    buying = request.side == "buy"
    limit_e4 = incoming.price_e4
    wanted = incoming.remaining_quantity
    cash_e4 = incoming.account.available_e4
    passes_own = request.self_trade_prevention == "cancel_oldest"
    groups: set[Group] = set()
    for level in book.opposite(request.side):
        price_e4 = level.price_e4
        if limit_e4 is not None and (price_e4 > limit_e4 if buying else price_e4 < limit_e4):
            return False
        blocked = not passes_own and any(
            resting.account is incoming.account for resting in level.displayed.values()
        )
        for resting in level:
            if resting.account is incoming.account:
                if passes_own:
                    continue
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
                if affordable < counted:
                    return False
                cash_e4 -= counted * unit_cost_e4
            wanted -= counted
            if wanted == 0:
                return True
    return False
