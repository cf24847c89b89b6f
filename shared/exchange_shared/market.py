"""The market's configuration, `exchange.toml`: securities, grants, balance, fees, and bots."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from exchange_shared.messages import ConfigureMarket, ListSecurity
from exchange_shared.units import MAX_PRICE_E4, MAX_QUANTITY, MAX_TOTAL_E4, from_e4, to_e4


def _exact(amount: Decimal) -> Decimal:
    to_e4(amount)
    return amount


Amount = Annotated[Decimal, Field(ge=0, lt=Decimal(from_e4(MAX_TOTAL_E4))), AfterValidator(_exact)]
Price = Annotated[Decimal, Field(gt=0, le=Decimal(from_e4(MAX_PRICE_E4))), AfterValidator(_exact)]
BasisPoints = Annotated[Decimal, Field(ge=0, le=1_000, decimal_places=2)]


class MarketFileError(Exception):
    """The market file cannot be used."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecurityConfig(_Section):
    """One listed security."""

    id: Annotated[str, Field(pattern=r"^[A-Z0-9.]{1,12}$")]
    reference_price: Price
    tick: Price = Decimal("0.01")
    granted_quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] = 100


class FeeConfig(_Section):
    """Fees in basis points (hundredths of a percent) of price × quantity."""

    maker_bps: BasisPoints = Decimal(0)
    taker_bps: BasisPoints = Decimal(0)


class BotConfig(_Section):
    """A bot that `make run` starts."""

    strategy: str
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    securities: list[str] = []
    """What it trades; empty means everything listed."""


class MarketConfig(_Section):
    """The whole file."""

    initial_balance: Amount = Decimal(10_000)
    fees: FeeConfig = FeeConfig()
    securities: Annotated[list[SecurityConfig], Field(min_length=1)]
    bots: list[BotConfig] = []

    def commands(
        self, request_ids: list[int], time_us: int
    ) -> list[ConfigureMarket | ListSecurity]:
        """The commands that give the engine these terms; needs `1 + len(securities)` ids."""
        first_id, *security_ids = request_ids
        configure = ConfigureMarket(
            time_us=time_us,
            request_id=first_id,
            initial_balance_e4=to_e4(self.initial_balance),
            maker_fee_ppm=int(self.fees.maker_bps * 100),
            taker_fee_ppm=int(self.fees.taker_bps * 100),
        )
        listings = [
            ListSecurity(
                time_us=time_us,
                request_id=request_id,
                security_id=security.id,
                tick_e4=to_e4(security.tick),
                reference_price_e4=to_e4(security.reference_price),
                granted_quantity=security.granted_quantity,
            )
            for request_id, security in zip(security_ids, self.securities, strict=True)
        ]
        return [configure, *listings]


def load_market(path: Path) -> MarketConfig:
    """Read a market file.

    Raises:
        MarketFileError: it is missing, is not TOML, or a setting in it is wrong; says which.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return MarketConfig.model_validate(content)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MarketFileError(f"{path}: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise MarketFileError(f"{path}: {problems}") from error
