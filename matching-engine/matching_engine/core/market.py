"""The state that commands change: accounts, books, open orders, terms, and the counters."""

import heapq

from exchange_shared.messages import AnyEvent
from matching_engine.core.accounts import Account
from matching_engine.core.order import Ended, Order
from matching_engine.core.order_book import OrderBook

DAY_US = 86_400_000_000
MAX_ENDED_EXPIRIES = 1_000
"""Orders that ended before their time of which the time is still noted, beside the open ones."""

Group = tuple[str, str]
"""A client, and the name of a group of its orders of which one cancels the others."""


class Market:
    """Everything that the exchange knows.

    `orders` are all open ones, waiting stops included, in the order of acceptance. `events` gathers
    what the current command causes, `time_us` is its time, and `clock_us` the latest time so far.
    `touched` are the books that may have another price now.
    """

    __slots__ = (
        "_expiries",
        "accounts",
        "api_keys",
        "arrivals",
        "books",
        "clock_us",
        "events",
        "execution_seq",
        "fees_e4",
        "groups",
        "initial_balance_e4",
        "issued_e4",
        "maker_fee_ppm",
        "orders",
        "seq",
        "taker_fee_ppm",
        "time_us",
        "touched",
        "trade_id",
    )

    def __init__(self) -> None:
        self.seq = 0
        self.execution_seq = 0
        self.trade_id = 0
        self.arrivals = 0
        self.time_us = 0
        self.clock_us = 0
        self.initial_balance_e4 = 0
        self.maker_fee_ppm = 0
        self.taker_fee_ppm = 0
        self.fees_e4 = 0
        self.issued_e4 = 0
        self.accounts: dict[str, Account] = {}
        self.api_keys: dict[str, str] = {}
        self.books: dict[str, OrderBook] = {}
        self.orders: dict[int, Order] = {}
        self.groups: dict[Group, dict[int, Order]] = {}
        self.events: list[AnyEvent] = []
        self.touched: dict[str, OrderBook] = {}
        self._expiries: list[tuple[int, int, Order]] = []

    def next_seq(self) -> int:
        """The number of the next event."""
        self.seq += 1
        return self.seq

    def next_execution_seq(self) -> int:
        """The number of the next event that moves assets."""
        self.execution_seq += 1
        return self.execution_seq

    def open(self, order: Order) -> None:
        """Know an accepted order by its id, its name and its group, and when it expires."""
        request = order.request
        self.orders[request.order_id] = order
        if request.client_order_id is not None:
            order.account.open_orders[request.client_order_id] = order
        if request.oco_group is not None:
            group = (request.client_id, request.oco_group)
            self.groups.setdefault(group, {})[request.order_id] = order
        if request.time_in_force == "gtd":
            assert request.expires_us is not None, "a gtd order without an end"
            self._expect_expiry(order, request.expires_us)
        elif request.time_in_force == "day":
            self._expect_expiry(order, (request.time_us // DAY_US + 1) * DAY_US)

    def _expect_expiry(self, order: Order, expires_us: int) -> None:
        """Note when an order expires; orders that ended before are forgotten now and then."""
        if len(self._expiries) > 2 * len(self.orders) + MAX_ENDED_EXPIRIES:
            self._expiries = [entry for entry in self._expiries if entry[2].ended is None]
            heapq.heapify(self._expiries)
        heapq.heappush(self._expiries, (expires_us, order.arrival, order))

    def close(self, order: Order, ended: Ended) -> None:
        """Let go of an order that is in no book any more, and holds nothing."""
        del self.orders[order.order_id]
        request = order.request
        if request.oco_group is not None:
            group = (request.client_id, request.oco_group)
            members = self.groups[group]
            del members[request.order_id]
            if not members:
                del self.groups[group]
        order.account.finish(order, ended)

    def siblings(self, order: Order) -> list[Order]:
        """The other open orders of an order's group, in the order of acceptance."""
        request = order.request
        if request.oco_group is None:
            return []
        members = self.groups.get((request.client_id, request.oco_group), {})
        return [member for member in members.values() if member is not order]

    def take_expired(self) -> Order | None:
        """The next open order whose time has come, `None` when there is none."""
        expiries = self._expiries
        while expiries and expiries[0][0] <= self.clock_us:
            order = heapq.heappop(expiries)[2]
            if order.ended is None:
                return order
        return None

    def check_invariants(self) -> None:
        """Raises `AssertionError` when money, shares, holds or books do not add up."""
        found: dict[int, Order] = {}
        for book in self.books.values():
            book.check_invariants()
            for side in (book.bids, book.asks):
                for level in side:
                    found.update({order.order_id: order for order in level})
            found.update({order.order_id: order for order in book.stops})
        assert found == self.orders, "the order index and the books differ"
        arrivals = [order.arrival for order in self.orders.values()]
        assert arrivals == sorted(arrivals), "the order index is out of order"
        for group, members in self.groups.items():
            assert members, "an empty group was kept"
            for order in members.values():
                assert self.orders.get(order.order_id) is order, "a group has an order that ended"
                assert (order.request.client_id, order.request.oco_group) == group, "a wrong group"
        self._check_accounts()

    def _check_accounts(self) -> None:
        cash_held: dict[str, int] = {}
        shares_held: dict[tuple[str, str], int] = {}
        for order in self.orders.values():
            client_id, security_id = order.request.client_id, order.request.security_id
            assert order.ended is None, "an order that ended is open"
            if order.request.side == "buy":
                hold_e4 = order.unit_hold_e4 * order.remaining_quantity
                cash_held[client_id] = cash_held.get(client_id, 0) + hold_e4
            else:
                key = (client_id, security_id)
                shares_held[key] = shares_held.get(key, 0) + order.remaining_quantity
        for client_id, account in self.accounts.items():
            assert account.cash_held_e4 == cash_held.get(client_id, 0), "a cash hold is off"
            assert 0 <= account.cash_held_e4 <= account.cash_e4, "more cash is held than there is"
            for security_id, position in account.positions.items():
                held = shares_held.get((client_id, security_id), 0)
                assert position.held == held, "a share hold is off"
                assert 0 <= position.held <= position.quantity, "more is held than there is"
            for name, order in account.open_orders.items():
                assert order.request.client_order_id == name, "an order has a wrong name"
                assert self.orders.get(order.order_id) is order, "a named order is not open"
        cash_e4 = sum(account.cash_e4 for account in self.accounts.values())
        assert cash_e4 + self.fees_e4 == self.issued_e4, "cash was made or lost"
