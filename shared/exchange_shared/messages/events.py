"""Events: what the engine did.

They travel on `data_feed`; those that move assets also on `order_execution`, where they are the
execution requests to the clearinghouse.

`seq` is gapless over all events, `execution_seq` over those that move assets. `time_us` is the time
of the command that caused the event.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from exchange_shared.messages.commands import AuctionKind, MarketState, snake_case
from exchange_shared.messages.terms import ClientLimits, OrderOptions, SecurityTerms
from exchange_shared.messages.values import OrderType, Side, TimeInForce

RejectReason = Literal[
    "account_limit",
    "api_key_in_use",
    "auction_over",
    "client_id_taken",
    "client_order_id_reused",
    "client_suspended",
    "display_too_small",
    "expired",
    "gateway_replaced",
    "insufficient_funds",
    "insufficient_margin",
    "insufficient_shares",
    "lot_in_use",
    "market_closed",
    "no_continuous_trading",
    "not_replaceable",
    "order_id_in_use",
    "order_value_limit",
    "position_limit",
    "price_off_tick",
    "price_outside_band",
    "quantity_filled",
    "quantity_limit",
    "quantity_off_lot",
    "short_positions_open",
    "superseded",
    "tick_in_use",
    "too_many_open_orders",
    "trading_halted",
    "unknown_client",
    "unknown_order",
    "unknown_security",
    "would_take",
    "wrong_state",
]
"""Why the engine refused a command. `docs/errors.md` explains each."""

CancelReason = Literal[
    "requested",
    "expired",
    "fill_or_kill",
    "immediate_or_cancel",
    "no_liquidity",
    "insufficient_funds",
    "one_cancels_other",
    "self_trade",
    "auction_over",
    "circuit_breaker",
    "kill_switch",
]
"""Why an order, or what was left of it, was taken off the market."""

StateReason = Literal["operator", "schedule", "circuit_breaker", "timer", "clock"]
"""Why a security's state changed, or with `clock` when it ends."""

ClockReason = Literal["held_back", "agreed", "believed", "confirmed"]
"""Why the market's clock was set, or was not."""

OrderStatus = Literal[
    "pending_trigger", "new", "partially_filled", "filled", "cancelled", "expired"
]


class Event(msgspec.Struct, frozen=True, gc=False, tag=snake_case):
    """One thing that the engine did."""

    seq: int
    time_us: int


class _Market(Event, frozen=True):
    request_id: int
    initial_balance_e4: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class MarketConfigured(ClientLimits, _Market, frozen=True):
    """The market's terms are these (again, when they were already)."""

    max_time_step_us: int | None = None


class _Listing(Event, frozen=True):
    request_id: int
    security_id: str


class SecurityListed(SecurityTerms, _Listing, frozen=True):
    """A security is listed with these terms (again, when it already was)."""

    state: MarketState = "continuous"
    auction: AuctionKind | None = None


class AccountOpened(Event, frozen=True):
    """A client has an account, with this cash and these shares (by security)."""

    execution_seq: int
    request_id: int
    client_id: str
    api_key_hash: str
    cash_e4: int
    holdings: dict[str, int]


class AccountConfirmed(Event, frozen=True):
    """The client asked to open an account it already had, with the key it already had."""

    request_id: int
    client_id: str
    cash_e4: int
    holdings: dict[str, int]


class RequestRejected(Event, frozen=True):
    """A command other than a new order was refused, and changed nothing."""

    request_id: int
    reason: RejectReason
    message: str
    client_id: str | None = None
    order_id: int | None = None


class _Order(Event, frozen=True, omit_defaults=True):
    order_id: int
    client_id: str
    security_id: str
    side: Side
    order_type: OrderType
    quantity: int
    price_e4: int | None
    time_in_force: TimeInForce
    client_order_id: str | None
    unit_hold_e4: int


class OrderAccepted(OrderOptions, _Order, frozen=True, omit_defaults=True):
    """An order is in the market. `unit_hold_e4` is the cash held for each share still open."""


class OrderRejected(Event, frozen=True):
    """An order was refused, and changed nothing."""

    order_id: int
    client_id: str
    security_id: str
    side: Side
    order_type: OrderType
    quantity: int
    price_e4: int | None
    client_order_id: str | None
    reason: RejectReason
    message: str


class OrderRepeated(Event, frozen=True):
    """An order came again with the same `client_order_id` and content: this is the first one.

    `request_id` is the id of the repeated request; `notional_e4` the sum of price × quantity over
    the fills so far. `quantity` and `price_e4` are those of the first order now, which may have
    been replaced.
    """

    request_id: int
    order_id: int
    client_id: str
    client_order_id: str
    security_id: str
    status: OrderStatus
    filled_quantity: int
    remaining_quantity: int
    notional_e4: int
    quantity: int | None = None
    price_e4: int | None = None


class TradeExecuted(Event, frozen=True):
    """Two orders traded, at the resting order's price, or at the price of an auction.

    The fees are paid to the exchange on top of (buyer) or out of (seller) price × quantity; one
    below zero is a rebate. `aggressor_side` is that of the incoming order, the taker; an auction
    has none. The remaining quantities are what is open of each order after this trade, the filled
    quantities what it has traded in all.
    """

    execution_seq: int
    trade_id: int
    security_id: str
    price_e4: int
    quantity: int
    aggressor_side: Side | None
    buy_order_id: int
    sell_order_id: int
    buyer_id: str
    seller_id: str
    buyer_fee_e4: int
    seller_fee_e4: int
    buy_remaining_quantity: int
    sell_remaining_quantity: int
    buy_filled_quantity: int = 0
    sell_filled_quantity: int = 0


class OrderCancelled(Event, frozen=True):
    """What was open of an order (`quantity` shares) left the market without trading."""

    order_id: int
    client_id: str
    security_id: str
    quantity: int
    reason: CancelReason
    request_id: int | None = None


class OrderTriggered(Event, frozen=True):
    """A waiting stop was set off, and now trades as a market or limit order."""

    order_id: int
    client_id: str
    security_id: str
    last_e4: int


class OrderReplaced(Event, frozen=True):
    """An open order has another quantity or limit price. `quantity` includes what is filled.

    `notional_e4` is the sum of price × quantity over the fills so far.
    """

    request_id: int
    order_id: int
    client_id: str
    security_id: str
    quantity: int
    price_e4: int
    remaining_quantity: int
    unit_hold_e4: int
    kept_priority: bool
    notional_e4: int | None = None


class OrderReduced(Event, frozen=True):
    """An order lost `quantity` open shares without trading, to prevent a self-trade."""

    order_id: int
    client_id: str
    security_id: str
    quantity: int
    remaining_quantity: int


class MassCancelled(Event, frozen=True):
    """A mass cancel took out this many orders, each of which has its own event."""

    request_id: int
    client_id: str
    count: int


class _Limiting(Event, frozen=True):
    request_id: int
    client_id: str


class ClientLimitsSet(ClientLimits, _Limiting, frozen=True):
    """A client has these limits of its own; `None` is the market's limit."""


class ClientSuspended(Event, frozen=True):
    """A client's kill switch is on or off; `count` orders were cancelled, each with its event."""

    request_id: int
    client_id: str
    suspended: bool
    count: int


class MarketStateChanged(Event, frozen=True):
    """A security is in another state, until `until_us` if it is to change by itself then.

    `auction` is the kind of auction, if it is in one.
    """

    security_id: str
    state: MarketState
    auction: AuctionKind | None
    until_us: int | None
    reason: StateReason
    reference_price_e4: int


class MarketStateSet(Event, frozen=True):
    """An operator's command changed the states of `count` securities, each with its event."""

    request_id: int
    count: int


class MarketClockChanged(Event, frozen=True):
    """The market's clock shows `clock_us`, and commands tell a time so far ahead of it (or behind).

    `held_back`: such a time came up, and the clock goes on from where it was. `agreed`: it comes no
    more. `believed` (as nobody contradicted) and `confirmed` (by the operator): the clock was set
    to it.
    """

    clock_us: int
    held_back_us: int
    reason: ClockReason
    request_id: int | None = None


class NodeFenced(Event, frozen=True):
    """Commands with ids of this node up to `request_id` are refused from now on."""

    request_id: int
    node: int


class IndicativeChanged(Event, frozen=True):
    """What an auction would do if it ended now.

    `quantity` shares would trade at `price_e4` (`None` when nothing would), with a surplus there
    of so many shares to buy, or below zero to sell.
    """

    security_id: str
    price_e4: int | None
    quantity: int
    surplus: int


class PriceChanged(Event, frozen=True):
    """The best bid price, the best ask price or the last trade price of a security changed.

    There is no best bid and ask but in continuous trading.
    """

    security_id: str
    bid_e4: int | None
    bid_quantity: int
    ask_e4: int | None
    ask_quantity: int
    last_e4: int | None


AnyEvent = (
    MarketConfigured
    | SecurityListed
    | AccountOpened
    | AccountConfirmed
    | RequestRejected
    | OrderAccepted
    | OrderRejected
    | OrderRepeated
    | TradeExecuted
    | OrderCancelled
    | OrderTriggered
    | OrderReplaced
    | OrderReduced
    | MassCancelled
    | ClientLimitsSet
    | ClientSuspended
    | MarketStateChanged
    | MarketStateSet
    | MarketClockChanged
    | NodeFenced
    | IndicativeChanged
    | PriceChanged
)

AnyExecution = AccountOpened | TradeExecuted
"""The events that move assets: the execution requests on `order_execution`."""

LATER_FIELDS: Mapping[type[Event], tuple[str, ...]] = {
    TradeExecuted: ("buy_filled_quantity", "sell_filled_quantity"),
    OrderRepeated: ("quantity", "price_e4"),
    OrderReplaced: ("notional_e4",),
}
"""What earlier versions did not tell, though the engine knew it: all of them are told together.

Logs have events without them for as long as they are kept. No event that tells them has the default
of each.
"""
