"""What the naive exchange knows: plain lists, scanned from end to end, and nothing kept twice."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any, Literal

from exchange_shared.messages import (
    AnyEvent,
    Event,
    NewOrder,
    OrderCancelled,
    OrderStatus,
    PriceChanged,
    Side,
)
from exchange_shared.messages.events import CancelReason
from exchange_shared.units import PPM

REMEMBERED_NAMES = 10_000
DAY_US = 24 * 60 * 60 * 1_000_000

Whereabouts = Literal["incoming", "waiting", "set_off", "book", "filled", "cancelled", "expired"]
OPEN = ("incoming", "waiting", "set_off", "book")


@dataclass(eq=False)
class NaiveOrder:
    """An accepted order; `shown` is the displayed part of an iceberg, `place` its turn."""

    request: NewOrder
    accepted: int
    maker_ppm: int
    taker_ppm: int
    open: int
    price_e4: int | None
    stop_e4: int | None = None
    filled: int = 0
    notional_e4: int = 0
    where: Whereabouts = "incoming"
    shown: int = 0
    place: int = 0

    def unit_cost_e4(self, price_e4: int) -> int:
        """The most that one share can cost at this price."""
        rate = Fraction(max(self.maker_ppm, self.taker_ppm, 0), PPM)
        return price_e4 + ceil(price_e4 * rate)

    def unit_hold_e4(self) -> int:
        """The cash held for each open share."""
        if self.request.side == "sell" or self.price_e4 is None:
            return 0
        return self.unit_cost_e4(self.price_e4)

    def tradable(self) -> int:
        """How much one trade can take of it while it rests."""
        return self.open if self.request.display_quantity is None else self.shown

    def show_next_part(self) -> None:
        """Display a whole part of an iceberg, or all that is left."""
        if self.request.display_quantity is not None:
            self.shown = min(self.request.display_quantity, self.open)

    def expires_us(self) -> int | None:
        """When it expires, if it does."""
        if self.request.time_in_force == "day":
            return (self.request.time_us // DAY_US + 1) * DAY_US
        return self.request.expires_us

    def status(self) -> OrderStatus:
        """As the messages name it."""
        match self.where:
            case "waiting" | "set_off":
                return "pending_trigger"
            case "filled" | "cancelled" | "expired":
                return self.where
        return "partially_filled" if self.filled else "new"


@dataclass
class NaiveSecurity:
    """A listed security. `published` are the prices that were last told."""

    security_id: str
    tick_e4: int
    reference_price_e4: int
    granted_quantity: int
    last_e4: int | None = None
    published: tuple[int | None, int | None, int | None] = (None, None, None)


@dataclass
class NaiveAccount:
    """A client's cash and shares, and its named orders that are finished, oldest first."""

    client_id: str
    api_key_hash: str
    cash_e4: int
    shares: dict[str, int]
    granted_e4: int
    finished: list[NaiveOrder] = field(default_factory=list)


class NaiveMarket:
    """Accounts, securities, all open orders in the order of acceptance, and the counters."""

    def __init__(self) -> None:
        self.seq = 0
        self.execution_seq = 0
        self.trade_id = 0
        self.accepted = 0
        self.places = 0
        self.time_us = 0
        self.command_time_us = 0
        self.initial_balance_e4 = 0
        self.maker_ppm = 0
        self.taker_ppm = 0
        self.accounts: list[NaiveAccount] = []
        self.securities: list[NaiveSecurity] = []
        self.orders: list[NaiveOrder] = []
        self.events: list[AnyEvent] = []

    def publish(self, event_type: type[Event], **fields: Any) -> None:
        """Add an event; one that has an `execution_seq` gets the next."""
        self.seq += 1
        if "execution_seq" in event_type.__struct_fields__:
            self.execution_seq += 1
            fields["execution_seq"] = self.execution_seq
        event: Any = event_type(seq=self.seq, time_us=self.command_time_us, **fields)
        self.events.append(event)

    def account(self, client_id: str) -> NaiveAccount | None:
        """The account of a client."""
        return next((one for one in self.accounts if one.client_id == client_id), None)

    def owner(self, order: NaiveOrder) -> NaiveAccount:
        """The account of whom an order is."""
        account = self.account(order.request.client_id)
        assert account is not None
        return account

    def security(self, security_id: str) -> NaiveSecurity | None:
        """A listed security."""
        return next((one for one in self.securities if one.security_id == security_id), None)

    def security_of(self, order: NaiveOrder) -> NaiveSecurity:
        """The security that an order is for."""
        security = self.security(order.request.security_id)
        assert security is not None
        return security

    def available_cash_e4(self, client_id: str) -> int:
        """Cash that no open order holds."""
        account = self.account(client_id)
        assert account is not None
        orders = [order for order in self.orders if order.request.client_id == client_id]
        return account.cash_e4 - sum(order.unit_hold_e4() * order.open for order in orders)

    def available_shares(self, client_id: str, security_id: str) -> int:
        """Shares that no open order holds."""
        account = self.account(client_id)
        assert account is not None
        held = sum(
            order.open
            for order in self.orders
            if order.request.client_id == client_id
            and order.request.security_id == security_id
            and order.request.side == "sell"
        )
        return account.shares.get(security_id, 0) - held

    def resting(self, security_id: str, side: Side) -> list[NaiveOrder]:
        """The orders of one side of a book, in matching order."""

        def turn(order: NaiveOrder) -> tuple[int, bool, int]:
            assert order.price_e4 is not None
            price_e4 = -order.price_e4 if side == "buy" else order.price_e4
            return price_e4, order.request.hidden, order.place

        return sorted(
            (
                order
                for order in self.orders
                if order.where == "book"
                and order.request.security_id == security_id
                and order.request.side == side
            ),
            key=turn,
        )

    def to_trade_with(self, security_id: str, side: Side, limit_e4: int | None) -> list[NaiveOrder]:
        """What an order of this side and limit could trade with, in matching order."""
        opposite = self.resting(security_id, "sell" if side == "buy" else "buy")
        if limit_e4 is None:
            return opposite
        sign = 1 if side == "buy" else -1
        return [one for one in opposite if sign * (one.price_e4 or 0) <= sign * limit_e4]

    def rest(self, order: NaiveOrder) -> None:
        """Put an order at the end of its queue."""
        order.where = "book"
        order.show_next_part()
        self.go_to_the_end(order)

    def go_to_the_end(self, order: NaiveOrder) -> None:
        """Give an order the last place."""
        self.places += 1
        order.place = self.places

    def end(self, order: NaiveOrder, how: Whereabouts) -> None:
        """Take an order out of the market, and remember its name."""
        assert order.where in OPEN
        order.where = how
        self.orders.remove(order)
        if order.request.client_order_id is not None:
            finished = self.owner(order).finished
            finished.append(order)
            del finished[:-REMEMBERED_NAMES]

    def cancel(
        self, order: NaiveOrder, reason: CancelReason, request_id: int | None = None
    ) -> None:
        """Cancel what is open of an order."""
        self.publish(
            OrderCancelled,
            order_id=order.request.order_id,
            client_id=order.request.client_id,
            security_id=order.request.security_id,
            quantity=order.open,
            reason=reason,
            request_id=request_id,
        )
        self.end(order, "expired" if reason == "expired" else "cancelled")

    def cancel_group_of(self, order: NaiveOrder) -> None:
        """Cancel all other open orders of an order's group."""
        group = order.request.oco_group
        for other in list(self.orders):
            same_client = other.request.client_id == order.request.client_id
            in_group = group is not None and other.request.oco_group == group
            if same_client and in_group and other is not order:
                self.cancel(other, "one_cancels_other")

    def publish_prices(self) -> None:
        """Tell the prices that are others now, of the securities that the events are about."""
        about = [getattr(event, "security_id", None) for event in self.events]
        for security_id in dict.fromkeys(about):
            security = self.security(security_id or "")
            if security is None:
                continue
            bid_e4, bid_quantity = self._best(security, "buy")
            ask_e4, ask_quantity = self._best(security, "sell")
            prices = (bid_e4, ask_e4, security.last_e4)
            if prices != security.published:
                security.published = prices
                self.publish(
                    PriceChanged,
                    security_id=security.security_id,
                    bid_e4=bid_e4,
                    bid_quantity=bid_quantity,
                    ask_e4=ask_e4,
                    ask_quantity=ask_quantity,
                    last_e4=security.last_e4,
                )

    def _best(self, security: NaiveSecurity, side: Side) -> tuple[int | None, int]:
        orders = self.resting(security.security_id, side)
        displayed = [order for order in orders if not order.request.hidden]
        if not displayed:
            return None, 0
        best_e4 = displayed[0].price_e4
        return best_e4, sum(one.tradable() for one in displayed if one.price_e4 == best_e4)
