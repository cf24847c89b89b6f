"""The phases of the trading day: which it is at a time, and when the engine is told."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from exchange_shared.market_schedule import ScheduleConfig
from order_entry_gateway.sequencing.schedule import ALWAYS_OPEN, PhaseStart, Schedule

NEW_YORK = {
    "timezone": "America/New_York",
    "pre_open": "08:00",
    "opening_auction": "09:25",
    "open": "09:30",
    "closing_auction": "15:55",
    "close": "16:00",
}


def schedule(**changes: Any) -> Schedule:
    """The schedule of New York, with changes."""
    return Schedule(ScheduleConfig(**{**NEW_YORK, **changes}))


def us(text: str) -> int:
    """Microseconds of a time in UTC, like `2026-07-01 13:30`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def text(time_us: int | None) -> str:
    """The inverse."""
    assert time_us is not None
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def phases(plan: Schedule, begin: str, count: int) -> list[tuple[str, str]]:
    """The phase at a time and those after it: when each begins, and what it is."""
    now_us = us(begin)
    found: list[tuple[str, str]] = []
    for _ in range(count):
        phase = plan.latest_phases(now_us)[-1]
        found.append((text(phase.begins_us), phase.phase))
        change_us = plan.next_change_us(now_us)
        assert change_us is not None
        assert plan.latest_phases(change_us - 1)[-1] == phase
        now_us = change_us
    return found


def test_without_a_schedule_there_is_one_phase_without_beginning_and_end() -> None:
    for now_us in (0, us("2026-07-01 13:30")):
        assert (
            Schedule(None).latest_phases(now_us)[-1]
            == ALWAYS_OPEN
            == PhaseStart("", 0, "continuous")
        )
        assert Schedule(None).latest_phases(now_us) == [ALWAYS_OPEN]
        assert Schedule(None).next_change_us(now_us) is None


def test_a_day_has_its_phases_in_order() -> None:
    assert phases(schedule(), "2026-07-01 11:59", 7) == [
        ("2026-06-30 20:00", "closed"),
        ("2026-07-01 12:00", "pre_open"),
        ("2026-07-01 13:25", "opening_auction"),
        ("2026-07-01 13:30", "continuous"),
        ("2026-07-01 19:55", "closing_auction"),
        ("2026-07-01 20:00", "closed"),
        ("2026-07-02 12:00", "pre_open"),
    ]


def test_phases_that_are_left_out_do_not_happen() -> None:
    plan = schedule(pre_open=None, opening_auction=None, closing_auction=None)
    assert phases(plan, "2026-07-01 00:00", 4) == [
        ("2026-06-30 20:00", "closed"),
        ("2026-07-01 13:30", "continuous"),
        ("2026-07-01 20:00", "closed"),
        ("2026-07-02 13:30", "continuous"),
    ]


def test_weekends_and_holidays_are_closed_since_the_last_trading_day() -> None:
    plan = schedule(holidays=[date(2026, 7, day) for day in (2, 3, 6)])
    assert phases(plan, "2026-07-05 12:00", 3) == [
        ("2026-07-01 20:00", "closed"),
        ("2026-07-07 12:00", "pre_open"),
        ("2026-07-07 13:25", "opening_auction"),
    ]


def test_a_long_closure_is_looked_through() -> None:
    holidays = [date(2026, 7, day) for day in range(1, 32)]
    plan = schedule(days=["wed"], holidays=holidays)
    assert phases(plan, "2026-07-22 15:00", 2) == [
        ("2026-06-24 20:00", "closed"),
        ("2026-08-05 12:00", "pre_open"),
    ]


def test_the_local_day_counts_and_not_the_day_in_utc() -> None:
    tokyo = schedule(
        timezone="Asia/Tokyo", days=["mon"], opening_auction=None, closing_auction=None
    )
    assert phases(tokyo, "2026-07-05 22:59", 3) == [
        ("2026-06-29 07:00", "closed"),
        ("2026-07-05 23:00", "pre_open"),
        ("2026-07-06 00:30", "continuous"),
    ]


@pytest.mark.parametrize(
    ("friday", "opens_on_friday", "opens_on_monday"),
    [
        ("2026-03-06 14:30", "2026-03-06 14:30", "2026-03-09 13:30"),
        ("2026-10-30 13:30", "2026-10-30 13:30", "2026-11-02 14:30"),
    ],
    ids=["spring", "autumn"],
)
def test_the_market_opens_at_the_same_local_time_after_the_clocks_change(
    friday: str, opens_on_friday: str, opens_on_monday: str
) -> None:
    plan = schedule(pre_open=None, opening_auction=None, closing_auction=None)
    found = phases(plan, friday, 3)
    assert (found[0], found[2]) == (
        (opens_on_friday, "continuous"),
        (opens_on_monday, "continuous"),
    )


def test_a_local_time_that_is_skipped_is_later_and_its_phase_may_be_empty() -> None:
    night = schedule(
        days=["sun"], pre_open="02:15", opening_auction="02:45", open="03:00", closing_auction=None
    )
    assert phases(night, "2026-03-08 07:00", 4) == [
        ("2026-03-01 21:00", "closed"),
        ("2026-03-08 07:15", "pre_open"),
        ("2026-03-08 07:45", "continuous"),
        ("2026-03-08 20:00", "closed"),
    ]


def test_a_local_time_that_comes_twice_is_the_first_of_the_two() -> None:
    night = schedule(days=["sun"], pre_open=None, opening_auction=None, open="01:30")
    assert phases(night, "2026-11-01 05:30", 2) == [
        ("2026-11-01 05:30", "continuous"),
        ("2026-11-01 20:55", "closing_auction"),
    ]


@pytest.mark.parametrize(
    ("now", "changes", "expected"),
    [
        ("2026-07-02 13:29", {}, ["2026-07-01 20:00", "2026-07-02 13:25"]),
        ("2026-07-06 15:00", {}, ["2026-07-03 20:00", "2026-07-06 13:30"]),
        ("2026-07-06 20:00", {}, ["2026-07-06 20:00"]),
        ("2026-07-05 15:00", {}, ["2026-07-03 20:00"]),
        (
            "2026-07-29 15:00",
            {"days": ["wed"], "holidays": [date(2026, 7, day) for day in (1, 8, 15, 22)]},
            ["2026-06-24 20:00", "2026-07-29 13:30"],
        ),
    ],
)
def test_the_latest_close_goes_before_the_phase(
    now: str, changes: dict[str, Any], expected: list[str]
) -> None:
    plan = schedule(**changes)
    found = plan.latest_phases(us(now))
    assert [text(phase.begins_us) for phase in found] == expected
    assert found[0].phase == "closed"
    assert found[-1] == plan.latest_phases(us(now))[-1]


def test_a_schedule_is_named_by_what_it_says_and_not_by_how_it_is_written() -> None:
    def name(**changes: Any) -> str:
        return schedule(**changes).latest_phases(0)[-1].schedule_id

    assert name() == name(days=["fri", "thu", "wed", "tue", "mon"], holidays=[])
    holiday = date(2026, 12, 25)
    names = {name(), name(close="16:30"), name(timezone="UTC"), name(holidays=[holiday])}
    assert len(names) == 4
    assert all(0 < len(one) <= 64 for one in names)
