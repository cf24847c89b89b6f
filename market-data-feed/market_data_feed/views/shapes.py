"""The shapes of the answers, for the type checker and for the API page."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from exchange_shared.messages import (
    AuctionKind,
    MarketState,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from market_data_feed.projections import OrderState

Number = Annotated[Any, Field(json_schema_extra={"type": "number"})]
"""An exact decimal number: a `float`, or a `Decimal` where that has too few digits."""

NumberOrNull = Annotated[Any, Field(json_schema_extra={"type": ["number", "null"]})]
Time = Annotated[
    str, Field(description="RFC 3339 in UTC", examples=["2026-01-31T09:30:00.000001Z"])
]
Level = Annotated[
    list[Any], Field(description="Price, quantity, number of orders", examples=[[419.99, 10, 2]])
]
ReportSeq = Annotated[int, Field(description="Numbers the reports, for `before` and `after`")]


Seq = Annotated[int, Field(description="All figures are those after the engine's event `seq`.")]


class Phase(TypedDict):
    """The state of a security, and what its auction would do now."""

    state: MarketState
    auction: AuctionKind | None
    until: Time | None
    indicative_price: NumberOrNull
    indicative_quantity: int
    surplus: int


class Price(Phase):
    """The prices and the state of a security."""

    security_id: str
    bid: NumberOrNull
    ask: NumberOrNull
    bid_quantity: int
    ask_quantity: int
    last: NumberOrNull
    reference_price: Number
    volume: int
    timestamp: Time
    seq: int


class Listing(Price):
    """A security: its prices and state, and its terms."""

    tick: Number
    lot: int
    granted_quantity: int
    max_order_quantity: int | None
    max_order_value: NumberOrNull
    static_band_percent: NumberOrNull
    dynamic_band_percent: NumberOrNull
    halt_seconds: Number
    auction_seconds: Number
    short_margin_percent: NumberOrNull


class Book(Phase):
    """The best levels of a book, best first; only in `continuous` they are never crossed."""

    security_id: str
    bids: list[Level]
    asks: list[Level]
    seq: int
    checksum: int


class Trade(TypedDict):
    """A trade, as everybody may see it."""

    trade_id: int
    security_id: str
    price: Number
    quantity: int
    aggressor_side: Side | None
    timestamp: Time
    seq: int


Performance = TypedDict(
    "Performance",
    {
        "equity": Number,
        "profit": Number,
        "return": NumberOrNull,
        "trades": int,
        "volume": int,
    },
)
"""What an account has made since it was opened. `return` is profit ÷ opening equity."""


class Leader(Performance):
    """An account of the leaderboard."""

    rank: int
    client_id: str
    seq: Seq


class Results(Performance):
    """Likewise, in detail."""

    realised_profit: Number
    unrealised_profit: Number
    fees: Number


class Balance(TypedDict):
    """Cash."""

    client_id: str
    balance: Number
    held: Number
    available: Number
    short_margin: Number
    seq: Seq


class Holding(TypedDict):
    """Shares of one security."""

    security_id: str
    client_id: str
    quantity: int
    held: int
    available: int
    average_cost: NumberOrNull
    seq: Seq


class WholeAccount(Balance, Results):
    """Everything about an account."""

    holdings: list[Holding]


class Options(TypedDict):
    """What most orders do not have; all null when the engine has not accepted the order."""

    stop_price: NumberOrNull
    trail_amount: NumberOrNull
    trail_percent: NumberOrNull
    expires_at: Time | None
    post_only: bool | None
    display_quantity: int | None
    hidden: bool | None
    self_trade_prevention: SelfTradePrevention | None
    oco_group: str | None


class Order(Options):
    """The state of an order. Much of it is null until the engine has accepted the order."""

    order_id: int | None
    client_order_id: str | None
    client_id: str
    security_id: str | None
    side: Side | None
    type: OrderType | None
    time_in_force: TimeInForce | None
    quantity: int | None
    price: NumberOrNull
    status: OrderState
    filled_quantity: int
    remaining_quantity: int | None
    average_price: NumberOrNull
    reason: str | None
    message: str | None
    created: Time
    timestamp: Time
    seq: int | None


class OrderReport(TypedDict):
    """An order was taken in (`confirmed`), or it was not (`denied`)."""

    event_type: Literal["order"]
    report_seq: ReportSeq | None
    status: Literal["confirmed", "denied"]
    order_id: int | None
    client_order_id: str | None
    client_id: str
    security_id: str | None
    side: Side | None
    quantity: int | None
    price: NumberOrNull
    reason: str | None
    message: str | None
    timestamp: Time


class FillReport(TypedDict):
    """An own order traded, or the trade was settled."""

    event_type: Literal["trade", "settlement"]
    report_seq: ReportSeq
    status: Literal["confirmed"]
    trade_id: int
    security_id: str
    quantity: int
    price: Number
    reason: None
    timestamp: Time
    execution_seq: int
    side: Side
    order_id: int
    client_id: str
    fee: Number
    remaining_quantity: NotRequired[int]
    seq: NotRequired[int]


Report = OrderReport | FillReport


class Error(TypedDict):
    """Why a request was refused; `docs/errors.md` has the codes."""

    code: str
    message: str
    field: str | None


class Refusal(TypedDict):
    """The answer to a request that was refused."""

    error: Error


_REFUSALS = {
    401: "No API key, or one that nobody has.",
    403: "Not your account.",
    404: "No such security, client, or order of yours.",
    422: "A parameter is wrong, missing, or unknown; `field` says which.",
    429: "Too many reads of yours wait, or too many wrong API keys came from this address; "
    "`Retry-After` says when to ask again.",
    503: "Not known here yet, or not now; `Retry-After` says when to ask again.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the API page says of these refusals."""
    return {status: {"model": Refusal, "description": _REFUSALS[status]} for status in statuses}
