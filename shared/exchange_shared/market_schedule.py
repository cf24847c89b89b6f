"""The section `[schedule]` of the market file: the phases of the trading day, in local times."""

import re
from datetime import date, datetime, time
from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from exchange_shared.messages import Phase

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

PHASE_OF: dict[str, Phase] = {
    "pre_open": "pre_open",
    "opening_auction": "opening_auction",
    "open": "continuous",
    "closing_auction": "closing_auction",
    "close": "closed",
}
"""What begins at the time in each field; a trading day has them in this order."""

_LOCAL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def _local_time(value: Any) -> time:
    if not isinstance(value, str) or not _LOCAL_TIME.fullmatch(value):
        rule = 'a time of day like "09:30", in quotes, is expected'
        raise PydanticCustomError("local_time", rule)
    return time.fromisoformat(value)


def _holiday(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise PydanticCustomError("holiday", "a date like 2026-12-25, without quotes, is expected")
    return value


def _time_zone(value: Any) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, TypeError, ValueError, OSError):
        rule = 'a time zone that this machine knows, like "America/New_York", is expected'
        raise PydanticCustomError("time_zone", rule) from None
    return str(value)


LocalTime = Annotated[time, BeforeValidator(_local_time)]
Holiday = Annotated[date, BeforeValidator(_holiday)]
TimeZone = Annotated[str, BeforeValidator(_time_zone)]


class ScheduleConfig(BaseModel):
    """When the market is open. The times are those of one day, and of `timezone`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: TimeZone
    days: Annotated[frozenset[Weekday], Field(min_length=1)] = frozenset(WEEKDAYS[:5])
    pre_open: LocalTime | None = None
    opening_auction: LocalTime | None = None
    open: LocalTime
    closing_auction: LocalTime | None = None
    close: LocalTime
    holidays: frozenset[Holiday] = frozenset()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for (earlier, begins), (later, ends) in pairwise(self.times().items()):
            if begins >= ends:
                raise PydanticCustomError(
                    "in_order",
                    "{later} must be later than {earlier}, on the same day",
                    {"later": later, "earlier": earlier},
                )
        return self

    def times(self) -> dict[str, time]:
        """The local times that are set, by field, in the order of the day."""
        times = {name: getattr(self, name) for name in PHASE_OF}
        return {name: begins for name, begins in times.items() if begins is not None}
