"""Which faults there will be, in which order, on whom and for how long: a function of the seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

BROKER, DATABASE = "rabbitmq", "postgres"

Kind = Literal["kill", "kill two", "pause", "away", "memory alarm", "disk alarm"]


@dataclass(frozen=True)
class Fault:
    """Something that happens to one or two targets, after a time in which nothing does."""

    kind: Kind
    targets: tuple[str, ...]
    seconds: float
    """How long the targets are dead, stopped, or alarmed."""

    quiet_seconds: float

    def __str__(self) -> str:
        return f"{self.kind} {' and '.join(self.targets)}"


@dataclass(frozen=True)
class Durations:
    """How long faults last, and how often the records are checked, in seconds."""

    dead: tuple[float, float] = (0.2, 3.0)
    paused: float = 20.0
    database_away: float = 60.0
    alarm: float = 20.0
    quiet: tuple[float, float] = (2.0, 6.0)
    between_checks: float = 180.0
    recovery: float = 180.0
    """What is not well again after so long is a violation."""


SHORT = Durations(
    dead=(0.2, 1.0),
    paused=5.0,
    database_away=8.0,
    alarm=4.0,
    quiet=(0.5, 1.5),
    between_checks=45.0,
)


def schedule(seed: int, services: Sequence[str], durations: Durations) -> Iterator[Fault]:
    """Faults without end. Each kind befalls each of its targets before any does again."""
    random = Random(seed)
    targets = [*services, BROKER, DATABASE]
    while True:
        one_round = _one_round(random, targets, durations)
        random.shuffle(one_round)
        yield from one_round


def _one_round(random: Random, targets: list[str], durations: Durations) -> list[Fault]:
    faults: list[Fault] = []

    def add(kind: Kind, seconds: float, *hit: str) -> None:
        faults.append(
            Fault(kind, hit, round(seconds, 2), round(random.uniform(*durations.quiet), 2))
        )

    for target in targets:
        add("kill", random.uniform(*durations.dead), target)
        add("pause", durations.paused, target)
    in_pairs = random.sample(targets, len(targets))
    for first, second in zip(in_pairs[::2], in_pairs[1::2], strict=False):
        add("kill two", random.uniform(*durations.dead), first, second)
    add("away", durations.database_away, DATABASE)
    add("memory alarm", durations.alarm, BROKER)
    add("disk alarm", durations.alarm, BROKER)
    return faults
