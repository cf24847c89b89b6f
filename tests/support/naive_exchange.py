"""The trading rules a second time, written as simply as can be, to compare the engine with.

Nothing is indexed, cached or kept up to date: holds, margins, books, queues, groups and auction
prices are found anew each time, by looking at every open order. The messages of refusals are left
empty.
"""

from exchange_shared.messages import (
    AnyCommand,
    AnyEvent,
    BeginPhase,
    CancelOrder,
    ClockTick,
    ConfigureMarket,
    ConfirmTime,
    FenceNode,
    ListSecurity,
    MassCancel,
    MassCancelled,
    NewOrder,
    OpenAccount,
    RejectReason,
    ReplaceOrder,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from tests.support.naive_accounts import (
    configure_market,
    fields_of,
    list_security,
    open_account,
    reject,
)
from tests.support.naive_clock import follow_time, set_clock
from tests.support.naive_limits import set_client_limits, suspend_client
from tests.support.naive_market import NaiveMarket
from tests.support.naive_nodes import fence_node, is_of_a_lost_node
from tests.support.naive_orders import new_order, reject_order, replace_order
from tests.support.naive_prices import publish_prices
from tests.support.naive_states import begin_phase, change_by_clock, set_market_state


class NaiveExchange:
    """Applies commands one after the other, like the engine's `Exchange`."""

    def __init__(self) -> None:
        self._market = NaiveMarket()

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Apply the next command; returns the events that it caused."""
        market = self._market
        market.events = []
        market.command_time_us = command.time_us
        follow_time(market, command.time_us)
        _expire(market)
        change_by_clock(market)
        for security in market.securities:
            security.band_mark_e4 = security.mark_e4()
        if is_of_a_lost_node(market, command):
            _refuse(market, command, "gateway_replaced")
        else:
            _do(market, command)
        publish_prices(market)
        return market.events


def _do(market: NaiveMarket, command: AnyCommand) -> None:
    match command:
        case ConfigureMarket():
            configure_market(market, command)
        case ListSecurity():
            list_security(market, command)
        case OpenAccount():
            open_account(market, command)
        case NewOrder():
            new_order(market, command)
        case ReplaceOrder():
            replace_order(market, command)
        case CancelOrder():
            _cancel_order(market, command)
        case MassCancel():
            _mass_cancel(market, command)
        case SetClientLimits():
            set_client_limits(market, command)
        case SuspendClient():
            suspend_client(market, command)
        case SetMarketState():
            set_market_state(market, command)
        case BeginPhase():
            begin_phase(market, command)
        case FenceNode():
            fence_node(market, command)
        case ConfirmTime():
            set_clock(market, command.time_us, "confirmed", command)
            _expire(market)
            change_by_clock(market)
        case ClockTick():
            pass


def _refuse(market: NaiveMarket, command: AnyCommand, reason: RejectReason) -> None:
    if isinstance(command, NewOrder):
        reject_order(market, command, reason)
    else:
        reject(market, command, reason)


def _expire(market: NaiveMarket) -> None:
    at_close = market.phase.day_ends_at_close
    due = [
        (expires_us, order.accepted, order)
        for order in market.orders
        if (expires_us := order.expires_us(day_ends_at_close=at_close)) is not None
        and expires_us <= market.time_us
    ]
    for _, _, order in sorted(due, key=lambda one: one[:2]):
        market.cancel(order, "expired")


def _cancel_order(market: NaiveMarket, command: CancelOrder) -> None:
    order = market.open_order(command.client_id, command.order_id)
    if order is None:
        reject(market, command, "unknown_order")
    else:
        market.cancel(order, "requested", command.request_id)


def _mass_cancel(market: NaiveMarket, command: MassCancel) -> None:
    if market.account(command.client_id) is None:
        reject(market, command, "unknown_client")
        return
    if command.security_id is not None and market.security(command.security_id) is None:
        reject(market, command, "unknown_security")
        return
    doomed = [
        order
        for order in market.orders
        if order.request.client_id == command.client_id
        and command.security_id in (None, order.request.security_id)
        and command.side in (None, order.request.side)
    ]
    for order in doomed:
        market.cancel(order, "requested", command.request_id)
    market.publish(MassCancelled, **fields_of(command, MassCancelled), count=len(doomed))
