"""The engine's events as answers to the requests that caused them.

An answer tells the effect of one command, whose events are contiguous and in one message: its
first event names the request, the following ones (trades, a cancel of the rest, a new best price)
complete the answer. `seq` is that of the command's last event.
"""

from collections.abc import Callable
from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    MarketConfigured,
    NewOrder,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderRepeated,
    RequestRejected,
    SecurityListed,
    TradeExecuted,
)
from exchange_shared.units import from_e4
from order_entry_gateway.answers import (
    AccountAnswer,
    Amount,
    Answer,
    CancelAnswer,
    DoneAnswer,
    EngineRefusal,
    Fill,
    OrderAnswer,
)
from order_entry_gateway.pending import Group, Pending, Slot


class AnswerCollector:
    """Builds the answers to pending requests from the events of one message after another."""

    def __init__(
        self, pending: Pending[Answer], on_complete: Callable[[Group[Answer]], None]
    ) -> None:
        self._pending = pending
        self._on_complete = on_complete
        self._complete: list[Group[Answer]] = []
        self._current: Any = None
        """The answer that the events go into; `None` while they belong to nobody who waits."""
        self._notional_e4 = 0
        self.handlers: dict[type, Callable[[Any], None]] = {
            OrderAccepted: self._order_accepted,
            OrderRejected: self._order_rejected,
            OrderRepeated: self._order_repeated,
            OrderCancelled: self._order_cancelled,
            TradeExecuted: self._trade_executed,
            RequestRejected: self._request_rejected,
            AccountOpened: self._account_opened,
            AccountConfirmed: self._account_confirmed,
            MarketConfigured: self._done,
            SecurityListed: self._done,
        }

    def follow(self, seq: int) -> None:
        """Take in an event that only moves the answer's `seq`."""
        if self._current is not None:
            self._current.seq = seq

    def end_of_message(self) -> None:
        """Hand over the groups that are complete."""
        self._current = None
        if self._complete:
            complete, self._complete = self._complete, []
            for group in complete:
                self._on_complete(group)

    def _begin(self, id_: int) -> Slot[Answer] | None:
        """The slot for the command whose first event has this id."""
        self._current = None
        return self._pending.take(id_)

    def _fill(self, slot: Slot[Answer], answer: Answer) -> None:
        self._current = answer
        if slot.group.answer(slot.place, answer):
            self._complete.append(slot.group)

    def _order_accepted(self, event: OrderAccepted) -> None:
        slot = self._begin(event.order_id)
        if slot is None:
            return
        self._notional_e4 = 0
        answer = OrderAnswer(
            order_id=event.order_id,
            client_order_id=event.client_order_id,
            security_id=event.security_id,
            side=event.side,
            type=event.order_type,
            quantity=event.quantity,
            price=None if event.price_e4 is None else from_e4(event.price_e4),
            status="new",
            filled_quantity=0,
            remaining_quantity=event.quantity,
            average_price=None,
            fills=[],
            seq=event.seq,
        )
        self._fill(slot, answer)

    def _trade_executed(self, event: TradeExecuted) -> None:
        order = self._current
        if not isinstance(order, OrderAnswer):
            return
        order.fills.append(Fill(event.trade_id, from_e4(event.price_e4), event.quantity))
        order.filled_quantity += event.quantity
        order.remaining_quantity -= event.quantity
        order.status = "partially_filled" if order.remaining_quantity else "filled"
        self._notional_e4 += event.price_e4 * event.quantity
        order.average_price = _average(self._notional_e4, order.filled_quantity)
        order.seq = event.seq

    def _order_cancelled(self, event: OrderCancelled) -> None:
        if event.request_id is None:
            self.follow(event.seq)
            order = self._current
            if isinstance(order, OrderAnswer) and order.order_id == event.order_id:
                order.status = "cancelled"
                order.remaining_quantity = 0
                order.reason = event.reason
            return
        slot = self._begin(event.request_id)
        if slot is not None:
            answer = CancelAnswer(
                order_id=event.order_id,
                security_id=event.security_id,
                status="cancelled",
                cancelled_quantity=event.quantity,
                seq=event.seq,
            )
            self._fill(slot, answer)

    def _order_rejected(self, event: OrderRejected) -> None:
        slot = self._begin(event.order_id)
        if slot is not None:
            refusal = EngineRefusal(event.reason, event.message, event.seq, event.order_id)
            self._fill(slot, refusal)

    def _order_repeated(self, event: OrderRepeated) -> None:
        slot = self._begin(event.request_id)
        if slot is None:
            return
        request = slot.command
        assert isinstance(request, NewOrder), "only an order is repeated"
        answer = OrderAnswer(
            order_id=event.order_id,
            client_order_id=event.client_order_id,
            security_id=event.security_id,
            side=request.side,
            type=request.order_type,
            quantity=request.quantity,
            price=None if request.price_e4 is None else from_e4(request.price_e4),
            status=event.status,
            filled_quantity=event.filled_quantity,
            remaining_quantity=event.remaining_quantity,
            average_price=_average(event.notional_e4, event.filled_quantity),
            fills=[],
            seq=event.seq,
            repeated=True,
        )
        self._fill(slot, answer)

    def _request_rejected(self, event: RequestRejected) -> None:
        slot = self._begin(event.request_id)
        if slot is not None:
            refusal = EngineRefusal(event.reason, event.message, event.seq, event.order_id)
            self._fill(slot, refusal)

    def _account_opened(self, event: AccountOpened) -> None:
        self._account(event, opened=True)

    def _account_confirmed(self, event: AccountConfirmed) -> None:
        self._account(event, opened=False)

    def _account(self, event: AccountOpened | AccountConfirmed, *, opened: bool) -> None:
        slot = self._begin(event.request_id)
        if slot is not None:
            balance = from_e4(event.cash_e4)
            answer = AccountAnswer(event.client_id, balance, event.holdings, event.seq, opened)
            self._fill(slot, answer)

    def _done(self, event: MarketConfigured | SecurityListed) -> None:
        slot = self._begin(event.request_id)
        if slot is not None:
            self._fill(slot, DoneAnswer(event.seq))


def _average(notional_e4: int, quantity: int) -> Amount | None:
    """The average price, rounded half-up to four decimals; `None` without a fill."""
    return from_e4((2 * notional_e4 + quantity) // (2 * quantity)) if quantity else None
