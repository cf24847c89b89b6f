"""Orders that are obviously right: what the events, one after another, make of each."""

from collections import defaultdict
from dataclasses import dataclass, field

from exchange_shared.messages import (
    AnyEvent,
    CancelReason,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRepeated,
    OrderReplaced,
    OrderStatus,
    OrderTriggered,
    Side,
    TradeExecuted,
)
from exchange_shared.messages.commands import STOP_TYPES
from matching_engine.core.accounts import MAX_REMEMBERED_ORDERS


@dataclass
class ReferenceOrder:
    """What the events say of one accepted order."""

    accepted: OrderAccepted
    quantity: int
    price_e4: int | None
    waits: bool
    filled: int = 0
    notional_e4: int = 0
    cancelled: int = 0
    reason: CancelReason | None = None

    @property
    def open_quantity(self) -> int:
        """Shares that may still trade."""
        return self.quantity - self.filled - self.cancelled

    @property
    def status(self) -> OrderStatus:
        """What has become of it."""
        if self.cancelled:
            return "expired" if self.reason == "expired" else "cancelled"
        if self.open_quantity == 0:
            return "filled"
        if self.waits:
            return "pending_trigger"
        return "partially_filled" if self.filled else "new"


@dataclass
class ReferenceOrders:
    """Every accepted order, from the events one after another, and what is wrong with them."""

    orders: dict[int, ReferenceOrder] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _names: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    _finished_names: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    trade_ids: set[int] = field(default_factory=set)

    def apply(self, event: AnyEvent) -> None:
        """Take in the next event."""
        match event:
            case OrderAccepted():
                self._accept(event)
            case TradeExecuted():
                self._trade(event)
            case OrderCancelled():
                self._cancel(event)
            case OrderTriggered():
                self.orders[event.order_id].waits = False
            case OrderReduced():
                order = self.orders[event.order_id]
                order.quantity -= event.quantity
                self._expect_open(order, event.remaining_quantity)
            case OrderReplaced():
                order = self.orders[event.order_id]
                order.quantity = event.quantity
                order.price_e4 = event.price_e4
                self._expect_open(order, event.remaining_quantity)
                self._expect_notional(order, event.notional_e4)
            case OrderRepeated():
                self._repeat(event)

    def _cancel(self, event: OrderCancelled) -> None:
        order = self.orders[event.order_id]
        self._expect_open(order, event.quantity)
        order.cancelled += event.quantity
        order.reason = event.reason
        self._finish(order)

    def _expect_open(self, order: ReferenceOrder, quantity: int) -> None:
        if order.open_quantity != quantity or quantity <= 0:
            self.problems.append(
                f"order {order.accepted.order_id}: {order.open_quantity} are open, not {quantity}"
            )

    def _expect_notional(self, order: ReferenceOrder, notional_e4: int | None) -> None:
        if order.notional_e4 != notional_e4:
            self.problems.append(
                f"order {order.accepted.order_id}: its fills are worth {order.notional_e4}, not"
                f" {notional_e4}"
            )

    def _repeat(self, event: OrderRepeated) -> None:
        order = self.orders[event.order_id]
        is_now = (order.quantity, order.price_e4, order.filled, order.open_quantity, order.status)
        told = (
            event.quantity,
            event.price_e4,
            event.filled_quantity,
            event.remaining_quantity,
            event.status,
        )
        if told != is_now:
            self.problems.append(f"order {event.order_id} is {is_now}, but was repeated as {told}")
        self._expect_notional(order, event.notional_e4)

    def _accept(self, event: OrderAccepted) -> None:
        if event.order_id in self.orders:
            self.problems.append(f"order {event.order_id} was accepted twice")
        name = event.client_order_id
        if name is not None:
            first = self._names[event.client_id].setdefault(name, event.order_id)
            if first != event.order_id:
                self.problems.append(
                    f"{event.client_id}: {name} named order {first}, then {event.order_id}"
                )
        self.orders[event.order_id] = ReferenceOrder(
            event, event.quantity, event.price_e4, waits=event.order_type in STOP_TYPES
        )

    def _finish(self, order: ReferenceOrder) -> None:
        """Forget the oldest name of a finished order, as the engine does beyond its limit."""
        name, client_id = order.accepted.client_order_id, order.accepted.client_id
        if name is None:
            return
        finished = self._finished_names[client_id]
        finished[name] = None
        if len(finished) > MAX_REMEMBERED_ORDERS:
            oldest = next(iter(finished))
            del finished[oldest], self._names[client_id][oldest]

    def _trade(self, trade: TradeExecuted) -> None:
        if trade.trade_id in self.trade_ids:
            self.problems.append(f"trade {trade.trade_id} printed twice")
        self.trade_ids.add(trade.trade_id)
        self._fill(trade, "buy", trade.buy_order_id, trade.buyer_id)
        self._fill(trade, "sell", trade.sell_order_id, trade.seller_id)

    def _fill(self, trade: TradeExecuted, side: Side, order_id: int, client_id: str) -> None:
        if side == "buy":
            told = (trade.buy_filled_quantity, trade.buy_remaining_quantity)
        else:
            told = (trade.sell_filled_quantity, trade.sell_remaining_quantity)
        order = self.orders[order_id]
        accepted = order.accepted
        limit_e4 = order.price_e4
        order.filled += trade.quantity
        order.notional_e4 += trade.quantity * trade.price_e4
        if (accepted.side, accepted.client_id) != (side, client_id):
            self.problems.append(f"trade {trade.trade_id}: order {order_id} is not {client_id}'s")
        actual = (order.filled, order.open_quantity)
        if actual != told or order.open_quantity < 0:
            self.problems.append(
                f"trade {trade.trade_id}: order {order_id} has {actual} filled and open, not {told}"
            )
        if limit_e4 is not None and (
            trade.price_e4 > limit_e4 if side == "buy" else trade.price_e4 < limit_e4
        ):
            self.problems.append(f"trade {trade.trade_id} is beyond the limit of order {order_id}")
        if order.open_quantity == 0:
            self._finish(order)
