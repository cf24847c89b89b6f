"""An engine that begins again below what was read of it is noticed, and no other."""

import pytest

from exchange_shared.engine_watch import BEATS, EngineBegunAgain, EngineWatch
from exchange_shared.messages import MATCHING_ENGINE, Heartbeat


def beat(
    seq: int, problem: str | None = None, instance: str = "a", service: str = MATCHING_ENGINE
) -> Heartbeat:
    return Heartbeat(
        time_us=1, service=service, instance=instance, applied_seq=seq, problem=problem
    )


def test_an_engine_that_stays_below_what_was_read_of_it_is_noticed() -> None:
    watch = EngineWatch()
    for _ in range(BEATS - 1):
        watch.check(beat(7), 100)
    with pytest.raises(EngineBegunAgain, match="is at event 9, but its event 100 was read before"):
        watch.check(beat(9), 100)


def test_one_that_replays_is_not_behind() -> None:
    watch = EngineWatch()
    for seq in range(50):
        watch.check(beat(seq, "replaying order_entry"), 100)
    watch.check(beat(100), 100)


def test_one_that_another_is_ahead_of_catches_up() -> None:
    watch = EngineWatch()
    for round_ in range(10):
        for lag in range(BEATS - 1):
            watch.check(beat(90 + lag), 100 + round_)
        watch.check(beat(100 + round_), 200)


def test_events_that_were_read_later_are_not_asked_of_it() -> None:
    watch = EngineWatch()
    watch.check(beat(100), 100)
    for _ in range(2 * BEATS):
        watch.check(beat(100), 1_000)


def test_others_know_other_numbers() -> None:
    watch = EngineWatch()
    for _ in range(2 * BEATS):
        watch.check(beat(1, service="clearinghouse"), 100)


def test_each_start_is_a_case_of_its_own() -> None:
    watch = EngineWatch()
    for number in range(100):
        watch.check(beat(7, instance=str(number)), 100)
    for _ in range(BEATS - 2):
        watch.check(beat(7, instance="99"), 100)
    with pytest.raises(EngineBegunAgain):
        watch.check(beat(7, instance="99"), 100)
