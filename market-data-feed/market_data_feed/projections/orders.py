"""One order's latest state."""

from typing import Literal

import msgspec

from exchange_shared.messages import OrderType, Side, TimeInForce, TradeExecuted, TradeSettled

OrderState = Literal[
    "pending", "new", "partially_filled", "filled", "cancelled", "expired", "rejected"
]


class Order(msgspec.Struct, kw_only=True, gc=False):
    """What is known of an order. `notional_e4` is the sum of price × quantity over its fills.

    `latest_report` is the last trade or settlement of it that was read since the feed started,
    with its report_seq.
    """

    order_id: int
    client_id: str
    security_id: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: int
    price_e4: int | None
    client_order_id: str | None
    unit_hold_e4: int
    created_us: int
    updated_us: int
    seq: int
    status: OrderState = "new"
    remaining_quantity: int
    filled_quantity: int = 0
    notional_e4: int = 0
    last_trade_id: int | None = None
    reason: str | None = None
    message: str | None = None
    latest_report: tuple[int, TradeExecuted | TradeSettled] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.remaining_quantity > 0

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
