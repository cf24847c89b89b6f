"""One trade: what it moves between two orders and their accounts, and what it ends."""

from exchange_shared.messages import Side, TradeExecuted
from exchange_shared.units import fee_e4
from matching_engine.core.book.order import Order
from matching_engine.core.market import Market
from matching_engine.core.security import Security
from matching_engine.core.trading.cancel import cancel_siblings


def trade(
    market: Market,
    security: Security,
    price_e4: int,
    quantity: int,
    first: Order,
    second: Order,
    aggressor_side: Side | None,
) -> None:
    """Move cash, shares and fees between two orders, from whose open quantity it is taken already.

    The groups of the orders are dealt with in this order. Without an aggressor neither takes.
    """
    buy, sell = (first, second) if first.buys else (second, first)
    notional_e4 = price_e4 * quantity
    if aggressor_side == "buy":
        buyer_fee_ppm, seller_fee_ppm = buy.taker_fee_ppm, sell.maker_fee_ppm
    elif aggressor_side == "sell":
        buyer_fee_ppm, seller_fee_ppm = buy.maker_fee_ppm, sell.taker_fee_ppm
    else:
        buyer_fee_ppm, seller_fee_ppm = buy.highest_fee_ppm, sell.highest_fee_ppm
    buyer_fee_e4 = fee_e4(notional_e4, buyer_fee_ppm) if buyer_fee_ppm else 0
    seller_fee_e4 = fee_e4(notional_e4, seller_fee_ppm) if seller_fee_ppm else 0
    buy.notional_e4 += notional_e4
    sell.notional_e4 += notional_e4
    buyer, seller, bought, sold = buy.account, sell.account, buy.position, sell.position
    cash_e4 = buyer.cash_e4 = buyer.cash_e4 - notional_e4 - buyer_fee_e4
    held_e4 = buyer.cash_held_e4 = buyer.cash_held_e4 - quantity * buy.unit_hold_e4
    bought.quantity += quantity
    bought.buying -= quantity
    seller.cash_e4 += notional_e4 - seller_fee_e4
    sold.quantity -= quantity
    sold.held -= quantity
    market.fees_e4 += buyer_fee_e4 + seller_fee_e4
    assert buyer is not seller, "a client traded with itself"
    assert cash_e4 >= held_e4 >= 0, "a buyer paid with cash that was not there"
    assert sold.quantity >= sold.held >= 0 or sold.may_be_short, "shares were sold that are not"
    security.last_e4 = price_e4
    buy_remaining, sell_remaining = buy.remaining_quantity, sell.remaining_quantity
    market.seq += 1
    market.execution_seq += 1
    market.trade_id += 1
    market.events.append(
        TradeExecuted(  # by position, because this is the engine's most frequent step but one
            market.seq,
            market.time_us,
            market.execution_seq,
            market.trade_id,
            security.security_id,
            price_e4,
            quantity,
            aggressor_side,
            buy.order_id,
            sell.order_id,
            buyer.client_id,
            seller.client_id,
            buyer_fee_e4,
            seller_fee_e4,
            buy_remaining,
            sell_remaining,
            buy.quantity - buy_remaining,
            sell.quantity - sell_remaining,
        )
    )
    if market.groups:
        cancel_siblings(market, first)
        cancel_siblings(market, second)
    if buy_remaining == 0:
        market.close(buy, "filled")
    if sell_remaining == 0:
        market.close(sell, "filled")
