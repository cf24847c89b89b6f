"""The strategies: what each decides, within its means."""

from random import Random
from typing import Any

import pytest

from exchange_shared.messages import Side
from trading_bots.strategies import (
    STRATEGIES,
    Account,
    CancelOpenOrder,
    Decision,
    OpenOrder,
    PlaceOrder,
    Plan,
    Quote,
    View,
    make_strategy,
)
from trading_bots.strategies.view import cost_e4


def quote(**changes: int | None) -> Quote:
    prices: dict[str, Any] = {
        "bid_e4": 99_9000,
        "ask_e4": 100_1000,
        "last_e4": 100_0000,
        **changes,
    }
    return Quote("MSFT", tick_e4=100, reference_e4=100_0000, **prices)


def view(
    *orders: OpenOrder, cash_e4: int = 10_000_0000, shares: int = 100, **changes: int | None
) -> View:
    account = Account(cash_e4, {"MSFT": shares})
    for order in orders:
        account.open_orders[order.order_id] = order
    return View({"MSFT": quote(**changes)}, account)


def resting(order_id: int, side: Side = "buy", quantity: int = 1) -> OpenOrder:
    return OpenOrder(order_id, "MSFT", side, quantity, 90_0000)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_seed_makes_the_same_decisions(name: str) -> None:
    def decisions() -> list[Decision]:
        strategy = make_strategy(name, Random(7))
        return [strategy.decide(view()) for _ in range(50)]

    assert decisions() == decisions()


@pytest.mark.parametrize("name", STRATEGIES)
def test_orders_are_on_the_tick_near_the_market_and_within_the_means(name: str) -> None:
    strategy = make_strategy(name, Random(11))
    means = view(cash_e4=350_0000, shares=3)
    sent = 0
    for _ in range(200):
        decision = strategy.decide(means)
        assert decision.delay_seconds > 0
        lasting = [order for order in decision.orders if order.time_in_force == "gtc"]
        for order in decision.orders:
            assert order.quantity >= 1
            assert order.price_e4 is None or order.price_e4 % 100 == 0
            assert order.price_e4 is None or 50_0000 <= order.price_e4 <= 150_0000
        bought = sum(
            cost_e4(order.price_e4 or 100_1000, order.quantity)
            for order in lasting
            if order.side == "buy"
        )
        assert bought <= 350_0000
        assert sum(order.quantity for order in lasting if order.side == "sell") <= 3
        sent += len(decision.orders)
    assert sent > 20


@pytest.mark.parametrize("name", STRATEGIES)
def test_who_owns_nothing_sends_nothing(name: str) -> None:
    strategy = make_strategy(name, Random(3))
    poor = view(cash_e4=0, shares=0)
    assert [strategy.decide(poor).orders for _ in range(20)] == [[]] * 20


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_empty_market_is_opened_around_the_reference_price(name: str) -> None:
    strategy = make_strategy(name, Random(5))
    empty = view(bid_e4=None, ask_e4=None, last_e4=None)
    orders = [order for _ in range(50) for order in strategy.decide(empty).orders]
    prices = [order.price_e4 for order in orders if order.price_e4 is not None]
    assert 95_0000 <= min(prices) <= max(prices) <= 105_0000
    assert {order.side for order in orders} == {"buy", "sell"}


def test_the_market_maker_quotes_both_sides_without_crossing_itself() -> None:
    decision = make_strategy("market_maker", Random(1)).decide(view())
    bids = [order.price_e4 for order in decision.orders if order.side == "buy"]
    asks = [order.price_e4 for order in decision.orders if order.side == "sell"]
    assert bids == [99_9200, 99_8400, 99_7600]
    assert asks == [100_0800, 100_1600, 100_2400]


def test_the_market_maker_replaces_only_stale_quotes() -> None:
    strategy = make_strategy("market_maker", Random(1))
    strategy.decide(view())
    good = OpenOrder(1, "MSFT", "buy", 5, 99_9200)
    stale = OpenOrder(2, "MSFT", "buy", 5, 98_0000)
    decision = strategy.decide(view(good, stale))
    assert decision.cancels == [CancelOpenOrder(2)]
    assert [order.price_e4 for order in decision.orders if order.side == "buy"] == [
        99_8400,
        99_7600,
    ]


def test_the_market_maker_lowers_its_quotes_when_it_has_too_much() -> None:
    strategy = make_strategy("market_maker", Random(1))
    strategy.decide(view(shares=100))
    decision = strategy.decide(view(shares=150))
    assert max(order.price_e4 or 0 for order in decision.orders if order.side == "buy") == 99_4200


def test_the_random_walker_takes_a_quote_that_is_far_from_its_fair_price() -> None:
    strategy = make_strategy("random_walk", Random(1))
    strategy.decide(view())
    decision = strategy.decide(view(bid_e4=89_9000, ask_e4=90_0000))
    assert [(order.side, order.price_e4) for order in decision.orders] == [("buy", 90_0000)]


def test_the_flood_sends_its_rate() -> None:
    strategy = make_strategy("flood", Random(1), interval_seconds=0.1, orders_per_second=205)
    sizes = [len(strategy.decide(view()).orders) for _ in range(10)]
    assert sum(sizes) in (204, 205)
    assert set(sizes) == {20, 21}


def test_the_flood_makes_up_for_an_exchange_that_answers_late() -> None:
    strategy = make_strategy("flood", Random(1), interval_seconds=0.1, orders_per_second=100)
    now = view()
    sizes = []
    for now.time_us in (0, 100_000, 400_000, 9_000_000):
        sizes.append(len(strategy.decide(now).orders))
    assert sizes == [10, 10, 30, 100]


def test_the_crowd_buys_more_after_a_rise_than_after_a_fall() -> None:
    def buys(last_e4: int) -> int:
        strategy = make_strategy("retail", Random(2))
        for _ in range(50):
            strategy.decide(view())
        orders = [
            order for _ in range(8) for order in strategy.decide(view(last_e4=last_e4)).orders
        ]
        return sum(order.side == "buy" for order in orders)

    assert buys(101_0000) > buys(99_0000)


def test_a_plan_makes_an_order_smaller_when_the_cash_is_short() -> None:
    plan = Plan(view(cash_e4=1_000_0000), max_open_orders=5)
    assert plan.limit("MSFT", "buy", 20, 100_0000)
    assert not plan.limit("MSFT", "buy", 1, 101_0000)
    assert plan.decision(1.0).orders == [PlaceOrder("MSFT", "buy", 9, 100_0000)]


def test_a_plan_uses_again_what_it_cancels() -> None:
    plan = Plan(view(resting(1, "sell", 4), shares=0), max_open_orders=5)
    assert not plan.limit("MSFT", "sell", 4, 100_0000)
    plan.cancel(resting(1, "sell", 4))
    assert plan.limit("MSFT", "sell", 6, 100_0000)
    assert plan.decision(1.0) == Decision(
        [CancelOpenOrder(1)], [PlaceOrder("MSFT", "sell", 4, 100_0000)], 1.0
    )


def test_a_plan_cancels_the_oldest_orders_when_too_many_would_be_open() -> None:
    plan = Plan(view(resting(1), resting(2), resting(3)), max_open_orders=3)
    plan.limit("MSFT", "sell", 1, 100_0000)
    plan.limit("MSFT", "sell", 1, 100_0000)
    assert plan.decision(1.0).cancels == [CancelOpenOrder(1), CancelOpenOrder(2)]


def test_a_plan_never_opens_more_orders_than_allowed() -> None:
    plan = Plan(view(), max_open_orders=2)
    assert [plan.limit("MSFT", "sell", 1, 100_0000) for _ in range(3)] == [True, True, False]


def test_a_plan_keeps_prices_in_the_band() -> None:
    plan = Plan(view(), max_open_orders=3)
    plan.limit("MSFT", "sell", 1, 0.0)
    plan.limit("MSFT", "sell", 1, 1e15)
    plan.limit("MSFT", "sell", 1, 100_0049.9)
    prices = [order.price_e4 for order in plan.decision(1.0).orders]
    assert prices == [50_0000, 150_0000, 100_0000]


def test_a_plan_sends_whole_lots() -> None:
    plan = Plan(view(cash_e4=2_600_0000, shares=25, lot=10), max_open_orders=5)
    assert plan.limit("MSFT", "buy", 11, 100_0000)
    assert not plan.limit("MSFT", "buy", 1, 100_0000)
    assert plan.limit("MSFT", "sell", 1, 101_0000)
    assert plan.passing("MSFT", "sell", 101_0000)
    assert plan.market("MSFT", "sell", 2)
    assert not plan.market("MSFT", "sell", 2)
    assert plan.decision(1.0).orders == [
        PlaceOrder("MSFT", "buy", 20, 100_0000),
        PlaceOrder("MSFT", "sell", 10, 101_0000),
        PlaceOrder("MSFT", "sell", 10, 101_0000, "ioc"),
        PlaceOrder("MSFT", "sell", 10, None),
    ]


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_trades_in_lots(name: str) -> None:
    strategy = make_strategy(name, Random(11))
    decisions = [strategy.decide(view(lot=25)) for _ in range(200)]
    quantities = [order.quantity for decision in decisions for order in decision.orders]
    assert len(quantities) > 20
    assert all(quantity % 25 == 0 and quantity > 0 for quantity in quantities)


def test_a_market_order_needs_somebody_on_the_other_side() -> None:
    plan = Plan(view(ask_e4=None), max_open_orders=3)
    assert not plan.market("MSFT", "buy", 1)
    assert plan.market("MSFT", "sell", 2)
    assert plan.decision(1.0).orders == [PlaceOrder("MSFT", "sell", 2, None)]


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no strategy is called 'luck'; there are random_walk"):
        make_strategy("luck", Random(1))
