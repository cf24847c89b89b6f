"""The engine does exactly what the naive exchange does, event by event.

`COMMANDS=2000000 SEED=7 pytest tests/proof/test_against_naive_exchange.py` compares longer streams;
a failure prints the seed, and the shortest list of commands that still differs as a table.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import count
from random import Random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exchange_shared.messages import (
    AnyCommand,
    AnyEvent,
    AuctionKind,
    CancelReason,
    MarketState,
    RejectReason,
    StateReason,
)
from tests.support.comparison import DifferenceError, compare, shrunk
from tests.support.naive_exchange import NaiveExchange
from tests.support.rich_flow import rich_flow
from tests.support.rich_lists import command_lists
from tests.support.rich_market import Shape
from tests.support.rich_shapes import SHAPES
from tests.support.table_commands import CommandReader
from tests.support.table_writer import write_commands

COMMANDS = int(os.environ.get("COMMANDS", "200000"))
SEED = int(os.environ.get("SEED", "1"))
STREAM = 600
"""Commands of one stream: long enough for full books, short enough for linear scans."""
COUNTED_STREAMS = 4
"""Of so many streams of each shape, at the least, the test above compares every event."""
OUT_OF_REACH = {"account_limit"}
"""Reasons that no stream gets to: it takes billions. `accounts_and_listings.txt` has it."""


@settings(max_examples=300, deadline=None, phases=[*set(Phase) - {Phase.shrink}])
@given(commands=command_lists(), restore_after=st.sets(st.integers(8, 80), max_size=3))
def test_short_lists_of_commands(commands: list[AnyCommand], restore_after: set[int]) -> None:
    try:
        compare(commands, restore_after=restore_after)
    except DifferenceError:
        pytest.fail(shrunk(commands), pytrace=False)  # in a second, where Hypothesis takes minutes


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_seeded_streams_of_commands(shape: Shape) -> None:
    left = COMMANDS // len(SHAPES)
    for seed in count(SEED):
        restore_after = set(Random(seed).sample(range(STREAM), 5))
        try:
            left -= compare(
                rich_flow(seed, STREAM, shape), check_every=20, restore_after=restore_after
            )
        except DifferenceError:
            fewest = shrunk(list(rich_flow(seed, STREAM, shape)))
            pytest.fail(f"{shape.name} with SEED={seed}:\n{fewest}", pytrace=False)
        if left <= 0:
            return


def test_the_streams_reach_every_event_reason_state_and_kind_of_auction() -> None:
    reached = {
        word
        for shape in SHAPES
        for seed in range(1, 1 + COUNTED_STREAMS)
        for event in _events(rich_flow(seed, STREAM, shape))
        for word in _words(event)
    }
    expected = {event_type.__name__ for event_type in get_args(AnyEvent)}
    for words in (RejectReason, CancelReason, StateReason, MarketState, AuctionKind):
        expected.update(get_args(words))
    assert expected - reached == OUT_OF_REACH


def _events(commands: Iterable[AnyCommand]) -> Iterator[AnyEvent]:
    exchange = NaiveExchange()
    for command in commands:
        yield from exchange.apply(command)


def _words(event: AnyEvent) -> list[str]:
    """The type of an event, and what it says of a reason, a state, and a kind of auction."""
    said = [getattr(event, name, None) for name in ("reason", "state", "auction")]
    return [type(event).__name__, *(word for word in said if word is not None)]


@settings(max_examples=50, deadline=None)
@given(commands=command_lists())
def test_a_table_reads_as_the_commands_that_it_was_written_from(commands: list[AnyCommand]) -> None:
    assert _without_request_ids(_read_again(commands)) == _without_request_ids(commands)


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_a_table_of_a_stream_reads_as_its_commands(shape: Shape) -> None:
    commands = list(rich_flow(SEED, STREAM, shape))
    assert _without_request_ids(_read_again(commands)) == _without_request_ids(commands)


def _read_again(commands: list[AnyCommand]) -> list[AnyCommand]:
    reader = CommandReader()
    return [reader.command(line) for line in write_commands(commands).splitlines()]


def _without_request_ids(commands: list[AnyCommand]) -> list[dict[str, Any]]:
    """The fields of the commands; tables number requests in their own way."""
    fields = [{"type": type(one), **msgspec.structs.asdict(one)} for one in commands]
    return [{name: one[name] for name in one if name != "request_id"} for one in fields]
