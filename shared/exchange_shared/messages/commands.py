"""Commands: what may change the exchange.

They travel on `order_entry`, from the gateways to the matching engine.

Every command carries `time_us`, the gateway's clock when it sequenced it: the engine has no clock
of its own. `request_id` (and `order_id`, from the same generator) names the command in its answer.
"""

from typing import Annotated, Literal

import msgspec

from exchange_shared.messages.terms import ClientLimits, OrderOptions, SecurityTerms
from exchange_shared.messages.values import (
    ApiKeyHash,
    ClientId,
    DurationUs,
    FeePpm,
    Id,
    OrderType,
    PriceE4,
    Quantity,
    SecurityId,
    Seq,
    ShortText,
    Side,
    StepUs,
    TimeInForce,
    TimeUs,
)
from exchange_shared.units import MAX_TOTAL_E4

MarketState = Literal["pre_open", "auction", "continuous", "halted", "closed"]
AuctionKind = Literal["opening", "closing", "reopening"]
StateAction = Literal["pre_open", "start_auction", "uncross", "open", "halt", "resume", "close"]
Phase = Literal["pre_open", "opening_auction", "continuous", "closing_auction", "closed"]

STOP_TYPES = frozenset({"stop", "stop_limit", "trailing_stop"})
LIMIT_TYPES = frozenset({"limit", "stop_limit"})
RESTING = frozenset({"gtc", "day", "gtd"})
AUCTION_ONLY = frozenset({"opg", "cls"})
TIMED_ACTIONS = frozenset({"start_auction", "halt"})


class Contradiction(ValueError):
    """A command makes no sense by itself: `field` is the command's, `message` what is right."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def snake_case(name: str) -> str:
    """`NewOrder` as `new_order`: how a record names its type on the wire."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=snake_case):
    """A request that the engine applies in the order of the log."""

    time_us: TimeUs


class _Market(Command, frozen=True):
    request_id: Id
    initial_balance_e4: Annotated[int, msgspec.Meta(ge=0, lt=MAX_TOTAL_E4)]
    maker_fee_ppm: FeePpm
    taker_fee_ppm: FeePpm


class ConfigureMarket(ClientLimits, _Market, frozen=True):
    """Set what a new account starts with, the fee rates (below zero: rebates), and the limits.

    The limits are those of every client that has no others; `None` is no limit. How far the time
    may go on from one command to the next is `max_time_step_us`; `None` is any distance. Repeating
    the command changes nothing.
    """

    max_time_step_us: StepUs | None = None

    def __post_init__(self) -> None:
        """Refuses rebates that are more than the fees.

        Raises:
            Contradiction: the exchange would pay for trades.
        """
        if self.maker_fee_ppm + self.taker_fee_ppm < 0:
            raise Contradiction(
                "maker_fee_ppm", "a rebate to one side is at most the fee of the other"
            )


class _Listing(Command, frozen=True):
    request_id: Id
    security_id: SecurityId


class ListSecurity(SecurityTerms, _Listing, frozen=True):
    """List a security, or change the terms of a listed one."""


class OpenAccount(Command, frozen=True):
    """Open a client's account with the initial balance and the grant of every listed security.

    With `any_case` the name is also taken when another client's differs from it only by case.
    """

    request_id: Id
    client_id: ClientId
    api_key_hash: ApiKeyHash
    any_case: bool = False


class _Order(Command, frozen=True, omit_defaults=True):
    order_id: Id
    client_id: ShortText
    security_id: ShortText
    side: Side
    order_type: OrderType
    quantity: Quantity
    price_e4: PriceE4 | None = None
    time_in_force: TimeInForce = "gtc"
    client_order_id: ShortText | None = None


class NewOrder(OrderOptions, _Order, frozen=True, omit_defaults=True):
    """Buy or sell. `docs/trading-rules.md` tells what each type and option does.

    `after_seq` is the last event that the gateway had seen when it took the order. After a refusal
    of the same `client_order_id` that it had not seen, this is an older copy of what was refused.
    """

    after_seq: Seq | None = None

    def __post_init__(self) -> None:
        """Refuses an order that contradicts itself, also while it is being decoded.

        Raises:
            Contradiction: what `order_contradiction` says.
        """
        problem = order_contradiction(self)
        if problem is not None:
            raise Contradiction(*problem)


class ReplaceOrder(Command, frozen=True):
    """Change the quantity (in all, with what is filled) or the limit price of an open order."""

    request_id: Id
    client_id: ShortText
    order_id: Id
    quantity: Quantity | None = None
    price_e4: PriceE4 | None = None


class CancelOrder(Command, frozen=True):
    """Take an open order of this client out of its book."""

    request_id: Id
    client_id: ShortText
    order_id: Id


class MassCancel(Command, frozen=True):
    """Take out all open orders of this client, or those of one security or one side."""

    request_id: Id
    client_id: ShortText
    security_id: ShortText | None = None
    side: Side | None = None


class _Limiting(Command, frozen=True):
    request_id: Id
    client_id: ShortText


class SetClientLimits(ClientLimits, _Limiting, frozen=True):
    """Limit one client otherwise than the market does; `None` leaves the market's limit."""


class SuspendClient(Command, frozen=True):
    """Switch a client's kill switch: on, it cancels all its orders and takes no new ones."""

    request_id: Id
    client_id: ShortText
    suspended: bool


class SetMarketState(Command, frozen=True):
    """An operator opens, halts, resumes, auctions or closes one security, or all.

    `auction` is the kind of auction that `start_auction` starts; `duration_us` how long that, or a
    halt, lasts: without it, until another command.
    """

    request_id: Id
    action: StateAction
    security_id: ShortText | None = None
    auction: AuctionKind | None = None
    duration_us: DurationUs | None = None

    def __post_init__(self) -> None:
        """Refuses what the action does not have.

        Raises:
            Contradiction: an auction is named, or a duration given, for another action.
        """
        if self.auction is not None and self.action != "start_auction":
            raise Contradiction("auction", "only start_auction has a kind of auction")
        if self.duration_us is not None and self.action not in TIMED_ACTIONS:
            raise Contradiction("duration_us", "only start_auction and halt last for a while")


class BeginPhase(Command, frozen=True):
    """A phase of the trading day begins for every security; again, or an older one: nothing.

    `schedule_id` names the schedule that `begins_us` is of: another schedule begins anew. With
    `day_ends_at_close` orders for the day last until the schedule closes the market, else until
    midnight UTC.
    """

    schedule_id: ShortText
    begins_us: TimeUs
    phase: Phase
    day_ends_at_close: bool = False


class ClockTick(Command, frozen=True):
    """Time passes, also when nobody trades."""


class FenceNode(Command, frozen=True):
    """Of the node that this id is of, only greater ids count from now on.

    A gateway that takes a node begins with it, and others tell it of one that has lost its node.
    What that made and has not published is refused when it comes late.
    """

    request_id: Id


class ConfirmTime(Command, frozen=True):
    """An operator says that the time of this command is right, though it is far from others."""

    request_id: Id


AnyCommand = (
    ConfigureMarket
    | ListSecurity
    | OpenAccount
    | NewOrder
    | ReplaceOrder
    | CancelOrder
    | MassCancel
    | SetClientLimits
    | SuspendClient
    | SetMarketState
    | BeginPhase
    | ClockTick
    | ConfirmTime
    | FenceNode
)


def order_contradiction(order: NewOrder) -> tuple[str, str] | None:
    """Why an order makes no sense by itself: the command's field, and what would be right."""
    order_type, time_in_force = order.order_type, order.time_in_force
    if order_type == "limit" and order.price_e4 is not None and is_plain(order):
        return None
    if (order.price_e4 is not None) != (order_type in LIMIT_TYPES):
        return "price_e4", "limit and stop_limit orders have a price, others have none"
    if (order.stop_price_e4 is not None) != (order_type in ("stop", "stop_limit")):
        return "stop_price_e4", "stop and stop_limit orders have a stop price, others have none"
    trails = (order.trail_e4 is not None) + (order.trail_ppm is not None)
    if trails != (order_type == "trailing_stop"):
        return "trail_e4", "a trailing stop has one distance, an amount or a percentage"
    if order_type == "market" and time_in_force in ("day", "gtd"):
        return "time_in_force", "a market order is gtc, ioc, fok, opg or cls: it never rests"
    if order_type in STOP_TYPES and time_in_force not in RESTING:
        return "time_in_force", "a stop waits, so it is gtc, day or gtd"
    if (order.expires_us is not None) != (time_in_force == "gtd"):
        return "expires_us", "a gtd order tells when it expires, others do not"
    rests = order_type in LIMIT_TYPES and time_in_force in RESTING
    if order.post_only and not (rests and order_type == "limit"):
        return "post_only", "only a limit order that may rest can be post-only"
    if order.hidden and not rests:
        return "hidden", "only an order that may rest can be hidden"
    if order.display_quantity is not None:
        if not rests or order.hidden:
            return "display_quantity", "only an order that may rest, and is not hidden, has one"
        if order.display_quantity > order.quantity:
            return "display_quantity", "no more can be displayed than is ordered"
    return None


def is_plain(order: NewOrder) -> bool:
    """Whether an order has none of the options; most have none.

    They are written out, because that takes half the time of a comparison with `NO_OPTIONS`.
    """
    return (
        order.stop_price_e4 is None
        and order.trail_e4 is None
        and order.trail_ppm is None
        and order.expires_us is None
        and not order.post_only
        and order.display_quantity is None
        and not order.hidden
        and order.oco_group is None
        and order.time_in_force != "gtd"
        and order.self_trade_prevention == "cancel_newest"
    )
