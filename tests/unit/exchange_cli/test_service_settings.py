"""The settings of the services of one process: read from the environment, and all at once."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from exchange_cli.local_secrets import LocalSecrets
from exchange_cli.service_settings import read_service_settings
from exchange_cli.settings import LocalSettings
from exchange_shared.market import BotConfig

BOTS = [BotConfig(strategy="uniform", client_id="one"), BotConfig(strategy="retail", client_id="b")]


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        ("EXCHANGE_BODY_SECONDS", "-1", "it must be above 0.0"),
        ("EXCHANGE_MAX_QUEUED_ORDERS", "0", "it must be at least 1"),
        ("EXCHANGE_ALLOWED_ORIGINS", "x", 'a list as JSON is expected, like ["one", "two"]'),
        ("EXCHANGE_PUBLIC_ACCOUNTS", "perhaps", "true or false is expected"),
        ("EXCHANGE_MAX_STREAMS", "many", "a whole number is expected"),
        ("EXCHANGE_MAX_EXECUTIONS", "0", "it must be above 0"),
        ("EXCHANGE_SNAPSHOT_EVERY", "0", "it must be at least 1"),
        ("EXCHANGE_BOT_REFRESH_SECONDS", "0", "it must be above 0.0"),
    ],
)
def test_a_wrong_one_of_any_service_or_bot_is_named(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, rule: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(SystemExit) as refusal:
        read_service_settings(LocalSettings(), BOTS)
    assert refusal.value.code == f"exchange: {setting}: {rule}"


def test_what_is_known_later_replaces_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXCHANGE_HEAD_SECONDS", "3.5")
    monkeypatch.setenv("EXCHANGE_BODY_SECONDS", "")
    monkeypatch.setenv("EXCHANGE_GATEWAY_PORT", "0")
    monkeypatch.setenv("EXCHANGE_MARKET_DSN", "postgresql://elsewhere/market_data")
    monkeypatch.setenv("EXCHANGE_BOT_SEED", "7")
    local = LocalSettings(data_dir=Path("data"), market_file=Path("market.toml"))
    secrets = LocalSecrets(SecretStr("the operator's"), SecretStr("the bots'"))
    read = read_service_settings(local, BOTS).with_secrets(secrets)
    read = read.with_databases("postgresql://here/clearing", "postgresql://here/market")

    for server in (read.gateway, read.feed):
        assert (server.head_seconds, server.body_seconds) == (3.5, 20)
        assert server.operator_key == secrets.operator_key
        assert server.market_dsn == SecretStr("postgresql://here/market")
    assert (read.gateway.port, read.feed.port) == (0, 2404)
    assert read.gateway.market_file == Path("market.toml")
    assert read.clearinghouse.clearing_dsn == "postgresql://here/clearing"
    assert read.engine.snapshot_dir == Path("data/snapshots")
    assert [(bot.client_id, bot.secret, bot.seed) for bot in read.bots] == [
        ("one", secrets.bot_secret, 7),
        ("b", secrets.bot_secret, 7),
    ]
