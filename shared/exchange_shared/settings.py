"""Settings, read from environment variables that begin with `EXCHANGE_`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs to know. Each service adds its own."""

    model_config = SettingsConfigDict(
        env_prefix="EXCHANGE_", extra="ignore", hide_input_in_errors=True
    )

    bus_url: str = "amqp://guest:guest@127.0.0.1:5672/"
    """`amqp://…` for RabbitMQ, `sqlite:///path` for the embedded log."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = Field(default=0, ge=0, le=65_535)
    """The port to listen on; 0 takes a free one."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    shutdown_seconds: float = Field(default=10.0, gt=0)
    """How long a stopping service may take to finish what it has begun."""


class OperatorSettings(ServiceSettings):
    """For the services that people talk to."""

    operator_key: SecretStr | None = None
    """Opens every account for reading, and the gateway's `/admin`; without it there is no
    operator."""

    allowed_origins: list[str] = []
    """Origins (as JSON: `["https://my.site"]`) whose pages may use the API, beside its own."""


def market_path() -> Path:
    """Where `exchange.toml` is when `EXCHANGE_MARKET_FILE` does not say: the current directory."""
    return Path("exchange.toml")
