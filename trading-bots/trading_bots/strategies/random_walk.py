"""A trader whose own idea of the fair price walks at random, and who trades towards it."""

import math
from random import Random

from trading_bots.strategies.chance import Norms, pause
from trading_bots.strategies.decision import Decision, Plan
from trading_bots.strategies.view import Quote, View

STEP = 0.0015
"""The standard deviation of one step of the walk, as a share of the price."""

PULL = 0.003
"""How much of the distance to the reference price each step takes back (Ornstein–Uhlenbeck)."""

EDGE = 0.0005
"""How far beyond the fair price a quote must be before the trader takes it."""

SKEW = 0.01
"""How far it leans its fair price against what it has too much of, as a share of the price."""

MAX_QUANTITY = 5
MAX_OPEN_ORDERS = 20


class RandomWalk:
    """Takes quotes that are better than its fair price, else rests an order on its near side."""

    def __init__(self, rng: Random, interval_seconds: float = 0.4) -> None:
        self._rng = rng
        self._interval_seconds = interval_seconds
        self._fair: dict[str, float] = {}
        self._norms = Norms()

    def decide(self, view: View) -> Decision:
        """One step of the walk in one security, and one order there."""
        plan = Plan(view, MAX_OPEN_ORDERS)
        quote = self._rng.choice(list(view.quotes.values()))
        fair_e4 = self._step(quote) * (1 - SKEW * self._appetite(view, quote))
        quantity = self._rng.randint(1, MAX_QUANTITY)
        if quote.ask_e4 is not None and fair_e4 > quote.ask_e4 * (1 + EDGE):
            plan.limit(quote.security_id, "buy", quantity, quote.ask_e4)
        elif quote.bid_e4 is not None and fair_e4 < quote.bid_e4 * (1 - EDGE):
            plan.limit(quote.security_id, "sell", quantity, quote.bid_e4)
        else:
            distance = 1 + abs(self._rng.gauss(0, 2 * STEP))
            if self._rng.random() < 0.5:
                plan.limit(quote.security_id, "buy", quantity, fair_e4 / distance)
            else:
                plan.limit(quote.security_id, "sell", quantity, fair_e4 * distance)
        return plan.decision(pause(self._rng, self._interval_seconds))

    def _appetite(self, view: View, quote: Quote) -> float:
        """How much more of the security, and less cash, it has than it began with."""
        owned = view.account.owned(quote.security_id)
        shares = self._norms.excess(quote.security_id, owned)
        return shares - self._norms.excess("cash", view.account.cash_e4)

    def _step(self, quote: Quote) -> float:
        fair_e4 = self._fair.get(quote.security_id, float(quote.market_e4))
        pull = PULL * math.log(quote.reference_e4 / fair_e4)
        fair_e4 *= math.exp(self._rng.gauss(0, STEP) + pull)
        self._fair[quote.security_id] = fair_e4
        return fair_e4
