"""From the engine's events to the execution reports of the clients that are connected."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Container
from typing import Any, TypedDict

from exchange_shared.messages import (
    MassCancelled,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRejected,
    OrderReplaced,
    OrderTriggered,
    Side,
    TradeExecuted,
)
from exchange_shared.units import format_time, from_e4
from order_entry_gateway.answers.answers import Amount, amount
from order_entry_gateway.feed_tail.execution_reports import (
    AcceptedReport,
    CancelledReport,
    Liquidity,
    MassCancelledReport,
    ReducedReport,
    RejectedReport,
    ReplacedReport,
    Report,
    TradeReport,
    TriggeredReport,
)

_OrderEvent = (
    OrderAccepted
    | OrderRejected
    | TradeExecuted
    | OrderCancelled
    | OrderTriggered
    | OrderReplaced
    | OrderReduced
)


class _About(TypedDict):
    """What all reports about an order say first."""

    seq: int
    time: str
    order_id: int
    client_order_id: str | None
    security_id: str


class _AboutTrade(_About):
    """What the reports to both sides of a trade have in common."""

    side: Side
    trade_id: int
    price: Amount
    quantity: int
    liquidity: Liquidity


class ReportCollector:
    """Builds the reports for connected clients from events, one message after another."""

    def __init__(self, connected: Container[str], max_remembered_orders: int) -> None:
        self._connected = connected
        self._max_remembered = max_remembered_orders
        self._names: OrderedDict[int, str] = OrderedDict()
        """The `client_order_id` of each open order that has one, oldest first."""
        self._reports: defaultdict[str, list[Report]] = defaultdict(list)
        self._time_us = -1
        self._time = ""
        self.handlers: dict[type, Callable[[Any], None]] = {
            OrderAccepted: self._accepted,
            OrderRejected: self._rejected,
            TradeExecuted: self._trade,
            OrderCancelled: self._cancelled,
            OrderTriggered: self._triggered,
            OrderReplaced: self._replaced,
            OrderReduced: self._reduced,
            MassCancelled: self._mass_cancelled,
        }

    def end_of_message(self) -> dict[str, list[Report]]:
        """The reports for each client, and begin anew."""
        reports = self._reports
        if reports:
            self._reports = defaultdict(list)
        return reports

    def name_of(self, order_id: int) -> str | None:
        """The `client_order_id` of an open order, if it has one and is remembered."""
        return self._names.get(order_id)

    def _accepted(self, event: OrderAccepted) -> None:
        if event.client_order_id is not None:
            self._names[event.order_id] = event.client_order_id
            if len(self._names) > self._max_remembered:
                self._names.popitem(last=False)
        if (reports := self._reports_of(event.client_id)) is not None:
            report = AcceptedReport(
                **self._about(event, event.order_id, event.client_order_id),
                side=event.side,
                type=event.order_type,
                time_in_force=event.time_in_force,
                price=amount(event.price_e4),
                quantity=event.quantity,
                remaining_quantity=event.quantity,
                stop_price=amount(event.stop_price_e4),
                trail_amount=amount(event.trail_e4),
                trail_percent=amount(event.trail_ppm),
                expires_at=None if event.expires_us is None else format_time(event.expires_us),
                post_only=event.post_only,
                display_quantity=event.display_quantity,
                hidden=event.hidden,
                self_trade_prevention=event.self_trade_prevention,
                oco_group=event.oco_group,
            )
            reports.append(report)

    def _rejected(self, event: OrderRejected) -> None:
        if (reports := self._reports_of(event.client_id)) is not None:
            report = RejectedReport(
                **self._about(event, event.order_id, event.client_order_id),
                side=event.side,
                type=event.order_type,
                price=amount(event.price_e4),
                quantity=event.quantity,
                remaining_quantity=0,
                reason=event.reason,
                message=event.message,
            )
            reports.append(report)

    def _trade(self, event: TradeExecuted) -> None:
        if (reports := self._reports_of(event.buyer_id)) is not None:
            report = TradeReport(
                **self._about_trade(event, "buy", event.buy_order_id),
                filled_quantity=event.buy_filled_quantity,
                remaining_quantity=event.buy_remaining_quantity,
                fee=from_e4(event.buyer_fee_e4),
            )
            reports.append(report)
        if (reports := self._reports_of(event.seller_id)) is not None:
            report = TradeReport(
                **self._about_trade(event, "sell", event.sell_order_id),
                filled_quantity=event.sell_filled_quantity,
                remaining_quantity=event.sell_remaining_quantity,
                fee=from_e4(event.seller_fee_e4),
            )
            reports.append(report)
        if not event.buy_remaining_quantity:
            self._names.pop(event.buy_order_id, None)
        if not event.sell_remaining_quantity:
            self._names.pop(event.sell_order_id, None)

    def _cancelled(self, event: OrderCancelled) -> None:
        name = self._names.pop(event.order_id, None)
        if (reports := self._reports_of(event.client_id)) is not None:
            report = CancelledReport(
                **self._about(event, event.order_id, name),
                quantity=event.quantity,
                remaining_quantity=0,
                reason=event.reason,
            )
            reports.append(report)

    def _triggered(self, event: OrderTriggered) -> None:
        if (reports := self._reports_of(event.client_id)) is not None:
            about = self._about(event, event.order_id, self._names.get(event.order_id))
            reports.append(TriggeredReport(**about, last=from_e4(event.last_e4)))

    def _replaced(self, event: OrderReplaced) -> None:
        if (reports := self._reports_of(event.client_id)) is not None:
            report = ReplacedReport(
                **self._about(event, event.order_id, self._names.get(event.order_id)),
                price=from_e4(event.price_e4),
                quantity=event.quantity,
                remaining_quantity=event.remaining_quantity,
                kept_priority=event.kept_priority,
            )
            reports.append(report)

    def _reduced(self, event: OrderReduced) -> None:
        if (reports := self._reports_of(event.client_id)) is not None:
            report = ReducedReport(
                **self._about(event, event.order_id, self._names.get(event.order_id)),
                quantity=event.quantity,
                remaining_quantity=event.remaining_quantity,
            )
            reports.append(report)

    def _mass_cancelled(self, event: MassCancelled) -> None:
        if (reports := self._reports_of(event.client_id)) is not None:
            time = self._format(event.time_us)
            reports.append(MassCancelledReport(seq=event.seq, time=time, count=event.count))

    def _reports_of(self, client_id: str) -> list[Report] | None:
        """Where the reports for a client go; `None` when it is not connected."""
        return self._reports[client_id] if client_id in self._connected else None

    def _about(self, event: _OrderEvent, order_id: int, client_order_id: str | None) -> _About:
        return {
            "seq": event.seq,
            "time": self._format(event.time_us),
            "order_id": order_id,
            "client_order_id": client_order_id,
            "security_id": event.security_id,
        }

    def _about_trade(self, event: TradeExecuted, side: Side, order_id: int) -> _AboutTrade:
        return {
            **self._about(event, order_id, self._names.get(order_id)),
            "side": side,
            "trade_id": event.trade_id,
            "price": from_e4(event.price_e4),
            "quantity": event.quantity,
            "liquidity": _liquidity(side, event.aggressor_side),
        }

    def _format(self, time_us: int) -> str:
        """The time as text; most events in a row have the same."""
        if time_us != self._time_us:
            self._time_us = time_us
            self._time = format_time(time_us)
        return self._time


def _liquidity(side: Side, aggressor_side: Side | None) -> Liquidity:
    if aggressor_side is None:
        return "auction"
    return "taker" if side == aggressor_side else "maker"
