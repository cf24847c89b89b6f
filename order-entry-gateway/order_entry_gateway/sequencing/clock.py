"""The clock by which commands are dated."""

from collections.abc import Callable

from exchange_shared.market import MAX_TIME_STEP_US


class AscendingClock:
    """The clock, but never back, unless it was set."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._time_us = 0

    def now_us(self) -> int:
        """The time now."""
        now_us = self._clock_us()
        if now_us > self._time_us or self._time_us - now_us > MAX_TIME_STEP_US:
            self._time_us = now_us
        return self._time_us
