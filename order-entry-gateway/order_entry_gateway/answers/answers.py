"""What requests are answered with, and how that is written as JSON."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from exchange_shared.http import ApiError
from exchange_shared.messages import AuctionKind, MarketState, OrderStatus, OrderType, Side
from exchange_shared.units import from_e4

Amount = float | Decimal


class Fill(msgspec.Struct, gc=False):
    """A trade of the order; a fee below zero is a rebate."""

    trade_id: int
    price: Amount
    quantity: int
    fee: Amount


class OrderAnswer(msgspec.Struct, omit_defaults=True):
    """What the engine did with a new order.

    `reason` tells why the rest of an order was cancelled. `repeated` marks the answer to an order
    that came before under the same `client_order_id`, and had no effect: it shows that first order
    as it is now, with the quantity and price of its last replacement, and those of its `fills` that
    this gateway knows. They may be fewer than `filled_quantity`, in which all are counted, as in
    `average_price`.
    """

    order_id: int
    client_order_id: str | None
    security_id: str
    side: Side
    type: OrderType
    quantity: int
    price: Amount | None
    status: OrderStatus
    filled_quantity: int
    remaining_quantity: int
    average_price: Amount | None
    fills: list[Fill]
    seq: int
    reason: str | msgspec.UnsetType = msgspec.UNSET
    repeated: bool | msgspec.UnsetType = msgspec.UNSET


class ReplaceAnswer(msgspec.Struct, omit_defaults=True):
    """What the engine made of a replacement: the order as it is now.

    `filled_quantity` and `average_price` are of all its fills. `fills` are those that this gateway
    knows, the ones that the replacement led to last: it has not seen what was before its run, and
    remembers a limited number. `client_order_id` is null when there was none, or the order is older
    than this gateway's run.
    """

    order_id: int
    client_order_id: str | None
    security_id: str
    quantity: int
    price: Amount
    status: OrderStatus
    filled_quantity: int
    remaining_quantity: int
    average_price: Amount | None
    fills: list[Fill]
    kept_priority: bool
    seq: int
    reason: str | msgspec.UnsetType = msgspec.UNSET


class CancelAnswer(msgspec.Struct):
    """An own order was cancelled; `cancelled_quantity` shares of it were still open."""

    order_id: int
    security_id: str
    status: Literal["cancelled"]
    cancelled_quantity: int
    seq: int


class MassCancelAnswer(msgspec.Struct):
    """So many own orders were cancelled: these."""

    cancelled: int
    order_ids: list[int]
    seq: int


class AccountAnswer(msgspec.Struct):
    """An account that was opened, or was there already (`opened` is false)."""

    client_id: str
    balance: Amount
    holdings: dict[str, int]
    seq: int
    opened: bool


class ListingAnswer(msgspec.Struct):
    """A security is listed on the terms that were asked for, and is in this state."""

    security_id: str
    state: MarketState
    auction: AuctionKind | None
    reference_price: Amount
    seq: int


class StateAnswer(msgspec.Struct):
    """So many securities changed their state."""

    count: int
    seq: int


class ClockAnswer(msgspec.Struct):
    """The market's clock was set to this time."""

    time: str
    seq: int


class LimitsAnswer(msgspec.Struct):
    """The limits of a client; null is the market's."""

    client_id: str
    max_open_orders: int | None
    max_position: int | None
    max_order_value: Amount | None
    min_display_percent: Amount | None
    orders_per_second: int | None
    order_burst: int | None
    seq: int


class KillSwitchAnswer(msgspec.Struct):
    """A client's kill switch is on or off now; switching it on cancelled so many orders."""

    client_id: str
    active: bool
    cancelled: int
    seq: int


class DoneAnswer(msgspec.Struct):
    """A command without a result was applied."""

    seq: int


class PendingAnswer(msgspec.Struct):
    """The command is in the log, but the engine has not answered in time."""

    order_id: int | msgspec.UnsetType
    status: Literal["pending"]


Answer = (
    OrderAnswer
    | ReplaceAnswer
    | CancelAnswer
    | MassCancelAnswer
    | AccountAnswer
    | ListingAnswer
    | StateAnswer
    | ClockAnswer
    | LimitsAnswer
    | KillSwitchAnswer
    | DoneAnswer
    | PendingAnswer
    | ApiError
)


def amount(amount_e4: int | None) -> Amount | None:
    """The number in JSON, or null; a rate in ppm is likewise a percentage in 1/10,000."""
    return None if amount_e4 is None else from_e4(amount_e4)


def _body(value: Any) -> Any:
    if isinstance(value, ApiError):
        return value.body()
    raise TypeError(f"{type(value)} is no part of an answer")


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_body)


def encode_answer(content: Any) -> bytes:
    """Exact JSON of anything made of answers."""
    return _encoder.encode(content)
