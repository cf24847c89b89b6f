"""Requests that wait for the engine's answer."""

import asyncio
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from exchange_shared.messages import AnyCommand

Answer = TypeVar("Answer")


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

    def awaits(self, id_: int, command_type: type[AnyCommand]) -> bool:
        """Whether somebody waits for the answer to a command of this type with this id."""
        slot = self._slots.get(id_)
        return slot is not None and type(slot.command) is command_type

    def take(self, id_: int | None) -> Slot[Answer] | None:
        """The slot for the answer to a command, which is now coming; `None` if nobody waits."""
        return None if id_ is None else self._slots.pop(id_, None)

    def give_up(self, group: Group[Answer]) -> list[Slot[Answer]]:
        """Forget what a group still waits for; returns those slots."""
        return [self._slots.pop(id_) for id_ in group.ids if id_ in self._slots]
