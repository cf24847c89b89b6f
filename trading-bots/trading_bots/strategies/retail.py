"""A crowd of small investors: one or two shares, at random times, and after whatever moves."""

import math
from random import Random

from trading_bots.strategies.chance import lean, pause, random_side
from trading_bots.strategies.decision import Decision, Plan
from trading_bots.strategies.view import Quote, View

MEMORY = 0.9
"""How much of the old average stays in the average price that the crowd remembers."""

MOMENTUM = 40.0
"""How strongly a price above its remembered average makes a buy likelier, below it a sell."""

MAX_MOMENTUM = 0.2
MARKET_ORDERS = 0.4
"""The share of orders that are market orders."""

PATIENCE = 0.0015
"""How far from the market its limit orders are on average, as a share of the price."""

MAX_QUANTITY = 2
MAX_OPEN_ORDERS = 10


class Retail:
    """Chases trends with market orders, and otherwise waits a little behind the market."""

    def __init__(self, rng: Random, interval_seconds: float = 0.6) -> None:
        self._rng = rng
        self._interval_seconds = interval_seconds
        self._remembered: dict[str, float] = {}

    def decide(self, view: View) -> Decision:
        """One small order in a random security."""
        plan = Plan(view, MAX_OPEN_ORDERS)
        momenta = {quote.security_id: self._momentum(quote) for quote in view.quotes.values()}
        quote = self._rng.choice(list(view.quotes.values()))
        side = random_side(self._rng, 0.5 + lean(quote) + momenta[quote.security_id])
        quantity = self._rng.randint(1, MAX_QUANTITY)
        if self._rng.random() < MARKET_ORDERS:
            plan.market(quote.security_id, side, quantity)
        else:
            distance = self._rng.expovariate(1 / PATIENCE) * (-1 if side == "buy" else 1)
            plan.limit(quote.security_id, side, quantity, quote.market_e4 * (1 + distance))
        return plan.decision(pause(self._rng, self._interval_seconds))

    def _momentum(self, quote: Quote) -> float:
        remembered = self._remembered.get(quote.security_id, float(quote.market_e4))
        remembered = MEMORY * remembered + (1 - MEMORY) * quote.market_e4
        self._remembered[quote.security_id] = remembered
        momentum = MOMENTUM * math.log(quote.market_e4 / remembered)
        return max(-MAX_MOMENTUM, min(MAX_MOMENTUM, momentum))
