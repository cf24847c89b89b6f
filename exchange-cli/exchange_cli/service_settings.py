"""The settings of the services and bots that run in one process, read before anything is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from clearinghouse.service import ClearinghouseSettings
from exchange_cli.local_secrets import LocalSecrets
from exchange_cli.settings import SHORT_NAMES, LocalSettings
from exchange_shared.market import BotConfig
from exchange_shared.settings import read_settings
from market_data_feed.settings import MarketDataFeedSettings
from matching_engine.service import MatchingEngineSettings
from order_entry_gateway.service import GatewaySettings
from trading_bots import BotSettings

Settings = TypeVar("Settings", bound=BaseSettings)

_MADE_LATER = SecretStr("made at the first start")


@dataclass(frozen=True)
class PartSettings:
    """Of each service and of each bot."""

    gateway: GatewaySettings
    feed: MarketDataFeedSettings
    clearinghouse: ClearinghouseSettings
    engine: MatchingEngineSettings
    bots: Sequence[BotSettings]

    def with_secrets(self, secrets: LocalSecrets) -> Self:
        """The same with the keys, when they are there."""
        key = {"operator_key": secrets.operator_key}
        return type(self)(
            self.gateway.model_copy(update=key),
            self.feed.model_copy(update=key),
            self.clearinghouse,
            self.engine,
            [bot.model_copy(update={"secret": secrets.bot_secret}) for bot in self.bots],
        )

    def with_databases(self, clearing_dsn: str, market_dsn: str) -> Self:
        """The same with the databases, when they run."""
        market = {"market_dsn": SecretStr(market_dsn)}
        return type(self)(
            self.gateway.model_copy(update=market),
            self.feed.model_copy(update=market),
            self.clearinghouse.model_copy(update={"clearing_dsn": clearing_dsn}),
            self.engine,
            self.bots,
        )


def read_service_settings(local: LocalSettings, bots: Sequence[BotConfig]) -> PartSettings:
    """Those of the environment, and what one process sets itself.

    Wrong ones end the program, which then says which.
    """
    place = {
        "host": local.host,
        "allowed_hosts": local.allowed_hosts,
        "trusted_proxies": local.trusted_proxies,
    }
    return PartSettings(
        _read(GatewaySettings, **place, port=local.gateway_port, market_file=local.market_file),
        _read(
            MarketDataFeedSettings,
            **place,
            port=local.feed_port,
            gateway_port=max(1, local.gateway_port),  # which one 0 takes is known later
        ),
        _read(ClearinghouseSettings),
        _read(MatchingEngineSettings, snapshot_dir=local.snapshot_dir),
        [
            _read(
                BotSettings,
                strategy=bot.strategy,
                client_id=bot.client_id,
                secret=local.bot_secret or _MADE_LATER,
                securities=bot.securities,
            )
            for bot in bots
        ],
    )


def _read(kind: type[Settings], **given: Any) -> Settings:
    """An empty variable is none, as for the program's own settings."""
    return read_settings(
        kind,
        program="exchange",
        short_names=SHORT_NAMES,
        given={**given, "_env_ignore_empty": True},
    )
