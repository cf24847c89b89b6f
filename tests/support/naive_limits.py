"""The naive exchange's limits on orders, and its kill switch."""

from fractions import Fraction
from typing import Any

from exchange_shared.messages import (
    ClientLimitsSet,
    ClientSuspended,
    RejectReason,
    SetClientLimits,
    SuspendClient,
)
from exchange_shared.units import PPM
from tests.support.naive_accounts import fields_of, reject
from tests.support.naive_cash import open_shares
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import NaiveAccount, NaiveOrder


def set_client_limits(market: NaiveMarket, command: SetClientLimits) -> None:
    """Give a client limits of its own."""
    account = market.account(command.client_id)
    if account is None:
        reject(market, command, "unknown_client")
        return
    account.limits = command
    market.publish(ClientLimitsSet, **fields_of(command, ClientLimitsSet))


def suspend_client(market: NaiveMarket, command: SuspendClient) -> None:
    """Switch a client's kill switch."""
    account = market.account(command.client_id)
    if account is None:
        reject(market, command, "unknown_client")
        return
    account.suspended = command.suspended
    doomed = [one for one in market.orders if one.request.client_id == command.client_id]
    if not command.suspended:
        doomed = []
    for order in doomed:
        market.cancel(order, "kill_switch", command.request_id)
    market.publish(ClientSuspended, **fields_of(command, ClientSuspended), count=len(doomed))


def why_too_large(
    market: NaiveMarket, order: NaiveOrder, *, ordered: int, still_open: int, price_e4: int | None
) -> RejectReason | None:
    """Which limit of size an order is beyond, with so many shares in all and still open."""
    account, security = market.owner(order), market.security_of(order)
    limits_e4 = (security.terms.max_order_value_e4, _limit(market, account, "max_order_value_e4"))
    value_price_e4 = price_e4 or order.request.stop_price_e4 or security.mark_e4()
    if order.request.side == "sell":
        value_price_e4 = max(value_price_e4, security.mark_e4())
    value_e4 = still_open * value_price_e4
    if ordered > (security.terms.max_order_quantity or ordered):
        return "quantity_limit"
    if any(limit_e4 is not None and value_e4 > limit_e4 for limit_e4 in limits_e4):
        return "order_value_limit"
    return None


def why_too_many(market: NaiveMarket, account: NaiveAccount) -> RejectReason | None:
    """Whether a client has all the open orders that it may."""
    count = sum(order.request.client_id == account.client_id for order in market.orders)
    limit = _limit(market, account, "max_open_orders")
    return "too_many_open_orders" if limit is not None and count >= limit else None


def why_too_little_shown(
    market: NaiveMarket, order: NaiveOrder, quantity: int
) -> RejectReason | None:
    """Whether an iceberg of so many shares in all displays less than it must."""
    shown = order.request.display_quantity
    least_ppm = _limit(market, market.owner(order), "min_display_ppm")
    if shown is None or least_ppm is None:
        return None
    return "display_too_small" if Fraction(shown, quantity) < Fraction(least_ppm, PPM) else None


def why_too_far(market: NaiveMarket, order: NaiveOrder, quantity: int) -> RejectReason | None:
    """Whether an order with this many open shares could make too large a position."""
    account, security = market.owner(order), market.security_of(order)
    limit = _limit(market, account, "max_position")
    side = order.request.side
    shares = account.shares.get(security.security_id, 0)
    ordered = open_shares(market, account, security, side, without=order) + quantity
    could_have = ordered + shares if side == "buy" else ordered - shares
    return "position_limit" if limit is not None and could_have > limit else None


def _limit(market: NaiveMarket, account: NaiveAccount, name: str) -> int | None:
    own: Any = getattr(account.limits, name)
    of_all: Any = getattr(market.terms, name)
    limit: int | None = of_all if own is None else own
    return limit
