"""The strategies: pure deciders, which the bot asks again and again. Chosen by their names."""

from collections.abc import Callable
from random import Random

from trading_bots.strategies.decision import CancelOpenOrder, Decision, PlaceOrder, Plan, Strategy
from trading_bots.strategies.flood import Flood
from trading_bots.strategies.gaussian import Gaussian
from trading_bots.strategies.market_maker import MarketMaker
from trading_bots.strategies.random_walk import RandomWalk
from trading_bots.strategies.retail import Retail
from trading_bots.strategies.uniform import Uniform
from trading_bots.strategies.view import Account, OpenOrder, Quote, View

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "random_walk": RandomWalk,
    "gaussian": Gaussian,
    "uniform": Uniform,
    "retail": Retail,
    "flood": Flood,
    "market_maker": MarketMaker,
}


def known_strategy(name: str) -> str:
    """The name again, if it is one. Raises `ValueError` that lists those there are."""
    if name not in STRATEGIES:
        raise ValueError(f"no strategy is called {name!r}; there are {', '.join(STRATEGIES)}")
    return name


def make_strategy(
    name: str,
    rng: Random,
    interval_seconds: float | None = None,
    orders_per_second: float | None = None,
) -> Strategy:
    """A strategy by its name, at its own pace where none is given.

    `orders_per_second` is for `flood` alone.

    Raises:
        ValueError: no strategy has this name.
    """
    strategy = STRATEGIES[known_strategy(name)]
    pace: dict[str, float] = {}
    if interval_seconds is not None:
        pace["interval_seconds"] = interval_seconds
    if orders_per_second is not None and strategy is Flood:
        pace["orders_per_second"] = orders_per_second
    return strategy(rng, **pace)


__all__ = [
    "STRATEGIES",
    "Account",
    "CancelOpenOrder",
    "Decision",
    "OpenOrder",
    "PlaceOrder",
    "Plan",
    "Quote",
    "Strategy",
    "View",
    "known_strategy",
    "make_strategy",
]
