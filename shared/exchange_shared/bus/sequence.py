"""Gapless sequence numbers: how a reader drops what it has seen and notices what it has not."""

from collections.abc import Mapping

from exchange_shared.invariants import MustStop

MAX_SOURCES = 1_024
"""Sources remembered. Each start of a gateway is a source; the longest silent is forgotten."""


class SequenceGap(MustStop):
    """Records of a source are missing from a queue."""


class UnknownSource(SequenceGap):
    """A batch in the middle of a sequence of which this reader never saw the beginning."""


class SequenceTracker:
    """The last sequence number seen of each source."""

    def __init__(self, last_seen: Mapping[str, int] | None = None) -> None:
        self._last_seen = dict(last_seen or {})
        self._held: dict[str, int] = {}

    def admit(self, source: str, seq: int, count: int) -> int:
        """Take in `count` records that start at `seq`; returns how many of them were seen before.

        Raises:
            SequenceGap: records before `seq` were never seen. Nothing is taken in.
            UnknownSource: the same of a source of which nothing was ever seen.
        """
        last = self._last_seen.get(source, 0)
        if last == 0 and seq > 1:
            raise UnknownSource(f"{source} is unknown here, and begins with record {seq}, not 1")
        if seq > last + 1:
            raise SequenceGap(f"{source}: record {last + 1} is missing, the next one is {seq}")
        end = seq + count - 1
        if end > last:
            self._last_seen.pop(source, None)
            self._last_seen[source] = end
            if len(self._last_seen) > MAX_SOURCES:
                del self._last_seen[next(iter(self._last_seen))]
        return min(last - seq + 1, count)

    def hold(self, source: str, seq: int) -> None:
        """Tell only of records up to `seq` of a source, because the rest is not delivered yet."""
        self._held.setdefault(source, seq)

    def release(self, source: str) -> None:
        """Tell of all records of a source again."""
        self._held.pop(source, None)

    def last_seen(self) -> dict[str, int]:
        """The last number of each source, longest silent first; give it to a new tracker."""
        told = {**self._last_seen, **self._held}
        return {source: seq for source, seq in told.items() if seq}
