"""A market in a few lines, obviously right and slow, in which strategies can be tried for hours.

Orders match by price, then age, at the resting order's price; the fee is the taker's. An order
against an own one is cancelled, one that its account cannot pay for is refused.
"""

import heapq
import itertools
from dataclasses import dataclass, field
from decimal import Decimal

from exchange_shared.messages import Side
from exchange_shared.units import fee_e4, to_e4
from trading_bots.strategies import Account, OpenOrder, PlaceOrder, Quote, Strategy, View

TAKER_FEE_PPM = 100
REFERENCE_PRICES = {"MSFT": "420", "AAPL": "230", "TSLA": "250", "JPM": "210", "SHEL": "70"}
INITIAL_CASH_E4 = to_e4(Decimal(10_000))
GRANT = 100


@dataclass
class ToyTrader:
    """A strategy and what it really owns, beside what its own books say."""

    name: str
    strategy: Strategy
    cash_e4: int = INITIAL_CASH_E4
    shares: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REFERENCE_PRICES, GRANT))
    account: Account = field(default_factory=Account)
    most_open_orders: int = 0
    refused: int = 0

    def refresh(self) -> None:
        """Set the own books to the truth, as a bot does from time to time."""
        orders = self.account.open_orders
        held = Account(self.cash_e4, dict(self.shares))
        for order in orders.values():
            held.opened(order)
        self.account.cash_e4, self.account.shares = held.cash_e4, held.shares


class ToyMarket:
    """Runs traders against each other in simulated time."""

    def __init__(self, strategies: dict[str, Strategy]) -> None:
        self.traders = {name: ToyTrader(name, made) for name, made in strategies.items()}
        self.quotes = {
            security_id: Quote(security_id, tick_e4=100, reference_e4=to_e4(Decimal(price)))
            for security_id, price in REFERENCE_PRICES.items()
        }
        self.books: dict[str, list[tuple[ToyTrader, OpenOrder]]] = {
            name: [] for name in self.quotes
        }
        self.trades: list[tuple[float, str, int, int]] = []
        self.fees_e4 = 0
        self._order_ids = itertools.count(1)

    def run(self, seconds: float) -> None:
        """Let every trader decide, again and again, until the time is over."""
        turns = [(0.0, name) for name in self.traders]
        for trader in self.traders.values():
            trader.refresh()
        while turns[0][0] < seconds:
            now, name = heapq.heappop(turns)
            delay = self._turn(self.traders[name], now)
            assert delay > 0
            heapq.heappush(turns, (now + delay, name))

    def _turn(self, trader: ToyTrader, now: float) -> float:
        trader.refresh()
        decision = trader.strategy.decide(View(self.quotes, trader.account, int(now * 1_000_000)))
        for cancel in decision.cancels:
            order = trader.account.open_orders[cancel.order_id]
            self.books[order.security_id].remove((trader, order))
            trader.account.closed(order.order_id)
        for order_wanted in decision.orders:
            self._place(trader, order_wanted, now)
        trader.most_open_orders = max(trader.most_open_orders, len(trader.account.open_orders))
        for quote in self.quotes.values():
            self._requote(quote)
        return decision.delay_seconds

    def _place(self, trader: ToyTrader, wanted: PlaceOrder, now: float) -> None:
        security_id, price_e4 = wanted.security_id, wanted.price_e4
        assert wanted.quantity >= 1
        assert price_e4 is None or (price_e4 > 0 and price_e4 % 100 == 0)
        order = OpenOrder(
            next(self._order_ids), security_id, wanted.side, wanted.quantity, price_e4
        )
        trader.account.opened(order)
        if trader.account.cash_e4 < 0 or trader.account.shares[security_id] < 0:
            trader.account.closed(order.order_id)
            trader.refused += 1
            return
        for resting_trader, resting in self._opposite(security_id, wanted.side):
            if not order.remaining_quantity or not _crosses(order, resting):
                break
            if resting_trader is trader:
                trader.account.closed(order.order_id)
                return
            self._trade(trader, order, resting_trader, resting, now)
        if order.remaining_quantity:
            if price_e4 is not None and wanted.time_in_force == "gtc":
                self.books[security_id].append((trader, order))
            else:
                trader.account.closed(order.order_id)

    def _trade(
        self,
        taker: ToyTrader,
        incoming: OpenOrder,
        maker: ToyTrader,
        resting: OpenOrder,
        now: float,
    ) -> None:
        assert resting.price_e4 is not None
        quantity = min(incoming.remaining_quantity, resting.remaining_quantity)
        amount_e4 = resting.price_e4 * quantity
        fee = fee_e4(amount_e4, TAKER_FEE_PPM)
        buyer, seller = (taker, maker) if incoming.side == "buy" else (maker, taker)
        buyer.cash_e4 -= amount_e4
        seller.cash_e4 += amount_e4
        taker.cash_e4 -= fee
        self.fees_e4 += fee
        buyer.shares[resting.security_id] += quantity
        seller.shares[resting.security_id] -= quantity
        if resting.remaining_quantity == quantity:
            self.books[resting.security_id].remove((maker, resting))
        for trader, order in ((taker, incoming), (maker, resting)):
            fee_of = fee if trader is taker else 0
            trader.account.filled(order.order_id, resting.price_e4, quantity, fee_of)
            self._check(trader)
        self.quotes[resting.security_id].last_e4 = resting.price_e4
        self.trades.append((now, resting.security_id, resting.price_e4, quantity))

    def _opposite(self, security_id: str, side: Side) -> list[tuple[ToyTrader, OpenOrder]]:
        """The other side of a book, best first."""
        orders = [entry for entry in self.books[security_id] if entry[1].side != side]
        sign = 1 if side == "buy" else -1
        return sorted(orders, key=lambda entry: sign * (entry[1].price_e4 or 0))

    def _requote(self, quote: Quote) -> None:
        bids = self._opposite(quote.security_id, "sell")
        asks = self._opposite(quote.security_id, "buy")
        quote.bid_e4 = bids[0][1].price_e4 if bids else None
        quote.ask_e4 = asks[0][1].price_e4 if asks else None

    def _check(self, trader: ToyTrader) -> None:
        assert trader.cash_e4 >= 0, f"{trader.name} is bankrupt"
        assert min(trader.shares.values()) >= 0, f"{trader.name} sold what it does not have"


def _crosses(order: OpenOrder, resting: OpenOrder) -> bool:
    if order.price_e4 is None or resting.price_e4 is None:
        return True
    if order.side == "buy":
        return order.price_e4 >= resting.price_e4
    return order.price_e4 <= resting.price_e4
