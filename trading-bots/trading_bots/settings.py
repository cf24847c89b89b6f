"""A bot's settings, and its API key."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from exchange_shared.auth import MAX_API_KEY_LENGTH, MIN_API_KEY_LENGTH, bot_key
from exchange_shared.settings import EnvironmentSettings
from trading_bots.client import FEED_URL, GATEWAY_URL
from trading_bots.links import server_url
from trading_bots.strategies import known_strategy

_API_KEY = re.compile(rf"[!-~]{{{MIN_API_KEY_LENGTH},{MAX_API_KEY_LENGTH}}}")

_KEY_NEEDED = (
    "EXCHANGE_BOT_API_KEY is missing: the account's key, or in EXCHANGE_BOT_SECRET what it is"
    " derived from"
)

ServerUrl = Annotated[str, AfterValidator(server_url)]


def _api_key(key: SecretStr) -> SecretStr:
    if not _API_KEY.fullmatch(key.get_secret_value()):
        lengths = f"{MIN_API_KEY_LENGTH} to {MAX_API_KEY_LENGTH}"
        raise ValueError(f"{lengths} printable ASCII characters without spaces are expected")
    return key


class BotSettings(EnvironmentSettings):
    """Read from environment variables that begin with `EXCHANGE_BOT_`."""

    model_config = SettingsConfigDict(
        env_prefix="EXCHANGE_BOT_", extra="ignore", populate_by_name=True
    )

    strategy: Annotated[str, AfterValidator(known_strategy)] = Field(default=...)
    """Its name in `trading_bots.strategies`."""

    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] | None = None
    """The bot's account; the strategy's name where it is not set."""

    api_key: Annotated[SecretStr, AfterValidator(_api_key)] | None = None
    """The account's key; where it is not set, it is derived from `secret` and the `client_id`."""

    secret: SecretStr | None = None
    """What keys are derived from. It must stay the same, or the bot cannot use its account."""

    gateway_url: ServerUrl = GATEWAY_URL
    feed_url: ServerUrl = FEED_URL

    securities: list[str] = Field(default_factory=list)
    """What it trades (as JSON: `["MSFT"]`); empty means everything listed."""

    interval_seconds: float | None = Field(default=None, gt=0)
    """The mean time between two decisions; the strategy's own where it is not set."""

    orders_per_second: float = Field(default=90.0, gt=0)
    """How much load `flood` makes."""

    seed: int | None = None
    """Makes the bot's chance repeatable; without it every start is different."""

    refresh_seconds: float = Field(default=15.0, gt=0)
    """How often the bot compares its own books with the exchange's."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="EXCHANGE_LOG_LEVEL"
    )
    log_format: Literal["json", "text"] = Field(
        default="json", validation_alias="EXCHANGE_LOG_FORMAT"
    )

    @property
    def account_id(self) -> str:
        """The `client_id`, or what stands for it."""
        return self.client_id or self.strategy

    @property
    def account_key(self) -> str:
        """The API key: the same at every start, and on every machine with the same secret."""
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        assert self.secret is not None, "settings with neither a key nor a secret"
        return bot_key(self.secret.get_secret_value(), self.account_id)

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.api_key is None and not (self.secret and self.secret.get_secret_value()):
            raise PydanticCustomError("no_key", _KEY_NEEDED)
        return self
