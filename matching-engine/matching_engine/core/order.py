"""An order while the engine knows it."""

from typing import TYPE_CHECKING, Literal

from exchange_shared.messages import NewOrder, OrderStatus
from exchange_shared.messages.commands import STOP_TYPES
from exchange_shared.units import PPM

if TYPE_CHECKING:
    from matching_engine.core.accounts import Account
    from matching_engine.core.order_book import PriceLevel

Ended = Literal["filled", "cancelled", "expired"]


class Order:
    """What was asked for, and what has become of it so far.

    `request` is what the client asked for first; `quantity` and `price_e4` are what a replacement
    or a self-trade made of it. `unit_hold_e4` is the cash held for each open share of a buy. The
    fee rates are those of its acceptance, and `arrival` numbers accepted orders.
    `displayed_quantity` is what an iceberg shows now, and `None` for all others. `stop_price_e4` is
    set while a stop waits, and `level` while an order rests.
    """

    __slots__ = (
        "account",
        "arrival",
        "displayed_quantity",
        "ended",
        "level",
        "maker_fee_ppm",
        "notional_e4",
        "order_id",
        "price_e4",
        "quantity",
        "remaining_quantity",
        "request",
        "stop_price_e4",
        "taker_fee_ppm",
        "unit_hold_e4",
    )

    def __init__(
        self,
        request: NewOrder,
        account: "Account",
        arrival: int,
        maker_fee_ppm: int,
        taker_fee_ppm: int,
    ) -> None:
        self.request = request
        self.account = account
        self.arrival = arrival
        self.order_id = request.order_id
        self.quantity = request.quantity
        self.remaining_quantity = request.quantity
        self.price_e4 = request.price_e4
        self.unit_hold_e4 = 0
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm
        self.notional_e4 = 0
        self.displayed_quantity: int | None = None
        self.stop_price_e4: int | None = None
        self.level: PriceLevel | None = None
        self.ended: Ended | None = None

    def unit_cost_e4(self, price_e4: int) -> int:
        """The most that one share can cost: its price and the highest fee on it, rounded up.

        Rounding up each share's fee covers the rounding of any number of partial fills.
        """
        highest_ppm = max(self.maker_fee_ppm, self.taker_fee_ppm)
        return price_e4 - (-price_e4 * highest_ppm // PPM)

    @property
    def filled_quantity(self) -> int:
        """Shares traded so far. An order that ended keeps what was open as its rest."""
        return self.quantity - self.remaining_quantity

    @property
    def shown_quantity(self) -> int:
        """What an incoming order can trade with at once: a hidden order's whole rest."""
        shown = self.displayed_quantity
        return self.remaining_quantity if shown is None else shown

    @property
    def status(self) -> OrderStatus:
        """What has become of it."""
        if self.ended is not None:
            return self.ended
        if self.stop_price_e4 is not None:
            return "pending_trigger"
        return "partially_filled" if self.filled_quantity else "new"

    @property
    def is_stop(self) -> bool:
        """Whether it was sent as a stop of any kind."""
        return self.request.order_type in STOP_TYPES

    def show_next_part(self) -> None:
        """Let an iceberg show a whole part, or what is left; nothing changes for others."""
        part = self.request.display_quantity
        if part is not None:
            self.displayed_quantity = min(part, self.remaining_quantity)

    def asks_the_same(self, other: NewOrder) -> bool:
        """Whether another request has the same content, apart from its id and time."""
        mine = self.request
        return (
            mine.security_id == other.security_id
            and mine.side == other.side
            and mine.order_type == other.order_type
            and mine.quantity == other.quantity
            and mine.price_e4 == other.price_e4
            and mine.time_in_force == other.time_in_force
            and mine.stop_price_e4 == other.stop_price_e4
            and mine.trail_e4 == other.trail_e4
            and mine.trail_ppm == other.trail_ppm
            and mine.expires_us == other.expires_us
            and mine.post_only == other.post_only
            and mine.display_quantity == other.display_quantity
            and mine.hidden == other.hidden
            and mine.self_trade_prevention == other.self_trade_prevention
            and mine.oco_group == other.oco_group
        )
