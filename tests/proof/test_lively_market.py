"""The market that the bots make of it together, over half an hour of its own time."""

from random import Random

import pytest

from tests.support.toy_market import INITIAL_CASH_E4, ToyMarket
from trading_bots.strategies import make_strategy

FIVE_BOTS = ["market_maker", "random_walk", "gaussian", "uniform", "retail"]


def crowd(names: list[str], seed: int) -> ToyMarket:
    return ToyMarket(
        {
            name: make_strategy(name, Random(f"{seed} {name}"), orders_per_second=50)
            for name in names
        }
    )


@pytest.mark.parametrize(
    ("names", "seconds"), [(FIVE_BOTS, 1_800.0), ([*FIVE_BOTS, "flood"], 300.0)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_bots_make_a_lively_and_sane_market(
    names: list[str], seconds: float, seed: int
) -> None:
    market = crowd(names, seed)
    market.run(seconds)
    for security_id, last_quote in market.quotes.items():
        prices = [price_e4 for _, name, price_e4, _ in market.trades if name == security_id]
        reference_e4 = last_quote.reference_e4
        assert len(prices) > seconds / 5, "it trades"
        assert 0.8 * reference_e4 < min(prices) <= max(prices) < 1.25 * reference_e4
        assert max(prices) - min(prices) > 0.005 * reference_e4, "its price moves"
        assert last_quote.bid_e4 is not None
        assert last_quote.ask_e4 is not None
        assert 0 < last_quote.ask_e4 - last_quote.bid_e4 < 0.01 * reference_e4
    for trader in market.traders.values():
        assert trader.most_open_orders <= 40
        assert trader.refused == 0
        assert (
            trader.cash_e4
            + sum(trader.shares[name] * (item.last_e4 or 0) for name, item in market.quotes.items())
            > 80_000_0000
        ), f"{trader.name} keeps most of what it had"
    cash_e4 = sum(trader.cash_e4 for trader in market.traders.values())
    assert cash_e4 + market.fees_e4 == INITIAL_CASH_E4 * len(names)
