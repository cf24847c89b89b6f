"""The state that commands change: accounts, books, open orders, terms, and the counters."""

import heapq

from exchange_shared.messages import AnyEvent, Phase
from matching_engine.core.accounts import Account
from matching_engine.core.book.order import Ended, Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.terms import Limits

DAY_US = 86_400_000_000
MAX_ENDED_EXPIRIES = 1_000
"""Orders that ended before their time of which the time is still noted, beside the open ones."""

NEVER_US = 2**63
"""A time that never comes."""

Group = tuple[str, str]
"""A client, and the name of a group of its orders of which one cancels the others."""


class Market:
    """Everything that the exchange knows.

    `orders` are all open ones, waiting stops included, in the order of acceptance. `events` gathers
    what the current command causes, `time_us` is its time, and `clock_us` the latest time so far.
    `names` are the clients by their names in lower case, of each the first. `touched` are the books
    that may have another price now. Nothing happens by itself before `due_us`. `phase` is the
    trading day's, which began at `phase_begins_us` by `schedule_id`; with `day_ends_at_close`
    orders for the day last until it is `closed`, else until midnight UTC.

    `highest_ids` has the highest id so far of each node that was fenced.

    The clock follows a command's time by `free_step_us` at once, which is `max_step_us` unless a
    time is held back: `held_back_us` is how far ahead of the clock it is (below zero: behind),
    `agreed_us` when it was last contradicted, and `doubted_us` when it was last told.
    """

    __slots__ = (
        "_expiries",
        "accounts",
        "agreed_us",
        "api_keys",
        "arrivals",
        "books",
        "clock_us",
        "day_ends_at_close",
        "doubted_us",
        "due_us",
        "events",
        "execution_seq",
        "fees_e4",
        "free_step_us",
        "groups",
        "held_back_us",
        "highest_ids",
        "initial_balance_e4",
        "issued_e4",
        "limits",
        "maker_fee_ppm",
        "max_step_us",
        "names",
        "orders",
        "phase",
        "phase_begins_us",
        "schedule_id",
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
        self.due_us = NEVER_US
        self.free_step_us = self.max_step_us = NEVER_US
        self.held_back_us = 0
        self.agreed_us = 0
        self.doubted_us = 0
        self.schedule_id = ""
        self.phase: Phase = "continuous"
        self.phase_begins_us = 0
        self.day_ends_at_close = False
        self.initial_balance_e4 = 0
        self.maker_fee_ppm = 0
        self.taker_fee_ppm = 0
        self.fees_e4 = 0
        self.issued_e4 = 0
        self.limits = Limits()
        self.highest_ids: dict[int, int] = {}
        self.accounts: dict[str, Account] = {}
        self.api_keys: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.books: dict[str, OrderBook] = {}
        self.orders: dict[int, Order] = {}
        self.groups: dict[Group, dict[int, Order]] = {}
        self.events: list[AnyEvent] = []
        self.touched: dict[str, OrderBook] = {}
        self._expiries: list[tuple[int, int, Order]] = []

    def add_account(self, account: Account) -> None:
        """Know an account, by its name and by its key."""
        self.accounts[account.client_id] = account
        self.api_keys[account.api_key_hash] = account.client_id
        self.names.setdefault(account.client_id.lower(), account.client_id)

    def next_seq(self) -> int:
        """The number of the next event."""
        self.seq += 1
        return self.seq

    def next_execution_seq(self) -> int:
        """The number of the next event that moves assets."""
        self.execution_seq += 1
        return self.execution_seq

    def limit_steps(self, max_step_us: int | None) -> None:
        """Let the clock follow by so much at once; `None` is any step."""
        self.max_step_us = NEVER_US if max_step_us is None else max_step_us
        self.hold_back(0 if max_step_us is None else self.held_back_us)

    def hold_back(self, held_back_us: int) -> None:
        """Note how far from the clock a time is that it does not follow; 0 is none."""
        self.held_back_us = held_back_us
        self.free_step_us = -1 if held_back_us else self.max_step_us

    def open(self, order: Order) -> None:
        """Know an accepted order by its id, its name and its group, and when it expires."""
        request = order.request
        account = order.account
        self.orders[order.order_id] = account.orders[order.order_id] = order
        if request.client_order_id is not None:
            account.named_orders[request.client_order_id] = order
        if request.oco_group is not None:
            group = (request.client_id, request.oco_group)
            self.groups.setdefault(group, {})[request.order_id] = order
        if request.time_in_force != "gtc":
            self._expect_expiry(order)

    def _expect_expiry(self, order: Order) -> None:
        """Note when an order expires; orders that ended before are forgotten now and then."""
        request = order.request
        if request.time_in_force == "gtd":
            assert request.expires_us is not None, "a gtd order without an end"
            expires_us = request.expires_us
        elif request.time_in_force == "day" and not self.day_ends_at_close:
            expires_us = (request.time_us // DAY_US + 1) * DAY_US
        else:
            return
        if len(self._expiries) > 2 * len(self.orders) + MAX_ENDED_EXPIRIES:
            self._expiries = [entry for entry in self._expiries if entry[2].ended is None]
            heapq.heapify(self._expiries)
        heapq.heappush(self._expiries, (expires_us, order.arrival, order))
        self.note_due(expires_us)

    def end_days_at_close(self, at_close: bool) -> None:
        """Let all orders for the day last until the close, or until midnight UTC."""
        if at_close == self.day_ends_at_close:
            return
        self.day_ends_at_close = at_close
        self._expiries.clear()
        for order in self.orders.values():
            self._expect_expiry(order)

    def note_due(self, due_us: int) -> None:
        """Note that something is to happen by itself at a time."""
        self.due_us = min(self.due_us, due_us)

    def find_next_due(self) -> None:
        """Find when something is to happen by itself next."""
        states_end = (book.security.until_us for book in self.books.values())
        ends = [until_us for until_us in states_end if until_us is not None]
        if self._expiries:
            ends.append(self._expiries[0][0])
        self.due_us = min(ends, default=NEVER_US)

    def close(self, order: Order, ended: Ended) -> None:
        """Let go of an order that is in no book any more, and holds nothing."""
        order.ended = ended
        order_id, account, request = order.order_id, order.account, order.request
        del self.orders[order_id]
        del account.orders[order_id]
        if request.client_order_id is not None:
            account.remember(order, request.client_order_id)
        if request.oco_group is not None:
            group = (request.client_id, request.oco_group)
            members = self.groups[group]
            del members[order_id]
            if not members:
                del self.groups[group]

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
            found.update(book.at_close)
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
        shares: dict[tuple[str, str, bool], int] = {}
        for order in self.orders.values():
            client_id, security_id = order.request.client_id, order.request.security_id
            assert order.ended is None, "an order that ended is open"
            assert order.account.orders.get(order.order_id) is order, "an account misses an order"
            if order.buys:
                hold_e4 = order.unit_hold_e4 * order.remaining_quantity
                cash_held[client_id] = cash_held.get(client_id, 0) + hold_e4
            key = (client_id, security_id, order.buys)
            shares[key] = shares.get(key, 0) + order.remaining_quantity
        for client_id, account in self.accounts.items():
            assert account.cash_held_e4 == cash_held.get(client_id, 0), "a cash hold is off"
            assert 0 <= account.cash_held_e4 <= account.cash_e4, "more cash is held than there is"
            for security_id, position in account.positions.items():
                assert position.held == shares.get((client_id, security_id, False), 0), (
                    "a share hold is off"
                )
                assert position.buying == shares.get((client_id, security_id, True), 0), (
                    "the shares of buy orders are off"
                )
                listed = self.books[security_id].security
                assert position.security is listed, "a position of nothing"
                if position.held > max(0, position.quantity) or position.quantity < 0:
                    assert position.may_be_short, "more is held than there is"
                    assert account.shorts.get(security_id) is position, "a short is not known"
            assert all(
                self.orders.get(order_id) is one for order_id, one in account.orders.items()
            ), "an account has an order that is not open"
            for name, order in account.named_orders.items():
                assert order.request.client_order_id == name, "an order has a wrong name"
                assert self.orders.get(order.order_id) is order, "a named order is not open"
        cash_e4 = sum(account.cash_e4 for account in self.accounts.values())
        assert cash_e4 + self.fees_e4 == self.issued_e4, "cash was made or lost"
