"""What single records make of accounts, orders and results."""

import msgspec
from msgspec.structs import replace

from exchange_shared.messages import (
    AccountOpened,
    AnyFeedRecord,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    SecurityListed,
    TradeExecuted,
)
from market_data_feed.projections import Changes, Projections
from market_data_feed.projections.orders import accepted_order
from market_data_feed.storage.rows import Rows
from market_data_feed.views import accounts as account_views
from market_data_feed.views import orders as order_views
from tests.support.feed_market import FeedMarket
from tests.support.stored_rows import order_columns


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
