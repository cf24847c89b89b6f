"""One client's cash and shares: as the engine has them, held for open orders, and settled."""

from dataclasses import dataclass, field

from market_data_feed.projections.orders import Order


@dataclass(slots=True)
class Holding:
    """A client's shares of one security.

    `quantity` is the engine's number, which every trade changes at once; `settled_quantity` is the
    ledger's; `held` is promised to open sell orders; `cost_e4` is what was paid for `quantity`,
    fees included (granted shares count at the reference price of that day).
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
        """What a new sell order may use."""
        return self.quantity - self.held

    def bought(self, quantity: int, cost_e4: int) -> None:
        """Shares came in for this much."""
        self.quantity += quantity
        self.cost_e4 += cost_e4

    def sold(self, quantity: int) -> None:
        """Shares went out, and their part of the cost with them."""
        self.cost_e4 -= self.cost_e4 * quantity // self.quantity if self.quantity else 0
        self.quantity -= quantity


@dataclass(slots=True)
class Account:
    """A client's cash, likewise, and its shares and open orders.

    A client is known (`opened`) from the engine's event on; settlement may be read before that.
    """

    client_id: str
    cash_e4: int = 0
    settled_cash_e4: int = 0
    held_e4: int = 0
    trades: int = 0
    volume: int = 0
    opened: bool = False
    opened_us: int = 0
    opening_equity_e4: int = 0
    api_key_hash: str = ""
    holdings: dict[str, Holding] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    changed: bool = field(default=False, compare=False)

    @property
    def available_e4(self) -> int:
        """What a new buy order may use."""
        return self.cash_e4 - self.held_e4

    def holding(self, security_id: str) -> Holding:
        """The shares of a security, from now on also when there are none."""
        holding = self.holdings.get(security_id)
        if holding is None:
            holding = self.holdings[security_id] = Holding(self.client_id, security_id)
        return holding

    def hold(self, order: Order, quantity: int) -> None:
        """Hold what so many shares of an order need; a negative quantity releases it."""
        if order.side == "buy":
            self.held_e4 += order.unit_hold_e4 * quantity
        else:
            self.holding(order.security_id).held += quantity
