"""The naive exchange's market: plain lists, scanned from end to end, and nothing kept twice."""

from typing import Any

from exchange_shared.messages import (
    AnyEvent,
    AuctionKind,
    BeginPhase,
    ConfigureMarket,
    Event,
    MarketState,
    MarketStateChanged,
    NewOrder,
    OrderCancelled,
    Side,
    StateReason,
)
from exchange_shared.messages.events import CancelReason
from tests.support.naive_records import (
    NO_INDICATIVE,
    OPEN,
    NaiveAccount,
    NaiveOrder,
    NaiveSecurity,
    Whereabouts,
)

REMEMBERED_NAMES = 10_000


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
        self.held_back_us = 0
        self.agreed_us = 0
        self.doubted_us = 0
        self.terms = ConfigureMarket(
            time_us=0, request_id=1, initial_balance_e4=0, maker_fee_ppm=0, taker_fee_ppm=0
        )
        self.phase_begins_anew = False
        self.phase = BeginPhase(time_us=0, schedule_id="", begins_us=0, phase="continuous")
        self.fenced_nodes: list[int] = []
        self.ids: list[int] = []
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

    def orders_of(self, security: NaiveSecurity) -> list[NaiveOrder]:
        """The open orders in a security, in the order of acceptance."""
        return [one for one in self.orders if one.request.security_id == security.security_id]

    def open_order(self, client_id: str, order_id: int) -> NaiveOrder | None:
        """An open order of a client."""
        for order in self.orders:
            if order.request.order_id == order_id and order.request.client_id == client_id:
                return order
        return None

    def resting(self, security_id: str, side: Side) -> list[NaiveOrder]:
        """The orders of one side of a book, in matching order."""

        def turn(order: NaiveOrder) -> tuple[int, bool, int]:
            assert order.price_e4 is not None
            price_e4 = -order.price_e4 if side == "buy" else order.price_e4
            return price_e4, order.is_hidden(), order.place

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

    def to_trade_with(self, request: NewOrder, limit_e4: int | None) -> list[NaiveOrder]:
        """What an order with this limit could trade with, in matching order."""
        opposite = self.resting(request.security_id, "sell" if request.side == "buy" else "buy")
        if limit_e4 is None:
            return opposite
        sign = 1 if request.side == "buy" else -1
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

    def become(
        self,
        security: NaiveSecurity,
        state: MarketState,
        auction: AuctionKind | None,
        lasts_us: int | None,
        reason: StateReason,
    ) -> None:
        """Give a security another state, and tell it; nothing of what follows from it."""
        security.state = state
        security.auction = auction
        security.until_us = None if lasts_us is None else self.time_us + lasts_us
        security.indicative = NO_INDICATIVE
        self.tell_state(security, reason)

    def tell_state(self, security: NaiveSecurity, reason: StateReason) -> None:
        """Tell the state of a security, and when it ends."""
        self.publish(
            MarketStateChanged,
            security_id=security.security_id,
            state=security.state,
            auction=security.auction,
            until_us=security.until_us,
            reason=reason,
            reference_price_e4=security.reference_price_e4,
        )
