"""The engine's state: always sound, and the same however it was reached."""

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_shared.messages import (
    AnyEvent,
    CancelOrder,
    NewOrder,
    OrderAccepted,
    OrderCancelled,
    OrderOptions,
    OrderRejected,
    TradeExecuted,
    options_of,
)
from matching_engine.core import Exchange
from matching_engine.core.accounts import MAX_REMEMBERED_ORDERS, MAX_REMEMBERED_REFUSALS
from matching_engine.core.market import MAX_ENDED_EXPIRIES
from matching_engine.core.snapshot.format import decode_state, encode_state
from tests.support.flows import market_commands, order_flow
from tests.support.rich_flow import rich_flow
from tests.support.rich_market import Shape
from tests.support.rich_shapes import SHAPES
from tests.support.state_hashes import hashes_of_all_shapes


def run(exchange: Exchange, seed: int, count: int) -> list[AnyEvent]:
    return [event for command in order_flow(seed, count) for event in exchange.apply(command)]


def opened_exchange() -> Exchange:
    exchange = Exchange()
    for command in market_commands():
        exchange.apply(command)
    return exchange


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_money_shares_holds_and_books_add_up_after_every_command(seed: int) -> None:
    exchange = opened_exchange()
    for command in order_flow(seed, 150):
        exchange.apply(command)
        exchange.check_invariants()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_fills_leaves_and_cancels_make_up_each_order(seed: int) -> None:
    exchange = opened_exchange()
    asked: dict[int, int] = {}
    gone: Counter[int] = Counter()
    for command in order_flow(seed, 200):
        for event in exchange.apply(command):
            if isinstance(event, OrderAccepted):
                asked[event.order_id] = event.quantity
            elif isinstance(event, OrderCancelled):
                gone[event.order_id] += event.quantity
            elif isinstance(event, TradeExecuted):
                gone[event.buy_order_id] += event.quantity
                gone[event.sell_order_id] += event.quantity
                left = asked[event.buy_order_id] - gone[event.buy_order_id]
                assert left == event.buy_remaining_quantity
    state = exchange.state()
    open_quantity = {order.request.order_id: order.remaining_quantity for order in state.orders}
    assert {order_id: quantity - gone[order_id] for order_id, quantity in asked.items()} == {
        order_id: open_quantity.get(order_id, 0) for order_id in asked
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 300), shape=st.sampled_from(SHAPES))
def test_a_restored_exchange_goes_on_exactly_like_the_original(
    seed: int, cut: int, shape: Shape
) -> None:
    original = Exchange()
    commands = list(rich_flow(seed, 300, shape))
    for command in commands[:cut]:
        original.apply(command)
    restored = Exchange(decode_state(encode_state(original.state())))
    assert restored.state_hash() == original.state_hash()
    for command in commands[cut:]:
        assert restored.apply(command) == original.apply(command)
    restored.check_invariants()
    assert restored.state_hash() == original.state_hash()


def test_an_accepted_order_tells_every_option_of_its_command() -> None:
    told: set[str] = set()
    for shape in SHAPES:
        exchange, asked = Exchange(), {}
        for command in rich_flow(7, 400, shape):
            if isinstance(command, NewOrder):
                asked[command.order_id] = options_of(command)
            for event in exchange.apply(command):
                if isinstance(event, OrderAccepted):
                    options = options_of(event)
                    assert options == asked[event.order_id]
                    told |= msgspec.to_builtins(options).keys()  # without those that it has not
    assert told == set(OrderOptions.__struct_fields__)


def test_the_same_commands_give_the_same_events_and_state() -> None:
    assert hashes_of_all_shapes() == hashes_of_all_shapes()


def test_another_command_gives_another_state_hash() -> None:
    first, second = opened_exchange(), opened_exchange()
    run(first, 7, 300)
    run(second, 8, 300)
    assert first.state_hash() != second.state_hash()


def test_every_rule_is_exercised_by_the_flow() -> None:
    kinds = Counter(type(event).__name__ for event in run(opened_exchange(), 1, 5_000))
    assert set(kinds) == {
        "OrderAccepted",
        "OrderCancelled",
        "OrderRejected",
        "OrderRepeated",
        "PriceChanged",
        "RequestRejected",
        "TradeExecuted",
    }


def test_the_exchange_counts_its_open_orders_and_what_it_published() -> None:
    exchange = opened_exchange()
    events = run(exchange, 1, 500)
    assert exchange.open_orders == len(exchange.state().orders) > 0
    assert exchange.seq == events[-1].seq
    trades = [event for event in events if isinstance(event, TradeExecuted)]
    assert exchange.execution_seq == trades[-1].execution_seq > 0


def test_the_oldest_finished_name_is_forgotten_beyond_the_limit() -> None:
    exchange = opened_exchange()

    def send(name: int) -> str:
        order = NewOrder(
            time_us=1,
            order_id=1_000_000 + exchange.seq,
            client_id="client1",
            security_id="MSFT",
            side="buy",
            order_type="market",
            quantity=1,
            client_order_id=f"{name}",
        )
        return type(exchange.apply(order)[0]).__name__

    for name in range(MAX_REMEMBERED_ORDERS + 1):
        assert send(name) == "OrderAccepted"
    assert send(1) == "OrderRepeated"
    assert send(0) == "OrderAccepted"


def test_orders_that_end_before_they_expire_do_not_pile_up() -> None:
    exchange = opened_exchange()
    for number in range(1, 5_000):
        exchange.apply(
            NewOrder(
                time_us=number,
                order_id=number,
                client_id="client1",
                security_id="MSFT",
                side="buy",
                order_type="limit",
                quantity=1,
                price_e4=100,
                time_in_force="day",
            )
        )
        exchange.apply(
            CancelOrder(time_us=number, request_id=number, client_id="client1", order_id=number)
        )
    assert len(exchange._market._expiries) <= MAX_ENDED_EXPIRIES + 2


def test_a_copy_older_than_a_refusal_that_is_forgotten_is_not_accepted() -> None:
    exchange = opened_exchange()

    def send(name: int, quantity: int, after_seq: int) -> str:
        order = NewOrder(
            time_us=9,
            order_id=exchange.seq + 1,
            client_id="client1",
            security_id="MSFT",
            side="sell",
            order_type="limit",
            quantity=quantity,
            price_e4=1_000_000,
            client_order_id=f"{name}",
            after_seq=after_seq,
        )
        (event, *_) = exchange.apply(order)
        return event.reason if isinstance(event, OrderRejected) else type(event).__name__

    opened = exchange.seq
    for name in range(MAX_REMEMBERED_REFUSALS + 1):
        assert send(name, 1_000, after_seq=exchange.seq) == "insufficient_shares"
    exchange = Exchange(decode_state(encode_state(exchange.state())))
    assert send(-1, 1, after_seq=opened + 1) == "OrderAccepted"
    assert send(0, 1, after_seq=opened) == "superseded"
