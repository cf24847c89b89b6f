"""The feed's projections, compared with the engine's own state."""

import zlib
from collections import defaultdict
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from exchange_shared.messages import (
    AccountOpened,
    AnyEvent,
    AnyFeedRecord,
    IndicativeChanged,
    MarketStateChanged,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    PriceChanged,
    SecurityListed,
    SecurityTerms,
    TradeExecuted,
)
from exchange_shared.messages.commands import AUCTION_ONLY
from exchange_shared.postgres import load_queries
from exchange_shared.units import from_e4
from market_data_feed.projections import Book, Changes, Projections, Security
from market_data_feed.projections.orders import accepted_order
from market_data_feed.storage.rows import Rows, order_of
from market_data_feed.views import accounts as account_views
from market_data_feed.views import market as market_views
from market_data_feed.views import orders as order_views
from market_data_feed.views import shapes
from matching_engine.core.snapshot.convert import load
from tests.support.feed_market import FeedMarket
from tests.support.flows import market_commands, order_flow
from tests.support.rich_flow import SHAPES, Shape, rich_flow

Shown = tuple[int, int]
"""The displayed quantity at a price, and of how many orders."""

Levels = tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]


def order_columns() -> list[str]:
    """The columns in the order in which `upsert_orders` takes them."""
    names = load_queries("market_data_feed.storage")["upsert_orders"].split("(", 1)[1]
    return [name.strip() for name in names.split(")", 1)[0].split(",")]


def listed(security_id: str = "MSFT") -> SecurityListed:
    return SecurityListed(
        seq=1,
        time_us=1,
        request_id=1,
        security_id=security_id,
        tick_e4=100,
        reference_price_e4=1_000_000,
        granted_quantity=100,
    )


def opened(client_id: str, seq: int) -> AccountOpened:
    return AccountOpened(
        seq=seq,
        time_us=seq,
        execution_seq=seq - 1,
        request_id=seq,
        client_id=client_id,
        api_key_hash=f"key of {client_id}",
        cash_e4=100_000_000,
        holdings={"MSFT": 100},
    )


def accepted(order_id: int, client_id: str, side: str, price_e4: int, seq: int) -> OrderAccepted:
    return OrderAccepted(
        seq=seq,
        time_us=seq,
        order_id=order_id,
        client_id=client_id,
        security_id="MSFT",
        side="buy" if side == "buy" else "sell",
        order_type="limit",
        quantity=10,
        price_e4=price_e4,
        time_in_force="gtc",
        client_order_id=None,
        unit_hold_e4=price_e4 + 100 if side == "buy" else 0,
    )


def traded(seq: int, quantity: int = 4) -> TradeExecuted:
    return TradeExecuted(
        seq=seq,
        time_us=seq,
        execution_seq=3,
        trade_id=1,
        security_id="MSFT",
        price_e4=1_000_000,
        quantity=quantity,
        aggressor_side="buy",
        buy_order_id=12,
        sell_order_id=11,
        buyer_id="bob",
        seller_id="alice",
        buyer_fee_e4=400,
        seller_fee_e4=200,
        buy_remaining_quantity=10 - quantity,
        sell_remaining_quantity=10 - quantity,
    )


def projected(*records: AnyFeedRecord) -> Projections:
    projections = Projections()
    for record in records:
        projections.apply(record)
    return projections


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


def test_the_checksum_is_that_of_its_definition() -> None:
    book = Book()
    assert book.checksum() == 0
    book.change("buy", 4_199_900, 10, 1)
    book.change("sell", 4_200_100, 5, 1)
    assert book.checksum() == zlib.crc32(b"b4199900:10|a4200100:5")
    for level in range(20):
        book.change("buy", 4_000_000 - level * 100, 1, 1)
    text = "b4199900:10|" + "|".join(f"b{4_000_000 - n * 100}:1" for n in range(9))
    assert book.checksum() == zlib.crc32(f"{text}|a4200100:5".encode())


def test_levels_add_up_orders_and_vanish_with_the_last_one() -> None:
    book = Book()
    book.change("buy", 100, 10, 1)
    book.change("buy", 100, 5, 1)
    book.change("buy", 200, 1, 1)
    assert book.levels(10) == ([(200, 1, 1), (100, 15, 2)], [])
    assert book.levels(1) == ([(200, 1, 1)], [])
    assert (book.best_bid(), book.best_ask()) == ((200, 1, 1), None)
    book.change("buy", 200, -1, -1)
    book.change("buy", 100, -4, 0)
    assert book.levels(10) == ([(100, 11, 2)], [])


def test_an_open_buy_holds_cash_and_an_open_sell_holds_shares() -> None:
    projections = projected(
        listed(),
        opened("alice", 2),
        opened("bob", 3),
        accepted(11, "alice", "sell", 1_000_000, 4),
        accepted(12, "bob", "buy", 1_000_000, 5),
        traded(6),
    )
    bob, alice = projections.accounts["bob"], projections.accounts["alice"]
    assert (bob.cash_e4, bob.held_e4) == (100_000_000 - 4_000_400, 6 * 1_000_100)
    assert (alice.cash_e4, alice.held_e4) == (100_000_000 + 3_999_800, 0)
    sold = alice.holdings["MSFT"]
    assert (sold.quantity, sold.held, sold.available, sold.cost_e4) == (96, 6, 90, 96_000_000)
    bought = bob.holdings["MSFT"]
    assert (bought.quantity, bought.cost_e4) == (104, 100 * 1_000_000 + 4_000_400)


def test_the_figures_of_an_account_are_of_one_moment_settled_or_not() -> None:
    records: list[AnyFeedRecord] = [listed(), opened("alice", 2), opened("bob", 3)]
    projections = projected(*records)
    bob, securities = projections.accounts["bob"], projections.securities
    told = account_views.whole_account(bob, securities, 3)
    assert told == {
        "client_id": "bob",
        "balance": 10_000,
        "held": 0,
        "available": 10_000,
        "short_margin": 0,
        "seq": 3,
        "equity": 20_000,
        "profit": 0,
        "return": 0,
        "trades": 0,
        "volume": 0,
        "realised_profit": 0,
        "unrealised_profit": 0,
        "fees": 0,
        "holdings": [
            {
                "security_id": "MSFT",
                "client_id": "bob",
                "quantity": 100,
                "held": 0,
                "available": 100,
                "average_cost": 100,
                "seq": 3,
            }
        ],
    }
    for report in FeedMarket().clearing.settle(records):
        projections.apply(report)
    assert account_views.whole_account(bob, securities, 3) == told


def test_a_rejected_order_under_the_id_of_another_does_not_touch_it() -> None:
    projections = projected(
        listed(), opened("alice", 2), accepted(11, "alice", "sell", 1_000_000, 3)
    )
    projections.apply(
        OrderRejected(
            seq=4,
            time_us=4,
            order_id=11,
            client_id="alice",
            security_id="MSFT",
            side="buy",
            order_type="market",
            quantity=1,
            price_e4=None,
            client_order_id=None,
            reason="insufficient_funds",
            message="no",
        )
    )
    assert (projections.orders[11].status, projections.orders[11].side) == ("new", "sell")


def test_events_of_records_that_could_not_be_read_are_passed_over() -> None:
    projections = projected(
        listed(),
        opened("alice", 2),
        opened("bob", 3),
        accepted(11, "alice", "sell", 1_000_000, 4),
        traded(6),
        OrderCancelled(
            seq=7,
            time_us=7,
            order_id=99,
            client_id="bob",
            security_id="MSFT",
            quantity=1,
            reason="requested",
        ),
    )
    assert projections.orphans == 2
    assert projections.securities["MSFT"].book.levels(1) == ([], [(1_000_000, 6, 1)])


def test_what_postgres_cannot_store_is_left_out_of_the_options() -> None:
    event = accepted(11, "alice", "sell", 1_000_000, 3)
    order = accepted_order(msgspec.structs.replace(event, oco_group="a\0b\\u0000"))
    (row,) = Rows.of(Changes(orders={11: order})).orders
    assert row[order_columns().index("options")] == '{"oco_group":"ab\\\\u0000"}'


def test_a_closed_order_is_forgotten_once_it_is_stored() -> None:
    projections = projected(
        listed(),
        opened("alice", 2),
        opened("bob", 3),
        accepted(11, "alice", "sell", 1_000_000, 4),
        accepted(12, "bob", "buy", 1_000_000, 5),
    )
    first = projections.take_changes()
    projections.apply(traded(6, quantity=10))
    projections.stored(list(first.orders.values()))
    assert sorted(projections.orders) == [11, 12]
    second = projections.take_changes()
    projections.stored(list(second.orders.values()))
    assert projections.orders == {}
    assert len(projections.changes) == 0


def test_an_average_price_is_rounded_half_even() -> None:
    order = accepted_order(accepted(12, "bob", "buy", 2_100_100, 5))
    order.trade(replace(traded(6, quantity=7), price_e4=2_100_000), 3, 1)
    order.trade(replace(traded(7, quantity=1), price_e4=2_100_100), 2, 2)
    assert order_views.order(order)["average_price"] == 210.0012


def test_profit_is_counted_from_the_opening() -> None:
    records: list[AnyFeedRecord] = [listed(), opened("alice", 2)]
    projections = projected(*records, *FeedMarket().clearing.settle(records))
    securities = projections.securities
    performance = account_views.performance(projections.accounts["alice"], securities)
    assert performance == {
        "equity": 20_000.0,
        "profit": 0.0,
        "return": 0.0,
        "trades": 0,
        "volume": 0,
    }
    securities["MSFT"].last_e4 = 1_100_000
    performance = account_views.performance(projections.accounts["alice"], securities)
    assert (performance["profit"], performance["return"]) == (1_000.0, 0.05)


def test_a_return_is_rounded_half_even() -> None:
    records: list[AnyFeedRecord] = [listed(), opened("alice", 2)]
    projections = projected(*records, *FeedMarket().clearing.settle(records))
    account = projections.accounts["alice"]
    account.cash_e4 -= 300  # 0.03 of 20,000.00: 1.5 millionths
    performance = account_views.performance(account, projections.securities)
    assert performance["return"] == -0.000002
    account.cash_e4 += 200
    performance = account_views.performance(account, projections.securities)
    assert performance["return"] == 0
