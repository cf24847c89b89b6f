"""What is booked, and how it is reported."""

import msgspec

from exchange_shared.bus import (
    ORDER_EXECUTION,
)
from tests.support.clearing_world import (
    World,
    metric,
    readiness,
)
from tests.support.executions import message


async def test_opening_entries_come_from_the_bank_and_the_issuer(world: World) -> None:
    async with world.clearinghouse():
        await world.execute(world.executions.opened("ada", 100_000_000, {"MSFT": 100, "AAPL": 5}))
        await world.assert_all_is_booked_once()
    assert await world.transfers() == [
        (1, 1, "house:settlement_bank", "ada", "cash", 100_000_000),
        (1, 2, "house:issuer", "ada", "MSFT", 100),
        (1, 3, "house:issuer", "ada", "AAPL", 5),
    ]


async def test_a_trade_is_settled_delivery_versus_payment_with_its_fees(world: World) -> None:
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.execute(
            world.executions.traded("ada", "bob", 2, 4_200_000, buyer_fee_e4=840, seller_fee_e4=420)
        )
        await world.assert_all_is_booked_once()
    assert (await world.transfers())[4:] == [
        (3, 1, "ada", "bob", "cash", 8_400_000),
        (3, 2, "bob", "ada", "MSFT", 2),
        (3, 3, "ada", "house:fees", "cash", 840),
        (3, 4, "bob", "house:fees", "cash", 420),
    ]
    assert await world.fetch("SELECT * FROM trade_settlement") == [(1003, 3, 2003, 3003, 1003)]
    assert await world.fetch("SELECT queue, position, sources FROM consumer_position") == [
        ("order_execution", 2, '{"matching-engine":3}')
    ]


async def test_short_sales_rebates_and_trades_of_an_auction_are_settled(world: World) -> None:
    log = world.executions
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.execute(log.traded("ada", "bob", 130, 1_000, buyer_fee_e4=-9, seller_fee_e4=4))
        auctioned = log.traded("bob", "ada", 20, 1_000, seller_fee_e4=-1)
        await world.execute(msgspec.structs.replace(auctioned, aggressor_side=None))
        await world.assert_all_is_booked_once()
        await world.engine.publish(ORDER_EXECUTION, message(auctioned))
        await world.execute(log.traded("bob", "ada", 10, 1_000))
        await world.assert_all_is_booked_once()
    assert (await world.transfers())[4:] == [
        (3, 1, "ada", "bob", "cash", 130_000),
        (3, 2, "bob", "ada", "MSFT", 130),
        (3, 3, "house:fees", "ada", "cash", 9),
        (3, 4, "bob", "house:fees", "cash", 4),
        (4, 1, "bob", "ada", "cash", 20_000),
        (4, 2, "ada", "bob", "MSFT", 20),
        (4, 4, "house:fees", "ada", "cash", 1),
        (5, 1, "bob", "ada", "cash", 10_000),
        (5, 2, "ada", "bob", "MSFT", 10),
    ]
    assert await world.balances() == {
        ("house:settlement_bank", "cash"): -200_000_000,
        ("house:issuer", "MSFT"): -200,
        ("house:fees", "cash"): -6,
        ("ada", "cash"): 99_900_010,
        ("ada", "MSFT"): 200,
        ("bob", "cash"): 100_099_996,
        ("bob", "MSFT"): 0,
    }


async def test_reports_leave_the_outbox_when_they_are_published(world: World) -> None:
    async with world.clearinghouse():
        await world.open_ada_and_bob()
        await world.reports()
        await world.until("SELECT 1 WHERE NOT EXISTS (SELECT FROM outbox)")


async def test_messages_that_come_twice_have_one_effect(world: World) -> None:
    trade = world.executions.opened("ada"), world.executions.opened("bob")
    again = world.executions.traded("ada", "bob")
    async with world.clearinghouse() as service:
        await world.execute(*trade)
        await world.engine.publish(ORDER_EXECUTION, message(*trade))
        await world.execute(again)
        await world.engine.publish(ORDER_EXECUTION, message(trade[1], again))
        await world.execute(world.executions.traded("bob", "ada"))
        await world.assert_all_is_booked_once()
        assert (await readiness(service))[0] == 200


async def test_what_was_settled_is_counted_and_timed(world: World) -> None:
    async with world.clearinghouse() as service:
        await world.open_ada_and_bob()
        await world.execute(world.executions.traded("ada", "bob"))
        await world.reports()
        assert await metric(service, "exchange_executions_settled_total") == 3
        assert await metric(service, "exchange_settlement_transaction_seconds_count") >= 1
        assert await metric(service, "exchange_settlement_lag_seconds") > 0
        assert await metric(service, "exchange_report_batches_waiting") == 0
