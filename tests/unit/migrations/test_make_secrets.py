"""Every container's secrets: at random, the same in each place, and once for all."""

import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exchange_migrations.make_secrets import KNOWN_TO_EVERYBODY, SECRETS, make_secrets

HOLDERS = {place.partition("/")[0] for places in SECRETS.values() for place in places}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for holder in HOLDERS:
        (tmp_path / holder).mkdir()
    return tmp_path


def kept(root: Path) -> dict[str, set[str]]:
    """What stands in the places of each secret."""
    return {
        name: {(root / place).read_text(encoding="utf-8").strip() for place in places}
        for name, places in SECRETS.items()
    }


def test_each_secret_is_another_and_the_same_in_all_its_places(root: Path) -> None:
    make_secrets(root, {})
    secrets = kept(root)
    assert all(len(values) == 1 for values in secrets.values())
    values = set().union(*secrets.values())
    assert len(values) == len(SECRETS)
    assert all(len(value) == 64 for value in values)
    make_secrets(root, {})
    assert kept(root) == secrets


def test_containers_can_read_them_whoever_they_run_as_and_nothing_else_is_left(root: Path) -> None:
    make_secrets(root, {})
    files = sorted(path for path in root.rglob("*") if path.is_file())
    places = [place for places in SECRETS.values() for place in places]
    assert files == sorted(root / place for place in places)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}


def test_what_is_given_is_taken_and_stays(root: Path) -> None:
    make_secrets(root, {})
    before = kept(root)
    make_secrets(root, {"OPERATOR_KEY": " chosen by the operator ", "BOTS_SECRET": ""})
    chosen = {**before, "OPERATOR_KEY": {"chosen by the operator"}}
    assert kept(root) == chosen
    make_secrets(root, {})
    assert kept(root) == chosen


def test_an_example_that_was_copied_is_no_secret(root: Path) -> None:
    examples = sorted(KNOWN_TO_EVERYBODY)[: len(SECRETS)]
    make_secrets(root, dict(zip(SECRETS, examples, strict=True)))
    assert set().union(*kept(root).values()).isdisjoint(KNOWN_TO_EVERYBODY)


def test_a_start_that_was_broken_off_is_finished(root: Path) -> None:
    make_secrets(root, {})
    before = kept(root)
    for places in SECRETS.values():
        for place in places[1:]:
            (root / place).unlink()
    make_secrets(root, {})
    assert kept(root) == before


def test_no_log_line_has_a_secret(root: Path) -> None:
    with capture_logs() as logs:
        make_secrets(root, {"OPERATOR_KEY": "chosen-by-the-operator"})
    assert len(logs) == len(SECRETS) - 1
    said = str(logs)
    assert [value for values in kept(root).values() for value in values if value in said] == []
