"""Accounts: cash and shares of each client, and how much of them open orders hold."""

from typing import TYPE_CHECKING

from exchange_shared.messages import NewOrder
from exchange_shared.units import PPM
from matching_engine.core.security import Security
from matching_engine.core.terms import Limits

if TYPE_CHECKING:  # an order and its account know one another
    from matching_engine.core.book.order import Order

MAX_REMEMBERED_ORDERS = 10_000
"""Finished orders per account whose `client_order_id` is remembered; the oldest is forgotten."""

MAX_REMEMBERED_REFUSALS = 1_000
"""Names per account of which the last refusal is remembered. Beyond them, what was sequenced before
the oldest that was forgotten counts as a copy of something that was refused."""


class Position:
    """Shares of one security: all of them (below zero: sold short), and those of open orders.

    `held` are the open shares of sell orders, `buying` those of buy orders, waiting ones included.
    """

    __slots__ = ("buying", "held", "quantity", "security")

    def __init__(self, security: Security, quantity: int = 0, held: int = 0) -> None:
        self.security = security
        self.quantity = quantity
        self.held = held
        self.buying = 0

    @property
    def may_be_short(self) -> bool:
        """Whether more may be sold than there is."""
        return self.security.terms.short_margin_ppm is not None

    def margin_e4(self, bought: int = 0, sold: int = 0) -> int:
        """The cash kept back for shares sold short, and for sell orders not covered by shares.

        It is what it would be with so many more shares, or so many more shares in sell orders.
        """
        quantity, held = self.quantity + bought, self.held + sold
        short, uncovered = max(0, -quantity), max(0, held - max(0, quantity))
        if short == uncovered == 0:
            return 0
        margin_ppm = self.security.terms.short_margin_ppm
        assert margin_ppm is not None, "a security that may not be sold short was"
        weight = short * (PPM + margin_ppm) + uncovered * margin_ppm
        price_e4 = max(self.security.mark_e4, self.security.reference_price_e4)
        return -(-price_e4 * weight // PPM)

    def covered(self, quantity: int, other_buying: int) -> int:
        """How many short shares a buy of so many would cover, beside other open buy orders."""
        return min(quantity, max(0, -self.quantity - other_buying))


class Account:
    """What one client owns, its open orders, and those that it named with a `client_order_id`.

    `shorts` are the positions that may need a margin. `limits` are those in force, the client's
    own and the market's; `None` when there are none. `refusals` are the events that last refused an
    order of each name, latest last, and `refused_until` the latest of those that were forgotten.
    """

    __slots__ = (
        "api_key_hash",
        "cash_e4",
        "cash_held_e4",
        "client_id",
        "finished_orders",
        "limits",
        "named_orders",
        "orders",
        "own_limits",
        "positions",
        "refusals",
        "refused_until",
        "shorts",
        "suspended",
    )

    def __init__(
        self, client_id: str, api_key_hash: str, cash_e4: int, cash_held_e4: int = 0
    ) -> None:
        self.client_id = client_id
        self.api_key_hash = api_key_hash
        self.cash_e4 = cash_e4
        self.cash_held_e4 = cash_held_e4
        self.positions: dict[str, Position] = {}
        self.shorts: dict[str, Position] = {}
        self.orders: dict[int, Order] = {}
        self.named_orders: dict[str, Order] = {}
        self.finished_orders: dict[str, Order] = {}
        self.refusals: dict[str, int] = {}
        self.refused_until = 0
        self.suspended = False
        self.own_limits = Limits()
        self.limits: Limits | None = None

    @property
    def available_e4(self) -> int:
        """Cash without what buy orders hold and without the margin of short positions."""
        available_e4 = self.cash_e4 - self.cash_held_e4
        if self.shorts:
            available_e4 -= sum(position.margin_e4() for position in self.shorts.values())
        return available_e4

    def spendable_e4(self, position: Position, quantity: int, other_buying: int) -> int:
        """Cash that a buy of so many shares may spend: also the margin of those it would cover.

        One that does nothing but cover may spend all that other buys do not hold.
        """
        if position.quantity >= 0:
            return self.available_e4
        bought = position.covered(quantity, other_buying)
        if bought == quantity:
            return self.cash_e4 - self.cash_held_e4
        return self.available_e4 + position.margin_e4() - position.margin_e4(bought=bought)

    def holdings(self) -> dict[str, int]:
        """Shares by security, without those it has none of."""
        return {name: held.quantity for name, held in self.positions.items() if held.quantity}

    def hold(self, order: "Order") -> None:
        """Hold what an order needs for all of its open shares."""
        position = order.position
        if order.buys:
            self.cash_held_e4 += order.unit_hold_e4 * order.remaining_quantity
            position.buying += order.remaining_quantity
        else:
            position.held += order.remaining_quantity
            if position.held > position.quantity:
                self.shorts[position.security.security_id] = position

    def release(self, order: "Order", quantity: int) -> None:
        """Free what an order holds for some of its open shares."""
        position = order.position
        if order.buys:
            self.cash_held_e4 -= quantity * order.unit_hold_e4
            position.buying -= quantity
        else:
            position.held -= quantity

    def named_order(self, client_order_id: str) -> "Order | None":
        """The order that this client gave this name, open or still remembered."""
        return self.named_orders.get(client_order_id) or self.finished_orders.get(client_order_id)

    def remember(self, order: "Order", name: str) -> None:
        """Remember a named order that ended, and forget the oldest beyond the limit."""
        del self.named_orders[name]
        self.finished_orders[name] = order
        if len(self.finished_orders) > MAX_REMEMBERED_ORDERS:
            del self.finished_orders[next(iter(self.finished_orders))]

    def note_refusal(self, command: NewOrder, seq: int) -> None:
        """Remember the event that refused a named order, and forget the oldest beyond the limit.

        Orders that do not say which event their gateway had seen are of an earlier version.
        """
        name = command.client_order_id
        if name is None or command.after_seq is None:
            return
        self.refusals.pop(name, None)
        self.refusals[name] = seq
        if len(self.refusals) > MAX_REMEMBERED_REFUSALS:
            self.refused_until = self.refusals.pop(next(iter(self.refusals)))

    def refused_since(self, command: NewOrder) -> bool:
        """Whether its name was, or may have been, refused after its gateway took this order."""
        name, after_seq = command.client_order_id, command.after_seq
        if name is None or after_seq is None:
            return False
        return after_seq < self.refused_until or after_seq < self.refusals.get(name, 0)
