"""The engine and the naive exchange side by side, event by event."""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from exchange_shared.messages import AnyCommand, AnyEvent, OrderRejected, RequestRejected
from matching_engine.core import Exchange
from matching_engine.core.snapshot.format import decode_state, encode_state
from tests.support.naive_exchange import NaiveExchange
from tests.support.table_events import describe
from tests.support.table_writer import CommandWriter


class DifferenceError(AssertionError):
    """The engine and the naive exchange differ. The message has the commands as a table."""


def compare(
    commands: Iterable[AnyCommand],
    *,
    check_every: int = 1,
    restore_after: Collection[int] = (),
) -> int:
    """Apply the commands to both; returns how many there were.

    The invariants are checked after every `check_every` commands; after the commands with the
    numbers `restore_after` the engine goes on from its encoded state.

    Raises:
        DifferenceError: they differ, or the engine raised.
    """
    engine, naive = Exchange(), NaiveExchange()
    done: list[AnyCommand] = []
    for number, command in enumerate(commands):
        done.append(command)
        expected = naive.apply(command)
        try:
            events = [_without_message(event) for event in engine.apply(command)]
            if events == expected and number % check_every == 0:
                engine.check_invariants()
            if number in restore_after:
                engine = Exchange(decode_state(encode_state(engine.state())))
        except Exception as error:
            raise DifferenceError(_report(done, f"the engine raised {error!r}")) from error
        if events != expected:
            raise DifferenceError(_report(done, _difference(events, expected)))
    return len(done)


def shrunk(commands: Sequence[AnyCommand]) -> str:
    """The report on as few of these commands, which differ, as still do."""
    kept = list(commands)
    restores = False
    report = _failure(kept, restores=restores)
    if report is None:
        restores = True
        report = _failure(kept, restores=restores)
    if report is None:
        return "these commands differ neither as they are nor restored after each"
    size = len(kept) // 2
    while size:
        before = len(kept)
        for start in reversed(range(0, before, size)):
            fewer = kept[:start] + kept[start + size :]
            shorter = _failure(fewer, restores=restores)
            if shorter is not None:
                kept, report = fewer, shorter
        if len(kept) == before:
            size //= 2
    return report + ("\n(restored after each command)" if restores else "")


def _failure(commands: list[AnyCommand], *, restores: bool) -> str | None:
    try:
        compare(commands, restore_after=range(len(commands)) if restores else ())
    except DifferenceError as error:
        return str(error)
    return None


def _without_message(event: AnyEvent) -> AnyEvent:
    if isinstance(event, OrderRejected | RequestRejected):
        return msgspec.structs.replace(event, message="")
    return event


def _difference(events: list[AnyEvent], expected: list[AnyEvent]) -> str:
    same = 0
    while events[: same + 1] == expected[: same + 1] and same < len(expected):
        same += 1
    lines = [f"    engine: {describe(event)}" for event in events[same:]] or ["    engine: -"]
    lines += [f"    naive:  {describe(event)}" for event in expected[same:]] or ["    naive:  -"]
    if [describe(event) for event in events] == [describe(event) for event in expected]:
        lines += [f"    engine: {event}" for event in events[same : same + 1]]
        lines += [f"    naive:  {event}" for event in expected[same : same + 1]]
    return "the last command differs:\n" + "\n".join(lines)


def _report(commands: list[AnyCommand], problem: str) -> str:
    """The commands as a golden table with the naive exchange's events, and what went wrong."""
    naive, writer = NaiveExchange(), CommandWriter()
    lines = []
    for command in commands:
        lines.append(writer.line(command))
        lines += [f"    {describe(event)}" for event in naive.apply(command)]
    return "\n".join(["", *lines[-400:], problem])
