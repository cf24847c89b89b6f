"""Makes ids: unique, time-ordered, and within what the lease of the gateway's node has reserved.

Request ids come from the same generator, so an id names one command of one kind.
"""

from collections.abc import Callable

from exchange_shared.ids import COUNTER_BITS, EPOCH_MS, FORGED_FROM, NODE_BITS, NODES

_PER_MS = 1 << COUNTER_BITS
LAST_MS = (1 << 41) - 1


class OrderIds:
    """Makes the ids of one gateway, which has to have a node first.

    Each is greater than the one before. When more than 256 are taken in a millisecond, or the
    clock steps back, they run ahead of the clock until it catches up.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._node: int | None = None
        self._last_tick = 0
        self._end_tick = 0

    @property
    def now_ms(self) -> int:
        """The millisecond that the next id is of, as far as this gateway knows."""
        return max(self._last_tick + 1, self._clock_tick()) >> COUNTER_BITS

    def begin(self, node: int, after_ms: int, until_ms: int = LAST_MS) -> None:
        """Make the ids of a node: later ones than of one millisecond, up to another."""
        if not 0 <= node < NODES:
            raise ValueError(f"node {node}: expected 0 to {NODES - 1}")
        if self._node is not None:
            after_ms = max(after_ms, self._last_tick >> COUNTER_BITS)
        self._node = node << COUNTER_BITS
        self._last_tick = max(self._last_tick, _end_of(after_ms))
        self.extend(until_ms)

    def extend(self, until_ms: int) -> None:
        """Make ids up to this millisecond."""
        self._end_tick = _end_of(min(until_ms, LAST_MS))

    def room_for(self, count: int) -> bool:
        """Whether there are so many more up to the end."""
        return max(self._last_tick + 1, self._clock_tick()) + count - 1 <= self._end_tick

    def take(self, count: int) -> list[int]:
        """The next ids, ascending."""
        assert self._node is not None, "the gateway has no node"
        first = max(self._last_tick + 1, self._clock_tick())
        self._last_tick = first + count - 1
        assert self._last_tick <= self._end_tick, "the clock is beyond the last order id"
        return [_id_of(tick, self._node) for tick in range(first, first + count)]

    def raise_floor(self, order_id: int) -> None:
        """Make only ids greater than this one, whichever gateway made it."""
        if order_id < FORGED_FROM:
            milliseconds = order_id >> COUNTER_BITS + NODE_BITS
            self._last_tick = max(self._last_tick, _end_of(milliseconds))

    def _clock_tick(self) -> int:
        return (self._now_us() // 1_000 - EPOCH_MS) << COUNTER_BITS


def last_id_of(node: int, until_ms: int) -> int:
    """The last id that a gateway with this node can make up to a millisecond."""
    return _id_of(_end_of(until_ms), node << COUNTER_BITS)


def _end_of(milliseconds: int) -> int:
    return (milliseconds + 1 << COUNTER_BITS) - 1


def _id_of(tick: int, node: int) -> int:
    return tick >> COUNTER_BITS << COUNTER_BITS + NODE_BITS | node | tick & _PER_MS - 1
