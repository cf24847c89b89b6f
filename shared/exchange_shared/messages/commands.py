"""Commands: what may change the exchange.

They travel on `order_entry`, from the gateways to the matching engine.

Every command carries `time_us`, the gateway's clock when it sequenced it: the engine has no clock
of its own. `request_id` (and `order_id`, from the same generator) names the command in its answer.
"""

from typing import Annotated, Literal

import msgspec

from exchange_shared.units import MAX_PRICE_E4, MAX_QUANTITY, MAX_TOTAL_E4

Id = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
PriceE4 = Annotated[int, msgspec.Meta(ge=1, le=MAX_PRICE_E4)]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=MAX_QUANTITY)]
ClientId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z")]
SecurityId = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9.]{1,12}\Z")]
ApiKeyHash = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{1,64}\Z")]
ShortText = Annotated[str, msgspec.Meta(max_length=64)]
"""An id as somebody wrote it, checked no further: long ones do not fit an index of a database."""

FeePpm = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market"]
TimeInForce = Literal["gtc", "ioc"]


def snake_case(name: str) -> str:
    """`NewOrder` as `new_order`: how a record names its type on the wire."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=snake_case):
    """A request that the engine applies in the order of the log."""

    time_us: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class ConfigureMarket(Command, frozen=True):
    """Set what a new account starts with, and the fee rates. Repeating it changes nothing."""

    request_id: Id
    initial_balance_e4: Annotated[int, msgspec.Meta(ge=0, lt=MAX_TOTAL_E4)]
    maker_fee_ppm: FeePpm
    taker_fee_ppm: FeePpm


class ListSecurity(Command, frozen=True):
    """List a security, or change the grant or reference price of a listed one."""

    request_id: Id
    security_id: SecurityId
    tick_e4: PriceE4
    reference_price_e4: PriceE4
    granted_quantity: Annotated[int, msgspec.Meta(ge=0, le=MAX_QUANTITY)]


class OpenAccount(Command, frozen=True):
    """Open a client's account with the initial balance and the grant of every listed security."""

    request_id: Id
    client_id: ClientId
    api_key_hash: ApiKeyHash


class NewOrder(Command, frozen=True):
    """Buy or sell. `price_e4` is the limit, and absent on a market order."""

    order_id: Id
    client_id: ShortText
    security_id: ShortText
    side: Side
    order_type: OrderType
    quantity: Quantity
    price_e4: PriceE4 | None = None
    time_in_force: TimeInForce = "gtc"
    client_order_id: ShortText | None = None

    def __post_init__(self) -> None:
        """Refuses an order that contradicts itself, also while it is being decoded."""
        if (self.price_e4 is None) != (self.order_type == "market"):
            raise ValueError("a limit order has a price, a market order has none")


class CancelOrder(Command, frozen=True):
    """Take an open order of this client out of its book."""

    request_id: Id
    client_id: ShortText
    order_id: Id


AnyCommand = ConfigureMarket | ListSecurity | OpenAccount | NewOrder | CancelOrder
