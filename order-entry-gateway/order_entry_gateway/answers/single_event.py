"""The events each of which is the whole answer to a request, and the answers that they are."""

from collections.abc import Callable
from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    ClientLimitsSet,
    ClientSuspended,
    MarketClockChanged,
    MarketConfigured,
    MarketStateSet,
    NodeFenced,
    RequestRejected,
    SecurityListed,
)
from exchange_shared.units import format_time, from_e4
from order_entry_gateway.answers.answers import (
    AccountAnswer,
    Answer,
    ClockAnswer,
    DoneAnswer,
    KillSwitchAnswer,
    LimitsAnswer,
    ListingAnswer,
    StateAnswer,
    amount,
)
from order_entry_gateway.answers.refusals import EngineRefusal


def _account(event: AccountOpened | AccountConfirmed) -> AccountAnswer:
    balance, opened = from_e4(event.cash_e4), isinstance(event, AccountOpened)
    return AccountAnswer(event.client_id, balance, event.holdings, event.seq, opened)


def _listing(event: SecurityListed) -> ListingAnswer:
    return ListingAnswer(
        security_id=event.security_id,
        state=event.state,
        auction=event.auction,
        reference_price=from_e4(event.reference_price_e4),
        seq=event.seq,
    )


def _limits(event: ClientLimitsSet) -> LimitsAnswer:
    return LimitsAnswer(
        client_id=event.client_id,
        max_open_orders=event.max_open_orders,
        max_position=event.max_position,
        max_order_value=amount(event.max_order_value_e4),
        min_display_percent=amount(event.min_display_ppm),
        orders_per_second=event.orders_per_second,
        order_burst=event.order_burst,
        seq=event.seq,
    )


def _kill_switch(event: ClientSuspended) -> KillSwitchAnswer:
    return KillSwitchAnswer(event.client_id, event.suspended, event.count, event.seq)


def _refusal(event: RequestRejected) -> EngineRefusal:
    return EngineRefusal(event.reason, event.message, event.seq, event.order_id)


SINGLE_EVENT_ANSWERS: dict[type, Callable[[Any], Answer]] = {
    AccountConfirmed: _account,
    AccountOpened: _account,
    ClientLimitsSet: _limits,
    ClientSuspended: _kill_switch,
    MarketConfigured: lambda event: DoneAnswer(event.seq),
    MarketClockChanged: lambda event: ClockAnswer(format_time(event.clock_us), event.seq),
    MarketStateSet: lambda event: StateAnswer(event.count, event.seq),
    NodeFenced: lambda event: DoneAnswer(event.seq),
    RequestRejected: _refusal,
    SecurityListed: _listing,
}
"""By the type of the event, which has the `request_id` of the request, if there was one."""
