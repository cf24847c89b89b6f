"""The keys of the exchange of one process: made once, and shown to whoever has its data."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from exchange_cli.local_secrets import key_of, make_secrets
from exchange_cli.places import UnusablePlace
from exchange_cli.settings import LocalSettings
from exchange_shared.auth import bot_key, weakness

BOTS = ["market_maker", "retail"]


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    return LocalSettings(data_dir=tmp_path, operator_key=None, bot_secret=None)


def test_the_first_start_makes_them_and_others_find_them(settings: LocalSettings) -> None:
    made = make_secrets(settings)
    assert make_secrets(settings) == made
    operator, bots = made.operator_key.get_secret_value(), made.bot_secret.get_secret_value()
    assert operator != bots
    assert weakness(operator, "operator") is None
    assert key_of("operator", settings, BOTS) == operator
    assert key_of("retail", settings, BOTS) == bot_key(bots, "retail")


def test_nobody_else_may_read_them(settings: LocalSettings) -> None:
    make_secrets(settings)
    directory = settings.data_dir / "secrets"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.iterdir())]
    assert modes == [0o700, 0o600, 0o600]


def test_settings_win(settings: LocalSettings) -> None:
    before = make_secrets(settings)
    given = {"operator_key": SecretStr("chosen by hand"), "bot_secret": SecretStr("by hand too")}
    chosen = settings.model_copy(update=given)
    assert make_secrets(chosen).operator_key == SecretStr("chosen by hand")
    assert key_of("operator", chosen, BOTS) == "chosen by hand"
    assert key_of("retail", chosen, BOTS) == bot_key("by hand too", "retail")
    assert make_secrets(settings) == before


def test_a_key_that_is_not_kept_is_told(settings: LocalSettings) -> None:
    with pytest.raises(
        UnusablePlace, match=r"no exchange has been started in .*; set EXCHANGE_DATA_DIR to"
    ):
        key_of("operator", settings, BOTS)
    make_secrets(settings)
    with pytest.raises(UnusablePlace, match="there are those of operator, market_maker, retail"):
        key_of("alice", settings, BOTS)
