"""One client's cash and shares: as the engine has them, held for open orders, and settled."""

from dataclasses import dataclass, field

from market_data_feed.projections.orders import Order


@dataclass(slots=True)
class Holding:
    """A client's shares of one security.

    `quantity` is the engine's number, which every trade changes at once, and which is told;
    `settled_quantity` is the ledger's, stored so that `exchange verify` can compare it. Below zero
    shares are sold short. `held` is promised to open sell orders. `cost_e4` is what was paid for
    `quantity`, fees included (granted shares count at the reference price of that day); of a short
    position it is below zero, and what its sale brought.
    """

    client_id: str
    security_id: str
    quantity: int = 0
    settled_quantity: int = 0
    held: int = 0
    cost_e4: int = 0
    changed: bool = field(default=False, compare=False)

    @property
    def available(self) -> int:
        """What a new sell order may use; below zero when more is sold or offered than there is."""
        return self.quantity - self.held

    def change(self, quantity: int, paid_e4: int) -> None:
        """Shares came in for this much; with both below zero, they went out and brought it.

        Shares that make the position smaller take their part of the cost with them; those that
        take it beyond zero begin a new one.
        """
        before = self.quantity
        self.quantity += quantity
        if before * quantity >= 0:
            self.cost_e4 += paid_e4
            return
        closed = min(abs(before), abs(quantity))
        self.cost_e4 -= self.cost_e4 * closed // abs(before)
        self.cost_e4 += paid_e4 - paid_e4 * closed // abs(quantity)


@dataclass(slots=True)
class Account:
    """A client's cash, likewise, and its shares and open orders.

    `held_e4` is what open buy orders hold; `fees_e4` is what was paid in fees, less rebates. A
    client is known (`opened`) from the engine's event on; settlement may be read before that.
    """

    client_id: str
    cash_e4: int = 0
    settled_cash_e4: int = 0
    held_e4: int = 0
    trades: int = 0
    volume: int = 0
    fees_e4: int = 0
    opened: bool = False
    opened_us: int = 0
    opening_equity_e4: int = 0
    api_key_hash: str = ""
    holdings: dict[str, Holding] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    changed: bool = field(default=False, compare=False)

    def holding(self, security_id: str) -> Holding:
        """The shares of a security, from now on also when there are none."""
        holding = self.holdings.get(security_id)
        if holding is None:
            holding = self.holdings[security_id] = Holding(self.client_id, security_id)
        return holding

    def trade(self, security_id: str, quantity: int, notional_e4: int, fee_e4: int) -> Holding:
        """Shares were bought for this much; with both below zero, sold. Returns the holding."""
        self.cash_e4 -= notional_e4 + fee_e4
        self.fees_e4 += fee_e4
        self.trades += 1
        self.volume += abs(quantity)
        holding = self.holding(security_id)
        holding.change(quantity, notional_e4 + fee_e4)
        return holding

    def settle(self, security_id: str, quantity: int, cash_e4: int) -> Holding:
        """The ledger has so many shares, and so much cash. Returns the holding."""
        self.settled_cash_e4 = cash_e4
        holding = self.holding(security_id)
        holding.settled_quantity = quantity
        return holding

    def hold(self, order: Order, quantity: int) -> None:
        """Hold what so many shares of an order need; a negative quantity releases it."""
        if order.side == "buy":
            self.held_e4 += order.unit_hold_e4 * quantity
        else:
            self.holding(order.security_id).held += quantity
