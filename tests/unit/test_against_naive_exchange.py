"""The engine does exactly what the naive exchange does, event by event.

`COMMANDS=2000000 SEED=7 pytest tests/unit/test_against_naive_exchange.py` compares longer streams;
a failure prints the seed, and the shortest list of commands that still differs as a table.
"""

import os
from itertools import count
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exchange_shared.messages import AnyCommand
from tests.support.comparison import DifferenceError, compare, shrunk
from tests.support.rich_flow import rich_flow
from tests.support.rich_lists import command_lists
from tests.support.rich_market import SHAPES, Shape
from tests.support.table_commands import CommandReader, write_commands

COMMANDS = int(os.environ.get("COMMANDS", "60000"))
SEED = int(os.environ.get("SEED", "1"))
STREAM = 600
"""Commands of one stream: long enough for full books, short enough for linear scans."""


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


@settings(max_examples=50, deadline=None)
@given(commands=command_lists())
def test_a_table_reads_as_the_commands_that_it_was_written_from(commands: list[AnyCommand]) -> None:
    lines = write_commands(commands).splitlines()
    reader = CommandReader()
    assert write_commands(map(reader.command, lines)).splitlines() == lines
