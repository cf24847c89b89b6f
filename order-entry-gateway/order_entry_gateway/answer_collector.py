"""The engine's events as answers to the requests that caused them.

An answer tells the effect of one command, whose events are contiguous and in one message. The
first of them names the request; before it stand only expiries of orders whose time has come. The
following ones complete the answer as far as they are about its own order: a command may also
trigger and cancel other orders, and let them trade. `seq` is that of the command's last event.
"""

from collections.abc import Callable
from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    MarketConfigured,
    MassCancel,
    MassCancelled,
    NewOrder,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    OrderTriggered,
    RequestRejected,
    SecurityListed,
    TradeExecuted,
)
from exchange_shared.messages.commands import STOP_TYPES
from exchange_shared.units import from_e4
from order_entry_gateway.answers import (
    AccountAnswer,
    Amount,
    Answer,
    CancelAnswer,
    DoneAnswer,
    EngineRefusal,
    Fill,
    MassCancelAnswer,
    OrderAnswer,
    ReplaceAnswer,
)
from order_entry_gateway.pending import Group, Pending, Slot


class AnswerCollector:
    """Builds the answers to pending requests from the events of one message after another."""

    def __init__(
        self,
        pending: Pending[Answer],
        on_complete: Callable[[Group[Answer]], None],
        name_of: Callable[[int], str | None],
    ) -> None:
        """`name_of` gives the `client_order_id` of an open order, as far as it is known."""
        self._pending = pending
        self._on_complete = on_complete
        self._name_of = name_of
        self._complete: list[Group[Answer]] = []
        self._current: Any = None
        """The answer that the events go into; `None` while they belong to nobody who waits."""
        self._order_id = 0
        """The order that the current answer is about; 0 when it is about none."""
        self._filled_quantity = 0
        self._notional_e4 = 0
        self._cancelled_ids: list[int] = []
        """The orders that the mass cancel of which the events are coming has taken out so far."""
        self._ticks_e4: dict[str, int] = {}
        self.handlers: dict[type, Callable[[Any], None]] = {
            OrderAccepted: self._order_accepted,
            OrderRejected: self._order_rejected,
            OrderRepeated: self._order_repeated,
            OrderCancelled: self._order_cancelled,
            OrderTriggered: self._order_triggered,
            OrderReplaced: self._order_replaced,
            OrderReduced: self._order_reduced,
            TradeExecuted: self._trade_executed,
            MassCancelled: self._mass_cancelled,
            RequestRejected: self._request_rejected,
            AccountOpened: self._account_opened,
            AccountConfirmed: self._account_confirmed,
            MarketConfigured: self._done,
            SecurityListed: self._security_listed,
        }

    def follow(self, seq: int) -> None:
        """Take in an event that only moves the answer's `seq`."""
        if self._current is not None:
            self._current.seq = seq

    def end_of_message(self) -> None:
        """Hand over the groups that are complete."""
        self._end_answer()
        if self._complete:
            complete, self._complete = self._complete, []
            for group in complete:
                self._on_complete(group)

    def _end_answer(self) -> None:
        """What comes next is of another command."""
        self._current = None
        self._order_id = 0

    def _begin(self, id_: int) -> Slot[Answer] | None:
        """The slot for the command whose first event has this id."""
        self._end_answer()
        return self._pending.take(id_)

    def _fill(self, slot: Slot[Answer], answer: Answer) -> None:
        self._current = answer
        if slot.group.answer(slot.place, answer):
            self._complete.append(slot.group)

    def _fill_order(self, slot: Slot[Answer], answer: OrderAnswer | ReplaceAnswer) -> None:
        self._fill(slot, answer)
        self._order_id = answer.order_id
        self._filled_quantity = self._notional_e4 = 0

    def _order_accepted(self, event: OrderAccepted) -> None:
        slot = self._begin(event.order_id)
        if slot is None:
            return
        answer = OrderAnswer(
            order_id=event.order_id,
            client_order_id=event.client_order_id,
            security_id=event.security_id,
            side=event.side,
            type=event.order_type,
            quantity=event.quantity,
            price=None if event.price_e4 is None else from_e4(event.price_e4),
            status="pending_trigger" if event.order_type in STOP_TYPES else "new",
            filled_quantity=0,
            remaining_quantity=event.quantity,
            average_price=None,
            fills=[],
            seq=event.seq,
        )
        self._fill_order(slot, answer)

    def _order_replaced(self, event: OrderReplaced) -> None:
        slot = self._begin(event.request_id)
        if slot is None:
            return
        filled_quantity = event.quantity - event.remaining_quantity
        answer = ReplaceAnswer(
            order_id=event.order_id,
            client_order_id=self._name_of(event.order_id),
            security_id=event.security_id,
            quantity=event.quantity,
            price=from_e4(event.price_e4),
            status="partially_filled" if filled_quantity else "new",
            filled_quantity=filled_quantity,
            remaining_quantity=event.remaining_quantity,
            average_price=None,
            fills=[],
            kept_priority=event.kept_priority,
            seq=event.seq,
        )
        self._fill_order(slot, answer)

    def _trade_executed(self, event: TradeExecuted) -> None:
        order = self._current
        if order is None:
            return
        order.seq = event.seq
        if event.buy_order_id == self._order_id:
            remaining_quantity = event.buy_remaining_quantity
        elif event.sell_order_id == self._order_id:
            remaining_quantity = event.sell_remaining_quantity
        else:
            return
        order.fills.append(Fill(event.trade_id, from_e4(event.price_e4), event.quantity))
        order.filled_quantity += event.quantity
        order.remaining_quantity = remaining_quantity
        order.status = "partially_filled" if remaining_quantity else "filled"
        self._filled_quantity += event.quantity
        self._notional_e4 += event.price_e4 * event.quantity
        order.average_price = _average(self._notional_e4, self._filled_quantity)

    def _order_triggered(self, event: OrderTriggered) -> None:
        self.follow(event.seq)
        if event.order_id == self._order_id:
            self._current.status = "new"

    def _order_reduced(self, event: OrderReduced) -> None:
        self.follow(event.seq)
        if event.order_id == self._order_id:
            self._current.quantity -= event.quantity
            self._current.remaining_quantity = event.remaining_quantity

    def _order_cancelled(self, event: OrderCancelled) -> None:
        if event.reason == "expired":
            self._end_answer()
        elif event.request_id is None:
            self._cancelled_on_the_way(event)
        elif self._pending.awaits(event.request_id, MassCancel):
            self._end_answer()
            self._cancelled_ids.append(event.order_id)
        else:
            self._cancelled_on_request(event, event.request_id)

    def _cancelled_on_the_way(self, event: OrderCancelled) -> None:
        self.follow(event.seq)
        if event.order_id == self._order_id:
            order = self._current
            order.status = "cancelled"
            order.remaining_quantity = 0
            order.reason = event.reason

    def _cancelled_on_request(self, event: OrderCancelled, request_id: int) -> None:
        slot = self._begin(request_id)
        if slot is not None:
            answer = CancelAnswer(
                order_id=event.order_id,
                security_id=event.security_id,
                status="cancelled",
                cancelled_quantity=event.quantity,
                seq=event.seq,
            )
            self._fill(slot, answer)

    def _mass_cancelled(self, event: MassCancelled) -> None:
        order_ids, self._cancelled_ids = self._cancelled_ids, []
        slot = self._begin(event.request_id)
        if slot is not None:
            self._fill(slot, MassCancelAnswer(event.count, order_ids, event.seq))

    def _order_rejected(self, event: OrderRejected) -> None:
        slot = self._begin(event.order_id)
        if slot is None:
            return
        field = "stop_price" if self._has_stop_off_tick(event) else None
        refusal = EngineRefusal(event.reason, event.message, event.seq, event.order_id, field)
        self._fill(slot, refusal)

    def _has_stop_off_tick(self, event: OrderRejected) -> bool:
        """Whether the price that was refused is the stop price: the limit, if any, is right."""
        if event.reason != "price_off_tick" or event.order_type not in STOP_TYPES:
            return False
        tick_e4 = self._ticks_e4.get(event.security_id)
        return event.price_e4 is None or (tick_e4 is not None and event.price_e4 % tick_e4 == 0)

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

    def _security_listed(self, event: SecurityListed) -> None:
        self._ticks_e4[event.security_id] = event.tick_e4
        self._done(event)

    def _done(self, event: MarketConfigured | SecurityListed) -> None:
        slot = self._begin(event.request_id)
        if slot is not None:
            self._fill(slot, DoneAnswer(event.seq))


def _average(notional_e4: int, quantity: int) -> Amount | None:
    """The average price, rounded half-up to four decimals; `None` without a fill."""
    return from_e4((2 * notional_e4 + quantity) // (2 * quantity)) if quantity else None
