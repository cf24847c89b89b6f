"""Which phase of the trading day it is, and when the next one begins. Pure."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from exchange_shared.market_schedule import PHASE_OF, WEEKDAYS, ScheduleConfig
from exchange_shared.messages import Phase

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)


class PhaseStart(NamedTuple):
    """A phase, when it begins, and by which schedule: what `BeginPhase` tells the engine."""

    schedule_id: str
    begins_us: int
    phase: Phase


ALWAYS_OPEN = PhaseStart("", 0, "continuous")


class Schedule:
    """The phases of a schedule, without end in both directions; `None` is always open.

    A local time that daylight saving skips is later by what is skipped, and one that comes twice
    is the first of the two.
    """

    def __init__(self, config: ScheduleConfig | None) -> None:
        self._config = config
        if config is not None:
            self._id = _digest(config)
            self._zone = ZoneInfo(config.timezone)
            # Each 7 days have a trading day, unless all of them are holidays.
            self._days_to_look = 7 * (len(config.holidays) + 1) + 1

    def latest_phases(self, time_us: int) -> list[PhaseStart]:
        """The latest close until a time, and after it the phase at that time if it is another."""
        phases = self._phases_back(time_us)
        present = next(phases)
        if present.phase == "closed":
            return [present]
        close = next((phase for phase in phases if phase.phase == "closed"), None)
        return [present] if close is None else [close, present]

    def next_change_us(self, time_us: int) -> int | None:
        """When the phase at a time ends, if ever."""
        if self._config is None:
            return None
        return next(
            phase.begins_us
            for day in self._days_from(time_us, _DAY)
            for phase in self._phases_of(self._config, day)
            if phase.begins_us > time_us
        )

    def _phases_back(self, time_us: int) -> Iterator[PhaseStart]:
        """The phases that began until a time, the latest first."""
        if self._config is None:
            yield ALWAYS_OPEN
            return
        for day in self._days_from(time_us, -_DAY):
            for phase in reversed(self._phases_of(self._config, day)):
                if phase.begins_us <= time_us:
                    yield phase

    def _days_from(self, time_us: int, step: timedelta) -> Iterator[date]:
        moment = _EPOCH + timedelta(microseconds=time_us)
        today = moment.astimezone(self._zone).date()
        return (today + step * number for number in range(self._days_to_look))

    def _phases_of(self, config: ScheduleConfig, day: date) -> list[PhaseStart]:
        """The phases that begin on a day, in order; none unless it is a trading day."""
        if WEEKDAYS[day.weekday()] not in config.days or day in config.holidays:
            return []
        times = config.times()
        moments = (datetime.combine(day, begins, self._zone) for begins in times.values())
        # What is skipped may end between two phases: the later one then begins no earlier.
        begins_us = accumulate(((moment - _EPOCH) // _MICROSECOND for moment in moments), max)
        return [
            PhaseStart(self._id, begins, PHASE_OF[name])
            for name, begins in zip(times, begins_us, strict=True)
        ]


def _digest(config: ScheduleConfig) -> str:
    """The same for the same schedule, however it was written."""
    times = [f"{name} {begins}" for name, begins in config.times().items()]
    parts = [config.timezone, *sorted(config.days), *times, *sorted(map(str, config.holidays))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
