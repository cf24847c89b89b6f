"""A trader whose prices are normally distributed around the market's."""

from random import Random

from trading_bots.strategies.chance import lean, pause, random_side
from trading_bots.strategies.decision import Decision, Plan
from trading_bots.strategies.view import View

DEVIATION = 0.002
"""The standard deviation of its prices, as a share of the price."""

MAX_QUANTITY = 5
MAX_OPEN_ORDERS = 20


class Gaussian:
    """Buys or sells a few shares of a random security near the last price."""

    def __init__(self, rng: Random, interval_seconds: float = 0.4) -> None:
        self._rng = rng
        self._interval_seconds = interval_seconds

    def decide(self, view: View) -> Decision:
        """One limit order."""
        plan = Plan(view, MAX_OPEN_ORDERS)
        quote = self._rng.choice(list(view.quotes.values()))
        side = random_side(self._rng, 0.5 + lean(quote))
        price_e4 = quote.market_e4 * self._rng.gauss(1, DEVIATION)
        plan.limit(quote.security_id, side, self._rng.randint(1, MAX_QUANTITY), price_e4)
        return plan.decision(pause(self._rng, self._interval_seconds))
