"""The form of order and request ids: ordered by time, and small enough for a double (53 bits).

41 bits of milliseconds since 2026-01-01 UTC (until 2095), 4 bits for the gateway's node, 8 bits
that count.
"""

EPOCH_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC, in milliseconds since 1970."""

NODE_BITS = 4
COUNTER_BITS = 8
NODES = 1 << NODE_BITS
"""How many gateways there can be at a time."""

FORGED_FROM = (1 << 53) - (10 * 365 * 86_400_000 << COUNTER_BITS + NODE_BITS)
"""Ids from here on, of the last ten years before the end, no gateway has made: they are forged,
and beginning above them would leave none."""


def node_of(id_: int) -> int:
    """The node of the gateway that made an id."""
    return id_ >> COUNTER_BITS & NODES - 1
