"""The comparison with the naive exchange, and the golden tables, catch engines that are wrong."""

import pytest

from tests.support.comparison import DifferenceError, compare, shrunk
from tests.support.paths import GOLDEN
from tests.support.rich_flow import rich_flow
from tests.support.rich_shapes import SHAPES
from tests.support.tables import run_table
from tests.support.wrong_engines import CONTINUOUS, Patch
from tests.support.wrong_states import ONLY_IN_TABLES, STATES_AND_RISK

COMMANDS_PER_SHAPE = 1_000
WRONG = CONTINUOUS | STATES_AND_RISK
IN_TABLES = STATES_AND_RISK | ONLY_IN_TABLES


def compare_all_shapes() -> None:
    for shape in SHAPES:
        commands = list(rich_flow(1, COMMANDS_PER_SHAPE, shape))
        compare(commands, check_every=10, restore_after=range(50, COMMANDS_PER_SHAPE, 100))


def golden_tables_hold() -> bool:
    tables = [path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*.txt"))]
    try:
        return all(run_table(table) == table for table in tables)
    except AssertionError:  # the engine noticed itself that it is wrong
        return False


@pytest.mark.parametrize("patch", WRONG.values(), ids=WRONG)
def test_a_wrong_engine_is_caught_by_the_comparison(
    patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch(monkeypatch)
    with pytest.raises(DifferenceError) as caught:
        compare_all_shapes()
    cause = caught.value.__cause__
    assert cause is None or isinstance(cause, AssertionError), "it is no engine at all"


@pytest.mark.parametrize("patch", IN_TABLES.values(), ids=IN_TABLES)
def test_a_wrong_engine_is_caught_by_the_golden_tables(
    patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch(monkeypatch)
    assert not golden_tables_hold()


def test_the_right_engine_is_not_caught() -> None:
    compare_all_shapes()
    assert golden_tables_hold()


def test_what_is_caught_is_told_as_a_short_table(monkeypatch: pytest.MonkeyPatch) -> None:
    WRONG["fees are cut off"](monkeypatch)
    report = shrunk(list(rich_flow(1, 300, SHAPES[0])))
    commands = [line for line in report.splitlines() if line and not line.startswith(" ")]
    assert len(commands) <= 8
    assert "    engine: trade 1:" in report
    assert "    naive:  trade 1:" in report
