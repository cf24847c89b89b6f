"""An order while the engine knows it."""

from exchange_shared.messages import NewOrder, OrderStatus


class Order:
    """What was asked for, and what has become of it so far.

    `unit_hold_e4` is the cash held for each open share of a buy order: its limit price, plus the
    highest fee that one share can cost. The fee rates are those of the moment it was accepted.
    """

    __slots__ = (
        "cancelled",
        "maker_fee_ppm",
        "notional_e4",
        "remaining_quantity",
        "request",
        "unit_hold_e4",
    )

    def __init__(
        self,
        request: NewOrder,
        remaining_quantity: int,
        unit_hold_e4: int = 0,
        maker_fee_ppm: int = 0,
        notional_e4: int = 0,
        cancelled: bool = False,
    ) -> None:
        self.request = request
        self.remaining_quantity = remaining_quantity
        self.unit_hold_e4 = unit_hold_e4
        self.maker_fee_ppm = maker_fee_ppm
        self.notional_e4 = notional_e4
        self.cancelled = cancelled

    @property
    def order_id(self) -> int:
        """The gateway's id for it."""
        return self.request.order_id

    @property
    def client_order_id(self) -> str | None:
        """The client's own name for it."""
        return self.request.client_order_id

    @property
    def filled_quantity(self) -> int:
        """Shares traded so far. A cancelled order keeps what was open in `remaining_quantity`."""
        return self.request.quantity - self.remaining_quantity

    @property
    def status(self) -> OrderStatus:
        """What has become of it."""
        if self.cancelled:
            return "cancelled"
        if self.remaining_quantity == 0:
            return "filled"
        return "partially_filled" if self.filled_quantity else "new"

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
        )
