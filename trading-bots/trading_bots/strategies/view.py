"""What a strategy sees: the market's best prices, and its own account."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from exchange_shared.messages import Side
from exchange_shared.units import PPM

FEE_MARGIN_PPM = 2_000
"""A buyer sets aside 0.2 % on top of the price for the fee; the exchange says how much it was."""


def cost_e4(price_e4: int, quantity: int) -> int:
    """The cash that a buy order is expected to hold, in 1/10,000, rounded up."""
    return -(-price_e4 * quantity * (PPM + FEE_MARGIN_PPM) // PPM)


@dataclass(slots=True)
class Quote:
    """A security and its best prices in 1/10,000; `None` where nobody quotes or traded yet.

    Every quantity must be a multiple of its `lot`.
    """

    security_id: str
    tick_e4: int
    reference_e4: int
    bid_e4: int | None = None
    ask_e4: int | None = None
    last_e4: int | None = None
    lot: int = 1

    @property
    def market_e4(self) -> int:
        """The best guess at today's price: the last trade, else the middle, else the reference."""
        if self.last_e4 is not None:
            return self.last_e4
        if self.bid_e4 is not None and self.ask_e4 is not None:
            return (self.bid_e4 + self.ask_e4) // 2
        return self.reference_e4


@dataclass(slots=True)
class OpenOrder:
    """An own order that is open. `price_e4` is `None` for a market order, or a stop without."""

    order_id: int
    security_id: str
    side: Side
    remaining_quantity: int
    price_e4: int | None


@dataclass(slots=True)
class Account:
    """The own account: what is free to trade with, and the open orders that hold the rest.

    `cash_e4` and `shares` are what is *available*; open orders are kept oldest first.
    """

    cash_e4: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    open_orders: dict[int, OpenOrder] = field(default_factory=dict)

    def orders(self, security_id: str) -> Iterator[OpenOrder]:
        """The open orders in one security, oldest first."""
        return (order for order in self.open_orders.values() if order.security_id == security_id)

    def owned(self, security_id: str) -> int:
        """All shares of a security, available or offered for sale."""
        offered = sum(
            order.remaining_quantity for order in self.orders(security_id) if order.side == "sell"
        )
        return self.shares.get(security_id, 0) + offered

    def opened(self, order: OpenOrder) -> None:
        """An order came into the book, and holds what it may need."""
        if order.order_id not in self.open_orders:
            self.open_orders[order.order_id] = order
            self._hold(order, order.remaining_quantity)

    def filled(self, order_id: int, price_e4: int, quantity: int, fee_e4: int) -> None:
        """An open order traded; one that is not known here changes nothing."""
        order = self.open_orders.get(order_id)
        if order is None:
            return
        quantity = min(quantity, order.remaining_quantity)
        self._hold(order, -quantity)
        order.remaining_quantity -= quantity
        if order.side == "buy":
            self.cash_e4 -= price_e4 * quantity + fee_e4
            self._add_shares(order.security_id, quantity)
        else:
            self.cash_e4 += price_e4 * quantity - fee_e4
            self._add_shares(order.security_id, -quantity)
        if not order.remaining_quantity:
            del self.open_orders[order_id]

    def reduced(self, order_id: int, quantity: int) -> None:
        """So many open shares of an order left the market, without trading."""
        order = self.open_orders.get(order_id)
        if order is not None:
            self._hold(order, -quantity)
            order.remaining_quantity -= quantity

    def replaced(self, order_id: int, remaining_quantity: int, price_e4: int) -> None:
        """So much of an open order is in the market now, at this price."""
        order = self.open_orders.get(order_id)
        if order is not None:
            self._hold(order, -order.remaining_quantity)
            order.remaining_quantity, order.price_e4 = remaining_quantity, price_e4
            self._hold(order, remaining_quantity)

    def closed(self, order_id: int) -> None:
        """What was open of an order left the market, and holds nothing any more."""
        order = self.open_orders.pop(order_id, None)
        if order is not None:
            self._hold(order, -order.remaining_quantity)

    def _hold(self, order: OpenOrder, quantity: int) -> None:
        if order.side == "sell":
            self._add_shares(order.security_id, -quantity)
        elif order.price_e4 is not None:
            self.cash_e4 -= cost_e4(order.price_e4, quantity)

    def _add_shares(self, security_id: str, quantity: int) -> None:
        self.shares[security_id] = self.shares.get(security_id, 0) + quantity


@dataclass(slots=True)
class View:
    """Everything that a strategy may look at. It must not change any of it."""

    quotes: dict[str, Quote]
    account: Account
    time_us: int = 0
    """The clock of whoever asks for a decision."""
