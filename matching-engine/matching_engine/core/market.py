"""The state that commands change: accounts, books, open orders, terms, and the counters."""

from exchange_shared.messages import AnyEvent
from exchange_shared.units import PPM
from matching_engine.core.accounts import Account
from matching_engine.core.order import Order
from matching_engine.core.order_book import OrderBook


class Market:
    """Everything that the exchange knows. `events` gathers what the current command causes."""

    __slots__ = (
        "accounts",
        "api_keys",
        "books",
        "events",
        "execution_seq",
        "fees_e4",
        "initial_balance_e4",
        "issued_e4",
        "maker_fee_ppm",
        "orders",
        "seq",
        "taker_fee_ppm",
        "time_us",
        "trade_id",
    )

    def __init__(self) -> None:
        self.seq = 0
        self.execution_seq = 0
        self.trade_id = 0
        self.time_us = 0
        self.initial_balance_e4 = 0
        self.maker_fee_ppm = 0
        self.taker_fee_ppm = 0
        self.fees_e4 = 0
        self.issued_e4 = 0
        self.accounts: dict[str, Account] = {}
        self.api_keys: dict[str, str] = {}
        self.books: dict[str, OrderBook] = {}
        self.orders: dict[int, Order] = {}
        self.events: list[AnyEvent] = []

    def next_seq(self) -> int:
        """The number of the next event."""
        self.seq += 1
        return self.seq

    def next_execution_seq(self) -> int:
        """The number of the next event that moves assets."""
        self.execution_seq += 1
        return self.execution_seq

    def next_trade_id(self) -> int:
        """The number of the next trade."""
        self.trade_id += 1
        return self.trade_id

    def unit_cost_e4(self, price_e4: int) -> int:
        """The most that one share can cost: its price and the highest fee on it, rounded up.

        Rounding up each share's fee covers the rounding of any number of partial fills.
        """
        highest_ppm = max(self.maker_fee_ppm, self.taker_fee_ppm)
        return price_e4 - (-price_e4 * highest_ppm // PPM)

    def check_invariants(self) -> None:
        """Raises `AssertionError` when money, shares, holds or books do not add up."""
        resting: dict[int, Order] = {}
        cash_held: dict[str, int] = {}
        shares_held: dict[tuple[str, str], int] = {}
        for book in self.books.values():
            book.check_invariants()
            for side in (book.bids, book.asks):
                for level in side:
                    resting.update(level.orders)
        assert resting == self.orders, "the order index and the books differ"
        for order in resting.values():
            client_id, security_id = order.request.client_id, order.request.security_id
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
                assert order.client_order_id == name, "an order is filed under a wrong name"
                assert resting.get(order.order_id) is order, "a named order is open but rests not"
        cash_e4 = sum(account.cash_e4 for account in self.accounts.values())
        assert cash_e4 + self.fees_e4 == self.issued_e4, "cash was made or lost"
