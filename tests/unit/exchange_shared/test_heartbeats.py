"""Who is taken to be away, and when."""

import pytest

from exchange_shared.heartbeats import Listener
from exchange_shared.messages import Heartbeat

SECOND_US = 1_000_000


class Clock:
    """A clock of this process, which another machine's may differ from."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds

    def wall_us(self) -> int:
        return int(self.seconds * SECOND_US)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listener(clock: Clock) -> Listener:
    return Listener(clock.monotonic, clock.wall_us)


def heartbeat(seconds: float, instance: str = "one", problem: str | None = None) -> Heartbeat:
    return Heartbeat(
        time_us=int(seconds * SECOND_US), service="engine", instance=instance, problem=problem
    )


def test_who_never_said_anything_is_not_heard_yet(listener: Listener) -> None:
    assert listener.problem("engine") == "has not been heard yet"
    assert listener.problem_once_heard("engine") is None


def test_who_is_silent_for_more_than_two_seconds_is_away(listener: Listener, clock: Clock) -> None:
    listener.hear(heartbeat(clock.seconds))
    clock.seconds += 2
    assert listener.problem("engine") is None
    clock.seconds += 0.5
    assert listener.problem("engine") == "has been silent for 2 s"
    assert listener.problem_once_heard("engine") == "has been silent for 2 s"
    listener.hear(heartbeat(clock.seconds))
    assert listener.problem("engine") is None


def test_what_a_reader_that_catches_up_reads_says_nothing_of_now(
    listener: Listener, clock: Clock
) -> None:
    for past in range(100, 3, -1):
        clock.seconds += 0.01
        listener.hear(heartbeat(clock.seconds - past))
        assert listener.problem("engine") == "has not been heard yet"
    listener.hear(heartbeat(clock.seconds - 1))
    assert listener.problem("engine") is None


@pytest.mark.parametrize("ahead", [-3_600, -10, 10, 3_600])
def test_clocks_of_other_machines_may_differ(
    listener: Listener, clock: Clock, ahead: float
) -> None:
    for _ in range(3):
        clock.seconds += 1
        listener.hear(heartbeat(clock.seconds + ahead))
    assert listener.problem("engine") is None
    clock.seconds += 2.5
    assert listener.problem("engine") is not None


def test_one_sound_instance_is_enough_and_a_problem_is_told(
    listener: Listener, clock: Clock
) -> None:
    listener.hear(heartbeat(clock.seconds, "one", "bus: away"))
    assert listener.problem("engine") == "bus: away"
    listener.hear(heartbeat(clock.seconds, "two"))
    assert listener.problem("engine") is None
    clock.seconds += 1.5
    listener.hear(heartbeat(clock.seconds, "one", "bus: away"))
    clock.seconds += 1.5
    assert listener.problem("engine") == "has been silent for 3 s"
