"""What clients may send: the shape of every request, which is also its page in the OpenAPI docs.

Amounts arrive as exact decimals (`exchange_shared.http.decode_json`) and leave this module as
integers.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from exchange_shared.auth import MAX_API_KEY_LENGTH, MIN_API_KEY_LENGTH
from exchange_shared.messages import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange_shared.units import E4, MAX_PRICE_E4, MAX_QUANTITY, PPM, parse_time, to_e4

MAX_ORDERS_IN_BATCH = 500
MAX_ID = 2**53 - 1
_MAX_PRICE = MAX_PRICE_E4 // E4
_MAX_TIME_US = 2**53 - 1
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_PRICE_RULE = "a price is a number above 0, at most 1,000,000, with no more than four decimals"
_PERCENT_RULE = "a percentage is a number above 0, below 100, with no more than four decimals"
_TIME_RULE = (
    "a time is RFC 3339 in UTC, from 1970 to 2255, with no more than six decimals, such as"
    " 2026-01-31T16:30:00Z"
)


def _positive_e4(value: Any, maximum_e4: int) -> int | None:
    """A number or a numeral in 1/10,000, exactly; `None` unless it is above 0 and no greater."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= maximum_e4 // E4:
        return value * E4
    if isinstance(value, Decimal):
        try:
            value_e4 = to_e4(value)
        except ValueError:
            return None
        if 0 < value_e4 <= maximum_e4:
            return value_e4
    return None


def _price_e4(value: Any) -> int:
    price_e4 = _positive_e4(value, MAX_PRICE_E4)
    if price_e4 is None:
        raise PydanticCustomError("price", _PRICE_RULE)
    return price_e4


def _percent_ppm(value: Any) -> int:
    """One percent is 10,000 ppm, as one unit is 10,000 of 1/10,000."""
    ppm = _positive_e4(value, PPM - 1)
    if ppm is None:
        raise PydanticCustomError("percent", _PERCENT_RULE)
    return ppm


def _time_us(value: Any) -> int:
    try:
        time_us = parse_time(value) if isinstance(value, str) else -1
    except ValueError:
        time_us = -1
    if not 0 <= time_us <= _MAX_TIME_US:
        raise PydanticCustomError("time", _TIME_RULE)
    return time_us


def _decimal_schema(maximum: float, digits: int) -> dict[str, Any]:
    number = {"type": "number", "exclusiveMinimum": 0, "maximum": maximum, "multipleOf": 0.0001}
    text = {"type": "string", "pattern": rf"^[0-9]{{1,{digits}}}(\.[0-9]{{1,4}})?$"}
    return {"anyOf": [number, text]}


PriceE4 = Annotated[
    int, PlainValidator(_price_e4), WithJsonSchema(_decimal_schema(_MAX_PRICE, digits=7))
]
PercentPpm = Annotated[
    int, PlainValidator(_percent_ppm), WithJsonSchema(_decimal_schema(99.9999, digits=2))
]
FutureUs = Annotated[
    int, PlainValidator(_time_us), WithJsonSchema({"type": "string", "format": "date-time"})
]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY, description="Whole shares.", examples=[10])]
OrderId = Annotated[
    int, Field(ge=1, le=MAX_ID, description="The id that the exchange gave the order.")
]
SecurityId = Annotated[str, Field(pattern=r"^[A-Z0-9.]{1,12}$", examples=["MSFT"])]
ClientId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="1 to 32 letters, digits, `_` or `-`.",
        examples=["alice"],
    ),
]
ClientOrderId = Annotated[
    str,
    Field(
        pattern=r"^[ -~]{1,64}$",
        description=(
            "Your own name for the order, 1 to 64 printable ASCII characters. An order repeated "
            "under the same name has no second effect."
        ),
        examples=["my-order-1"],
    ),
]
GroupName = Annotated[str, Field(pattern=r"^[ -~]{1,64}$", examples=["exit"])]
ApiKey = Annotated[
    str,
    Field(
        pattern=rf"^[!-~]{{{MIN_API_KEY_LENGTH},{MAX_API_KEY_LENGTH}}}$",
        description=(
            f"{MIN_API_KEY_LENGTH} to {MAX_API_KEY_LENGTH} printable ASCII characters, no spaces."
        ),
    ),
]
Ref = Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)] | Annotated[str, Field(max_length=64)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OrderRequest(_Request):
    """An order to buy or sell. `docs/trading-rules.md` tells what each type and option does."""

    security_id: SecurityId
    side: Side
    type: OrderType = Field(
        description=(
            "`limit` and `stop_limit` have a `price`, `stop` and `stop_limit` a `stop_price`, "
            "`trailing_stop` a `trail_amount` or a `trail_percent`."
        )
    )
    quantity: Quantity
    price: PriceE4 | None = Field(
        default=None,
        description="The limit: a multiple of the security's tick, as a number or a string.",
        examples=[420.5],
    )
    stop_price: PriceE4 | None = Field(
        default=None,
        description="A buy is triggered by a last trade price at or above it, a sell at or below.",
        examples=[430],
    )
    trail_amount: PriceE4 | None = Field(
        default=None, description="How far behind the last trade price the stop price follows."
    )
    trail_percent: PercentPpm | None = Field(
        default=None, description="The same in percent of the last trade price.", examples=[2.5]
    )
    time_in_force: TimeInForce = Field(
        default="gtc",
        description=(
            "`gtc`: stays until cancelled. `day`: until the market's close, or without trading "
            "hours until midnight UTC. `gtd`: until `expires_at`. "
            "`ioc`: what cannot trade at once is cancelled. `fok`: trades all of it at once, or "
            "nothing. `opg`, `cls`: for the opening, for the closing auction."
        ),
    )
    expires_at: FutureUs | None = Field(
        default=None,
        description="When a `gtd` order expires: RFC 3339 in UTC.",
        examples=["2026-01-31T16:30:00Z"],
    )
    post_only: bool = Field(default=False, description="Refused when it would trade at once.")
    display_quantity: Quantity | None = Field(
        default=None, description="Only so many shares are shown at a time (an iceberg)."
    )
    hidden: bool = Field(default=False, description="In no book that others see.")
    self_trade_prevention: SelfTradePrevention = Field(
        default="cancel_newest",
        description="What happens instead of a trade with an order of your own.",
    )
    oco_group: GroupName | None = Field(
        default=None,
        description="The first trade or trigger of one of a group cancels its other orders.",
    )
    client_order_id: ClientOrderId | None = None
    client_id: ClientId | None = Field(
        default=None, description="Not needed: the key says who you are. If given it must match."
    )


class ReplaceRequest(_Request):
    """What an open order is to be from now on. At least one of the two is needed."""

    quantity: Quantity | None = Field(
        default=None, description="In all, with what is filled already.", examples=[5]
    )
    price: PriceE4 | None = Field(default=None, description="The new limit.", examples=[421])


class MassCancelRequest(_Request):
    """Which of the own open orders are cancelled: all, or those of one security or one side."""

    security_id: SecurityId | None = None
    side: Side | None = None


class BatchRequest(_Request):
    """Up to 500 orders, each with its own answer, in the same order."""

    orders: list[Any] = Field(min_length=1, max_length=MAX_ORDERS_IN_BATCH)


class ClientRequest(_Request):
    """An account to open."""

    client_id: ClientId
    api_key: ApiKey | None = Field(
        default=None, description="A key of your choice; without it the exchange makes one."
    )


class _Frame(_Request):
    ref: Ref | None = None


class LoginFrame(_Frame):
    """Says who a session is."""

    type: Literal["login"]
    api_key: Annotated[str, Field(max_length=MAX_API_KEY_LENGTH)]


class NewFrame(_Frame):
    """One order."""

    type: Literal["new"]
    order: Any


class BatchFrame(_Frame):
    """Up to 500 orders."""

    type: Literal["batch"]
    orders: list[Any] = Field(min_length=1, max_length=MAX_ORDERS_IN_BATCH)


class CancelFrame(_Frame):
    """A cancel of an own order."""

    type: Literal["cancel"]
    order_id: OrderId


class ReplaceFrame(_Frame, ReplaceRequest):
    """Another quantity or price for an own order."""

    type: Literal["replace"]
    order_id: OrderId


class MassCancelFrame(_Frame, MassCancelRequest):
    """A cancel of many own orders."""

    type: Literal["mass_cancel"]


class PingFrame(_Frame):
    """A sign of life."""

    type: Literal["ping"]


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of a body that is decoded by hand, for `openapi_extra`."""
    schema = model.model_json_schema()
    if model is BatchRequest:
        schema["properties"]["orders"]["items"] = OrderRequest.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
