"""Read-your-writes: waiting until what an answer's `seq` stands for is applied and settled."""

import asyncio
import heapq
import itertools
from collections import deque

MAX_UNSETTLED = 100_000
"""Unsettled executions known one by one; beyond it they are known in groups."""


class Progress:
    """How far the engine's events are applied, and how far its executions are settled.

    `applied_seq` is the engine's last event of the last message that was applied: the moment that
    every answer is of.
    """

    def __init__(self, applied_seq: int, settled_seq: int, execution_seq: int) -> None:
        self.applied_seq = applied_seq
        self._unsettled: deque[tuple[int, int]] = deque()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = itertools.count()
        if execution_seq > settled_seq:
            # Which events they were is not known after a restart, so wait for all of them.
            self._unsettled.append((0, execution_seq))

    def executed(self, seq: int, execution_seq: int) -> None:
        """The engine's event `seq` moved assets, which is not complete before it is settled."""
        if len(self._unsettled) >= MAX_UNSETTLED:
            seq = self._unsettled.pop()[0]
        self._unsettled.append((seq, execution_seq))

    def applied(self, seq: int) -> None:
        """The events up to `seq` are applied: it goes into answers from now on."""
        self.applied_seq = seq

    def advance(self, applied_seq: int, settled_seq: int) -> None:
        """All events up to `applied_seq` are applied, all executions to `settled_seq` settled."""
        self.applied_seq = applied_seq
        while self._unsettled and self._unsettled[0][1] <= settled_seq:
            self._unsettled.popleft()
        while self._waiting and self.reached(self._waiting[0][0]):
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    def reached(self, seq: int) -> bool:
        """Whether event `seq` and all before it are applied, and settled where that applies."""
        return self.applied_seq >= seq and (not self._unsettled or self._unsettled[0][0] > seq)

    async def wait(self, seq: int, seconds: float) -> bool:
        """Wait until `seq` is reached; false when it is not within so many seconds."""
        if self.reached(seq):
            return True
        entry = (seq, next(self._tickets), asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, entry)
        try:
            async with asyncio.timeout(seconds):
                await entry[2]
        except TimeoutError:
            return False
        finally:
            if entry[2].cancelled():
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
        return True
