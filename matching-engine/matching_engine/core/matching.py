"""Matching: an incoming order trades with the resting ones, best price and earliest time first."""

from exchange_shared.messages import CancelReason, OrderCancelled, PriceChanged, TradeExecuted
from exchange_shared.units import fee_e4
from matching_engine.core.accounts import Account
from matching_engine.core.market import Market
from matching_engine.core.order import Order
from matching_engine.core.order_book import OrderBook, PriceLevel


def match(
    market: Market, incoming: Order, account: Account, book: OrderBook
) -> CancelReason | None:
    """Trade an accepted order as far as it goes.

    Returns `None` when what is left of it may rest in the book, otherwise why it may not. Each
    trade prints at the resting order's price.
    """
    request = incoming.request
    buying = request.side == "buy"
    limit_e4 = request.price_e4
    opposite = book.opposite(request.side)
    while incoming.remaining_quantity:
        level = opposite.best()
        if level is None:
            break
        price_e4 = level.price_e4
        if limit_e4 is not None and (price_e4 > limit_e4 if buying else price_e4 < limit_e4):
            break
        resting = next(iter(level.orders.values()))
        if resting.request.client_id == request.client_id:
            return "self_trade"
        quantity = min(incoming.remaining_quantity, resting.remaining_quantity)
        if buying and limit_e4 is None:
            quantity = min(quantity, account.available_e4 // market.unit_cost_e4(price_e4))
            if quantity == 0:
                return "insufficient_funds"
        _trade(market, book, level, incoming, resting, quantity)
    if limit_e4 is None:
        return "no_liquidity"
    return "immediate_or_cancel" if request.time_in_force == "ioc" else None


def _trade(
    market: Market,
    book: OrderBook,
    level: PriceLevel,
    incoming: Order,
    resting: Order,
    quantity: int,
) -> None:
    """Move cash, shares and fees between two orders, and report the trade."""
    price_e4 = level.price_e4
    notional_e4 = price_e4 * quantity
    taker_fee_e4 = fee_e4(notional_e4, market.taker_fee_ppm)
    maker_fee_e4 = fee_e4(notional_e4, resting.maker_fee_ppm)
    incoming.remaining_quantity -= quantity
    incoming.notional_e4 += notional_e4
    resting.notional_e4 += notional_e4
    book.opposite(incoming.request.side).reduce(level, resting, quantity)
    if incoming.request.side == "buy":
        buy, sell, buyer_fee_e4, seller_fee_e4 = incoming, resting, taker_fee_e4, maker_fee_e4
    else:
        buy, sell, buyer_fee_e4, seller_fee_e4 = resting, incoming, maker_fee_e4, taker_fee_e4
    buyer = market.accounts[buy.request.client_id]
    seller = market.accounts[sell.request.client_id]
    buyer.cash_e4 -= notional_e4 + buyer_fee_e4
    buyer.cash_held_e4 -= quantity * buy.unit_hold_e4
    seller.cash_e4 += notional_e4 - seller_fee_e4
    market.fees_e4 += buyer_fee_e4 + seller_fee_e4
    buyer.position(book.security_id).quantity += quantity
    sold = seller.positions[book.security_id]
    sold.quantity -= quantity
    sold.held -= quantity
    assert buyer.cash_e4 >= buyer.cash_held_e4 >= 0, "a buyer paid with cash that was not there"
    assert sold.quantity >= sold.held >= 0, "a seller sold shares that were not there"
    book.last_e4 = price_e4
    if resting.remaining_quantity == 0:
        del market.orders[resting.order_id]
        (seller if resting is sell else buyer).finish(resting)
    market.events.append(
        TradeExecuted(
            seq=market.next_seq(),
            execution_seq=market.next_execution_seq(),
            time_us=market.time_us,
            trade_id=market.next_trade_id(),
            security_id=book.security_id,
            price_e4=price_e4,
            quantity=quantity,
            aggressor_side=incoming.request.side,
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


def cancel(
    market: Market,
    order: Order,
    account: Account,
    reason: CancelReason,
    request_id: int | None = None,
) -> None:
    """Release what an order that is in no book still holds, and report that it is gone."""
    request = order.request
    if request.side == "buy":
        account.cash_held_e4 -= order.remaining_quantity * order.unit_hold_e4
    else:
        account.positions[request.security_id].held -= order.remaining_quantity
    order.cancelled = True
    account.finish(order)
    market.events.append(
        OrderCancelled(
            seq=market.next_seq(),
            time_us=market.time_us,
            order_id=order.order_id,
            client_id=request.client_id,
            security_id=request.security_id,
            quantity=order.remaining_quantity,
            reason=reason,
            request_id=request_id,
        )
    )


def publish_price(market: Market, book: OrderBook) -> None:
    """Report the best prices and the last trade price, if any of them changed."""
    price = book.price()
    if price == book.published_price:
        return
    book.published_price = price
    bid, ask = book.bids.best(), book.asks.best()
    market.events.append(
        PriceChanged(
            seq=market.next_seq(),
            time_us=market.time_us,
            security_id=book.security_id,
            bid_e4=price[0],
            bid_quantity=bid.quantity if bid else 0,
            ask_e4=price[1],
            ask_quantity=ask.quantity if ask else 0,
            last_e4=price[2],
        )
    )
