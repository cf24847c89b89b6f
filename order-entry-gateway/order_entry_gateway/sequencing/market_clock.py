"""Tells the matching engine the time, and when a phase of the trading day begins."""

import asyncio
from collections.abc import Callable

import structlog

from exchange_shared.units import format_time
from order_entry_gateway.sequencing.order_entry import OrderEntry
from order_entry_gateway.sequencing.schedule import PhaseStart, Schedule

log = structlog.get_logger()


class MarketClock:
    """Looks at the wall clock again and again, so that it does not matter when that is set."""

    def __init__(
        self, schedule: Schedule, order_entry: OrderEntry, wall_clock_us: Callable[[], int]
    ) -> None:
        self._schedule = schedule
        self._order_entry = order_entry
        self._wall_clock_us = wall_clock_us
        self._begun_us = -1
        """When the phase began that the engine was last told of."""

    def first_phases(self) -> list[PhaseStart]:
        """The latest close and the phase now, which the caller tells the engine of.

        The market may not have been closed then, because no gateway ran; if it was, the engine
        passes over the close.
        """
        phases = self._schedule.latest_phases(self._wall_clock_us())
        for phase in phases:
            self._begun(phase)
        return phases

    async def run(self, tick_seconds: float) -> None:
        """Tick for ever: so often, and when a phase begins."""
        while True:
            await asyncio.sleep(self._pause_seconds(tick_seconds))
            self.tick()

    def tick(self) -> None:
        """Tell the time, and the phase if it is new; what cannot be told now is told later.

        A close that was skipped meanwhile goes before it. A phase that begins earlier than one
        that was told is not: the wall clock was set back.
        """
        self._order_entry.tick()
        for phase in self._schedule.latest_phases(self._wall_clock_us()):
            if phase.begins_us > self._begun_us:
                if not self._order_entry.begin_phase(phase):
                    return
                self._begun(phase)

    def tell_again(self) -> None:
        """Tell the present phase once more: the engine may not have let it begin."""
        self._begun_us = -1

    def _begun(self, phase: PhaseStart) -> None:
        self._begun_us = phase.begins_us
        if phase.schedule_id:
            log.info("phase_begins", phase=phase.phase, begins=format_time(phase.begins_us))

    def _pause_seconds(self, tick_seconds: float) -> float:
        now_us = self._wall_clock_us()
        change_us = self._schedule.next_change_us(now_us)
        if change_us is None:
            return tick_seconds
        return min(tick_seconds, (change_us - now_us) / 1_000_000)
