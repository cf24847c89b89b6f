"""An order while the engine knows it, and the queue at one price that it rests in."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from exchange_shared.messages import NewOrder, OrderStatus
from exchange_shared.messages.commands import AUCTION_ONLY
from exchange_shared.units import PPM
from matching_engine.core.accounts import Account, Position

Ended = Literal["filled", "cancelled", "expired"]


def is_hidden(request: NewOrder) -> bool:
    """Whether nobody is shown an order while it rests: also one that is for auctions only."""
    return (
        request.hidden
        or request.order_type == "market"
        or (request.time_in_force != "gtc" and request.time_in_force in AUCTION_ONLY)
    )


class Order:
    """What was asked for, and what has become of it so far.

    `request` is what the client asked for first; `quantity` and `price_e4` are what a replacement,
    a self-trade or an auction (which gives every order a limit) made of it. `unit_hold_e4` is the
    cash held for each open share of a buy. The fee rates, of which the highest is never below
    zero, are those of its acceptance, and `arrival` numbers accepted orders. `position` is the
    client's in the security. `displayed_quantity` is what an iceberg shows now, and `None` for all
    others. `stop_price_e4` is set while a stop waits; `level`, and the `previous` and `following`
    order in its queue, while an order rests. `place` is the latest that it had in any queue.
    """

    __slots__ = (
        "account",
        "arrival",
        "buys",
        "displayed_quantity",
        "ended",
        "following",
        "hidden",
        "highest_fee_ppm",
        "level",
        "maker_fee_ppm",
        "notional_e4",
        "order_id",
        "place",
        "position",
        "previous",
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
        account: Account,
        position: Position,
        arrival: int,
        maker_fee_ppm: int,
        taker_fee_ppm: int,
    ) -> None:
        self.request = request
        self.account = account
        self.position = position
        self.arrival = arrival
        self.maker_fee_ppm = self.highest_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm
        if taker_fee_ppm > maker_fee_ppm:
            self.highest_fee_ppm = taker_fee_ppm
        self.order_id = request.order_id
        self.buys = request.side == "buy"
        self.hidden = is_hidden(request)
        self.quantity = self.remaining_quantity = request.quantity
        self.price_e4 = request.price_e4
        self.unit_hold_e4 = 0
        self.notional_e4 = 0
        self.displayed_quantity: int | None = None
        self.stop_price_e4: int | None = None
        self.place = 0
        self.level: PriceLevel | None = None
        self.previous: Order | None = None
        self.following: Order | None = None
        self.ended: Ended | None = None

    def unit_cost_e4(self, price_e4: int) -> int:
        """The most that one share can cost: its price and the highest fee on it, rounded up.

        Rounding up each share's fee covers the rounding of any number of partial fills.
        """
        return price_e4 - (-price_e4 * self.highest_fee_ppm // PPM)

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
    def is_for_auctions(self) -> bool:
        """Whether it is to leave the book when an auction is over."""
        request = self.request
        return request.order_type == "market" or request.time_in_force in AUCTION_ONLY

    @property
    def may_rest(self) -> bool:
        """Whether what does not trade at once may wait in the book."""
        return self.price_e4 is not None and self.request.time_in_force not in ("ioc", "fok")

    def show_next_part(self) -> None:
        """Let an iceberg show a whole part, or what is left; nothing changes for others."""
        part = self.request.display_quantity
        if part is not None:
            self.displayed_quantity = min(part, self.remaining_quantity)

    def asks_the_same(self, other: NewOrder) -> bool:
        """Whether another request has the same content, apart from its id and when it was taken."""
        mine = self.request
        return other == msgspec.structs.replace(
            mine, order_id=other.order_id, time_us=other.time_us, after_seq=other.after_seq
        )


class PriceLevel:
    """The orders at one price, linked in the order in which they trade: displayed ones first.

    `quantity` is what the displayed orders show together, `undisplayed` what icebergs and hidden
    orders have beside that. The links make both ends, and the removal of any order, equally quick;
    the front of a `dict` gets slower with each order that was taken from it.
    """

    __slots__ = ("first", "last", "last_displayed", "price_e4", "quantity", "undisplayed")

    def __init__(self, price_e4: int) -> None:
        self.price_e4 = price_e4
        self.quantity = 0
        self.undisplayed = 0
        self.first: Order | None = None
        self.last: Order | None = None
        self.last_displayed: Order | None = None

    @property
    def total(self) -> int:
        """All open shares, displayed or not."""
        return self.quantity + self.undisplayed

    def link(self, order: Order) -> None:
        """Put an order at the end of its queue: before the hidden ones, if it is displayed."""
        previous = self.last if order.hidden else self.last_displayed
        following = self.first if previous is None else previous.following
        order.level = self
        order.previous = previous
        order.following = following
        if previous is None:
            self.first = order
        else:
            previous.following = order
        if following is None:
            self.last = order
        else:
            following.previous = order
        if not order.hidden:
            self.last_displayed = order

    def unlink(self, order: Order) -> None:
        """Take an order out of its queue."""
        previous, following = order.previous, order.following
        order.level = order.previous = order.following = None
        if previous is None:
            self.first = following
        else:
            previous.following = following
        if following is None:
            self.last = previous
        else:
            following.previous = previous
        if order is self.last_displayed:
            self.last_displayed = previous

    def __iter__(self) -> Iterator[Order]:
        """The orders, in the order in which they trade."""
        order = self.first
        while order is not None:
            yield order
            order = order.following
