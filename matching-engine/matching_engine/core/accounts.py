"""Accounts: cash and shares of each client, and how much of them open orders hold."""

from matching_engine.core.order import Ended, Order

MAX_REMEMBERED_ORDERS = 10_000
"""Finished orders per account whose `client_order_id` is remembered; the oldest is forgotten."""


class Position:
    """Shares of one security: all of them, and those that open sell orders hold."""

    __slots__ = ("held", "quantity")

    def __init__(self, quantity: int = 0, held: int = 0) -> None:
        self.quantity = quantity
        self.held = held

    @property
    def available(self) -> int:
        """Shares that a new order may sell."""
        return self.quantity - self.held


class Account:
    """What one client owns, and the orders that it named with a `client_order_id`."""

    __slots__ = (
        "api_key_hash",
        "cash_e4",
        "cash_held_e4",
        "client_id",
        "finished_orders",
        "open_orders",
        "positions",
    )

    def __init__(
        self, client_id: str, api_key_hash: str, cash_e4: int, cash_held_e4: int = 0
    ) -> None:
        self.client_id = client_id
        self.api_key_hash = api_key_hash
        self.cash_e4 = cash_e4
        self.cash_held_e4 = cash_held_e4
        self.positions: dict[str, Position] = {}
        self.open_orders: dict[str, Order] = {}
        self.finished_orders: dict[str, Order] = {}

    @property
    def available_e4(self) -> int:
        """Cash that a new order may spend."""
        return self.cash_e4 - self.cash_held_e4

    def position(self, security_id: str) -> Position:
        """The position in a security, made when there is none yet."""
        position = self.positions.get(security_id)
        if position is None:
            position = self.positions[security_id] = Position()
        return position

    def holdings(self) -> dict[str, int]:
        """Shares by security, without those it has none of."""
        return {name: held.quantity for name, held in self.positions.items() if held.quantity}

    def release(self, order: Order, quantity: int) -> None:
        """Free what an order holds for some of its open shares."""
        request = order.request
        if request.side == "buy":
            self.cash_held_e4 -= quantity * order.unit_hold_e4
        else:
            self.positions[request.security_id].held -= quantity

    def named_order(self, client_order_id: str) -> Order | None:
        """The order that this client gave this name, open or still remembered."""
        return self.open_orders.get(client_order_id) or self.finished_orders.get(client_order_id)

    def finish(self, order: Order, ended: Ended) -> None:
        """Note how an order ended; remember a named one, and forget the oldest beyond the limit."""
        order.ended = ended
        name = order.request.client_order_id
        if name is None:
            return
        del self.open_orders[name]
        self.finished_orders[name] = order
        if len(self.finished_orders) > MAX_REMEMBERED_ORDERS:
            del self.finished_orders[next(iter(self.finished_orders))]
