"""A trader whose prices are anywhere within a range around the market's, all equally likely."""

from random import Random

from trading_bots.strategies.chance import lean, pause, random_side
from trading_bots.strategies.decision import Decision, Plan
from trading_bots.strategies.view import View

RANGE = 0.006
"""How far its prices are from the market's at most, as a share of the price."""

MAX_QUANTITY = 8
MAX_OPEN_ORDERS = 30


class Uniform:
    """Fills the depth of the book: its orders lie evenly over the range."""

    def __init__(self, rng: Random, interval_seconds: float = 0.4) -> None:
        self._rng = rng
        self._interval_seconds = interval_seconds

    def decide(self, view: View) -> Decision:
        """One limit order."""
        plan = Plan(view, MAX_OPEN_ORDERS)
        quote = self._rng.choice(list(view.quotes.values()))
        side = random_side(self._rng, 0.5 + lean(quote))
        price_e4 = quote.market_e4 * self._rng.uniform(1 - RANGE, 1 + RANGE)
        plan.limit(quote.security_id, side, self._rng.randint(1, MAX_QUANTITY), price_e4)
        return plan.decision(pause(self._rng, self._interval_seconds))
