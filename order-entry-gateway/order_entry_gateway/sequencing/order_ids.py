"""Order ids: unique, time-ordered, and small enough for a double (53 bits).

41 bits of milliseconds since 2026-01-01 UTC (until 2095), 4 bits for the gateway, 8 bits that
count. Request ids come from the same generator, so an id names one command of one kind.
"""

from collections.abc import Callable

EPOCH_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC, in milliseconds since 1970."""

MAX_NODE = 15
_NODE_BITS = 4
_COUNTER_BITS = 8
_PER_MS = 1 << _COUNTER_BITS
_LAST_TICK = (1 << 41 + _COUNTER_BITS) - 1

MAX_FLOOR = (1 << 53) - (10 * 365 * 86_400_000 << _COUNTER_BITS + _NODE_BITS)
"""Ids from here on, of the last ten years before the end, no gateway has made: they are forged,
and beginning above them would leave none."""


class OrderIds:
    """Makes the ids of one gateway.

    Each is greater than the one before. When more than 256 are taken in a millisecond, or the
    clock steps back, they run ahead of the clock until it catches up.
    """

    def __init__(self, node: int, now_us: Callable[[], int]) -> None:
        if not 0 <= node <= MAX_NODE:
            raise ValueError(f"node {node}: expected 0 to {MAX_NODE}")
        self._node = node << _COUNTER_BITS
        self._now_us = now_us
        self._last_tick = 0

    def take(self, count: int) -> list[int]:
        """The next ids, ascending."""
        clock_tick = (self._now_us() // 1_000 - EPOCH_MS) << _COUNTER_BITS
        first = max(self._last_tick + 1, clock_tick)
        self._last_tick = first + count - 1
        assert self._last_tick <= _LAST_TICK, "the clock is beyond the last order id"
        node = self._node
        return [
            tick >> _COUNTER_BITS << _COUNTER_BITS + _NODE_BITS | node | tick & _PER_MS - 1
            for tick in range(first, first + count)
        ]

    def raise_floor(self, order_id: int) -> None:
        """Make only ids greater than this one, whichever gateway made it."""
        if order_id >= MAX_FLOOR:
            return
        milliseconds = order_id >> _COUNTER_BITS + _NODE_BITS
        self._last_tick = max(self._last_tick, (milliseconds + 1 << _COUNTER_BITS) - 1)
