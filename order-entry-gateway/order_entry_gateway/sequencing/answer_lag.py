"""How far the matching engine is behind with its answers."""

from collections import deque

from order_entry_gateway.answers.answers import Answer
from order_entry_gateway.answers.pending import Slot


class AnswerLag:
    """Remembers, of each lot of requests that was published together, the last and its time."""

    def __init__(self) -> None:
        self._published: deque[tuple[float, Slot[Answer]]] = deque()

    def published(self, now: float, last: Slot[Answer]) -> None:
        """A lot of requests goes to the log now."""
        self._forget_answered()
        self._published.append((now, last))

    def seconds(self, now: float) -> float:
        """Since when the oldest lot waits for its answers."""
        self._forget_answered()
        return now - self._published[0][0] if self._published else 0.0

    def _forget_answered(self) -> None:
        published = self._published
        while published and published[0][1].group.answers[published[0][1].place] is not None:
            published.popleft()
