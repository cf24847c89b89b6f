"""What the feed makes of short positions, their margin, and rebates, from hand-made events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exchange_shared.messages import SecurityTerms
from exchange_shared.units import PPM
from market_data_feed.projections import Account, Holding, Projections, Security
from market_data_feed.views import accounts as account_views
from tests.support.feed_events import CASH_E4, REFERENCE_E4, EventMaker
from tests.support.feed_log import Clearing

Trade = tuple[int, int]
"""Shares, below zero when they are sold, and the price in whole units."""


def position(*trades: Trade) -> tuple[int, float | None]:
    """Shares and their average cost after trades."""
    holding = Holding("alice", "MSFT")
    for quantity, price in trades:
        holding.change(quantity, quantity * price * 10_000)
    told = account_views.holding(holding, 1)
    return holding.quantity, told["average_cost"]


@pytest.mark.parametrize(
    ("trades", "expected"),
    [
        ([], (0, None)),
        ([(10, 100)], (10, 100.0)),
        ([(10, 100), (-4, 150)], (6, 100.0)),
        ([(-10, 100)], (-10, 100.0)),
        ([(-10, 100), (-10, 110)], (-20, 105.0)),
        ([(-10, 100), (4, 90)], (-6, 100.0)),
        ([(-10, 100), (10, 90)], (0, None)),
        ([(-10, 100), (15, 90)], (5, 90.0)),
        ([(10, 100), (-15, 130)], (-5, 130.0)),
        ([(10, 100), (-10, 130), (-1, 1)], (-1, 1.0)),
    ],
)
def test_average_cost_is_what_a_share_cost_or_a_short_one_brought(
    trades: list[Trade], expected: tuple[int, float | None]
) -> None:
    assert position(*trades) == expected


@given(
    granted=st.integers(0, 50),
    trades=st.lists(
        st.tuples(st.integers(-60, 60).filter(bool), st.integers(1, 9_999), st.integers(-50, 50)),
        max_size=30,
    ),
    mark_e4=st.integers(1, 9_999),
)
def test_realised_and_unrealised_profit_are_the_whole_profit(
    granted: int, trades: list[tuple[int, int, int]], mark_e4: int
) -> None:
    security = Security("MSFT", SecurityTerms(1, REFERENCE_E4, 0))
    account = Account("alice", cash_e4=CASH_E4)
    account.opening_equity_e4 = CASH_E4 + granted * REFERENCE_E4
    holding = account.holding("MSFT")
    holding.change(granted, granted * REFERENCE_E4)
    for quantity, price_e4, fee_e4 in trades:
        account.trade("MSFT", quantity, quantity * price_e4, fee_e4)
    security.last_e4 = mark_e4
    account.settle("MSFT", holding.quantity, account.cash_e4)
    told = account_views.results(account, {"MSFT": security})
    assert holding.quantity == granted + sum(quantity for quantity, _, _ in trades)
    assert holding.quantity or not holding.cost_e4
    assert round(told["profit"] * 10_000) == round(told["realised_profit"] * 10_000) + round(
        told["unrealised_profit"] * 10_000
    )
    assert round(told["fees"] * 10_000) == sum(fee_e4 for _, _, fee_e4 in trades)


@pytest.mark.parametrize(
    ("shares", "offered", "mark_e4", "rate_ppm", "margin_e4"),
    [
        (100, 100, 1_000_000, 500_000, 0),
        (100, 110, 1_000_000, 500_000, 10 * 500_000),
        (0, 10, 1_000_000, 500_000, 10 * 500_000),
        (-10, 0, 1_000_000, 500_000, 10 * 1_500_000),
        (-10, 4, 1_000_000, 500_000, 10 * 1_500_000 + 4 * 500_000),
        (-10, 4, 1_000_000, 0, 10 * 1_000_000),
        (-10, 4, 1_000_000, 10 * PPM, 10 * 11_000_000 + 4 * 10_000_000),
        (-1, 0, 333_333, 1, 333_334),
        (0, 3, 333_333, 1, 1),
        (-10, 4, 1_000_000, None, 0),
    ],
)
def test_short_margin_is_that_of_the_rules(
    shares: int, offered: int, mark_e4: int, rate_ppm: int | None, margin_e4: int
) -> None:
    terms = SecurityTerms(1, mark_e4 - 1, 0, short_margin_ppm=rate_ppm)
    security = Security("MSFT", terms, last_e4=mark_e4)
    assert security.short_margin_e4(shares, offered) == margin_e4
    security.last_e4 = mark_e4 - 1
    security.terms = replace(terms, reference_price_e4=mark_e4)
    assert security.short_margin_e4(shares, offered) == margin_e4


def settled(maker: EventMaker) -> Projections:
    """What a feed knows once the ledger has told of everything."""
    projections = maker.projected()
    for report in Clearing().settle(maker.events):
        projections.apply(report)
    return projections


def short_sale() -> EventMaker:
    """Alice, who has 100 shares, has sold 120 to bob at 100, for a rebate of 1."""
    maker = EventMaker()
    maker.listed(short_margin_ppm=500_000)
    maker.opened("alice")
    maker.opened("bob", shares=0)
    sell = maker.accepted("alice", "sell", 120, 1_000_000)
    buy = maker.accepted("bob", "buy", 120, 1_000_000, unit_hold_e4=1_000_200)
    maker.traded(buy, sell, 120, 1_000_000, "buy", buyer_fee_e4=12_000, seller_fee_e4=-10_000)
    return maker


def test_a_short_position_is_below_zero_and_keeps_margin_back() -> None:
    maker = short_sale()
    maker.accepted("alice", "sell", 5, 1_200_000)
    projections = settled(maker)
    alice = projections.accounts["alice"]
    assert account_views.holdings(alice, maker.seq) == [
        {
            "security_id": "MSFT",
            "client_id": "alice",
            "quantity": -20,
            "held": 5,
            "available": -25,
            "average_cost": 100.0083,
            "seq": maker.seq,
        }
    ]
    assert account_views.balance(alice, projections.securities, maker.seq) == {
        "client_id": "alice",
        "balance": 22_001.0,
        "held": 20 * 150.0 + 5 * 50.0,
        "available": 22_001.0 - 3_250.0,
        "short_margin": 3_250.0,
        "seq": maker.seq,
    }
    assert account_views.results(alice, projections.securities) == {
        "equity": 20_001.0,
        "profit": 1.0,
        "return": 0.00005,
        "trades": 1,
        "volume": 120,
        "realised_profit": 0.8334,
        "unrealised_profit": 0.1666,
        "fees": -1.0,
    }


def test_margin_and_equity_follow_the_last_price() -> None:
    maker = short_sale()
    maker.accepted("alice", "buy", 2, 500_000)
    sell = maker.accepted("bob", "sell", 1, 10_000_000)
    maker.opened("carol")
    maker.traded(maker.accepted("carol", "buy", 1, 10_000_000), sell, 1, 10_000_000, "buy")
    projections = settled(maker)
    alice, securities = projections.accounts["alice"], projections.securities
    balance = account_views.balance(alice, securities, maker.seq)
    assert (balance["held"], balance["available"]) == (30_100.0, 22_001.0 - 30_100.0)
    results = account_views.results(alice, securities)
    assert (results["equity"], results["profit"]) == (2_001.0, -17_999.0)
    assert round(results["realised_profit"] + results["unrealised_profit"], 4) == -17_999.0


def test_covering_frees_the_margin() -> None:
    maker = short_sale()
    sell = maker.accepted("bob", "sell", 20, 900_000)
    buy = maker.accepted("alice", "buy", 20, 900_000)
    maker.traded(buy, sell, 20, 900_000, "buy", buyer_fee_e4=1_800)
    projections = settled(maker)
    alice, securities = projections.accounts["alice"], projections.securities
    assert account_views.holdings(alice, maker.seq) == []
    balance = account_views.balance(alice, securities, maker.seq)
    assert (balance["short_margin"], balance["available"]) == (0.0, 20_200.82)
    results = account_views.results(alice, securities)
    assert (results["realised_profit"], results["unrealised_profit"]) == (200.82, 0.0)


def test_shares_that_are_offered_and_not_there_are_told_of() -> None:
    maker = EventMaker()
    maker.listed(short_margin_ppm=500_000)
    maker.opened("alice", shares=0)
    order = maker.accepted("alice", "sell", 10, 2_000_000)
    projections = maker.projected()
    alice = projections.accounts["alice"]
    (holding,) = account_views.holdings(alice, 3)
    assert (holding["quantity"], holding["held"], holding["available"]) == (0, 10, -10)
    balance = account_views.balance(alice, projections.securities, 3)
    assert (balance["short_margin"], balance["available"]) == (500.0, 9_500.0)
    maker.cancelled(order, "requested")
    projections = maker.projected()
    alice = projections.accounts["alice"]
    assert account_views.holdings(alice, 4) == []
    assert account_views.balance(alice, projections.securities, 4)["available"] == 10_000.0
