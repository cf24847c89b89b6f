"""One order's latest state."""

from typing import Literal

import msgspec

from exchange_shared.messages import (
    NO_OPTIONS,
    OrderAccepted,
    OrderOptions,
    OrderRejected,
    OrderReplaced,
    OrderType,
    Side,
    TimeInForce,
    TradeExecuted,
    TradeSettled,
    options_of,
)
from exchange_shared.messages.commands import AUCTION_ONLY, STOP_TYPES

OrderState = Literal[
    "pending",
    "pending_trigger",
    "new",
    "partially_filled",
    "filled",
    "cancelled",
    "expired",
    "rejected",
]


class Order(msgspec.Struct, kw_only=True, gc=False):
    """What is known of an order. `notional_e4` is the sum of price × quantity over its fills.

    `time_in_force` is `None` for a rejected order, because it is not told, nor are its options.
    `quantity` is filled and open shares together, while it is open. `displayed_quantity` is what
    of it is in the book. `latest_report` is the last trade or settlement of it that was read since
    the feed started, with its report_seq.
    """

    order_id: int
    client_id: str
    security_id: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce | None
    quantity: int
    price_e4: int | None
    client_order_id: str | None
    unit_hold_e4: int
    created_us: int
    updated_us: int
    seq: int
    status: OrderState = "new"
    remaining_quantity: int
    displayed_quantity: int = 0
    filled_quantity: int = 0
    notional_e4: int = 0
    last_trade_id: int | None = None
    reason: str | None = None
    message: str | None = None
    options: OrderOptions = NO_OPTIONS
    latest_report: tuple[int, TradeExecuted | TradeSettled] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can still trade, or be triggered."""
        return self.remaining_quantity > 0

    def part(self) -> int:
        """How much of it the book displays when it comes there, or comes again.

        An order without a limit price that waits for an auction is hidden, and so is one that is
        for auctions only.
        """
        options = self.options
        if self.price_e4 is None or self.time_in_force in AUCTION_ONLY:
            return 0
        if options is NO_OPTIONS:
            return self.remaining_quantity
        if self.status == "pending_trigger" or options.hidden:
            return 0
        if options.display_quantity is None:
            return self.remaining_quantity
        return min(options.display_quantity, self.remaining_quantity)

    def part_after(self, event: TradeExecuted) -> int:
        """How much of it the book displays after a trade.

        An incoming order is not in the book yet. Of a resting one the displayed part trades, and
        when nothing of that is left, the next part is displayed. In an auction it trades with all
        that is open, and displays what it did, or what is left.
        """
        if self.options is NO_OPTIONS or self.options.display_quantity is None:
            return self.part()
        if event.aggressor_side is None:
            return min(self.displayed_quantity, self.remaining_quantity)
        if event.aggressor_side == self.side:
            return self.part()
        return self.displayed_quantity - event.quantity or self.part()

    def trade(self, event: TradeExecuted, remaining_quantity: int, report_seq: int) -> None:
        """A trade filled some of it."""
        self.remaining_quantity = remaining_quantity
        self.filled_quantity += event.quantity
        self.notional_e4 += event.price_e4 * event.quantity
        self.status = "partially_filled" if remaining_quantity else "filled"
        self.last_trade_id = event.trade_id
        self.latest_report = (report_seq, event)
        self.seq = event.seq
        self.updated_us = event.time_us

    def replace(self, event: OrderReplaced) -> None:
        """It has another quantity or price."""
        self.quantity = event.quantity
        self.price_e4 = event.price_e4
        self.remaining_quantity = event.remaining_quantity
        self.unit_hold_e4 = event.unit_hold_e4
        self.seq = event.seq
        self.updated_us = event.time_us


def accepted_order(event: OrderAccepted) -> Order:
    """The order that an event tells of."""
    return Order(
        order_id=event.order_id,
        client_id=event.client_id,
        security_id=event.security_id,
        side=event.side,
        order_type=event.order_type,
        time_in_force=event.time_in_force,
        quantity=event.quantity,
        price_e4=event.price_e4,
        client_order_id=event.client_order_id,
        unit_hold_e4=event.unit_hold_e4,
        created_us=event.time_us,
        updated_us=event.time_us,
        seq=event.seq,
        status="pending_trigger" if event.order_type in STOP_TYPES else "new",
        remaining_quantity=event.quantity,
        options=options_of(event),
    )


def rejected_order(event: OrderRejected) -> Order:
    """The order that the engine refused."""
    return Order(
        order_id=event.order_id,
        client_id=event.client_id,
        security_id=event.security_id,
        side=event.side,
        order_type=event.order_type,
        time_in_force=None,
        quantity=event.quantity,
        price_e4=event.price_e4,
        client_order_id=event.client_order_id,
        unit_hold_e4=0,
        created_us=event.time_us,
        updated_us=event.time_us,
        seq=event.seq,
        status="rejected",
        remaining_quantity=0,
        reason=event.reason,
        message=event.message,
    )
