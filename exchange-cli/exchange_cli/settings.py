"""Settings of `exchange run`, from the environment."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from exchange_shared.settings import OperatorKey


class LocalSettings(BaseSettings):
    """Where the exchange of one process keeps its data and listens."""

    model_config = SettingsConfigDict(
        extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    bots: bool = True
    """Whether the bots of `exchange.toml` trade."""

    host: str = Field(default="127.0.0.1", validation_alias=AliasChoices("HOST", "EXCHANGE_HOST"))
    gateway_port: int = Field(default=2400, ge=0, le=65_535)
    feed_port: int = Field(default=2404, ge=0, le=65_535)
    data_dir: Path = Path(".exchange")
    market_file: Path = Field(
        default=Path("exchange.toml"), validation_alias="EXCHANGE_MARKET_FILE"
    )
    operator_key: OperatorKey | None = Field(default=None, validation_alias="EXCHANGE_OPERATOR_KEY")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", validation_alias="EXCHANGE_LOG_LEVEL"
    )

    @property
    def log_path(self) -> Path:
        """The file of the embedded log."""
        return self.data_dir / "log.db"

    @property
    def bus_url(self) -> str:
        """The URL of the embedded log."""
        return f"sqlite:///{self.log_path.resolve()}"

    @property
    def snapshot_dir(self) -> Path:
        """Where the engine keeps its snapshots."""
        return self.data_dir / "snapshots"
