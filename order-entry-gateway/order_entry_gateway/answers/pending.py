"""Requests that wait for the engine's answer."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from exchange_shared.messages import AnyCommand
from order_entry_gateway.answers.matching import answers

Answer = TypeVar("Answer")
log = structlog.get_logger()


class Slot(NamedTuple, Generic[Answer]):
    """Where the answer to one command belongs: a place in its group."""

    group: "Group[Answer]"
    place: int
    command: AnyCommand


class Group(Generic[Answer]):
    """Requests that came together and are answered together, each in its place.

    `answers` may have some from the beginning (of requests that were refused at the door); when
    the last is there, `on_answered` is called with all of them.
    """

    __slots__ = ("answers", "began", "entry_seq", "ids", "missing", "on_answered", "timer")

    def __init__(
        self,
        answers: list[Answer | None],
        on_answered: Callable[[list[Answer]], None],
        began: float,
    ) -> None:
        self.answers = answers
        self.missing = answers.count(None)
        self.on_answered = on_answered
        self.began = began
        """The event loop's time when the requests came."""
        self.ids: list[int] = []
        """The ids of the commands whose answers are awaited."""
        self.entry_seq = 0
        """The number of the group's last command on `order_entry`."""
        self.timer: asyncio.TimerHandle | None = None

    def answer(self, place: int, answer: Answer) -> bool:
        """Fill a place; returns whether it was the last."""
        assert self.answers[place] is None, "a request is answered once"
        self.answers[place] = answer
        self.missing -= 1
        return not self.missing

    def close(self) -> None:
        """Hand over the answers, all of which are there."""
        if self.timer:
            self.timer.cancel()
        self.on_answered([answer for answer in self.answers if answer is not None])


class Pending(Generic[Answer]):
    """The slots that are still empty, by the id of their command. Bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots: dict[int, Slot[Answer]] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def room_for(self, count: int) -> bool:
        """Whether this many more requests may wait."""
        return len(self._slots) + count <= self._limit

    def add(self, id_: int, slot: Slot[Answer]) -> None:
        """Wait for the answer to a command."""
        self._slots[id_] = slot
        slot.group.ids.append(id_)

    def awaits(self, id_: int, event: Any, command_type: type[AnyCommand]) -> bool:
        """Whether an event is of the answer to a command of this type with this id."""
        slot = self._slots.get(id_)
        if slot is None or type(slot.command) is not command_type:
            return False
        return answers(event, slot.command)

    def take(self, id_: int | None, event: Any) -> Slot[Answer] | None:
        """The slot for the answer that an event begins; `None` if nobody waits for it here."""
        slot = None if id_ is None else self._slots.get(id_)
        if id_ is None or slot is None:
            return None
        if not answers(event, slot.command):
            log.error("answer_of_another", id=id_, told=type(event).__name__)
            return None
        return self._slots.pop(id_)

    def give_up(self, group: Group[Answer]) -> list[Slot[Answer]]:
        """Forget what a group still waits for; returns those slots."""
        return [self._slots.pop(id_) for id_ in group.ids if id_ in self._slots]
