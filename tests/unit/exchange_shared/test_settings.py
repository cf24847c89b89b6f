"""What the settings of the environment are refused for, and how that is told."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from exchange_cli.settings import LocalSettings, read_local_settings
from exchange_shared.auth import bot_key
from exchange_shared.settings import OperatorSettings, ServiceSettings, read_settings
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


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("local-operator-key", "everybody knows this key"),
        ("operator-0123456789", "operator with digits is too easily guessed"),
        ("aaaaaaaaaaaaaaaa", "at least 8 different characters are expected"),
    ],
)
def test_an_operators_key_that_is_easily_guessed_is_refused(
    monkeypatch: pytest.MonkeyPatch, key: str, reason: str
) -> None:
    monkeypatch.setenv("EXCHANGE_OPERATOR_KEY", key)
    with pytest.raises(SystemExit) as refusal:
        read_settings(OperatorSettings)
    assert refusal.value.code == f"EXCHANGE_OPERATOR_KEY: {reason}; choose another"


@pytest.mark.parametrize("value", ["https://market.example", "market.example:2400", ""])
def test_a_host_that_is_no_name_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EXCHANGE_ALLOWED_HOSTS", f'["localhost", "{value}"]')
    with pytest.raises(SystemExit) as refusal:
        read_settings(OperatorSettings)
    rule = "names without scheme and port are expected, like exchange.example; or *"
    assert refusal.value.code == f"EXCHANGE_ALLOWED_HOSTS: {rule}"


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.5/8", "*", ""])
def test_a_proxy_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EXCHANGE_TRUSTED_PROXIES", f'["127.0.0.1", "10.0.0.0/8", "{value}"]')
    with pytest.raises(SystemExit) as refusal:
        read_settings(OperatorSettings)
    expected = "expected an address like 10.0.0.5, or a network like 10.0.0.0/24"
    assert refusal.value.code == f"EXCHANGE_TRUSTED_PROXIES: {expected}"


class DatabaseSettings(ServiceSettings):
    """Those of a service with two databases."""

    market_dsn: SecretStr = SecretStr("")
    clearing_dsn: str = ""


@pytest.fixture
def secrets_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("EXCHANGE_SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_secrets_come_from_files_unless_a_variable_is_set(
    monkeypatch: pytest.MonkeyPatch, secrets_dir: Path
) -> None:
    (secrets_dir / "exchange_operator_key").write_text("kept-in-a-file-1\n", encoding="utf-8")
    (secrets_dir / "exchange_bot_secret").write_text("kept in a file too\n", encoding="utf-8")
    monkeypatch.setenv("EXCHANGE_BOT_STRATEGY", "flood")
    assert read_settings(OperatorSettings).operator_key == SecretStr("kept-in-a-file-1")
    assert read_settings(BotSettings).account_key == bot_key("kept in a file too", "flood")
    monkeypatch.setenv("EXCHANGE_OPERATOR_KEY", "set-in-a-variable-1")
    assert read_settings(OperatorSettings).operator_key == SecretStr("set-in-a-variable-1")


def test_a_services_password_goes_where_its_urls_have_none(
    monkeypatch: pytest.MonkeyPatch, secrets_dir: Path
) -> None:
    (secrets_dir / "exchange_service_password").write_text("p/@:w\n", encoding="utf-8")
    monkeypatch.setenv("EXCHANGE_BUS_URL", "amqp://feed@broker:5672/")
    monkeypatch.setenv("EXCHANGE_MARKET_DSN", "postgresql://feed@postgres:5432/market_data?a=b")
    monkeypatch.setenv("EXCHANGE_CLEARING_DSN", "postgresql://feed:own@postgres/clearing_data")
    settings = read_settings(DatabaseSettings)
    assert settings.bus_url == "amqp://feed:p%2F%40%3Aw@broker:5672/"
    market_dsn = settings.market_dsn.get_secret_value()
    assert market_dsn == "postgresql://feed:p%2F%40%3Aw@postgres:5432/market_data?a=b"
    assert settings.clearing_dsn == "postgresql://feed:own@postgres/clearing_data"
    monkeypatch.setenv("EXCHANGE_BUS_URL", "sqlite:////tmp/log.db")
    monkeypatch.delenv("EXCHANGE_CLEARING_DSN")
    settings = read_settings(DatabaseSettings)
    assert settings.bus_url == "sqlite:////tmp/log.db"
    assert "p/@:w" not in repr(settings)
    assert "%2F" not in repr(settings)


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
