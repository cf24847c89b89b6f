"""Settings of `exchange run`, from the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from exchange_shared.settings import HostName, OperatorKey, Proxy, read_settings

SHORT_NAMES = frozenset({"BOTS", "GATEWAY_PORT", "FEED_PORT", "DATA_DIR", "QUIET"})
"""What `make run` takes without the prefix, and hands on with it."""

DEFAULT_DATA_DIR = Path(".exchange")
"""In the directory where the program was started."""


class LocalSettings(BaseSettings):
    """Where the exchange of one process keeps its data and listens. An empty one is none."""

    model_config = SettingsConfigDict(
        env_prefix="EXCHANGE_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    bots: bool = True
    """Whether the bots of `exchange.toml` trade."""

    host: str = "127.0.0.1"
    gateway_port: int = Field(default=2400, ge=0, le=65_535)
    feed_port: int = Field(default=2404, ge=0, le=65_535)
    data_dir: Path = DEFAULT_DATA_DIR
    market_file: Path = Path("exchange.toml")
    operator_key: OperatorKey | None = None
    """The operator's; without it one is made, and kept in the data directory."""

    bot_secret: SecretStr | None = None
    """What the keys of the bots are derived from, likewise."""

    allowed_hosts: list[HostName] = []
    """Names (as JSON) by which it may be asked, beside `localhost` and addresses in digits."""

    trusted_proxies: list[Proxy] = []
    """Addresses or networks (as JSON) of proxies whose `X-Forwarded-For` is believed."""

    quiet: bool = False
    """Whether the terminal is told nothing while the exchange runs."""

    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    @property
    def log_path(self) -> Path:
        """The file of the embedded log."""
        return self.data_dir / "log.db"

    @property
    def operator_key_path(self) -> Path:
        """Where the operator's key is kept."""
        return self.data_dir / "secrets" / "operator-key"

    @property
    def bot_secret_path(self) -> Path:
        """Where the bots' secret is kept."""
        return self.data_dir / "secrets" / "bot-secret"

    @property
    def bus_url(self) -> str:
        """The URL of the embedded log."""
        return f"sqlite:///{self.log_path.resolve()}"

    @property
    def snapshot_dir(self) -> Path:
        """Where the engine keeps its snapshots."""
        return self.data_dir / "snapshots"


def read_local_settings() -> LocalSettings:
    """The settings of the environment; wrong ones end the program, which then says which."""
    return read_settings(LocalSettings, program="exchange", short_names=SHORT_NAMES)
