"""The market's configuration, `exchange.toml`. `docs/market-file.md` tells of every field."""

import re
import tomllib
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec.structs import asdict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from exchange_shared.market_problems import told
from exchange_shared.market_schedule import ScheduleConfig
from exchange_shared.messages import ClientLimits, ConfigureMarket, ListSecurity
from exchange_shared.units import (
    MAX_PRICE_E4,
    MAX_QUANTITY,
    MAX_TOTAL_E4,
    exact_number,
    from_e4,
    to_e4,
)

MAX_COUNT = 2**53 - 1
MAX_SECONDS = 7 * 86_400

MAX_TIME_STEP_US = 60_000_000
"""How far the market's clock follows a command at once. Every gateway ticks each second, and clocks
that are kept right differ by milliseconds: more than a minute is a stop, or a clock that is wrong.
"""

_MAX_TOTAL = Decimal(from_e4(MAX_TOTAL_E4))
_MAX_PRICE = Decimal(from_e4(MAX_PRICE_E4))
_NUMERAL = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")


def _decimal(value: Any) -> Any:
    """A whole number, or a numeral in quotes, as a `Decimal`; all else is left to be refused."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    is_numeral = isinstance(value, str) and _NUMERAL.fullmatch(value)
    return Decimal(value) if is_whole or is_numeral else value


def _exact(number: Decimal) -> Decimal:
    try:
        to_e4(number)
    except ValueError as error:
        raise PydanticCustomError("exact", "{reason}", {"reason": str(error)}) from None
    return number


_READ = BeforeValidator(_decimal)
_EXACT = AfterValidator(_exact)

Amount = Annotated[Decimal, Field(ge=0, lt=_MAX_TOTAL), _READ, _EXACT]
OrderValue = Annotated[Decimal, Field(gt=0, lt=_MAX_TOTAL), _READ, _EXACT]
Price = Annotated[Decimal, Field(gt=0, le=_MAX_PRICE), _READ, _EXACT]
BandPercent = Annotated[Decimal, Field(gt=0, le=100), _READ, _EXACT]
DisplayPercent = Annotated[Decimal, Field(ge=0, le=100), _READ, _EXACT]
MarginPercent = Annotated[Decimal, Field(ge=0, le=1_000), _READ, _EXACT]
BasisPoints = Annotated[Decimal, Field(ge=-1_000, le=1_000, decimal_places=2), _READ]
Seconds = Annotated[Decimal, Field(ge=0, le=MAX_SECONDS, decimal_places=6), _READ]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
PerSecond = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class MarketFileError(Exception):
    """The market file cannot be used."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TermsConfig(_Section):
    """On what terms a security is traded."""

    reference_price: Price
    tick: Price = Decimal("0.01")
    lot: Quantity = 1
    granted_quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] = 100
    max_order_quantity: Quantity | None = None
    max_order_value: OrderValue | None = None
    static_band_percent: BandPercent | None = None
    dynamic_band_percent: BandPercent | None = None
    halt_seconds: Seconds = Decimal(30)
    auction_seconds: Seconds = Decimal(30)
    short_margin_percent: MarginPercent | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.reference_price % self.tick:
            raise _refusal(f"a multiple of the tick {self.tick:f} is expected", "reference_price")
        if self.max_order_quantity is not None and self.max_order_quantity < self.lot:
            raise _refusal(f"it must be at least one lot, {self.lot}", "max_order_quantity")
        lot_value = self.lot * self.reference_price
        if self.max_order_value is not None and self.max_order_value < lot_value:
            problem = f"it must be at least the value of one lot, {lot_value:f}"
            raise _refusal(problem, "max_order_value")
        return self

    def command(self, security_id: str, request_id: int, time_us: int) -> ListSecurity:
        """The command that lists a security on these terms."""
        return ListSecurity(
            time_us=time_us,
            request_id=request_id,
            security_id=security_id,
            tick_e4=to_e4(self.tick),
            reference_price_e4=to_e4(self.reference_price),
            granted_quantity=self.granted_quantity,
            lot_quantity=self.lot,
            max_order_quantity=self.max_order_quantity,
            max_order_value_e4=optional_e4(self.max_order_value),
            static_band_ppm=optional_e4(self.static_band_percent),
            dynamic_band_ppm=optional_e4(self.dynamic_band_percent),
            halt_us=to_us(self.halt_seconds),
            auction_us=to_us(self.auction_seconds),
            short_margin_ppm=optional_e4(self.short_margin_percent),
        )


class SecurityConfig(TermsConfig):
    """One listed security."""

    id: Annotated[str, Field(pattern=r"^[A-Z0-9.]{1,12}$")]


class FeeConfig(_Section):
    """Fees in basis points (hundredths of a percent) of price × quantity; below zero, rebates."""

    maker_bps: BasisPoints = Decimal(0)
    taker_bps: BasisPoints = Decimal(0)

    @model_validator(mode="after")
    def _pay_for_themselves(self) -> Self:
        if self.maker_bps + self.taker_bps < 0:
            raise PydanticCustomError(
                "fees", "maker_bps and taker_bps together must be at least 0: fees pay the rebates"
            )
        return self


class LimitsConfig(_Section):
    """The limits of a client; `None` is no limit, or, of a client's own limits, the market's."""

    max_open_orders: Count | None = None
    max_position: Count | None = Field(
        default=None, description="Shares of one security, owned or owed."
    )
    max_order_value: OrderValue | None = None
    min_display_percent: DisplayPercent | None = Field(
        default=None, description="How much of an iceberg is displayed at the least."
    )
    orders_per_second: PerSecond | None = Field(
        default=None, description="Orders and replacements on average; 0: no limit."
    )
    order_burst: Count | None = Field(
        default=None, description="How many of them may come at once after a pause."
    )

    @property
    def limits(self) -> ClientLimits:
        """The same as the engine's commands have them."""
        return ClientLimits(
            max_open_orders=self.max_open_orders,
            max_position=self.max_position,
            max_order_value_e4=optional_e4(self.max_order_value),
            min_display_ppm=optional_e4(self.min_display_percent),
            orders_per_second=self.orders_per_second,
            order_burst=self.order_burst,
        )


class RiskConfig(LimitsConfig):
    """The limits of every client that has no others.

    The defaults bound what one client's command can make the engine do: a mass cancel has so many
    orders to cancel, and no order takes more than a hundred trades to fill against one other. A
    hundred clients who send as much as they may are what the exchange can take.
    """

    max_open_orders: Count = 1_000
    min_display_percent: DisplayPercent = Decimal(1)
    orders_per_second: PerSecond = 100
    order_burst: Count = 200


class BotConfig(_Section):
    """A bot that `make run` starts."""

    strategy: str
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    securities: list[str] = []
    """What it trades; empty means everything listed."""

    @field_validator("strategy")
    @classmethod
    def _known(cls, strategy: str, info: ValidationInfo) -> str:
        """Whoever loads the file may say in the context which strategies there are."""
        strategies = info.context
        if strategies is not None and strategy not in strategies:
            problem = f'"{strategy}" is no strategy; there are: {", ".join(strategies)}'
            raise _refusal(problem)
        return strategy


class MarketConfig(_Section):
    """The whole file. Without a schedule there is continuous trading round the clock."""

    initial_balance: Amount = Decimal(10_000)
    fees: FeeConfig = FeeConfig()
    risk: RiskConfig = RiskConfig()
    schedule: ScheduleConfig | None = None
    securities: Annotated[list[SecurityConfig], Field(min_length=1)]
    bots: list[BotConfig] = []

    @model_validator(mode="after")
    def _each_once_and_listed(self) -> Self:
        ids = [security.id for security in self.securities]
        again = _repeated(ids)
        if again is not None:
            raise _refusal(f"{ids[again]} is listed twice", "securities", again, "id")
        names = [bot.client_id for bot in self.bots]
        again = _repeated(names)
        if again is not None:
            problem = f'another bot has "{names[again]}"; each needs an account of its own'
            raise _refusal(problem, "bots", again, "client_id")
        for number, bot in enumerate(self.bots):
            for place, security_id in enumerate(bot.securities):
                if security_id not in ids:
                    problem = f'"{security_id}" is not listed; there are: {", ".join(ids)}'
                    raise _refusal(problem, "bots", number, "securities", place)
        return self

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
            **asdict(self.risk.limits),
            max_time_step_us=MAX_TIME_STEP_US,
        )
        listings = [
            security.command(security.id, request_id, time_us)
            for request_id, security in zip(security_ids, self.securities, strict=True)
        ]
        return [configure, *listings]


_SECTIONS: dict[str, type[BaseModel]] = {
    "fees": FeeConfig,
    "risk": RiskConfig,
    "schedule": ScheduleConfig,
    "securities": SecurityConfig,
    "bots": BotConfig,
}


def load_market(path: Path, strategies: Collection[str] | None = None) -> MarketConfig:
    """Read a market file. Its numbers are exact.

    `strategies` are those that its bots may have; without them they are not looked at.

    Raises:
        MarketFileError: it is missing, is not TOML, or a setting in it is wrong; says which.
    """
    content: dict[str, Any] = {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=exact_number)
        return MarketConfig.model_validate(content, context=strategies)
    except ValidationError as error:
        problems = "; ".join(
            told(problem, content, MarketConfig, _SECTIONS) for problem in error.errors()
        )
        raise MarketFileError(f"{path}: {problems}") from error
    except (OSError, ValueError) as error:
        raise MarketFileError(f"{path}: {error}") from error


def _refusal(problem: str, *field: str | int) -> ValidationError:
    """What a validator raises when something is wrong with a field inside what it validates."""
    reason = PydanticCustomError("refused", "{problem}", {"problem": problem})
    return ValidationError.from_exception_data(
        "market", [InitErrorDetails(type=reason, loc=field, input=None)]
    )


def _repeated(names: list[str]) -> int | None:
    """The first place with a name that was there before."""
    return next((place for place, name in enumerate(names) if name in names[:place]), None)


def to_us(seconds: Decimal) -> int:
    """Seconds with at most six decimals in microseconds."""
    return int(seconds * 1_000_000)


def optional_e4(number: Decimal | None) -> int | None:
    """In 1/10,000, if there is one; a percentage becomes ppm, because 1 % is 10,000 of them."""
    return None if number is None else to_e4(number)
