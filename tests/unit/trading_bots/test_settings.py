"""What a bot's settings are refused for, and how that is told; and the key that it makes itself."""

import pytest
from pydantic import SecretStr

from exchange_shared.settings import read_settings
from trading_bots import BotSettings, ExchangeClient


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "EXCHANGE_BOT_STRATEGY",
            "wizard",
            "no strategy is called 'wizard'; there are random_walk, gaussian, uniform, retail,"
            " flood, market_maker",
        ),
        ("EXCHANGE_BOT_CLIENT_ID", "a b", "1 to 32 letters, digits, `_` or `-` are expected"),
        (
            "EXCHANGE_BOT_API_KEY",
            "a key with blanks 0123",
            "16 to 128 printable ASCII characters without spaces are expected",
        ),
        (
            "EXCHANGE_BOT_GATEWAY_URL",
            "localhost:2400",
            "an address like http://127.0.0.1:2400 is expected, not 'localhost:2400'",
        ),
        ("EXCHANGE_BOT_INTERVAL_SECONDS", "0", "it must be above 0.0"),
        (
            "EXCHANGE_LOG_LEVEL",
            "loud",
            "'debug', 'info', 'warning' or 'error' is expected",
        ),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv("EXCHANGE_BOT_STRATEGY", "flood")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as refusal:
        read_settings(BotSettings)
    assert refusal.value.code == f"{name}: {expected}"


def test_a_missing_strategy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXCHANGE_BOT_STRATEGY", raising=False)
    with pytest.raises(SystemExit) as refusal:
        read_settings(BotSettings)
    assert refusal.value.code == "EXCHANGE_BOT_STRATEGY: it is missing"


@pytest.mark.parametrize("secret", [None, ""])
def test_a_bot_without_a_key_or_a_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    monkeypatch.setenv("EXCHANGE_BOT_STRATEGY", "flood")
    if secret is not None:
        monkeypatch.setenv("EXCHANGE_BOT_SECRET", secret)
    with pytest.raises(SystemExit) as refusal:
        read_settings(BotSettings)
    assert refusal.value.code == (
        "EXCHANGE_BOT_API_KEY is missing: the account's key, or in EXCHANGE_BOT_SECRET what it is"
        " derived from"
    )


def test_a_key_is_the_same_at_each_start_and_another_for_each_account_and_secret() -> None:
    settings = [
        BotSettings(strategy="flood", client_id=client_id, secret=SecretStr(secret))
        for client_id, secret in (("a", "one"), ("a", "one"), ("b", "one"), ("a", "two"))
    ]
    keys = [one.account_key for one in settings]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    given = BotSettings(strategy="flood", api_key=SecretStr("given-by-its-owner"))
    assert (given.account_id, given.account_key) == ("flood", "given-by-its-owner")


@pytest.mark.parametrize(
    "url", ["", "localhost:2400", "ws://a", "http://", "http://a?b", "http:// a"]
)
def test_a_client_is_told_of_an_address_that_is_none(url: str) -> None:
    for name in ("gateway_url", "feed_url"):
        with pytest.raises(ValueError, match="an address like http://"):
            ExchangeClient(**{name: url})


@pytest.mark.parametrize("url", ["http://[::1]:2400", "https://exchange.test/", "http://a/market"])
def test_a_client_takes_every_address_of_a_server(url: str) -> None:
    assert ExchangeClient(gateway_url=url, feed_url=url).sessions == 0
