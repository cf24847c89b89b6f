"""What the exchange tells, as Python values. Prices and amounts are exact `Decimal`s.

Fields that a newer exchange adds are passed over.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from exchange_shared.messages import OrderType, Side, TimeInForce

EventType = Literal["order", "trade", "settlement"]

Amount = Decimal | str | int
"""An exact price. A float is refused, because it is seldom what it looks like."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A value told by the exchange."""


class Price(Model, frozen=True):
    """The best prices of a security; `None` where nobody quotes, or has traded yet."""

    security_id: str
    bid: Decimal | None
    ask: Decimal | None
    bid_quantity: int
    ask_quantity: int
    last: Decimal | None
    volume: int
    timestamp: str
    seq: int
    state: str


class Security(Price, frozen=True):
    """A listed security: its terms, and its prices."""

    tick: Decimal
    reference_price: Decimal
    granted_quantity: int


class NewOrder(Model, frozen=True):
    """An order to send; without a price it is a market order.

    The client gives it a `client_order_id` when it has none.
    """

    security_id: str
    side: Side
    quantity: int
    price: Amount | None = None
    time_in_force: TimeInForce = "gtc"
    client_order_id: str | None = None

    def __post_init__(self) -> None:
        """Refuses a float as the price."""
        if isinstance(self.price, float):
            raise TypeError(f"price={self.price!r} is a float: give a Decimal, str or int")


class Fill(Model, frozen=True):
    """A part of an order that traded."""

    trade_id: int
    price: Decimal
    quantity: int


class Order(Model, frozen=True):
    """The exchange's answer to an order: its state right after it came in.

    `reason` tells why what did not trade was cancelled. `repeated` marks an order that had come
    before under the same `client_order_id`: it shows that first one as it is now, without `fills`.
    """

    order_id: int
    client_order_id: str | None
    security_id: str
    side: Side
    type: OrderType
    quantity: int
    price: Decimal | None
    status: str
    filled_quantity: int
    remaining_quantity: int
    average_price: Decimal | None
    fills: list[Fill]
    seq: int
    reason: str | None = None
    repeated: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a part of it is in the market."""
        return self.status in ("new", "partially_filled")


class Cancelled(Model, frozen=True):
    """An order was taken out of the market, with so many shares that were still open."""

    order_id: int
    security_id: str
    cancelled_quantity: int
    seq: int


class Account(Model, frozen=True):
    """An account that was opened, or (`opened` is false) was there already."""

    client_id: str
    balance: Decimal
    holdings: dict[str, int]
    seq: int
    opened: bool


class Report(Model, frozen=True):
    """An execution report: something happened to an own order.

    After `accepted` come `trade`s, for `quantity` shares at `price` with a `fee`, and perhaps
    `cancelled`, for the rest. `rejected` is the exchange's refusal. What an event does not have is
    `None`.
    """

    event: str
    seq: int
    time: str
    order_id: int
    client_order_id: str | None
    security_id: str
    quantity: int
    remaining_quantity: int
    side: Side | None = None
    type: OrderType | None = None
    price: Decimal | None = None
    trade_id: int | None = None
    fee: Decimal | None = None
    liquidity: str | None = None
    reason: str | None = None
    message: str | None = None


class OrderState(Model, frozen=True):
    """An own order as it is now; `message` and `reason` tell why it was refused or cancelled.

    What is not known yet of an order that is `pending` is `None`.
    """

    order_id: int
    client_order_id: str | None
    security_id: str
    side: Side | None
    type: OrderType | None
    time_in_force: TimeInForce | None
    quantity: int | None
    price: Decimal | None
    status: str
    filled_quantity: int
    remaining_quantity: int | None
    average_price: Decimal | None
    reason: str | None
    message: str | None
    created: str
    timestamp: str
    seq: int | None


class ReportRow(Model, frozen=True):
    """A line of the report history: an order taken in or denied, a trade, or its settlement."""

    event_type: str
    report_seq: int
    status: str
    order_id: int | None
    client_id: str
    security_id: str | None
    side: Side | None
    quantity: int | None
    price: Decimal | None
    reason: str | None
    timestamp: str
    message: str | None = None
    client_order_id: str | None = None
    trade_id: int | None = None
    fee: Decimal | None = None


class Balance(Model, frozen=True):
    """Cash: what the ledger says, what open orders hold, and what a new order may use."""

    client_id: str
    balance: Decimal
    held: Decimal
    available: Decimal
    seq: int


class Holding(Model, frozen=True):
    """Shares of one security: what the ledger says, what open orders hold, and what is free."""

    security_id: str
    quantity: int
    held: int
    available: int
    average_cost: Decimal | None
    seq: int


class Book(Model, frozen=True):
    """The order book; levels are `(price, quantity, orders)`, best first."""

    security_id: str
    bids: list[tuple[Decimal, int, int]]
    asks: list[tuple[Decimal, int, int]]
    seq: int
    checksum: int


class Trade(Model, frozen=True):
    """A trade print."""

    trade_id: int
    security_id: str
    price: Decimal
    quantity: int
    aggressor_side: Side
    timestamp: str
    seq: int


class Standing(Model, frozen=True):
    """One row of the leaderboard; `gain` is the profit as a share of what it began with."""

    rank: int
    client_id: str
    equity: Decimal
    profit: Decimal
    trades: int
    volume: int
    gain: Decimal | None = msgspec.field(name="return", default=None)
