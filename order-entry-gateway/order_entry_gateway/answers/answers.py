"""What requests are answered with, and how that is written as JSON."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from exchange_shared.http import ApiError
from exchange_shared.messages import AuctionKind, MarketState, OrderStatus, OrderType, Side
from exchange_shared.units import from_e4

Amount = float | Decimal

_HTTP_STATUS = {
    "client_suspended": 403,
    "unknown_client": 404,
    "unknown_order": 404,
    "unknown_security": 404,
    "api_key_in_use": 409,
    "auction_over": 409,
    "client_id_taken": 409,
    "client_order_id_reused": 409,
    "market_closed": 409,
    "no_continuous_trading": 409,
    "not_replaceable": 409,
    "quantity_filled": 409,
    "trading_halted": 409,
    "wrong_state": 409,
}
_FIELDS = {
    "api_key_in_use": "api_key",
    "auction_over": "time_in_force",
    "client_id_taken": "client_id",
    "client_order_id_reused": "client_order_id",
    "expired": "expires_at",
    "lot_in_use": "lot",
    "no_continuous_trading": "time_in_force",
    "not_replaceable": "order_id",
    "price_off_tick": "price",
    "price_outside_band": "price",
    "quantity_filled": "quantity",
    "quantity_limit": "quantity",
    "quantity_off_lot": "quantity",
    "short_positions_open": "short_margin_percent",
    "tick_in_use": "tick",
    "unknown_order": "order_id",
    "unknown_security": "security_id",
    "would_take": "price",
    "wrong_state": "action",
}


class Fill(msgspec.Struct, gc=False):
    """A trade of the order, as the taker; a fee below zero is a rebate."""

    trade_id: int
    price: Amount
    quantity: int
    fee: Amount


class OrderAnswer(msgspec.Struct, omit_defaults=True):
    """What the engine did with a new order.

    `reason` tells why the rest of an order was cancelled. `repeated` marks the answer to an order
    that came before under the same `client_order_id`: it shows how that first order stands now,
    and has no `fills`, because the repetition made no trade.
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
    """What the engine made of a replacement; `fills` and `average_price` are those it led to.

    `client_order_id` is null when there was none, or the order is older than this gateway's run.
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


class LimitsAnswer(msgspec.Struct):
    """The limits of a client; null is the market's."""

    client_id: str
    max_open_orders: int | None
    max_position: int | None
    max_order_value: Amount | None
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


class EngineRefusal(ApiError):
    """The engine refused a command. The error shape, with the order's id and the event's `seq`."""

    def __init__(
        self, reason: str, message: str, seq: int, order_id: int | None, field: str | None = None
    ) -> None:
        """Without a `field` it is the one that the reason is usually about."""
        status = _HTTP_STATUS.get(reason, 422)
        super().__init__(status, reason, message, field or _FIELDS.get(reason))
        self.seq = seq
        self.order_id = order_id

    def body(self) -> dict[str, Any]:
        """`{"error": {…}, "order_id", "seq"}`; without the id when no order was meant."""
        ids = {} if self.order_id is None else {"order_id": self.order_id}
        return {**super().body(), **ids, "seq": self.seq}


class OutcomeUnknown(ApiError):
    """Nobody can say yet whether the command is in the log; `details` help to ask again."""

    def __init__(self, message: str, details: dict[str, Any]) -> None:
        super().__init__(503, "outcome_unknown", message, retry_after_seconds=1)
        self.details = details

    def body(self) -> dict[str, Any]:
        """`{"error": {…}, …}`."""
        return {**super().body(), **self.details}


Answer = (
    OrderAnswer
    | ReplaceAnswer
    | CancelAnswer
    | MassCancelAnswer
    | AccountAnswer
    | ListingAnswer
    | StateAnswer
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
