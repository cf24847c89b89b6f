"""Whether this process has just stood still: what it reads then may have waited for long."""

import asyncio
import time
from collections.abc import Callable

STANDSTILL_SECONDS = 2.0
"""Whoever waits for an answer for so long before he repeats a request elsewhere has not done so
while this process stood still for less."""

CLOSED_SECONDS = 1.0
"""How long nothing is taken after that: until all that waited in the sockets has been read."""

_LOOK_SECONDS = 0.25


class Standstill:
    """Notices a pause of this process, also before the first request after it. Needs `run`."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._alive_at = monotonic()
        self._closed_until = self._alive_at

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.problem()
            await asyncio.sleep(_LOOK_SECONDS)

    def problem(self) -> str | None:
        """Why nothing is taken now, if this process has just stood still."""
        now = self._monotonic()
        if now - self._alive_at > STANDSTILL_SECONDS:
            self._closed_until = now + CLOSED_SECONDS
        self._alive_at = now
        if now < self._closed_until:
            return "the gateway stood still, and takes nothing that may have waited meanwhile"
        return None
