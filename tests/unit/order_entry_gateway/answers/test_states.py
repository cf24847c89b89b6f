"""Auctions, halts and the operator's commands in the gateway's answers and execution reports."""

from collections.abc import Iterable
from typing import Any

import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import (
    BeginPhase,
    ClientLimitsSet,
    ClientSuspended,
    ClockTick,
    IndicativeChanged,
    ListSecurity,
    MarketStateChanged,
    MarketStateSet,
    MassCancel,
    PriceChanged,
    SecurityListed,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from matching_engine.core import Exchange
from order_entry_gateway.answers.answers import (
    Fill,
    KillSwitchAnswer,
    LimitsAnswer,
    ListingAnswer,
    MassCancelAnswer,
    StateAnswer,
    encode_answer,
)
from order_entry_gateway.feed_tail.execution_reports import CancelledReport, TradeReport
from order_entry_gateway.market_status import MarketStatus, SecurityStatus
from tests.support.gateway_events import (
    TIME,
    TIME_US,
    Desk,
    Listeners,
    accepted,
    cancelled,
    command_id,
    mass_cancelled,
    order,
    order_answer,
    rejected,
    trade,
    triggered,
)
from tests.support.rich_flow import SHAPES, Shape, rich_flow

UNANSWERED = (BeginPhase, ClockTick)
_ONLY_SEQ = (PriceChanged, IndicativeChanged)
"""Of these, answers need only where they stand."""


def state_changed(seq: int, state: Any, reason: Any, **changes: Any) -> MarketStateChanged:
    """MSFT is in another state."""
    fields: dict[str, Any] = {"auction": None, "until_us": None, "reference_price_e4": 4_200_000}
    return MarketStateChanged(
        seq=seq,
        time_us=TIME_US,
        security_id="MSFT",
        state=state,
        reason=reason,
        **(fields | changes),
    )


def auction_trade(seq: int, buy_id: int, sell_id: int, **changes: Any) -> Any:
    """A trade without an aggressor."""
    return trade(seq, buy_id, sell_id, 10, 4_200_000, **({"aggressor_side": None} | changes))


def listed(seq: int, request_id: int, **changes: Any) -> SecurityListed:
    """MSFT is listed in lots of 10."""
    fields: dict[str, Any] = {
        "tick_e4": 100,
        "reference_price_e4": 4_200_000,
        "granted_quantity": 100,
        "lot_quantity": 10,
    }
    return SecurityListed(
        seq=seq, time_us=TIME_US, request_id=request_id, security_id="MSFT", **(fields | changes)
    )


# Answers to orders


def test_an_auction_that_ends_by_itself_is_not_in_the_answer_before_it() -> None:
    desk = Desk()
    desk.ask(order(1), order(2))
    events = [
        accepted(5, order(1)),
        6,
        auction_trade(7, 1, 9),
        state_changed(8, "continuous", "timer"),
        cancelled(9, 30, 10, reason="auction_over"),
        10,
        accepted(11, order(2)),
        12,
    ]
    assert desk.message(*events) == [[order_answer(order(1), 6), order_answer(order(2), 12)]]


@pytest.mark.parametrize("reason", ["timer", "schedule", "operator"])
def test_a_state_that_changes_without_a_trade_is_not_in_the_answer_before_it(reason: str) -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [
        accepted(5, order(1)),
        state_changed(6, "continuous", reason),
        triggered(7, 30),
        trade(8, 30, 1, 10, 1),
        cancelled(9, 1, 10, reason="auction_over"),
        10,
    ]
    assert desk.message(*events) == [[order_answer(order(1), 5)]]


def test_the_circuit_breaker_is_in_the_answer_of_the_order_that_set_it_off() -> None:
    desk = Desk()
    desk.ask(order(1), order(2))
    events = [
        accepted(5, order(1)),
        trade(6, 1, 9, 4, 4_200_000, buy_remaining_quantity=6),
        state_changed(7, "halted", "circuit_breaker", until_us=TIME_US + 1),
        cancelled(8, 1, 6, reason="circuit_breaker"),
        9,
        accepted(10, order(2)),
        state_changed(11, "halted", "circuit_breaker"),
        12,
    ]
    stopped = order_answer(
        order(1),
        9,
        status="cancelled",
        filled_quantity=4,
        remaining_quantity=0,
        average_price=420.0,
        fills=[Fill(600, 420.0, 4, 0.0042)],
        reason="circuit_breaker",
    )
    assert desk.message(*events) == [[stopped, order_answer(order(2), 12)]]


def test_an_order_that_waits_for_the_closing_auction_is_new() -> None:
    desk = Desk()
    waiting = order(1, time_in_force="cls")
    desk.ask(waiting)
    assert desk.message(accepted(5, waiting)) == [[order_answer(waiting, 5)]]


@pytest.mark.parametrize(
    ("reason", "status", "field_name"),
    [
        ("client_suspended", 403, None),
        ("market_closed", 409, None),
        ("trading_halted", 409, None),
        ("no_continuous_trading", 409, "time_in_force"),
        ("auction_over", 409, "time_in_force"),
        ("quantity_off_lot", 422, "quantity"),
        ("price_outside_band", 422, "price"),
        ("quantity_limit", 422, "quantity"),
        ("order_value_limit", 422, None),
        ("too_many_open_orders", 422, None),
        ("display_too_small", 422, "display_quantity"),
        ("position_limit", 422, None),
        ("insufficient_margin", 422, None),
    ],
)
def test_a_refusal_has_its_status_and_field(
    reason: Any, status: int, field_name: str | None
) -> None:
    desk = Desk()
    desk.ask(order(1))
    ((answer,),) = desk.message(rejected(5, order(1), reason))
    assert isinstance(answer, ApiError)
    assert (answer.status, answer.code, answer.field) == (status, reason, field_name)


@pytest.mark.parametrize(("quantity", "field_name"), [(15, "quantity"), (20, "display_quantity")])
def test_a_quantity_off_the_lot_is_named(quantity: int, field_name: str) -> None:
    desk = Desk()
    iceberg = order(1, quantity, display_quantity=5)
    desk.message(listed(1, 99))
    desk.ask(iceberg)
    ((answer,),) = desk.message(rejected(5, iceberg, "quantity_off_lot"))
    assert isinstance(answer, ApiError)
    assert (answer.status, answer.field) == (422, field_name)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_an_answer_is_the_same_whatever_other_commands_are_in_its_message(shape: Shape) -> None:
    flow = with_own_ids(rich_flow(1, 1_000, shape))
    alone = answers_to(flow, commands_in_message=1)
    assert len(alone) > 900
    assert answers_to(flow, commands_in_message=50) == alone


def with_own_ids(flow: Iterable[Any]) -> list[Any]:
    """The commands, without those that have the id of an earlier one, as no gateway makes them."""
    commands: dict[Any, Any] = {}
    for command in flow:
        if isinstance(command, UNANSWERED):
            commands[object()] = command
        else:
            commands.setdefault(command_id(command), command)
    return list(commands.values())


def answers_to(flow: list[Any], commands_in_message: int) -> list[bytes]:
    """The answers to all commands, by the real core, in the order in which they came."""
    exchange, desk = Exchange(), Desk()
    answers = []
    for number in range(0, len(flow), commands_in_message):
        events: list[Any] = []
        for command in flow[number : number + commands_in_message]:
            if not isinstance(command, UNANSWERED):
                desk.ask(command)
            events += exchange.apply(command)
        told = [event.seq if isinstance(event, _ONLY_SEQ) else event for event in events]
        answers += [encode_answer(answer) for (answer,) in desk.message(*told)]
    return answers


# Answers to the operator


def test_a_change_of_states_is_answered_with_how_many_changed() -> None:
    desk = Desk()
    desk.ask(order(1))
    desk.ask(SetMarketState(time_us=TIME_US, request_id=7, action="uncross"))
    events = [
        accepted(5, order(1)),
        auction_trade(6, 1, 9),
        state_changed(7, "continuous", "operator"),
        cancelled(8, 1, 10, reason="auction_over"),
        MarketStateSet(seq=9, time_us=TIME_US, request_id=7, count=1),
        10,
    ]
    assert desk.message(*events) == [[order_answer(order(1), 5)], [StateAnswer(1, 10)]]


def test_the_kill_switch_is_answered_with_how_many_orders_it_cancelled() -> None:
    desk = Desk()
    desk.ask(order(1))
    desk.ask(SuspendClient(time_us=TIME_US, request_id=7, client_id="alice", suspended=True))
    events = [
        accepted(5, order(1)),
        cancelled(6, 1, 10, reason="kill_switch", request_id=7),
        cancelled(7, 2, 10, reason="kill_switch", request_id=7),
        ClientSuspended(
            seq=8, time_us=TIME_US, request_id=7, client_id="alice", suspended=True, count=2
        ),
        9,
    ]
    assert desk.message(*events) == [
        [order_answer(order(1), 5)],
        [KillSwitchAnswer("alice", True, 2, 9)],
    ]


def test_what_the_kill_switch_cancelled_is_in_no_mass_cancel() -> None:
    desk = Desk()
    desk.ask(MassCancel(time_us=TIME_US, request_id=8, client_id="bob"))
    events = [
        cancelled(5, 1, 10, reason="kill_switch", request_id=7),
        ClientSuspended(
            seq=6, time_us=TIME_US, request_id=7, client_id="alice", suspended=True, count=1
        ),
        cancelled(7, 2, 10, client_id="bob", request_id=8),
        mass_cancelled(8, 8, 1, client_id="bob"),
    ]
    assert desk.message(*events) == [[MassCancelAnswer(1, [2], 8)]]


def test_limits_and_listings_are_answered_with_what_they_are_now() -> None:
    desk = Desk()
    desk.ask(SetClientLimits(time_us=TIME_US, request_id=1, client_id="alice"))
    limits = ClientLimitsSet(
        seq=5,
        time_us=TIME_US,
        request_id=1,
        client_id="alice",
        max_open_orders=3,
        max_position=None,
        max_order_value_e4=12_345,
        min_display_ppm=2_500,
        orders_per_second=7,
        order_burst=8,
    )
    assert desk.message(limits) == [[LimitsAnswer("alice", 3, None, 1.2345, 0.25, 7, 8, 5)]]
    terms = {"tick_e4": 100, "reference_price_e4": 4_200_000, "granted_quantity": 0}
    desk.ask(ListSecurity(time_us=TIME_US, request_id=2, security_id="MSFT", **terms))
    event = listed(6, 2, state="auction", auction="opening")
    assert desk.message(event, 7) == [[ListingAnswer("MSFT", "auction", "opening", 420.0, 7)]]


# Execution reports


def test_a_trade_of_an_auction_is_neither_makers_nor_takers() -> None:
    listeners = Listeners("alice", "bob")
    listeners.message(accepted(4, order(1)))
    reports = listeners.message(auction_trade(5, 1, 2, buyer_fee_e4=-42, buy_filled_quantity=15))
    assert reports["alice"] == [
        TradeReport(
            seq=5,
            time=TIME,
            order_id=1,
            client_order_id="order 1",
            security_id="MSFT",
            side="buy",
            trade_id=500,
            price=420.0,
            quantity=10,
            filled_quantity=15,
            remaining_quantity=0,
            fee=-0.0042,
            liquidity="auction",
        )
    ]
    assert [report.liquidity for report in reports["bob"]] == ["auction"]


@pytest.mark.parametrize("reason", ["auction_over", "circuit_breaker", "kill_switch", "expired"])
def test_a_cancel_that_nobody_asked_for_is_reported_with_its_reason(reason: str) -> None:
    listeners = Listeners("alice")
    listeners.message(accepted(4, order(1)))
    request_id = 7 if reason == "kill_switch" else None
    event = cancelled(5, 1, 6, reason=reason, request_id=request_id)
    assert listeners.message(event)["alice"] == [
        CancelledReport(
            seq=5,
            time=TIME,
            order_id=1,
            client_order_id="order 1",
            security_id="MSFT",
            quantity=6,
            remaining_quantity=0,
            reason=reason,
        )
    ]


# What is known of the market


def status(**changes: Any) -> SecurityStatus:
    """MSFT in continuous trading."""
    fields: dict[str, Any] = {
        "security_id": "MSFT",
        "tick_e4": 100,
        "lot_quantity": 10,
        "reference_price_e4": 4_200_000,
        "state": "continuous",
        "auction": None,
        "until_us": None,
    }
    return SecurityStatus(**(fields | changes))


def test_states_follow_the_events() -> None:
    market = MarketStatus()
    listing, change = market.handlers[SecurityListed], market.handlers[MarketStateChanged]
    change(state_changed(1, "halted", "operator"))
    assert market.securities == {}
    listing(listed(2, 1))
    assert market.securities == {"MSFT": status()}
    until = {"auction": "reopening", "until_us": TIME_US, "reference_price_e4": 1}
    change(state_changed(3, "auction", "timer", **until))
    assert market.securities == {"MSFT": status(state="auction", **until)}


def test_a_repeated_listing_leaves_the_end_of_the_state_as_it_was_stored() -> None:
    market = MarketStatus()
    market.add(status(state="halted", until_us=TIME_US))
    market.handlers[SecurityListed](listed(2, 1, state="halted", tick_e4=1))
    assert market.securities == {"MSFT": status(state="halted", until_us=TIME_US, tick_e4=1)}
