"""The feed's projections, compared with the engine's own state."""

from collections import defaultdict
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from exchange_shared.messages import (
    AnyEvent,
    IndicativeChanged,
    MarketStateChanged,
    PriceChanged,
    SecurityTerms,
    TradeExecuted,
)
from exchange_shared.messages.commands import AUCTION_ONLY
from exchange_shared.units import from_e4
from market_data_feed.projections import Changes, Projections, Security
from market_data_feed.storage.rows import Rows, order_of
from market_data_feed.views import accounts as account_views
from market_data_feed.views import market as market_views
from market_data_feed.views import shapes
from matching_engine.core.snapshot.convert import load
from tests.support.feed_market import FeedMarket
from tests.support.flows import market_commands, order_flow
from tests.support.rich_flow import SHAPES, Shape, rich_flow
from tests.support.stored_rows import order_columns

Shown = tuple[int, int]
"""The displayed quantity at a price, and of how many orders."""

Levels = tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]


def displayed_books(market: FeedMarket) -> dict[str, Levels]:
    """Every book as the engine displays it: without hidden orders, of icebergs the shown part."""
    state = market.exchange.state()
    shown: dict[str, tuple[dict[int, Shown], dict[int, Shown]]] = {
        security.security_id: ({}, {}) for security in state.securities
    }
    for order in state.orders:
        request = order.request
        in_auctions_only = request.time_in_force in AUCTION_ONLY or not request.price_e4
        if request.hidden or in_auctions_only or not order.place:
            continue
        assert order.price_e4 is not None
        levels = shown[request.security_id][request.side == "sell"]
        part = order.displayed_quantity or order.remaining_quantity
        quantity, count = levels.get(order.price_e4, (0, 0))
        levels[order.price_e4] = (quantity + part, count + 1)
    return {
        security_id: (
            [(price_e4, *bids[price_e4]) for price_e4 in sorted(bids, reverse=True)],
            [(price_e4, *asks[price_e4]) for price_e4 in sorted(asks)],
        )
        for security_id, (bids, asks) in shown.items()
    }


def feed_books(projections: Projections) -> dict[str, Levels]:
    """Every book as the feed serves it."""
    return {name: one.book.levels(1_000) for name, one in projections.securities.items()}


def assert_like_the_engine(projections: Projections, market: FeedMarket) -> None:
    """Cash, shares, holds, orders, displayed books, prices, terms and states are the engine's."""
    state = market.exchange.state()
    engine = load(state)
    assert {
        account.client_id: (
            account.cash_e4,
            account.held_e4,
            account_views.balance(account, projections.securities, 0)["balance"],
            account_views.balance(account, projections.securities, 0)["available"],
            sorted(
                (held.security_id, held.quantity, held.held)
                for held in account.holdings.values()
                if held.quantity or held.held
            ),
            account.api_key_hash,
        )
        for account in projections.accounts.values()
    } == {
        account.client_id: (
            account.cash_e4,
            account.cash_held_e4,
            from_e4(account.cash_e4),
            from_e4(engine.accounts[account.client_id].available_e4),
            sorted(position for position in account.positions if any(position[1:])),
            account.api_key_hash,
        )
        for account in state.accounts
    }
    assert {
        order.order_id: (
            order.quantity,
            order.price_e4,
            order.remaining_quantity,
            order.notional_e4,
            order.status == "pending_trigger",
        )
        for account in projections.accounts.values()
        for order in account.open_orders.values()
    } == {
        order.request.order_id: (
            order.quantity,
            order.price_e4 if order.request.price_e4 else None,  # a collar is not told
            order.remaining_quantity,
            order.notional_e4,
            order.stop_price_e4 is not None,
        )
        for order in state.orders
    }
    assert feed_books(projections) == displayed_books(market)
    assert {
        name: (
            one.terms,
            one.last_e4,
            (one.state, one.auction, one.until_us),
            (one.indicative_price_e4, one.indicative_quantity, one.surplus),
        )
        for name, one in projections.securities.items()
    } == {
        name: (
            replace(
                msgspec.convert(security.terms, SecurityTerms, from_attributes=True),
                reference_price_e4=security.reference_price_e4,
            ),
            security.last_e4,
            (security.state, security.auction, security.until_us),
            book.published_indicative if security.auction else (None, 0, 0),
        )
        for name, book in engine.books.items()
        for security in [book.security]
    }
    assert (projections.execution_seq, projections.orphans) == (state.execution_seq, 0)


def restarted(projections: Projections) -> Projections:
    """What a feed knows of open orders that begins from the rows that are stored."""
    fresh = Projections()
    for name, one in projections.securities.items():
        fresh.securities[name] = Security(name, one.terms, one.reference_price_e4)
    for order in projections.orders.values():
        if order.is_open:
            rows = Rows.of(Changes(orders={order.order_id: order}))
            fresh.know_open_order(order_of(dict(zip(order_columns(), rows.orders[0], strict=True))))
    return fresh


def what_is_streamed(price: shapes.Price) -> dict[str, object]:
    """Those fields of a price of which every change is an event of its own, but for new terms."""
    others = ("bid_quantity", "ask_quantity", "volume", "timestamp", "seq", "reference_price")
    return {name: value for name, value in price.items() if name not in others}


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 300),
    shape=st.sampled_from((None, *SHAPES)),
)
def test_projections_equal_the_engine(seed: int, count: int, shape: Shape | None) -> None:
    random = Random(seed)
    market, projections = FeedMarket(), Projections()
    events: list[AnyEvent] = []
    unsettled: list[AnyEvent] = []
    latest_told: dict[str, shapes.Price] = {}
    commands = [*market_commands(), *order_flow(seed, count)]
    if shape is not None:
        commands = list(rich_flow(seed, count, shape))
    for command in commands:
        made = market.exchange.apply(command)
        settles_first = random.random() < 0.2
        if settles_first:
            for report in market.clearing.settle([*unsettled, *made]):
                projections.apply(report)
            unsettled.clear()
        for event in made:
            projections.apply(event)
            if isinstance(event, PriceChanged | MarketStateChanged | IndicativeChanged):
                changed = projections.securities[event.security_id]
                latest_told[event.security_id] = market_views.price_change(changed, event)
        events += made
        if not settles_first:
            unsettled += made
        if random.random() < 0.1:
            changes = projections.take_changes()
            projections.stored(list(changes.orders.values()))
            assert feed_books(projections) == displayed_books(market)
    for report in market.clearing.settle(unsettled):
        projections.apply(report)

    assert_like_the_engine(projections, market)
    for security_id, told in latest_told.items():
        now = market_views.price(projections.securities[security_id])
        assert what_is_streamed(now) == what_is_streamed(told)
    for account in projections.accounts.values():
        assert account.settled_cash_e4 == account.cash_e4
        for holding in account.holdings.values():
            assert holding.settled_quantity == holding.quantity
    volumes: dict[str, int] = defaultdict(int)
    for event in events:
        if isinstance(event, TradeExecuted):
            volumes[event.security_id] += event.quantity
    assert {s.security_id: s.volume for s in projections.securities.values() if s.volume} == volumes
    closed = [order for order in projections.orders.values() if not order.is_open]
    assert all(order.order_id in projections.changes.orders for order in closed)
    again = restarted(projections)
    assert feed_books(again) == feed_books(projections)
    for account in again.accounts.values():
        known = projections.accounts[account.client_id]
        assert account.held_e4 == known.held_e4
        assert account.open_orders == {
            order_id: msgspec.structs.replace(order, latest_report=None)
            for order_id, order in known.open_orders.items()
        }
