"""The matching engine's rules, as tables of commands and the events that they cause."""

from pathlib import Path

import pytest

from tests.support.comparison import compare
from tests.support.paths import GOLDEN
from tests.support.tables import read_table, run_table

TABLES = sorted(GOLDEN.glob("*.txt"))


@pytest.mark.parametrize("path", TABLES, ids=[path.stem for path in TABLES])
def test_commands_cause_exactly_these_events(path: Path) -> None:
    expected = path.read_text(encoding="utf-8")
    assert run_table(expected) == expected


@pytest.mark.parametrize("path", TABLES, ids=[path.stem for path in TABLES])
def test_the_naive_exchange_does_the_same_also_beside_an_engine_restored_each_time(
    path: Path,
) -> None:
    commands = read_table(path.read_text(encoding="utf-8"))
    compare(commands, restore_after=range(len(commands)))


def test_a_table_with_a_wrong_event_is_noticed() -> None:
    table = "configure balance 1.00 maker 0 taker 0\n    configured: balance 2.00\n"
    assert run_table(table) != table
