"""Notices an engine that has lost its log and its snapshots, and begins again."""

from exchange_shared.invariants import MustStop
from exchange_shared.messages import MATCHING_ENGINE, Heartbeat

BEATS = 3
"""Heartbeats in a row that an engine may be behind, as one is that another is ahead of."""

_MAX_INSTANCES = 16


class EngineBegunAgain(MustStop):
    """The engine is where it was before what was read of it; `order_entry` has lost messages."""


class EngineWatch:
    """Compares each start of the engine with what was read of the engine until then.

    An engine that says it has no problem has applied all of `order_entry`, and with it everything
    that had been published when it began to say so. One that stays below that has other commands
    than those that were read about: what it publishes would be taken for copies, and dropped.
    """

    def __init__(self) -> None:
        self._read_at_first: dict[str, int] = {}
        self._behind: dict[str, int] = {}

    def check(self, heartbeat: Heartbeat, read_seq: int) -> None:
        """Take in a heartbeat; `read_seq` is the last event of the engine that was read.

        Raises:
            EngineBegunAgain: the engine's state is older than what was read of it.
        """
        if heartbeat.service != MATCHING_ENGINE:
            return
        instance = heartbeat.instance
        # A first heartbeat may have waited for the broker; the next ones come after it was taken.
        expected = self._read_at_first.setdefault(instance, read_seq)
        if len(self._read_at_first) > _MAX_INSTANCES:
            oldest = next(iter(self._read_at_first))
            del self._read_at_first[oldest]
            self._behind.pop(oldest, None)
        if heartbeat.problem is not None or heartbeat.applied_seq >= expected:
            self._behind.pop(instance, None)
            return
        self._behind[instance] = self._behind.get(instance, 0) + 1
        if self._behind[instance] >= BEATS:
            raise EngineBegunAgain(
                f"the matching engine has applied all of order_entry, and is at event"
                f" {heartbeat.applied_seq}, but its event {expected} was read before: its log and"
                " its snapshots were lost"
            )
