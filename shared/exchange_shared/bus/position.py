"""Where a reader stands in a queue, in a form that can be stored and checked."""

import hashlib
from typing import NamedTuple

import msgspec

from exchange_shared.bus.protocol import LogDiffers, Message
from exchange_shared.bus.sequence import SequenceTracker


class LogPosition(msgspec.Struct, frozen=True):
    """After which message a reader goes on, and what it saw until then.

    `position` is `None` before the first message. `sources` has the last record of each source,
    longest silent first. `mark` is the fingerprint of the message at the position: `None` in what
    versions before have stored.
    """

    position: int | None = None
    sources: dict[str, int] = {}
    mark: str | None = None

    def tracker(self) -> SequenceTracker:
        """A tracker that goes on from here."""
        return SequenceTracker(self.sources)

    def check(self, queue: str, found: Message) -> None:
        """See that the message at the position is the one that was read there.

        Raises:
            LogDiffers: it is another one.
        """
        if self.mark is not None and _digest(found.body) != self.mark.rpartition(" ")[2]:
            raise LogDiffers(
                f"{queue} has another message at {self.position} than the one that was read there"
                f" ({self.mark}): its end was lost, and written anew"
            )


class ReadMessage(NamedTuple):
    """A message that was read, with its source and the number of its last record."""

    position: int
    source: str
    last_seq: int
    body: bytes

    def after(self, sources: dict[str, int]) -> LogPosition:
        """The position after it, when this was seen until then."""
        mark = f"{self.source or '?'} {self.last_seq} {_digest(self.body)}"
        return LogPosition(self.position, sources, mark)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
