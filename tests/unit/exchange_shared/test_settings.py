"""What the settings of the environment are refused for, and how that is told."""

import pytest
from pydantic import SecretStr

from exchange_cli.settings import LocalSettings, read_local_settings
from exchange_shared.settings import OperatorSettings, read_settings
from trading_bots import BotSettings

KEY_RULE = (
    "EXCHANGE_OPERATOR_KEY: 16 or more printable ASCII characters without spaces are expected"
)


@pytest.mark.parametrize("kind", [OperatorSettings, LocalSettings])
@pytest.mark.parametrize(
    "key", ["short", "a key with blanks 0123", "0123456789abcde\n", "schlüssel-0123456789"]
)
def test_an_operators_key_that_is_no_key_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[OperatorSettings] | type[LocalSettings],
    key: str,
) -> None:
    monkeypatch.setenv("EXCHANGE_OPERATOR_KEY", key)
    with pytest.raises(SystemExit) as refusal:
        read_settings(kind)
    assert refusal.value.code == KEY_RULE


@pytest.mark.parametrize("key", ["3f9a1c7b20d845e6", "!operators!" * 50, ""])
def test_an_operators_key_is_long_enough_or_none(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("EXCHANGE_OPERATOR_KEY", key)
    assert read_settings(OperatorSettings).operator_key == SecretStr(key)
    assert read_settings(LocalSettings).operator_key == (SecretStr(key) if key else None)


@pytest.mark.parametrize("value", ["https://market.example", "market.example:2400", ""])
def test_a_host_that_is_no_name_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EXCHANGE_ALLOWED_HOSTS", f'["localhost", "{value}"]')
    with pytest.raises(SystemExit) as refusal:
        read_settings(OperatorSettings)
    rule = "names without scheme and port are expected, like exchange.example; or *"
    assert refusal.value.code == f"EXCHANGE_ALLOWED_HOSTS: {rule}"


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LocalSettings.model_fields:
        monkeypatch.setenv(f"EXCHANGE_{name.upper()}", "")
    assert read_settings(LocalSettings) == LocalSettings.model_construct()


def test_all_wrong_settings_are_told_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_PORT", "70000")
    monkeypatch.setenv("EXCHANGE_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as refusal:
        read_settings(OperatorSettings)
    assert refusal.value.code == (
        "EXCHANGE_PORT: it must be at most 65535; "
        "EXCHANGE_LOG_LEVEL: 'debug', 'info', 'warning' or 'error' is expected"
    )
    monkeypatch.setenv("EXCHANGE_GATEWAY_PORT", "many")
    with pytest.raises(SystemExit) as refusal:
        read_settings(LocalSettings)
    assert refusal.value.code == (
        "EXCHANGE_GATEWAY_PORT: a whole number is expected; "
        "EXCHANGE_LOG_LEVEL: 'debug', 'info', 'warning' or 'error' is expected"
    )


@pytest.mark.parametrize("value", ["https://my.site", "[https://my.site]", "", "'[]'"])
def test_a_list_that_is_no_json_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    for kind in (OperatorSettings, BotSettings):
        monkeypatch.setenv("EXCHANGE_BOT_STRATEGY", "flood")
        monkeypatch.setenv("EXCHANGE_ALLOWED_ORIGINS", value)
        monkeypatch.setenv("EXCHANGE_BOT_SECURITIES", value)
        name = "BOT_SECURITIES" if kind is BotSettings else "ALLOWED_ORIGINS"
        with pytest.raises(SystemExit) as refusal:
            read_settings(kind)
        assert refusal.value.code == (
            f'EXCHANGE_{name}: a list as JSON is expected, like ["one", "two"]'
        )


def test_names_that_other_programs_use_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "BOTS", "GATEWAY_PORT", "FEED_PORT", "DATA_DIR", "LOG_LEVEL"):
        monkeypatch.setenv(name, "x86_64-conda-linux-gnu")
    assert read_settings(LocalSettings) == LocalSettings.model_construct()
    assert read_settings(OperatorSettings) == OperatorSettings.model_construct()


def test_every_setting_of_the_local_exchange_has_the_products_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXCHANGE_HOST", "::1")
    monkeypatch.setenv("EXCHANGE_BOTS", "0")
    monkeypatch.setenv("EXCHANGE_FEED_PORT", "2500")
    settings = read_settings(LocalSettings)
    assert (settings.host, settings.bots, settings.feed_port) == ("::1", False, 2500)


def test_a_refusal_names_the_program_and_the_word_that_was_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXCHANGE_GATEWAY_PORT", "many")
    monkeypatch.setenv("EXCHANGE_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as refusal:
        read_local_settings()
    assert refusal.value.code == (
        "exchange: GATEWAY_PORT (EXCHANGE_GATEWAY_PORT): a whole number is expected; "
        "EXCHANGE_LOG_LEVEL: 'debug', 'info', 'warning' or 'error' is expected"
    )
