"""The bounds of what commands carry, and the words for it."""

from typing import Annotated, Literal

import msgspec

from exchange_shared.units import MAX_PRICE_E4, MAX_QUANTITY, MAX_TOTAL_E4, PPM

Id = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
PriceE4 = Annotated[int, msgspec.Meta(ge=1, le=MAX_PRICE_E4)]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=MAX_QUANTITY)]
ClientId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z")]
SecurityId = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9.]{1,12}\Z")]
ApiKeyHash = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{1,64}\Z")]
ShortText = Annotated[str, msgspec.Meta(max_length=64)]
"""An id as somebody wrote it, checked no further: long ones do not fit an index of a database."""

FeePpm = Annotated[int, msgspec.Meta(ge=-100_000, le=100_000)]
DisplayPpm = Annotated[int, msgspec.Meta(ge=0, le=PPM)]
BandPpm = Annotated[int, msgspec.Meta(ge=1, le=PPM)]
MarginPpm = Annotated[int, msgspec.Meta(ge=0, le=10 * PPM)]
ValueE4 = Annotated[int, msgspec.Meta(ge=1, lt=MAX_TOTAL_E4)]
DurationUs = Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400_000_000)]
StepUs = Annotated[int, msgspec.Meta(ge=1, le=7 * 86_400_000_000)]
Seq = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Count = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
PerSecond = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
TrailPpm = Annotated[int, msgspec.Meta(ge=1, le=PPM - 1)]
TimeUs = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]

Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["gtc", "day", "gtd", "ioc", "fok", "opg", "cls"]
SelfTradePrevention = Literal["cancel_newest", "cancel_oldest", "cancel_both", "decrement"]
