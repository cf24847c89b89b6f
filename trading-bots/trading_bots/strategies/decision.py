"""What a strategy decides, and the plan that keeps every decision within its means."""

from dataclasses import dataclass
from typing import Protocol

from exchange_shared.messages import Side, TimeInForce
from exchange_shared.units import MAX_PRICE_E4
from trading_bots.strategies.view import OpenOrder, Quote, View, cost_e4

BAND = 0.5
"""No order is priced further than this from the market: at most half, or one and a half of it."""

MARKET_ORDER_BAND = 0.05
"""What a market buy is expected to cost at most, beyond the best ask."""


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Send a new order; without a price it is a market order."""

    security_id: str
    side: Side
    quantity: int
    price_e4: int | None
    time_in_force: TimeInForce = "gtc"
    post_only: bool = False


@dataclass(frozen=True, slots=True)
class CancelOpenOrder:
    """Take an own order out of the book."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now (cancels come first), and the seconds until the next decision."""

    cancels: list[CancelOpenOrder]
    orders: list[PlaceOrder]
    delay_seconds: float


class Strategy(Protocol):
    """Decides from what it sees. All chance comes from the generator it was made with."""

    def decide(self, view: View) -> Decision:
        """The next actions, and when to be asked again."""
        ...


class Plan:
    """Collects actions; every order leaves it on the tick, in lots, affordable, within the limits.

    A quantity is rounded up to whole lots. An order that the account can only partly pay for is
    made smaller, one that it cannot pay for at all is left out. When more than `max_open_orders`
    would be open, the oldest are cancelled.
    """

    def __init__(self, view: View, max_open_orders: int) -> None:
        self._view = view
        self._max_open_orders = max_open_orders
        self._cash_e4 = view.account.cash_e4
        self._shares = dict(view.account.shares)
        self._cancels: dict[int, CancelOpenOrder] = {}
        self._orders: list[PlaceOrder] = []
        self._open = dict(view.account.open_orders)
        self._resting = 0

    def cancel(self, order: OpenOrder) -> None:
        """Cancel an open order; what it holds can be used again by this plan's later orders."""
        if self._open.pop(order.order_id, None) is None:
            return
        self._cancels[order.order_id] = CancelOpenOrder(order.order_id)
        if order.side == "sell":
            self._shares[order.security_id] = (
                self._shares.get(order.security_id, 0) + order.remaining_quantity
            )
        elif order.price_e4 is not None:
            self._cash_e4 += cost_e4(order.price_e4, order.remaining_quantity)

    def affordable(self, security_id: str, side: Side, price_e4: int) -> int:
        """How many shares could still be bought at this price, or sold."""
        if side == "sell":
            return max(0, self._shares.get(security_id, 0))
        return max(0, self._cash_e4 // cost_e4(price_e4, 1))

    def limit(
        self,
        security_id: str,
        side: Side,
        quantity: int,
        price_e4: float,
        *,
        post_only: bool = False,
    ) -> bool:
        """Plan a limit order near this price; false when there are no means or no room for it."""
        price = on_tick(self._view.quotes[security_id], price_e4)
        quantity = self._lots(security_id, side, quantity, price)
        if not quantity or not self._make_room():
            return False
        self._spend(security_id, side, quantity, price)
        self._orders.append(PlaceOrder(security_id, side, quantity, price, post_only=post_only))
        return True

    def passing(self, security_id: str, side: Side, price_e4: float) -> bool:
        """Plan an immediate-or-cancel order for one lot, which needs its means only if it trades.

        False when the account could not pay for it.
        """
        price = on_tick(self._view.quotes[security_id], price_e4)
        quantity = self._lots(security_id, side, 1, price)
        if not quantity:
            return False
        if self._would_trade(security_id, side, price):
            self._spend(security_id, side, quantity, price)
        self._orders.append(PlaceOrder(security_id, side, quantity, price, "ioc"))
        return True

    def market(self, security_id: str, side: Side, quantity: int) -> bool:
        """Plan a market order; false when nobody quotes, or the account cannot pay for any."""
        quote = self._view.quotes[security_id]
        opposite_e4 = quote.ask_e4 if side == "buy" else quote.bid_e4
        if opposite_e4 is None:
            return False
        worst_e4 = int(opposite_e4 * (1 + MARKET_ORDER_BAND))
        quantity = self._lots(security_id, side, quantity, worst_e4)
        if not quantity:
            return False
        self._spend(security_id, side, quantity, worst_e4)
        self._orders.append(PlaceOrder(security_id, side, quantity, None))
        return True

    def decision(self, delay_seconds: float) -> Decision:
        """The plan as a decision."""
        return Decision(list(self._cancels.values()), self._orders, delay_seconds)

    def _lots(self, security_id: str, side: Side, quantity: int, price_e4: int) -> int:
        """At least this quantity in whole lots, or as many as the account can pay for."""
        lot = self._view.quotes[security_id].lot
        wanted = -(-quantity // lot) * lot
        return min(wanted, self.affordable(security_id, side, price_e4) // lot * lot)

    def _make_room(self) -> bool:
        if self._resting >= self._max_open_orders:
            return False
        self._resting += 1
        while len(self._open) + self._resting > self._max_open_orders:
            self.cancel(next(iter(self._open.values())))
        return True

    def _would_trade(self, security_id: str, side: Side, price_e4: int) -> bool:
        quote = self._view.quotes[security_id]
        if side == "buy":
            return quote.ask_e4 is not None and price_e4 >= quote.ask_e4
        return quote.bid_e4 is not None and price_e4 <= quote.bid_e4

    def _spend(self, security_id: str, side: Side, quantity: int, price_e4: int) -> None:
        if side == "sell":
            self._shares[security_id] -= quantity
        else:
            self._cash_e4 -= cost_e4(price_e4, quantity)


def on_tick(quote: Quote, price_e4: float) -> int:
    """The nearest price that the exchange takes: on the tick, within the band, and positive."""
    market_e4 = quote.market_e4
    bounded = min(max(price_e4, market_e4 * (1 - BAND)), market_e4 * (1 + BAND), MAX_PRICE_E4)
    return max(1, int(bounded / quote.tick_e4 + 0.5)) * quote.tick_e4
