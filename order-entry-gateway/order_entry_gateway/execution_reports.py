"""Execution reports: what happens to the orders of connected clients, told unasked and in order.

Like the reports of FIX they name the order by both its ids, and carry what is left of it.
"""

from collections import defaultdict
from collections.abc import Callable, Container
from typing import Any, Literal

import msgspec

from exchange_shared.messages import (
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderType,
    Side,
    TimeInForce,
    TradeExecuted,
)
from exchange_shared.units import format_time, from_e4
from order_entry_gateway.answers import Amount


class ExecutionReport(msgspec.Struct, tag_field="event", kw_only=True, gc=False):
    """What all reports have.

    `client_order_id` is null when the order had none, or was accepted before this gateway started.
    """

    seq: int
    time: str
    order_id: int
    client_order_id: str | None
    security_id: str


class AcceptedReport(ExecutionReport, tag="accepted"):
    """The order is in the market."""

    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: Amount | None
    quantity: int
    remaining_quantity: int


class RejectedReport(ExecutionReport, tag="rejected"):
    """The engine refused the order."""

    side: Side
    type: OrderType
    price: Amount | None
    quantity: int
    remaining_quantity: int
    reason: str
    message: str


class TradeReport(ExecutionReport, tag="trade"):
    """`quantity` shares of the order traded at `price`; the fee is in currency."""

    side: Side
    trade_id: int
    price: Amount
    quantity: int
    remaining_quantity: int
    fee: Amount
    liquidity: Literal["maker", "taker"]


class CancelledReport(ExecutionReport, tag="cancelled"):
    """The last `quantity` shares of the order left the market without trading."""

    quantity: int
    remaining_quantity: int
    reason: str


class ReportCollector:
    """Builds the reports for connected clients from events, one message after another."""

    def __init__(self, connected: Container[str], max_remembered_orders: int) -> None:
        self._connected = connected
        self._max_remembered = max_remembered_orders
        self._names: dict[int, str] = {}
        """The `client_order_id` of each open order that has one, oldest first."""
        self._reports: defaultdict[str, list[ExecutionReport]] = defaultdict(list)
        self._time_us = -1
        self._time = ""
        self.handlers: dict[type, Callable[[Any], None]] = {
            OrderAccepted: self._accepted,
            OrderRejected: self._rejected,
            TradeExecuted: self._trade,
            OrderCancelled: self._cancelled,
        }

    def end_of_message(self) -> dict[str, list[ExecutionReport]]:
        """The reports for each client, and begin anew."""
        reports = self._reports
        if reports:
            self._reports = defaultdict(list)
        return reports

    def _accepted(self, event: OrderAccepted) -> None:
        if event.client_order_id is not None:
            self._names[event.order_id] = event.client_order_id
            if len(self._names) > self._max_remembered:
                del self._names[next(iter(self._names))]
        if event.client_id not in self._connected:
            return
        self._reports[event.client_id].append(
            AcceptedReport(
                seq=event.seq,
                time=self._format(event.time_us),
                order_id=event.order_id,
                client_order_id=event.client_order_id,
                security_id=event.security_id,
                side=event.side,
                type=event.order_type,
                time_in_force=event.time_in_force,
                price=None if event.price_e4 is None else from_e4(event.price_e4),
                quantity=event.quantity,
                remaining_quantity=event.quantity,
            )
        )

    def _rejected(self, event: OrderRejected) -> None:
        if event.client_id not in self._connected:
            return
        self._reports[event.client_id].append(
            RejectedReport(
                seq=event.seq,
                time=self._format(event.time_us),
                order_id=event.order_id,
                client_order_id=event.client_order_id,
                security_id=event.security_id,
                side=event.side,
                type=event.order_type,
                price=None if event.price_e4 is None else from_e4(event.price_e4),
                quantity=event.quantity,
                remaining_quantity=0,
                reason=event.reason,
                message=event.message,
            )
        )

    def _trade(self, event: TradeExecuted) -> None:
        if event.buyer_id in self._connected:
            report = self._trade_report(
                event, "buy", event.buy_order_id, event.buy_remaining_quantity, event.buyer_fee_e4
            )
            self._reports[event.buyer_id].append(report)
        if event.seller_id in self._connected:
            report = self._trade_report(
                event,
                "sell",
                event.sell_order_id,
                event.sell_remaining_quantity,
                event.seller_fee_e4,
            )
            self._reports[event.seller_id].append(report)
        if not event.buy_remaining_quantity:
            self._names.pop(event.buy_order_id, None)
        if not event.sell_remaining_quantity:
            self._names.pop(event.sell_order_id, None)

    def _trade_report(
        self, event: TradeExecuted, side: Side, order_id: int, remaining: int, fee_e4: int
    ) -> TradeReport:
        return TradeReport(
            seq=event.seq,
            time=self._format(event.time_us),
            order_id=order_id,
            client_order_id=self._names.get(order_id),
            security_id=event.security_id,
            side=side,
            trade_id=event.trade_id,
            price=from_e4(event.price_e4),
            quantity=event.quantity,
            remaining_quantity=remaining,
            fee=from_e4(fee_e4),
            liquidity="taker" if side == event.aggressor_side else "maker",
        )

    def _cancelled(self, event: OrderCancelled) -> None:
        name = self._names.pop(event.order_id, None)
        if event.client_id not in self._connected:
            return
        self._reports[event.client_id].append(
            CancelledReport(
                seq=event.seq,
                time=self._format(event.time_us),
                order_id=event.order_id,
                client_order_id=name,
                security_id=event.security_id,
                quantity=event.quantity,
                remaining_quantity=0,
                reason=event.reason,
            )
        )

    def _format(self, time_us: int) -> str:
        """The time as text; most events in a row have the same."""
        if time_us != self._time_us:
            self._time_us = time_us
            self._time = format_time(time_us)
        return self._time
