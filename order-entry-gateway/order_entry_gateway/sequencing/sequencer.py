"""The place where requests get their numbers, and where they wait for their turn before that."""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import force_setattr

from exchange_shared.bus import Publisher
from exchange_shared.messages import (
    AnyCommand,
    BeginPhase,
    CancelOrder,
    ClockTick,
    MassCancel,
    NewOrder,
    ReplaceOrder,
)
from order_entry_gateway.answers.answers import Answer
from order_entry_gateway.answers.late import late_answer, overloaded, withdrawn
from order_entry_gateway.answers.pending import Group, Pending, Slot
from order_entry_gateway.sequencing.answer_lag import AnswerLag
from order_entry_gateway.sequencing.clock import AscendingClock
from order_entry_gateway.sequencing.order_ids import OrderIds
from order_entry_gateway.sequencing.turns import RequestQueue

UNNUMBERED = 0
"""The id and the time of a command that waits for its turn."""

log = structlog.get_logger()


class Sequencer:
    """Numbers requests, publishes them, and lets each wait for its answer, but not for ever.

    Orders and replacements wait in a queue, where clients take turns, until the publisher makes up
    its next message; cancels go before them. Only then are they numbered, so ids ascend in the log.
    No more orders are published than `max_unanswered` beyond what the engine has answered: those
    that wait in the log have no turns.
    """

    def __init__(
        self,
        *,
        entry: Publisher,
        queue: RequestQueue,
        ids: OrderIds,
        pending: Pending[Answer],
        max_unanswered: int,
        answer_seconds: float,
        clock: AscendingClock,
        on_complete: Callable[[Group[Answer]], None],
    ) -> None:
        self.queue = queue
        self._entry = entry
        self._ids = ids
        self._pending = pending
        self._max_unanswered = max_unanswered
        self._answer_seconds = answer_seconds
        self._clock = clock
        self._on_complete = on_complete
        self._lag = AnswerLag()
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        entry.take_from(self._next_commands)

    @property
    def lag_seconds(self) -> float:
        """Since when the engine has not answered what was published first."""
        return self._lag.seconds(self._loop.time())

    def take_in(
        self, client_id: str, group: Group[Answer], orders: Sequence[NewOrder | ReplaceOrder]
    ) -> None:
        """Let orders and replacements wait for their turn."""
        self.queue.add_orders(client_id, self._slots(group, orders))
        self._entry.wake()

    def overtake(
        self, client_id: str, group: Group[Answer], cancel: CancelOrder | MassCancel
    ) -> list[NewOrder]:
        """Let a cancel wait for its turn among cancels, before all orders.

        What it overtakes and is about is withdrawn, as if it had been sent and then cancelled:
        otherwise it would come into the book after its cancel. Returns the orders among that.
        """
        (slot,) = self._slots(group, [cancel])
        self.queue.add_cancel(client_id, slot)
        self._entry.wake()
        overtaken = [
            one for one in self.queue.orders_of(client_id) if is_about(cancel, one.command)
        ]
        for place in overtaken:
            if place.group.answer(place.place, withdrawn()):
                self._on_complete(place.group)
        return [one.command for one in overtaken if isinstance(one.command, NewOrder)]

    def send(
        self, group: Group[Answer], commands: Sequence[AnyCommand], *, expires: bool = True
    ) -> None:
        """Publish numbered commands at once, for the group's empty places."""
        for slot in self._slots(group, commands, expires=expires):
            self._pending.add(_id_of(slot.command), slot)
        group.entry_seq = self._entry.put(commands)
        log.debug("sequenced", ids=group.ids, last_seq=group.entry_seq)

    def answers_came(self) -> None:
        """The engine has answered some: others may follow them."""
        if len(self.queue):
            self._entry.wake()

    async def drain(self) -> None:
        """Publish all that waits; returns when it is durable."""
        self._stopping = True
        await self._entry.drain()

    def _slots(
        self, group: Group[Answer], commands: Sequence[AnyCommand], *, expires: bool = True
    ) -> list[Slot[Answer]]:
        """The group's empty places, each with its command."""
        places = [place for place, answer in enumerate(group.answers) if answer is None]
        if expires:
            group.timer = self._loop.call_later(self._answer_seconds, self._expire, group)
        return [Slot(group, *one) for one in zip(places, commands, strict=True)]

    def _next_commands(self, room: int) -> list[AnyCommand]:
        """Number the requests whose turn it is; they are published now.

        While there are no ids for them they wait.
        """
        if not self._ids.room_for(room):
            return []
        order_room = max(0, self._max_unanswered - len(self._pending))
        slots = self.queue.take(room, room if self._stopping else order_room)
        if not slots:
            return []
        ids, now_us, seq = self._ids.take(len(slots)), self._clock.now_us(), self._entry.last_seq
        for id_, slot in zip(ids, slots, strict=True):
            seq += 1
            command = slot.command
            force_setattr(command, "time_us", now_us)
            force_setattr(command, "order_id" if type(command) is NewOrder else "request_id", id_)
            self._pending.add(id_, slot)
            slot.group.entry_seq = seq
        self._lag.published(self._loop.time(), slots[-1])
        log.debug("sequenced", ids=ids, last_seq=seq)
        return [slot.command for slot in slots]

    def _expire(self, group: Group[Answer]) -> None:
        """Answer what the engine has not, and what still waits for its turn: that is not sent."""
        confirmed = self._entry.confirmed_seq >= group.entry_seq
        for slot in self._pending.give_up(group):
            group.answer(slot.place, late_answer(slot.command, confirmed))
        for place, answer in enumerate(group.answers):
            if answer is None:
                group.answer(place, overloaded("its turn did not come in time"))
        group.close()
        self.answers_came()


def is_about(cancel: CancelOrder | MassCancel, overtaken: AnyCommand) -> bool:
    """Whether a cancel would have ended what an order or a replacement of its client does.

    Of a replacement it is not known which security and side its order has.
    """
    if isinstance(cancel, CancelOrder):
        return isinstance(overtaken, ReplaceOrder) and overtaken.order_id == cancel.order_id
    wanted = (cancel.security_id, cancel.side)
    if isinstance(overtaken, NewOrder):
        found = (overtaken.security_id, overtaken.side)
        return all(one in (None, other) for one, other in zip(wanted, found, strict=True))
    return wanted == (None, None)


def _id_of(command: AnyCommand) -> int:
    """The id under which the engine answers a command."""
    assert not isinstance(command, ClockTick | BeginPhase), "the passing of time has no answer"
    return command.order_id if isinstance(command, NewOrder) else command.request_id
