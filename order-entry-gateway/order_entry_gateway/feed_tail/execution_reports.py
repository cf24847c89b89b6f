"""Execution reports: what happens to the orders of connected clients, told unasked and in order.

Like the reports of FIX they name the order by both its ids, and carry what is left of it.
"""

from typing import Literal

import msgspec

from exchange_shared.messages import OrderType, SelfTradePrevention, Side, TimeInForce
from order_entry_gateway.answers.answers import Amount

Liquidity = Literal["maker", "taker", "auction"]


class Report(msgspec.Struct, tag_field="event", kw_only=True, gc=False, omit_defaults=True):
    """What all reports have."""

    seq: int
    time: str


class ExecutionReport(Report):
    """What all reports about one order have.

    `client_order_id` is null when the order had none, or was accepted before this gateway started.
    """

    order_id: int
    client_order_id: str | None
    security_id: str


class AcceptedReport(ExecutionReport, tag="accepted"):
    """The order is in the market. Options that it does not use are left out."""

    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: Amount | None
    quantity: int
    remaining_quantity: int
    stop_price: Amount | None = None
    trail_amount: Amount | None = None
    trail_percent: Amount | None = None
    expires_at: str | None = None
    post_only: bool = False
    display_quantity: int | None = None
    hidden: bool = False
    self_trade_prevention: SelfTradePrevention = "cancel_newest"
    oco_group: str | None = None


class RejectedReport(ExecutionReport, tag="rejected"):
    """The engine refused the order."""

    side: Side
    type: OrderType
    price: Amount | None
    quantity: int
    remaining_quantity: int
    reason: str
    message: str


class TriggeredReport(ExecutionReport, tag="triggered"):
    """The waiting stop was set off by a trade at `last`."""

    last: Amount


class TradeReport(ExecutionReport, tag="trade"):
    """`quantity` shares of the order traded at `price`, of which `filled_quantity` have in all.

    The fee is in currency; below zero it is a rebate.
    """

    side: Side
    trade_id: int
    price: Amount
    quantity: int
    filled_quantity: int
    remaining_quantity: int
    fee: Amount
    liquidity: Liquidity


class ReplacedReport(ExecutionReport, tag="replaced"):
    """The order has this quantity (in all, with what is filled) and this limit from now on."""

    price: Amount
    quantity: int
    remaining_quantity: int
    kept_priority: bool


class ReducedReport(ExecutionReport, tag="reduced"):
    """The order lost `quantity` open shares without trading, to prevent a self-trade."""

    quantity: int
    remaining_quantity: int


class CancelledReport(ExecutionReport, tag="cancelled"):
    """The last `quantity` shares of the order left the market without trading."""

    quantity: int
    remaining_quantity: int
    reason: str


class MassCancelledReport(Report, tag="mass_cancelled"):
    """A mass cancel took out `count` orders, each of which had its own report."""

    count: int
