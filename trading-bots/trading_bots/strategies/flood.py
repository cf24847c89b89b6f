"""A maker of load: as many orders as allowed, in batches, most of them gone again at once."""

from random import Random

from trading_bots.strategies.chance import lean, random_side
from trading_bots.strategies.decision import Decision, Plan
from trading_bots.strategies.view import View

DEVIATION = 0.001
"""The standard deviation of its prices, as a share of the price."""

RESTING = 0.3
"""The share of its orders that may rest in the book; the others are immediate-or-cancel."""

CANCELS = 0.2
"""The share of its open orders that each batch takes back."""

MAX_BATCH = 500
MAX_CATCH_UP_SECONDS = 1.0
MAX_OPEN_ORDERS = 40


class Flood:
    """Sends `orders_per_second` orders of one share, in a batch at each interval."""

    def __init__(
        self, rng: Random, interval_seconds: float = 0.1, orders_per_second: float = 90.0
    ) -> None:
        self._rng = rng
        self._interval_seconds = interval_seconds
        self._orders_per_second = orders_per_second
        self._due = 0.0
        self._decided_us: int | None = None

    def decide(self, view: View) -> Decision:
        """One batch."""
        plan = Plan(view, MAX_OPEN_ORDERS)
        for order in list(view.account.open_orders.values()):
            if self._rng.random() < CANCELS:
                plan.cancel(order)
        self._due += self._orders_per_second * self._elapsed_seconds(view.time_us)
        quotes = list(view.quotes.values())
        for _ in range(min(MAX_BATCH, int(self._due))):
            quote = self._rng.choice(quotes)
            side = random_side(self._rng, 0.5 + lean(quote))
            price_e4 = quote.market_e4 * self._rng.gauss(1, DEVIATION)
            rests = self._rng.random() < RESTING
            if not (rests and plan.limit(quote.security_id, side, 1, price_e4)):
                plan.passing(quote.security_id, side, price_e4)
        self._due %= 1
        return plan.decision(self._interval_seconds)

    def _elapsed_seconds(self, time_us: int) -> float:
        """The time since the last batch, so that the rate holds when the exchange answers late."""
        since_us = 0 if self._decided_us is None else time_us - self._decided_us
        self._decided_us = time_us
        return min(MAX_CATCH_UP_SECONDS, max(self._interval_seconds, since_us / 1_000_000))
