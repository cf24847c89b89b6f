"""The draws and opinions that several strategies share."""

import math
from random import Random

from exchange_shared.messages import Side
from trading_bots.strategies.view import Quote

VALUE_BELIEF = 1.5
"""How strongly a price away from the reference makes a trader lean against it."""

MAX_LEAN = 0.35

LONGEST_DELAY = 5.0
"""No pause is longer than this many times the mean."""


def pause(rng: Random, mean_seconds: float) -> float:
    """Seconds until the next decision of somebody who acts at random times (a Poisson process)."""
    return min(rng.expovariate(1 / mean_seconds), LONGEST_DELAY * mean_seconds)


def lean(quote: Quote) -> float:
    """How much likelier than one half a buy is: positive while the price is under the reference.

    Without this belief in value, a market of chance alone would wander off without bounds.
    """
    return max(
        -MAX_LEAN,
        min(MAX_LEAN, VALUE_BELIEF * math.log(quote.reference_e4 / quote.market_e4)),
    )


def random_side(rng: Random, buy_probability: float) -> Side:
    """`buy` with this probability, else `sell`."""
    return "buy" if rng.random() < buy_probability else "sell"


class Norms:
    """Remembers the first amount seen of each thing as normal, and tells how far it is exceeded.

    Traders lean their prices by it, so that nobody collects one security until the cash is gone.
    """

    def __init__(self) -> None:
        self._normal: dict[str, int] = {}

    def excess(self, name: str, amount: int) -> float:
        """From −1 (nothing left) over 0 (as at the first call for this name) to 1 (doubled)."""
        normal = self._normal.setdefault(name, max(1, amount))
        return max(-1.0, min(1.0, amount / normal - 1))
