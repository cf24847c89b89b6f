"""What the naive exchange's clients have, may spend and may sell: all of it found anew."""

from fractions import Fraction
from math import ceil

from exchange_shared.messages import RejectReason, Side
from exchange_shared.units import PPM
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import NaiveAccount, NaiveOrder, NaiveSecurity


def available_cash_e4(market: NaiveMarket, account: NaiveAccount) -> int:
    """The cash without what buys hold, and without margins. It may be below zero."""
    margins_e4 = sum(margin_e4(market, account, one) for one in market.securities)
    return account.cash_e4 - cash_of_buys_e4(market, account) - margins_e4


def cash_of_buys_e4(market: NaiveMarket, account: NaiveAccount) -> int:
    """The cash that a client's buys hold."""
    return sum(
        order.open * order.unit_hold_e4()
        for order in market.orders
        if order.request.client_id == account.client_id
    )


def margin_e4(
    market: NaiveMarket,
    account: NaiveAccount,
    security: NaiveSecurity,
    *,
    more_shares: int = 0,
    more_sells: int = 0,
) -> int:
    """The margin on a client's position, or on what it would be with more shares or sells."""
    if security.terms.short_margin_ppm is None:
        return 0
    rate = Fraction(security.terms.short_margin_ppm, PPM)
    position = account.shares.get(security.security_id, 0) + more_shares
    sells = open_shares(market, account, security, "sell") + more_sells
    short = max(0, -position)
    uncovered = max(0, sells - max(0, position))
    price_e4 = max(security.mark_e4(), security.reference_price_e4)
    return ceil(price_e4 * (short * (1 + rate) + uncovered * rate))


def open_shares(
    market: NaiveMarket,
    account: NaiveAccount,
    security: NaiveSecurity,
    side: Side,
    without: NaiveOrder | None = None,
) -> int:
    """The open shares of a client's orders on one side, waiting ones included."""
    return sum(
        order.open
        for order in market.orders_of(security)
        if order.request.client_id == account.client_id
        and order.request.side == side
        and order is not without
    )


def spendable_cash_e4(market: NaiveMarket, buy: NaiveOrder, quantity: int) -> int:
    """What a buy of this many shares may spend."""
    account, security = market.owner(buy), market.security_of(buy)
    short = max(0, -account.shares.get(security.security_id, 0))
    others = open_shares(market, account, security, "buy", without=buy)
    covered = min(quantity, max(0, short - others))
    if covered == quantity:
        return account.cash_e4 - cash_of_buys_e4(market, account)
    margin_now_e4 = margin_e4(market, account, security)
    margin_then_e4 = margin_e4(market, account, security, more_shares=covered)
    return available_cash_e4(market, account) + margin_now_e4 - margin_then_e4


def why_not_held(
    market: NaiveMarket, order: NaiveOrder, quantity: int, unit_hold_e4: int
) -> RejectReason | None:
    """Why an order, new or open, cannot hold what it must for this many open shares."""
    is_open = order in market.orders
    if order.request.side == "sell":
        return _why_not_sold(market, order, quantity, order.open if is_open else 0)
    held_e4 = order.unit_hold_e4() * order.open if is_open else 0
    if unit_hold_e4 * quantity - held_e4 > spendable_cash_e4(market, order, quantity):
        return "insufficient_funds"
    return None


def _why_not_sold(
    market: NaiveMarket, order: NaiveOrder, quantity: int, held: int
) -> RejectReason | None:
    account, security = market.owner(order), market.security_of(order)
    others = open_shares(market, account, security, "sell", without=order)
    if quantity <= account.shares.get(security.security_id, 0) - others:
        return None
    if security.terms.short_margin_ppm is None:
        return "insufficient_shares"
    margin_now_e4 = margin_e4(market, account, security)
    margin_then_e4 = margin_e4(market, account, security, more_sells=quantity - held)
    if margin_then_e4 - margin_now_e4 > available_cash_e4(market, account):
        return "insufficient_margin"
    return None
