"""What the exchange tells, as Python values. Prices and amounts are exact `Decimal`s.

Fields that a newer exchange adds are passed over.
"""

from decimal import Decimal
from typing import Literal, TypedDict

import msgspec

from exchange_shared.messages import OrderType, SelfTradePrevention, Side, TimeInForce

EventType = Literal["order", "trade", "settlement"]

Amount = Decimal | str | int
"""An exact price. A float is refused, because it is seldom what it looks like."""


def exact(name: str, amount: Amount | None) -> None:
    """Raises `TypeError` for a float."""
    if isinstance(amount, float):
        raise TypeError(f"{name}={amount!r} is a float: give a Decimal, str or int")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A value told by the exchange."""


class Price(Model, frozen=True):
    """The best prices of a security; `None` where nobody quotes, or has traded yet.

    `state` is `continuous`, `pre_open`, `auction`, `halted` or `closed`, `until` when that changes
    by itself. Of an auction, `indicative_price` tells at what price it would trade now.
    """

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
    auction: str | None = None
    until: str | None = None
    indicative_price: Decimal | None = None
    indicative_quantity: int = 0
    surplus: int = 0


class Security(Price, frozen=True, kw_only=True):
    """A listed security: its terms, and its prices. `None` is no such limit, or no short selling.

    Prices are multiples of `tick`, quantities of `lot`.
    """

    tick: Decimal
    reference_price: Decimal
    granted_quantity: int
    lot: int = 1
    max_order_quantity: int | None = None
    max_order_value: Decimal | None = None
    static_band_percent: Decimal | None = None
    dynamic_band_percent: Decimal | None = None
    short_margin_percent: Decimal | None = None


class OrderOptions(TypedDict, total=False):
    """What may be said of an order beside what it buys or sells, as in `NewOrder`."""

    time_in_force: TimeInForce
    client_order_id: str | None
    stop_price: Amount | None
    trail_amount: Amount | None
    trail_percent: Amount | None
    expires_at: str | None
    post_only: bool
    display_quantity: int | None
    hidden: bool
    self_trade_prevention: SelfTradePrevention
    oco_group: str | None


class NewOrder(Model, frozen=True):
    """An order to send. `docs/trading-rules.md` tells what each option does.

    With a `stop_price` it is a stop, with a `trail_amount` or a `trail_percent` a trailing stop;
    otherwise a limit order, or without a price a market order. `expires_at`, a time in UTC like
    `2026-01-31T16:30:00Z`, is for `gtd`; `opg` and `cls` are for the opening and the closing
    auction. The client gives it a `client_order_id` when it has none.
    """

    security_id: str
    side: Side
    quantity: int
    price: Amount | None = None
    time_in_force: TimeInForce = "gtc"
    client_order_id: str | None = None
    stop_price: Amount | None = None
    trail_amount: Amount | None = None
    trail_percent: Amount | None = None
    expires_at: str | None = None
    post_only: bool = False
    display_quantity: int | None = None
    hidden: bool = False
    self_trade_prevention: SelfTradePrevention = "cancel_newest"
    oco_group: str | None = None

    def __post_init__(self) -> None:
        """Refuses a float as a price."""
        for name in ("price", "stop_price", "trail_amount", "trail_percent"):
            exact(name, getattr(self, name))

    @property
    def order_type(self) -> OrderType:
        """What the prices make of it."""
        if self.trail_amount is not None or self.trail_percent is not None:
            return "trailing_stop"
        if self.stop_price is not None:
            return "stop" if self.price is None else "stop_limit"
        return "market" if self.price is None else "limit"


class Fill(Model, frozen=True):
    """A part of an order that traded; a fee below zero is a rebate."""

    trade_id: int
    price: Decimal
    quantity: int
    fee: Decimal


class Order(Model, frozen=True):
    """The exchange's answer to an order: its state right after it came in.

    `reason` tells why what did not trade was cancelled. `repeated` marks an order that had come
    before under the same `client_order_id`: it shows that first one as it is now, with those of its
    `fills` that the exchange remembers.
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
        """Whether a part of it is in the market, or waits to be triggered."""
        return self.status in ("new", "partially_filled", "pending_trigger")


class Replaced(Model, frozen=True):
    """The exchange's answer to a replacement: the order's state right after it.

    `quantity`, `filled_quantity` and `average_price` count from the order's beginning; `fills` are
    those that the exchange remembers, the ones that the replacement led to last. `kept_priority`:
    it kept its place in the queue.
    """

    order_id: int
    client_order_id: str | None
    security_id: str
    quantity: int
    price: Decimal
    status: str
    filled_quantity: int
    remaining_quantity: int
    average_price: Decimal | None
    fills: list[Fill]
    kept_priority: bool
    seq: int
    reason: str | None = None


class MassCancelled(Model, frozen=True):
    """So many own orders were taken out of the market: these."""

    cancelled: int
    order_ids: list[int]
    seq: int


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


class _Options(Model, frozen=True, kw_only=True):
    """The options of an order; those that it does not use have their defaults."""

    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    expires_at: str | None = None
    post_only: bool | None = False
    display_quantity: int | None = None
    hidden: bool | None = False
    self_trade_prevention: SelfTradePrevention | None = "cancel_newest"
    oco_group: str | None = None


class Report(_Options, frozen=True, kw_only=True):
    """An execution report: something happened to an own order.

    After `accepted` come `trade`s, for `quantity` shares at `price` with a `fee` (below zero: a
    rebate) and the `liquidity` of a `maker`, a `taker` or an `auction`; `filled_quantity` counts
    all. Perhaps `cancelled` comes, for the rest, with its `reason`. `rejected` is the exchange's
    refusal, `triggered` tells that a stop was set off (at `last`), `replaced` the new `quantity`
    and `price`, `reduced` by how many shares (`quantity`) a self-trade was prevented.
    `mass_cancelled` is about `count` orders, and alone has no `order_id` and `security_id`. What
    an event does not have is `None`.
    """

    event: str
    seq: int
    time: str
    order_id: int | None = None
    client_order_id: str | None = None
    security_id: str | None = None
    quantity: int | None = None
    filled_quantity: int | None = None
    remaining_quantity: int | None = None
    side: Side | None = None
    type: OrderType | None = None
    price: Decimal | None = None
    trade_id: int | None = None
    fee: Decimal | None = None
    liquidity: str | None = None
    reason: str | None = None
    message: str | None = None
    time_in_force: TimeInForce | None = None
    last: Decimal | None = None
    kept_priority: bool | None = None
    count: int | None = None


class OrderState(_Options, frozen=True, kw_only=True):
    """An own order as it is now; `message` and `reason` tell why it was refused or cancelled.

    What is not known of an order that is `pending` or `rejected` is `None`, its options too.
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
    """A trade print; in an auction nobody is the aggressor."""

    trade_id: int
    security_id: str
    price: Decimal
    quantity: int
    aggressor_side: Side | None
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
