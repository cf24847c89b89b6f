"""Who is alive: each service that works on the log says so on `data_feed`, once a second."""

import asyncio
import secrets
import time
from collections.abc import Callable

import msgspec

from exchange_shared.bus import DATA_FEED, Bus
from exchange_shared.messages import Heartbeat, encode_batch
from exchange_shared.units import now_us

BEAT_SECONDS = 1.0
SILENT_SECONDS = 2.0
"""A service that is silent for longer than this is taken to be away."""

STALL_SECONDS = 1.0
"""A reader that stood still for so long has heard nobody meanwhile, and blames nobody for it."""

_LOOK_SECONDS = 0.25
_FORGOTTEN_SECONDS = 60.0


async def beat(
    bus: Bus, service: str, seq: Callable[[], int], problem: Callable[[], str | None]
) -> None:
    """Say for ever that a service is alive, how far it is, and what is wrong with it.

    Each start is a source of its own, so that the service's numbered records stay what the log
    makes of them. While the broker is away one heartbeat waits, and no more gather.
    """
    source = f"{service}-health-{secrets.token_hex(8)}"
    number = 0
    while True:
        number += 1
        heartbeat = Heartbeat(
            time_us=now_us(),
            service=service,
            instance=source,
            applied_seq=seq(),
            problem=problem(),
        )
        await bus.publish(DATA_FEED, encode_batch(source, number, [heartbeat]))
        await asyncio.sleep(BEAT_SECONDS)


class _Heard(msgspec.Struct):
    """The last heartbeat of one start of a service, and when a fresh one arrived."""

    last: Heartbeat
    lag_us: int
    fresh_at: float | None


class Listener:
    """When each service was last heard, by this process's own clock.

    Heartbeats that are read late say nothing of now: one counts when it is as old on arrival as
    the one before it, not younger by half of what lies between them, as when a reader catches up.
    So a difference between two machines' clocks does not matter. `run` must be running as a task.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall_clock_us: Callable[[], int] = now_us,
    ) -> None:
        self._monotonic = monotonic
        self._wall_clock_us = wall_clock_us
        self._heard: dict[str, dict[str, _Heard]] = {}
        self._listening_since = monotonic()

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take in a heartbeat that was just read."""
        now = self._monotonic()
        lag_us = self._wall_clock_us() - heartbeat.time_us
        instances = self._heard.setdefault(heartbeat.service, {})
        before = instances.get(heartbeat.instance)
        fresh = lag_us <= SILENT_SECONDS * 1e6
        if before is not None and not fresh:
            between_us = heartbeat.time_us - before.last.time_us
            fresh = before.lag_us - lag_us < between_us / 2
        fresh_at = now if fresh else before.fresh_at if before else None
        instances[heartbeat.instance] = _Heard(heartbeat, lag_us, fresh_at)
        if len(instances) > 1:
            self._heard[heartbeat.service] = {
                name: heard
                for name, heard in instances.items()
                if name == heartbeat.instance
                or (heard.fresh_at is not None and now - heard.fresh_at < _FORGOTTEN_SECONDS)
            }

    def problem(self, service: str) -> str | None:
        """Why a service is not at work, as far as can be heard; one sound instance is enough."""
        instances = self._heard.get(service, {})
        problems = [self._problem_of(heard) for heard in instances.values()]
        if not problems:
            return "has not been heard yet"
        return None if None in problems else problems[-1]

    def problem_once_heard(self, service: str) -> str | None:
        """The same, but nothing of a service that has never said anything here."""
        return self.problem(service) if service in self._heard else None

    def _problem_of(self, heard: _Heard) -> str | None:
        if heard.fresh_at is None:
            return "has not been heard yet"
        silent = self._monotonic() - max(heard.fresh_at, self._listening_since)
        if silent > SILENT_SECONDS:
            return f"has been silent for {silent:.0f} s"
        return heard.last.problem

    async def run(self) -> None:
        """Notice for ever when this process itself stands still."""
        while True:
            before = self._monotonic()
            await asyncio.sleep(_LOOK_SECONDS)
            now = self._monotonic()
            if now - before > STALL_SECONDS:
                self._listening_since = now
