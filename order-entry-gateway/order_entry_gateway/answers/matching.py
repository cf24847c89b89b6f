"""Whether an event answers a command, beyond having its id.

Ids are unique for as long as each gateway holds its node alone. Should they ever not be, nobody is
told what became of another's request: event and command have to agree in all that they both say.
"""

from collections.abc import Mapping
from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyCommand,
    CancelOrder,
    ClientLimitsSet,
    ClientSuspended,
    ConfigureMarket,
    ConfirmTime,
    FenceNode,
    ListSecurity,
    MarketClockChanged,
    MarketConfigured,
    MarketStateSet,
    MassCancel,
    MassCancelled,
    NewOrder,
    NodeFenced,
    OpenAccount,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    ReplaceOrder,
    RequestRejected,
    SecurityListed,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)

_Fields = tuple[str, ...]

_ORDER = ("client_id", "client_order_id", "security_id", "side", "order_type", "quantity")
_NAME = ("client_id", "client_order_id", "security_id")
_CLIENT = ("client_id",)
_OWN = ("client_id", "order_id")
_NOTHING: _Fields = ()

_ANSWERS: Mapping[type[Any], Mapping[type[Any], _Fields]] = {
    NewOrder: {OrderAccepted: _ORDER, OrderRejected: _ORDER, OrderRepeated: _NAME},
    ReplaceOrder: {OrderReplaced: _OWN, RequestRejected: _OWN},
    CancelOrder: {OrderCancelled: _OWN, RequestRejected: _OWN},
    MassCancel: {OrderCancelled: _CLIENT, MassCancelled: _CLIENT, RequestRejected: _CLIENT},
    OpenAccount: {
        AccountOpened: ("client_id", "api_key_hash"),
        AccountConfirmed: _CLIENT,
        RequestRejected: _CLIENT,
    },
    SetClientLimits: {ClientLimitsSet: _CLIENT, RequestRejected: _CLIENT},
    SuspendClient: {ClientSuspended: ("client_id", "suspended"), RequestRejected: _CLIENT},
    ListSecurity: {SecurityListed: ("security_id",), RequestRejected: _NOTHING},
    SetMarketState: {MarketStateSet: _NOTHING, RequestRejected: _NOTHING},
    ConfigureMarket: {MarketConfigured: _NOTHING, RequestRejected: _NOTHING},
    ConfirmTime: {MarketClockChanged: _NOTHING, RequestRejected: _NOTHING},
    FenceNode: {NodeFenced: _NOTHING, RequestRejected: _NOTHING},
}
"""For each command the events that answer it, and in which fields they repeat it."""


def answers(event: Any, command: AnyCommand) -> bool:
    """Whether an event with a command's id answers that command."""
    fields = _ANSWERS[type(command)].get(type(event))
    return fields is not None and all(
        getattr(event, field) == getattr(command, field) for field in fields
    )
