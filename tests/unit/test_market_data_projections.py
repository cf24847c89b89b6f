"""The feed's projections, compared with the engine's own state and with naive rebuilds."""

import zlib
from collections import Counter, defaultdict
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_shared.messages import (
    AccountOpened,
    AnyEvent,
    AnyFeedRecord,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    PriceChanged,
    SecurityListed,
    TradeExecuted,
)
from market_data_feed import views
from market_data_feed.projections import Book, Projections
from tests.support.feed_market import FeedMarket
from tests.support.flows import market_commands, order_flow

Levels = tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]


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


def naive_books(events: list[AnyEvent]) -> dict[str, Levels]:
    """Every book, from the list of all orders and what is left of each."""
    orders = [e for e in events if isinstance(e, OrderAccepted) and e.price_e4 is not None]
    left = Counter({order.order_id: order.quantity for order in orders})
    for event in events:
        if isinstance(event, TradeExecuted):
            left[event.buy_order_id] -= event.quantity
            left[event.sell_order_id] -= event.quantity
        elif isinstance(event, OrderCancelled):
            left[event.order_id] = 0
    shares: Counter[tuple[str, str, int]] = Counter()
    counts: Counter[tuple[str, str, int]] = Counter()
    for order in orders:
        if left[order.order_id]:
            assert order.price_e4 is not None
            shares[order.security_id, order.side, order.price_e4] += left[order.order_id]
            counts[order.security_id, order.side, order.price_e4] += 1
    books: dict[str, Levels] = {
        event.security_id: ([], []) for event in events if isinstance(event, SecurityListed)
    }
    for (security_id, side, price_e4), quantity in shares.items():
        level = (price_e4, quantity, counts[security_id, side, price_e4])
        books[security_id][0 if side == "buy" else 1].append(level)
    for bids, asks in books.values():
        bids.sort(reverse=True)
        asks.sort()
    return books


def assert_like_the_engine(projections: Projections, market: FeedMarket) -> None:
    """Cash, shares, holds, open orders and last prices are the engine's."""
    state = market.exchange.state()
    assert {
        account.client_id: (
            account.cash_e4,
            account.held_e4,
            sorted((h.security_id, h.quantity, h.held) for h in account.holdings.values()),
            account.api_key_hash,
        )
        for account in projections.accounts.values()
    } == {
        account.client_id: (
            account.cash_e4,
            account.cash_held_e4,
            sorted(account.positions),
            account.api_key_hash,
        )
        for account in state.accounts
    }
    open_in_engine = {
        order.request.order_id: (order.remaining_quantity, order.notional_e4)
        for security in state.securities
        for order in (*security.bids, *security.asks)
    }
    assert {
        order.order_id: (order.remaining_quantity, order.notional_e4)
        for account in projections.accounts.values()
        for order in account.open_orders.values()
    } == open_in_engine
    assert {s.security_id: s.last_e4 for s in state.securities} == {
        s.security_id: s.last_e4 for s in projections.securities.values()
    }
    assert (projections.execution_seq, projections.orphans) == (state.execution_seq, 0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 300))
def test_projections_equal_the_engine_and_a_naive_rebuild(seed: int, count: int) -> None:
    random = Random(seed)
    market, projections = FeedMarket(), Projections()
    events: list[AnyEvent] = []
    unsettled: list[AnyEvent] = []
    latest_price: dict[str, PriceChanged] = {}
    for command in [*market_commands(), *order_flow(seed, count)]:
        made = market.exchange.apply(command)
        settles_first = random.random() < 0.2
        if settles_first:
            for report in market.clearing.settle([*unsettled, *made]):
                projections.apply(report)
            unsettled.clear()
        for event in made:
            projections.apply(event)
            if isinstance(event, PriceChanged):
                latest_price[event.security_id] = event
        events += made
        if not settles_first:
            unsettled += made
        if random.random() < 0.1:
            changes = projections.take_changes()
            projections.stored(list(changes.orders.values()))
    for report in market.clearing.settle(unsettled):
        projections.apply(report)

    assert_like_the_engine(projections, market)
    for security_id, levels in naive_books(events).items():
        security = projections.securities[security_id]
        assert security.book.levels(1_000) == levels
        if security_id in latest_price:
            now = views.price(security)
            told = views.price_change(security, latest_price[security_id])
            quantities = {"bid_quantity": now["bid_quantity"], "ask_quantity": now["ask_quantity"]}
            assert now == told | quantities
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


def test_the_checksum_is_that_of_its_definition() -> None:
    book = Book()
    assert book.checksum() == 0
    book.add("buy", 4_199_900, 10)
    book.add("sell", 4_200_100, 5)
    assert book.checksum() == zlib.crc32(b"b4199900:10|a4200100:5")
    for level in range(20):
        book.add("buy", 4_000_000 - level * 100, 1)
    text = "b4199900:10|" + "|".join(f"b{4_000_000 - n * 100}:1" for n in range(9))
    assert book.checksum() == zlib.crc32(f"{text}|a4200100:5".encode())


def test_levels_add_up_orders_and_vanish_with_the_last_one() -> None:
    book = Book()
    book.add("buy", 100, 10)
    book.add("buy", 100, 5)
    book.add("buy", 200, 1)
    assert book.levels(10) == ([(200, 1, 1), (100, 15, 2)], [])
    assert book.levels(1) == ([(200, 1, 1)], [])
    assert (book.best_bid(), book.best_ask()) == ((200, 1, 1), None)
    book.reduce("buy", 200, 1, closed=True)
    book.reduce("buy", 100, 4, closed=False)
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


def test_settled_numbers_wait_for_the_clearinghouse() -> None:
    records: list[AnyFeedRecord] = [listed(), opened("alice", 2), opened("bob", 3)]
    projections = projected(*records)
    assert views.balance(projections.accounts["bob"], 3) == {
        "client_id": "bob",
        "balance": 0.0,
        "held": 0.0,
        "available": 10_000.0,
        "seq": 3,
    }
    for report in FeedMarket().clearing.settle(records):
        projections.apply(report)
    assert views.balance(projections.accounts["bob"], 3)["balance"] == 10_000.0


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


def test_averages_are_rounded_half_to_even() -> None:
    assert [views.average_e4(total, 4) for total in (4, 5, 6, 7, 10, 14)] == [1, 1, 2, 2, 2, 4]
    assert views.average_e4(5, 0) is None


def test_profit_is_counted_from_the_opening() -> None:
    records: list[AnyFeedRecord] = [listed(), opened("alice", 2)]
    projections = projected(*records, *FeedMarket().clearing.settle(records))
    securities = projections.securities
    performance = views.performance(projections.accounts["alice"], securities)
    assert performance == {
        "equity": 20_000.0,
        "profit": 0.0,
        "return": 0.0,
        "trades": 0,
        "volume": 0,
    }
    securities["MSFT"].last_e4 = 1_100_000
    performance = views.performance(projections.accounts["alice"], securities)
    assert (performance["profit"], performance["return"]) == (1_000.0, 0.05)
