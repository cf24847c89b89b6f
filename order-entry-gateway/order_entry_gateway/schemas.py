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
from exchange_shared.messages import OrderType, Side, TimeInForce
from exchange_shared.units import E4, MAX_PRICE_E4, MAX_QUANTITY, to_e4

MAX_ORDERS_IN_BATCH = 500
MAX_ID = 2**53 - 1
_MAX_PRICE = MAX_PRICE_E4 // E4
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_PRICE_RULE = "a price is a number above 0, at most 1,000,000, with no more than four decimals"


def _price_e4(value: Any) -> int:
    """The price in 1/10,000 of a number or a numeral, exactly."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_PRICE:
        return value * E4
    if isinstance(value, Decimal):
        try:
            price_e4 = to_e4(value)
        except ValueError:
            price_e4 = 0
        if 0 < price_e4 <= MAX_PRICE_E4:
            return price_e4
    raise PydanticCustomError("price", _PRICE_RULE)


_PRICE_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": _MAX_PRICE, "multipleOf": 0.0001},
        {"type": "string", "pattern": r"^[0-9]{1,7}(\.[0-9]{1,4})?$"},
    ]
}
PriceE4 = Annotated[int, PlainValidator(_price_e4), WithJsonSchema(_PRICE_SCHEMA)]
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
ApiKey = Annotated[
    str,
    Field(
        pattern=rf"^[!-~]{{{MIN_API_KEY_LENGTH},{MAX_API_KEY_LENGTH}}}$",
        description=(
            f"{MIN_API_KEY_LENGTH} to {MAX_API_KEY_LENGTH} printable ASCII characters, no spaces."
        ),
        examples=["correct-horse-battery-staple"],
    ),
]
Ref = Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)] | Annotated[str, Field(max_length=64)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OrderRequest(_Request):
    """An order to buy or sell."""

    security_id: SecurityId
    side: Side
    type: OrderType = Field(description="A limit order has a price, a market order has none.")
    quantity: Quantity
    price: PriceE4 | None = Field(
        default=None,
        description="The limit: a multiple of the security's tick, as a number or a string.",
        examples=[420.5],
    )
    time_in_force: TimeInForce = Field(
        default="gtc",
        description="`gtc`: stays until cancelled. `ioc`: what cannot trade at once is cancelled.",
    )
    client_order_id: ClientOrderId | None = None
    client_id: ClientId | None = Field(
        default=None, description="Not needed: the key says who you are. If given it must match."
    )


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


class PingFrame(_Frame):
    """A sign of life."""

    type: Literal["ping"]


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of a body that is decoded by hand, for `openapi_extra`."""
    schema = model.model_json_schema()
    if model is BatchRequest:
        schema["properties"]["orders"]["items"] = OrderRequest.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
