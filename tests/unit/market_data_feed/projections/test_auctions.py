"""What the feed makes of market states, auctions and terms, from hand-made events."""

from typing import Any

import pytest

from exchange_shared.messages import (
    CancelReason,
    ClientLimitsSet,
    ClientSuspended,
    MarketState,
    MarketStateSet,
    SecurityTerms,
    Side,
)
from market_data_feed.projections import Changes
from market_data_feed.storage.rows import Rows, security_of
from market_data_feed.views import market as market_views
from tests.support.feed_events import EventMaker

MINUTE_US = 60_000_000
SECURITY_COLUMNS = (
    "security_id", "last_e4", "volume", "trades", "seq", "time_us", "state", "auction", "until_us",
    "indicative_price_e4", "indicative_quantity", "surplus", *SecurityTerms.__struct_fields__,
)  # fmt: skip
NO_PRICE = {
    "security_id": "MSFT",
    "bid": None,
    "ask": None,
    "bid_quantity": 0,
    "ask_quantity": 0,
    "last": None,
    "reference_price": 100.0,
    "volume": 0,
    "auction": None,
    "until": None,
    "indicative_price": None,
    "indicative_quantity": 0,
    "surplus": 0,
}


@pytest.fixture
def maker() -> EventMaker:
    """A listed security, and the accounts of alice and bob."""
    maker = EventMaker()
    maker.listed()
    maker.opened("alice")
    maker.opened("bob")
    return maker


def price(maker: EventMaker) -> Any:
    return market_views.price(maker.projected().securities["MSFT"])


def levels(maker: EventMaker) -> Any:
    return maker.projected().securities["MSFT"].book.levels(10)


def test_a_state_is_told_with_its_auction_its_end_and_the_reference_price(
    maker: EventMaker,
) -> None:
    maker.state("auction", "reopening", MINUTE_US, reference_price_e4=990_000)
    assert price(maker) == NO_PRICE | {
        "reference_price": 99.0,
        "timestamp": "1970-01-01T00:00:00.004000Z",
        "seq": 4,
        "state": "auction",
        "auction": "reopening",
        "until": "1970-01-01T00:01:00.000000Z",
    }
    maker.indicative(1_010_000, 30, -5)
    assert price(maker) == NO_PRICE | {
        "reference_price": 99.0,
        "timestamp": "1970-01-01T00:00:00.005000Z",
        "seq": 5,
        "state": "auction",
        "auction": "reopening",
        "until": "1970-01-01T00:01:00.000000Z",
        "indicative_price": 101.0,
        "indicative_quantity": 30,
        "surplus": -5,
    }
    maker.state("continuous", reference_price_e4=1_010_000)
    assert price(maker) == NO_PRICE | {
        "reference_price": 101.0,
        "timestamp": "1970-01-01T00:00:00.006000Z",
        "seq": 6,
        "state": "continuous",
    }


@pytest.mark.parametrize("state", ["pre_open", "auction", "halted", "closed"])
def test_a_crossed_book_is_told_but_has_no_best_prices(
    maker: EventMaker, state: MarketState
) -> None:
    maker.accepted("alice", "sell", 10, 1_000_000)
    assert (price(maker)["ask"], price(maker)["ask_quantity"]) == (100.0, 10)
    maker.state(state)
    maker.accepted("bob", "buy", 4, 1_020_000)
    told = price(maker)
    assert [told[name] for name in ("bid", "bid_quantity", "ask", "ask_quantity")] == [
        None, 0, None, 0,
    ]  # fmt: skip
    book = market_views.book(maker.projected().securities["MSFT"], 10, maker.seq)
    assert (book["bids"], book["asks"]) == ([[102.0, 4, 1]], [[100.0, 10, 1]])


def test_an_event_says_what_its_command_leaves(maker: EventMaker) -> None:
    # The best prices of a security that opens come with the next event, when the stops are done.
    maker.state("pre_open")
    maker.accepted("alice", "sell", 10, 1_000_000)
    opening = maker.state("continuous")
    security = maker.projected().securities["MSFT"]
    told = market_views.price_change(security, opening)
    assert (told["state"], told["ask"], told["seq"]) == ("continuous", None, opening.seq)
    best = maker.price(None, (1_000_000, 10), None)
    security = maker.projected().securities["MSFT"]
    assert market_views.price_change(security, best) == market_views.price(security)


def test_what_only_an_auction_takes_is_hidden(maker: EventMaker) -> None:
    maker.state("auction", "opening")
    maker.accepted("alice", "sell", 1, None, unit_hold_e4=0)
    maker.accepted("bob", "buy", 2, None, unit_hold_e4=2_000_000)
    maker.accepted("alice", "sell", 3, 1_000_000, time_in_force="opg")
    maker.accepted("bob", "buy", 4, 1_000_000, time_in_force="cls")
    maker.accepted("alice", "sell", 5, 1_000_000)
    assert levels(maker) == ([], [(1_000_000, 5, 1)])
    projections = maker.projected()
    assert projections.accounts["bob"].held_e4 == 2 * 2_000_000 + 4 * 1_000_000
    assert projections.accounts["alice"].holdings["MSFT"].held == 1 + 3 + 5


@pytest.mark.parametrize(
    ("aggressor_side", "quantity", "displayed"),
    [
        (None, 4, [(1_000_000, 10, 1)]),
        (None, 10, [(1_000_000, 10, 1)]),
        (None, 27, [(1_000_000, 3, 1)]),
        (None, 30, []),
        ("buy", 4, [(1_000_000, 6, 1)]),
        ("buy", 10, [(1_000_000, 10, 1)]),
    ],
)
def test_an_iceberg_shows_in_an_auction_what_it_showed_and_else_its_next_part(
    maker: EventMaker,
    aggressor_side: Side | None,
    quantity: int,
    displayed: list[tuple[int, int, int]],
) -> None:
    sell = maker.accepted("alice", "sell", 30, 1_000_000, display_quantity=10)
    buy = maker.accepted("bob", "buy", quantity, None)
    maker.traded(buy, sell, quantity, 1_000_000, aggressor_side)
    assert levels(maker) == ([], displayed)


def test_an_iceberg_that_shows_less_after_a_trade_shows_no_more_after_an_auction(
    maker: EventMaker,
) -> None:
    sell = maker.accepted("alice", "sell", 30, 1_000_000, display_quantity=10)
    maker.traded(maker.accepted("bob", "buy", 7, None), sell, 7, 1_000_000, "buy")
    maker.traded(maker.accepted("bob", "buy", 8, 1_000_000), sell, 8, 1_000_000)
    assert levels(maker) == ([], [(1_000_000, 3, 1)])
    maker.traded(maker.accepted("bob", "buy", 3, None), sell, 3, 1_000_000, "buy")
    assert levels(maker) == ([], [(1_000_000, 10, 1)])


def test_an_uncross_leaves_what_did_not_trade(maker: EventMaker) -> None:
    maker.state("auction", "opening")
    high = maker.accepted("bob", "buy", 8, 1_020_000)
    sell = maker.accepted("alice", "sell", 10, 980_000)
    low = maker.accepted("bob", "buy", 5, 1_000_000)
    maker.traded(high, sell, 8, 1_000_000)
    maker.traded(low, sell, 2, 1_000_000)
    maker.state("continuous", reference_price_e4=1_000_000)
    maker.price((1_000_000, 3), None, 1_000_000)
    assert levels(maker) == ([(1_000_000, 3, 1)], [])
    security = maker.projected().securities["MSFT"]
    assert [market_views.trade(event) for event in security.recent_trades] == [
        {
            "trade_id": trade_id,
            "security_id": "MSFT",
            "price": 100.0,
            "quantity": quantity,
            "aggressor_side": None,
            "timestamp": f"1970-01-01T00:00:00.00{seq}000Z",
            "seq": seq,
        }
        for trade_id, quantity, seq in ((1, 8, 8), (2, 2, 9))
    ]


@pytest.mark.parametrize("reason", ["auction_over", "circuit_breaker", "kill_switch"])
def test_an_order_that_is_taken_out_frees_what_it_held(
    maker: EventMaker, reason: CancelReason
) -> None:
    order = maker.accepted("bob", "buy", 3, 1_000_000)
    maker.cancelled(order, reason)
    projections = maker.projected()
    found = projections.orders[order.order_id]
    assert (found.status, found.reason, found.is_open) == ("cancelled", reason, False)
    assert (projections.accounts["bob"].held_e4, levels(maker)) == (0, ([], []))


def test_of_answers_to_an_operator_only_limits_are_stored(
    maker: EventMaker,
) -> None:
    maker.made(MarketStateSet, request_id=1, count=2)
    maker.made(ClientSuspended, request_id=2, client_id="bob", suspended=True, count=0)
    limits = maker.made(
        ClientLimitsSet,
        request_id=3,
        client_id="bob",
        max_open_orders=1,
        max_position=None,
        max_order_value_e4=None,
    )
    projections = maker.projected()
    projections.take_changes()
    before = maker.projected()
    for event in maker.events[-3:]:
        projections.apply(event)
    assert projections.take_changes() == Changes(limits={"bob": limits})
    assert (projections.accounts, projections.orders) == (before.accounts, before.orders)


def test_terms_are_told_and_change_when_it_is_listed_again(maker: EventMaker) -> None:
    listed_at = maker.projected().securities["MSFT"].seq
    maker.listed()
    assert maker.projected().securities["MSFT"].seq == listed_at
    maker.listed(
        granted_quantity=20,
        lot_quantity=5,
        max_order_quantity=1_000,
        max_order_value_e4=123_456_789,
        static_band_ppm=200_000,
        dynamic_band_ppm=12_345,
        halt_us=1_500_000,
        auction_us=MINUTE_US,
        short_margin_ppm=500_000,
        state="auction",
        auction="closing",
    )
    listing = market_views.listing(maker.projected().securities["MSFT"])
    assert listing == NO_PRICE | {
        "timestamp": "1970-01-01T00:00:00.005000Z",
        "seq": 5,
        "state": "auction",
        "auction": "closing",
        "tick": 0.01,
        "lot": 5,
        "granted_quantity": 20,
        "max_order_quantity": 1_000,
        "max_order_value": 12_345.6789,
        "static_band_percent": 20.0,
        "dynamic_band_percent": 1.2345,
        "halt_seconds": 1.5,
        "auction_seconds": 60.0,
        "short_margin_percent": 50.0,
    }


def test_a_security_is_stored_with_its_state_and_what_its_auction_would_do(
    maker: EventMaker,
) -> None:
    maker.listed(lot_quantity=5, static_band_ppm=200_000, auction_us=7, short_margin_ppm=0)
    maker.state("auction", "opening", MINUTE_US)
    maker.indicative(1_010_000, 30, -5)
    projections = maker.projected()
    (row,) = Rows.of(projections.take_changes()).securities
    assert (
        security_of(dict(zip(SECURITY_COLUMNS, row, strict=True)))
        == (projections.securities["MSFT"])
    )


def test_states_of_a_security_that_could_not_be_read_are_passed_over() -> None:
    maker = EventMaker()
    maker.state("halted")
    maker.indicative(1, 1, 1)
    projections = maker.projected()
    assert (projections.orphans, projections.securities) == (2, {})


def test_a_market_order_that_an_auction_fills_leaves_the_book_as_it_is(maker: EventMaker) -> None:
    maker.state("auction", "opening")
    sell = maker.accepted("alice", "sell", 10, 1_000_000)
    buy = maker.accepted("bob", "buy", 4, None, unit_hold_e4=2_000_000)
    maker.traded(buy, sell, 4, 1_000_000)
    assert levels(maker) == ([], [(1_000_000, 6, 1)])
    assert maker.projected().accounts["bob"].held_e4 == 0
