"""The engine's events as answers to the requests that caused them.

An answer tells the effect of one command, whose events are contiguous and in one message. The
first of them names the request; before it stands only what time has brought about: expiries of
orders, and changes of states with the trades of auctions that they end. The following ones complete
the answer as far as they are about its own order: a command may also trigger and cancel other
orders, and let them trade. `seq` is that of the command's last event.
"""

from collections.abc import Callable, Mapping
from typing import Any

from exchange_shared.messages import (
    MarketStateChanged,
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
    TradeExecuted,
)
from exchange_shared.messages.commands import STOP_TYPES
from exchange_shared.units import average_e4, from_e4
from order_entry_gateway.answers.answers import (
    Answer,
    CancelAnswer,
    Fill,
    MassCancelAnswer,
    OrderAnswer,
    ReplaceAnswer,
    amount,
)
from order_entry_gateway.answers.known_fills import fill_of
from order_entry_gateway.answers.pending import Group, Pending, Slot
from order_entry_gateway.answers.refusals import EngineRefusal
from order_entry_gateway.answers.single_event import SINGLE_EVENT_ANSWERS
from order_entry_gateway.market_status import SecurityStatus

_OF_ANOTHER_COMMAND = ("expired", "kill_switch")
"""Reasons of cancels that no order's own command has."""


class AnswerBuilder:
    """Builds the answers to pending requests from the events of one message after another."""

    def __init__(
        self,
        pending: Pending[Answer],
        on_complete: Callable[[Group[Answer]], None],
        name_of: Callable[[int], str | None],
        fills_of: Callable[[int], list[Fill]],
        securities: Mapping[str, SecurityStatus],
    ) -> None:
        """`name_of` gives the `client_order_id` of an open order, `fills_of` an order's fills.

        Both as far as they are known.
        """
        self._pending = pending
        self._on_complete = on_complete
        self._name_of = name_of
        self._fills_of = fills_of
        self._securities = securities
        self._complete: list[Group[Answer]] = []
        self._current: Any = None
        """The answer that the events go into; `None` while they belong to nobody who waits."""
        self._order_id = 0
        """The order that the current answer is about; 0 when it is about none."""
        self._notional_e4: int | None = 0
        """What the fills of that order are worth; `None` when the engine did not tell it."""
        self._cancelled_ids: list[int] = []
        """The orders that the mass cancel of which the events are coming has taken out so far."""
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
            MarketStateChanged: self._market_state_changed,
            **dict.fromkeys(SINGLE_EVENT_ANSWERS, self._single_event),
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

    def _begin(self, id_: int | None, event: Any) -> Slot[Answer] | None:
        """The slot for the command with this id whose first event this is."""
        self._end_answer()
        return self._pending.take(id_, event)

    def _fill(self, slot: Slot[Answer], answer: Answer) -> None:
        self._current = answer
        if slot.group.answer(slot.place, answer):
            self._complete.append(slot.group)

    def _fill_order(
        self, slot: Slot[Answer], answer: OrderAnswer | ReplaceAnswer, notional_e4: int | None
    ) -> None:
        self._fill(slot, answer)
        self._order_id = answer.order_id
        self._notional_e4 = notional_e4

    def _order_accepted(self, event: OrderAccepted) -> None:
        slot = self._begin(event.order_id, event)
        if slot is None:
            return
        answer = OrderAnswer(
            order_id=event.order_id,
            client_order_id=event.client_order_id,
            security_id=event.security_id,
            side=event.side,
            type=event.order_type,
            quantity=event.quantity,
            price=amount(event.price_e4),
            status="pending_trigger" if event.order_type in STOP_TYPES else "new",
            filled_quantity=0,
            remaining_quantity=event.quantity,
            average_price=None,
            fills=[],
            seq=event.seq,
        )
        self._fill_order(slot, answer, 0)

    def _order_replaced(self, event: OrderReplaced) -> None:
        slot = self._begin(event.request_id, event)
        if slot is None:
            return
        filled_quantity = event.quantity - event.remaining_quantity
        notional_e4 = event.notional_e4 if filled_quantity else 0
        average = None if notional_e4 is None else average_e4(notional_e4, filled_quantity)
        answer = ReplaceAnswer(
            order_id=event.order_id,
            client_order_id=self._name_of(event.order_id),
            security_id=event.security_id,
            quantity=event.quantity,
            price=from_e4(event.price_e4),
            status="partially_filled" if filled_quantity else "new",
            filled_quantity=filled_quantity,
            remaining_quantity=event.remaining_quantity,
            average_price=amount(average),
            fills=self._fills_of(event.order_id),
            kept_priority=event.kept_priority,
            seq=event.seq,
        )
        self._fill_order(slot, answer, notional_e4)

    def _trade_executed(self, event: TradeExecuted) -> None:
        if event.aggressor_side is None:
            self._end_answer()
        order = self._current
        if order is None:
            return
        order.seq = event.seq
        if event.buy_order_id == self._order_id:
            remaining_quantity, fee_e4 = event.buy_remaining_quantity, event.buyer_fee_e4
        elif event.sell_order_id == self._order_id:
            remaining_quantity, fee_e4 = event.sell_remaining_quantity, event.seller_fee_e4
        else:
            return
        order.fills.append(fill_of(event, fee_e4))
        order.filled_quantity += event.quantity
        order.remaining_quantity = remaining_quantity
        order.status = "partially_filled" if remaining_quantity else "filled"
        if self._notional_e4 is not None:
            self._notional_e4 += event.price_e4 * event.quantity
            order.average_price = amount(average_e4(self._notional_e4, order.filled_quantity))

    def _market_state_changed(self, event: MarketStateChanged) -> None:
        if event.reason == "circuit_breaker":
            self.follow(event.seq)
        else:
            self._end_answer()

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
        if event.reason in _OF_ANOTHER_COMMAND:
            self._end_answer()
        elif event.request_id is None:
            self._cancelled_on_the_way(event)
        elif self._pending.awaits(event.request_id, event, MassCancel):
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
        slot = self._begin(request_id, event)
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
        slot = self._begin(event.request_id, event)
        if slot is not None:
            self._fill(slot, MassCancelAnswer(event.count, order_ids, event.seq))

    def _order_rejected(self, event: OrderRejected) -> None:
        slot = self._begin(event.order_id, event)
        if slot is None:
            return
        field = self._refused_field(event)
        refusal = EngineRefusal(event.reason, event.message, event.seq, event.order_id, field)
        self._fill(slot, refusal)

    def _refused_field(self, event: OrderRejected) -> str | None:
        """The field that is wrong where the reason may be about one of two, and not the usual."""
        security = self._securities.get(event.security_id)
        if event.reason == "price_off_tick" and event.order_type in STOP_TYPES:
            price_e4 = event.price_e4
            if price_e4 is None or (security and price_e4 % security.tick_e4 == 0):
                return "stop_price"
        if event.reason == "quantity_off_lot" and security:
            return None if event.quantity % security.lot_quantity else "display_quantity"
        return None

    def _order_repeated(self, event: OrderRepeated) -> None:
        slot = self._begin(event.request_id, event)
        if slot is None:
            return
        request = slot.command
        assert isinstance(request, NewOrder), "only an order is repeated"
        quantity, price_e4 = event.quantity, event.price_e4
        if quantity is None:  # an engine of an earlier version did not tell them
            quantity, price_e4 = request.quantity, request.price_e4
        answer = OrderAnswer(
            order_id=event.order_id,
            client_order_id=event.client_order_id,
            security_id=event.security_id,
            side=request.side,
            type=request.order_type,
            quantity=quantity,
            price=amount(price_e4),
            status=event.status,
            filled_quantity=event.filled_quantity,
            remaining_quantity=event.remaining_quantity,
            average_price=amount(average_e4(event.notional_e4, event.filled_quantity)),
            fills=self._fills_of(event.order_id),
            seq=event.seq,
            repeated=True,
        )
        self._fill(slot, answer)

    def _single_event(self, event: Any) -> None:
        slot = self._begin(event.request_id, event)
        if slot is not None:
            self._fill(slot, SINGLE_EVENT_ANSWERS[type(event)](event))
