"""From the engine's events to the answers of who asked and the reports of who listens."""

from typing import Any

import msgspec
import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    CancelOrder,
    MarketConfigured,
    MassCancel,
    OpenAccount,
    OrderRepeated,
    ReplaceOrder,
    RequestRejected,
    SecurityListed,
)
from order_entry_gateway.answers.answers import (
    AccountAnswer,
    Answer,
    CancelAnswer,
    DoneAnswer,
    Fill,
    MassCancelAnswer,
    OrderAnswer,
    PendingAnswer,
    ReplaceAnswer,
    encode_answer,
)
from order_entry_gateway.answers.pending import Pending
from order_entry_gateway.feed_tail.execution_reports import (
    AcceptedReport,
    CancelledReport,
    MassCancelledReport,
    ReducedReport,
    RejectedReport,
    ReplacedReport,
    TradeReport,
    TriggeredReport,
)
from tests.support.gateway_events import (
    TIME,
    TIME_US,
    Desk,
    Listeners,
    accepted,
    cancelled,
    mass_cancelled,
    order,
    order_answer,
    reduced,
    rejected,
    replaced,
    trade,
    triggered,
)


def test_a_resting_order_is_new_at_the_seq_of_the_commands_last_event() -> None:
    desk = Desk()
    desk.ask(order(1))
    assert desk.message(accepted(5, order(1)), 6) == [[order_answer(order(1), 6)]]
    assert len(desk.pending) == 0


def test_fills_are_listed_and_averaged_to_four_decimals() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [
        accepted(5, order(1)),
        trade(6, 1, 8, 1, 4_200_000, buy_remaining_quantity=9),
        trade(7, 1, 9, 2, 4_200_001, buy_remaining_quantity=7),
    ]
    assert desk.message(*events, 8) == [
        [
            order_answer(
                order(1),
                8,
                status="partially_filled",
                filled_quantity=3,
                remaining_quantity=7,
                average_price=420.0001,
                fills=[Fill(600, 420.0, 1, 0.0042), Fill(700, 420.0001, 2, 0.0042)],
            )
        ]
    ]


def test_an_average_price_is_rounded_half_even() -> None:
    desk = Desk()
    desk.ask(order(1))
    ((answer,),) = desk.message(
        accepted(5, order(1)),
        trade(6, 1, 8, 7, 2_100_000, buy_remaining_quantity=3),
        trade(7, 1, 9, 1, 2_100_100, buy_remaining_quantity=2),
    )
    assert isinstance(answer, OrderAnswer)
    assert answer.average_price == 210.0012


def test_a_filled_order_has_nothing_remaining() -> None:
    desk = Desk()
    desk.ask(order(1))
    (answer,) = desk.message(accepted(5, order(1)), trade(6, 1, 8, 10, 4_200_000))
    assert answer == [
        order_answer(
            order(1),
            6,
            status="filled",
            filled_quantity=10,
            remaining_quantity=0,
            average_price=420.0,
            fills=[Fill(600, 420.0, 10, 0.0042)],
        )
    ]


def test_the_cancelled_rest_of_an_order_keeps_its_fills_and_tells_why() -> None:
    desk = Desk()
    market = order(1, order_type="market", price_e4=None, client_order_id=None)
    desk.ask(market)
    (answer,) = desk.message(
        accepted(5, market),
        trade(6, 1, 8, 4, 4_200_000),
        cancelled(7, 1, 6, reason="no_liquidity"),
        8,
    )
    assert answer == [
        order_answer(
            market,
            8,
            status="cancelled",
            filled_quantity=4,
            remaining_quantity=0,
            average_price=420.0,
            fills=[Fill(600, 420.0, 4, 0.0042)],
            reason="no_liquidity",
        )
    ]


def test_what_happens_to_an_order_through_a_later_command_is_not_in_its_answer() -> None:
    desk = Desk()
    desk.ask(order(1))
    bobs = order(2, client_id="bob", side="sell")
    answers = desk.message(accepted(5, order(1)), 6, accepted(7, bobs), trade(8, 1, 2, 10, 1), 9)
    assert answers == [[order_answer(order(1), 6)]]


def test_a_batch_is_answered_once_in_its_own_order_when_the_last_answer_is_there() -> None:
    desk = Desk()
    refused = ApiError(422, "invalid_field", "no")
    desk.ask(order(1), order(2), answers=[None, refused, None])
    assert desk.message(accepted(5, order(2))) == []
    assert desk.message(accepted(6, order(1))) == [
        [order_answer(order(1), 6), refused, order_answer(order(2), 5)]
    ]


def test_events_that_nobody_waits_for_are_passed_over() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [accepted(5, order(3)), trade(6, 3, 4, 10, 1), cancelled(7, 3, 1), 8]
    assert desk.message(*events) == []
    assert len(desk.pending) == 1


@pytest.mark.parametrize(
    ("reason", "status", "field_name"),
    [
        ("insufficient_funds", 422, None),
        ("insufficient_shares", 422, None),
        ("price_off_tick", 422, "price"),
        ("unknown_security", 404, "security_id"),
        ("unknown_client", 404, None),
        ("client_order_id_reused", 409, "client_order_id"),
        ("would_take", 422, "price"),
        ("expired", 422, "expires_at"),
    ],
)
def test_a_refusal_of_the_engine_has_its_status_field_and_ids(
    reason: Any, status: int, field_name: str | None
) -> None:
    desk = Desk()
    desk.ask(order(1))
    ((answer,),) = desk.message(rejected(5, order(1), reason))
    assert isinstance(answer, ApiError)
    assert answer.status == status
    assert answer.body() == {
        "error": {"code": reason, "message": "because", "field": field_name},
        "order_id": 1,
        "seq": 5,
    }


def test_a_repeated_order_shows_the_first_one_as_it_is_now() -> None:
    desk = Desk()
    desk.ask(order(2, client_order_id="same"))
    event = OrderRepeated(
        seq=9,
        time_us=TIME_US,
        request_id=2,
        order_id=1,
        client_id="alice",
        client_order_id="same",
        security_id="MSFT",
        status="cancelled",
        filled_quantity=3,
        remaining_quantity=0,
        notional_e4=3 * 4_200_000,
        quantity=8,
        price_e4=4_210_000,
    )
    first = order_answer(
        order(1, quantity=8, price_e4=4_210_000, client_order_id="same"),
        9,
        status="cancelled",
        filled_quantity=3,
        remaining_quantity=0,
        average_price=420.0,
        fills=[Fill(400, 419.0, 1, 0.0042), Fill(500, 420.5, 2, 0.0042)],
        repeated=True,
    )
    before = [
        trade(4, 1, 8, 1, 4_190_000, buy_remaining_quantity=9),
        trade(5, 1, 8, 2, 4_205_000, buy_remaining_quantity=5),
        cancelled(6, 1, 5),
    ]
    assert desk.message(*before, event) == [[first]]


def test_an_engine_that_does_not_tell_what_a_repeated_order_became_tells_what_was_asked() -> None:
    desk = Desk()
    desk.ask(order(2, client_order_id="same"))
    event = OrderRepeated(
        seq=9,
        time_us=TIME_US,
        request_id=2,
        order_id=1,
        client_id="alice",
        client_order_id="same",
        security_id="MSFT",
        status="new",
        filled_quantity=0,
        remaining_quantity=10,
        notional_e4=0,
    )
    asked = order(1, client_order_id="same")
    assert desk.message(event) == [[order_answer(asked, 9, repeated=True)]]


def test_a_cancel_tells_what_was_still_open() -> None:
    desk = Desk()
    desk.ask(CancelOrder(time_us=TIME_US, request_id=7, client_id="alice", order_id=1))
    assert desk.message(cancelled(5, 1, 4, request_id=7), 6) == [
        [CancelAnswer(1, "MSFT", "cancelled", 4, 6)]
    ]


# Answers of commands that do something to other orders too


STOP: dict[str, Any] = {"order_type": "stop", "price_e4": None, "stop_price_e4": 4_200_000}


def test_a_stop_waits() -> None:
    desk = Desk()
    stop = order(1, **STOP)
    desk.ask(stop)
    assert desk.message(accepted(5, stop)) == [[order_answer(stop, 5, status="pending_trigger")]]


def test_a_stop_that_triggers_at_once_is_answered_with_what_it_became() -> None:
    desk = Desk()
    stop = order(1, **STOP)
    desk.ask(stop)
    events = [
        accepted(5, stop),
        triggered(6, 1),
        cancelled(7, 30, 5, reason="one_cancels_other"),
        trade(8, 1, 8, 4, 4_200_000, buy_remaining_quantity=6),
        cancelled(9, 1, 6, reason="no_liquidity"),
    ]
    assert desk.message(*events, 10) == [
        [
            order_answer(
                stop,
                10,
                status="cancelled",
                filled_quantity=4,
                remaining_quantity=0,
                average_price=420.0,
                fills=[Fill(800, 420.0, 4, 0.0042)],
                reason="no_liquidity",
            )
        ]
    ]


def test_a_stop_limit_that_triggers_at_once_is_new() -> None:
    desk = Desk()
    stop = order(1, order_type="stop_limit", stop_price_e4=4_200_000)
    desk.ask(stop)
    assert desk.message(accepted(5, stop), triggered(6, 1), 7) == [[order_answer(stop, 7)]]


def test_what_a_command_does_to_other_orders_is_not_in_its_answer_but_counts_for_its_seq() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [
        accepted(5, order(1)),
        trade(6, 1, 8, 4, 4_200_000, buy_remaining_quantity=6),
        cancelled(7, 30, 5, reason="one_cancels_other"),
        triggered(8, 40),
        trade(9, 40, 41, 3, 4_210_000),
        reduced(10, 42, 1, 2),
        cancelled(11, 40, 5, reason="no_liquidity"),
    ]
    assert desk.message(*events, 12) == [
        [
            order_answer(
                order(1),
                12,
                status="partially_filled",
                filled_quantity=4,
                remaining_quantity=6,
                average_price=420.0,
                fills=[Fill(600, 420.0, 4, 0.0042)],
            )
        ]
    ]


def test_what_the_rest_of_an_order_trades_with_stops_that_it_set_off_is_in_its_answer() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [
        accepted(5, order(1)),
        trade(6, 1, 8, 4, 4_200_000, buy_remaining_quantity=6),
        triggered(7, 40),
        trade(8, 1, 40, 6, 4_205_000, aggressor_side="sell"),
        cancelled(9, 40, 1, reason="no_liquidity"),
    ]
    assert desk.message(*events, 10) == [
        [
            order_answer(
                order(1),
                10,
                status="filled",
                filled_quantity=10,
                remaining_quantity=0,
                average_price=420.3,
                fills=[Fill(600, 420.0, 4, 0.0042), Fill(800, 420.5, 6, 0.0042)],
            )
        ]
    ]


def test_an_order_that_was_reduced_is_smaller_in_its_answer() -> None:
    desk = Desk()
    desk.ask(order(1))
    events = [accepted(5, order(1)), cancelled(6, 9, 4, reason="self_trade"), reduced(7, 1, 4, 6)]
    assert desk.message(*events) == [[order_answer(order(1), 7, quantity=6, remaining_quantity=6)]]


def test_expiries_belong_to_the_command_before_whose_first_event_they_stand() -> None:
    desk = Desk()
    desk.ask(order(1, time_in_force="day"), order(2))
    events = [
        accepted(5, order(1, time_in_force="day")),
        6,
        cancelled(7, 1, 10, reason="expired"),
        cancelled(8, 30, 10, reason="expired"),
        accepted(9, order(2)),
        10,
        cancelled(11, 2, 10, reason="expired"),
        12,
    ]
    assert desk.message(*events) == [[order_answer(order(1), 6), order_answer(order(2), 10)]]


@pytest.mark.parametrize(
    ("limit_e4", "stop_e4", "field_name"),
    [(None, 4_200_001, "stop_price"), (4_200_000, 4_200_001, "stop_price"), (1, 100, "price")],
)
def test_a_price_off_the_tick_is_named(limit_e4: int | None, stop_e4: int, field_name: str) -> None:
    desk = Desk()
    desk.message(
        SecurityListed(
            seq=1,
            time_us=TIME_US,
            request_id=99,
            security_id="MSFT",
            tick_e4=100,
            reference_price_e4=4_200_000,
            granted_quantity=1,
        )
    )
    order_type = "stop" if limit_e4 is None else "stop_limit"
    stop = order(1, order_type=order_type, price_e4=limit_e4, stop_price_e4=stop_e4)
    desk.ask(stop)
    ((answer,),) = desk.message(rejected(5, stop, "price_off_tick"))
    assert isinstance(answer, ApiError)
    assert (answer.status, answer.field) == (422, field_name)


def replace(request_id: int, order_id: int = 1) -> ReplaceOrder:
    """A replacement of an order of alice."""
    return ReplaceOrder(
        time_us=TIME_US, request_id=request_id, client_id="alice", order_id=order_id, quantity=6
    )


def replace_answer(seq: int, **changes: Any) -> ReplaceAnswer:
    """The answer to a replacement after which nothing traded."""
    fields: dict[str, Any] = {
        "order_id": 1,
        "client_order_id": "order 1",
        "security_id": "MSFT",
        "quantity": 6,
        "price": 421.0,
        "status": "partially_filled",
        "filled_quantity": 2,
        "remaining_quantity": 4,
        "average_price": 419.0,
        "fills": [],
        "kept_priority": False,
    }
    return ReplaceAnswer(seq=seq, **(fields | changes))


def test_a_replaced_order_is_answered_with_what_it_is_now() -> None:
    desk = Desk()
    desk.ask(replace(7))
    assert desk.message(replaced(5, 7, 1), 6) == [[replace_answer(6)]]
    desk.ask(replace(8, 9))
    unnamed = replaced(7, 8, 9, remaining_quantity=6, kept_priority=True, notional_e4=0)
    (answer,) = desk.message(unnamed)
    assert answer == [
        replace_answer(
            7,
            order_id=9,
            client_order_id=None,
            status="new",
            filled_quantity=0,
            remaining_quantity=6,
            average_price=None,
            kept_priority=True,
        )
    ]


def test_a_replaced_order_tells_the_fills_and_the_average_price_of_all_its_trades() -> None:
    desk = Desk()
    desk.message(trade(4, 1, 8, 2, 4_190_000, buy_remaining_quantity=8))
    desk.ask(replace(7))
    events = [
        replaced(5, 7, 1),
        trade(6, 1, 8, 3, 4_200_000, buy_remaining_quantity=1),
        trade(7, 50, 51, 1, 4_200_000),
        cancelled(8, 1, 1, reason="self_trade"),
    ]
    assert desk.message(*events) == [
        [
            replace_answer(
                8,
                status="cancelled",
                filled_quantity=5,
                remaining_quantity=0,
                average_price=419.6,
                fills=[Fill(400, 419.0, 2, 0.0042), Fill(600, 420.0, 3, 0.0042)],
                reason="self_trade",
            )
        ]
    ]


def test_without_the_fills_before_the_gateways_run_the_average_price_is_of_all_of_them() -> None:
    desk = Desk()
    desk.ask(replace(7))
    filled = trade(6, 1, 8, 4, 4_220_000)
    ((answer,),) = desk.message(replaced(5, 7, 1), filled)
    assert answer == replace_answer(
        6,
        status="filled",
        filled_quantity=6,
        remaining_quantity=0,
        average_price=421.0,
        fills=[Fill(600, 422.0, 4, 0.0042)],
    )


def test_an_engine_that_does_not_tell_the_fills_leaves_the_average_price_unknown() -> None:
    desk = Desk()
    desk.ask(replace(7), replace(8, 9))
    untold = replaced(5, 7, 1, notional_e4=None)
    filled = trade(6, 1, 8, 4, 4_220_000)
    new = replaced(7, 8, 9, notional_e4=None, remaining_quantity=6)
    half = trade(8, 9, 8, 3, 4_220_000, buy_remaining_quantity=3)
    ((first, second),) = desk.message(untold, filled, new, half)
    assert isinstance(first, ReplaceAnswer)
    assert isinstance(second, ReplaceAnswer)
    assert (first.filled_quantity, first.average_price) == (6, None)
    assert (second.filled_quantity, second.average_price) == (3, 422.0)


@pytest.mark.parametrize(
    ("reason", "status", "field_name"),
    [
        ("unknown_order", 404, "order_id"),
        ("not_replaceable", 409, "order_id"),
        ("quantity_filled", 409, "quantity"),
        ("price_off_tick", 422, "price"),
        ("would_take", 422, "price"),
        ("insufficient_shares", 422, None),
    ],
)
def test_a_refused_replacement_has_its_status_and_field(
    reason: Any, status: int, field_name: str | None
) -> None:
    desk = Desk()
    desk.ask(replace(7))
    refusal = RequestRejected(
        seq=5, time_us=TIME_US, request_id=7, reason=reason, message="because", order_id=1
    )
    ((answer,),) = desk.message(refusal)
    assert isinstance(answer, ApiError)
    assert (answer.status, answer.code, answer.field) == (status, reason, field_name)


def test_a_mass_cancel_is_answered_with_the_orders_that_it_took_out() -> None:
    desk = Desk()
    desk.ask(
        order(1),
        MassCancel(time_us=TIME_US, request_id=7, client_id="alice"),
        MassCancel(time_us=TIME_US, request_id=8, client_id="alice"),
    )
    events = [
        accepted(5, order(1)),
        cancelled(6, 30, 5, reason="expired"),
        cancelled(7, 4, 1, request_id=7),
        cancelled(8, 1, 10, request_id=7),
        mass_cancelled(9, 7, 2),
        10,
        cancelled(11, 31, 5, reason="expired"),
        mass_cancelled(12, 8, 0),
    ]
    assert desk.message(*events) == [
        [
            order_answer(order(1), 5),
            MassCancelAnswer(2, [4, 1], 10),
            MassCancelAnswer(0, [], 12),
        ]
    ]


def test_a_mass_cancel_that_nobody_waits_for_is_passed_over() -> None:
    desk = Desk()
    desk.ask(MassCancel(time_us=TIME_US, request_id=8, client_id="alice"))
    events = [
        cancelled(6, 4, 1, request_id=7),
        cancelled(7, 5, 1, request_id=7),
        mass_cancelled(8, 7, 2),
        cancelled(9, 6, 1, request_id=8),
        mass_cancelled(10, 8, 1),
    ]
    assert desk.message(*events) == [[MassCancelAnswer(1, [6], 10)]]


def test_other_requests_are_answered_by_their_events() -> None:
    desk = Desk()
    asked = [
        OpenAccount(time_us=TIME_US, request_id=id_, client_id="alice", api_key_hash="h")
        for id_ in (1, 2, 3)
    ]
    desk.ask(*asked)
    configured = MarketConfigured(
        seq=8,
        time_us=TIME_US,
        request_id=4,
        initial_balance_e4=0,
        maker_fee_ppm=0,
        taker_fee_ppm=0,
    )
    account: dict[str, Any] = {"client_id": "alice", "cash_e4": 100_000_000, "holdings": {"A": 1}}
    ((opened, confirmed, refused),) = desk.message(
        AccountOpened(
            seq=5, time_us=TIME_US, execution_seq=1, request_id=1, api_key_hash="h", **account
        ),
        AccountConfirmed(seq=6, time_us=TIME_US, request_id=2, **account),
        RequestRejected(
            seq=7, time_us=TIME_US, request_id=3, reason="client_id_taken", message="taken"
        ),
        configured,
    )
    assert opened == AccountAnswer("alice", 10_000.0, {"A": 1}, 5, opened=True)
    assert confirmed == AccountAnswer("alice", 10_000.0, {"A": 1}, 6, opened=False)
    assert isinstance(refused, ApiError)
    assert refused.status == 409
    assert refused.body() == {
        "error": {"code": "client_id_taken", "message": "taken", "field": "client_id"},
        "seq": 7,
    }
    desk.ask(msgspec.structs.replace(asked[0], request_id=4))
    assert desk.message(configured) == [[DoneAnswer(8)]]


def test_a_group_that_is_given_up_takes_no_answer_any_more() -> None:
    desk = Desk()
    group = desk.ask(order(1), order(2))
    desk.message(accepted(5, order(2)))
    given_up = desk.pending.give_up(group)
    assert [(slot.place, slot.command) for slot in given_up] == [(0, order(1))]
    assert desk.message(accepted(6, order(1))) == []
    assert len(desk.pending) == 0


def test_pending_requests_are_limited() -> None:
    pending: Pending[Answer] = Pending(2)
    desk = Desk(pending)
    desk.ask(order(1))
    assert pending.room_for(1)
    assert not pending.room_for(2)


def test_answers_are_exact_json() -> None:
    answers = [PendingAnswer(7, "pending"), ApiError(422, "code", "text"), Fill(1, 420.1, 3, -0.01)]
    assert encode_answer({"answers": answers}) == (
        b'{"answers":[{"order_id":7,"status":"pending"},'
        b'{"error":{"code":"code","message":"text","field":null}},'
        b'{"trade_id":1,"price":420.1,"quantity":3,"fee":-0.01}]}'
    )


def test_both_sides_of_a_trade_get_their_own_report() -> None:
    listeners = Listeners("alice", "bob")
    listeners.message(accepted(1, order(2, client_id="bob", side="sell", client_order_id="b")))
    assert listeners.message(accepted(5, order(1)), trade(6, 1, 2, 10, 4_200_000)) == {
        "alice": [
            AcceptedReport(
                seq=5,
                time=TIME,
                order_id=1,
                client_order_id="order 1",
                security_id="MSFT",
                side="buy",
                type="limit",
                time_in_force="gtc",
                price=420.5,
                quantity=10,
                remaining_quantity=10,
            ),
            TradeReport(
                seq=6,
                time=TIME,
                order_id=1,
                client_order_id="order 1",
                security_id="MSFT",
                side="buy",
                trade_id=600,
                price=420.0,
                quantity=10,
                filled_quantity=10,
                remaining_quantity=0,
                fee=0.0042,
                liquidity="taker",
            ),
        ],
        "bob": [
            TradeReport(
                seq=6,
                time=TIME,
                order_id=2,
                client_order_id="b",
                security_id="MSFT",
                side="sell",
                trade_id=600,
                price=420.0,
                quantity=10,
                filled_quantity=12,
                remaining_quantity=5,
                fee=0.0,
                liquidity="maker",
            )
        ],
    }
    assert listeners.message() == {}


def test_refusals_and_cancels_are_reported_with_their_reason() -> None:
    listeners = Listeners("alice")
    listeners.message(accepted(5, order(1)))
    refused = rejected(6, order(2), "insufficient_funds")
    assert listeners.message(refused, cancelled(7, 1, 4), cancelled(8, 1, 4)) == {
        "alice": [
            RejectedReport(
                seq=6,
                time=TIME,
                order_id=2,
                client_order_id="order 2",
                security_id="MSFT",
                side="buy",
                type="limit",
                price=420.5,
                quantity=10,
                remaining_quantity=0,
                reason="insufficient_funds",
                message="because",
            ),
            CancelledReport(
                seq=7,
                time=TIME,
                order_id=1,
                client_order_id="order 1",
                security_id="MSFT",
                quantity=4,
                remaining_quantity=0,
                reason="requested",
            ),
            CancelledReport(
                seq=8,
                time=TIME,
                order_id=1,
                client_order_id=None,
                security_id="MSFT",
                quantity=4,
                remaining_quantity=0,
                reason="requested",
            ),
        ]
    }


def test_nothing_is_built_for_clients_that_are_not_connected() -> None:
    listeners = Listeners("carol")
    events = [accepted(5, order(1)), trade(6, 1, 2, 10, 1), cancelled(7, 1, 1)]
    assert listeners.message(*events) == {}


def test_the_names_of_the_oldest_open_orders_are_forgotten_beyond_the_limit() -> None:
    listeners = Listeners("alice", max_remembered=2)
    listeners.message(*(accepted(number, order(number)) for number in (1, 2, 3)))
    reports = listeners.message(*(cancelled(number + 3, number, 1) for number in (1, 2, 3)))
    assert [report.client_order_id for report in reports["alice"]] == [None, "order 2", "order 3"]


def test_every_change_of_an_order_is_reported() -> None:
    listeners = Listeners("alice")
    listeners.message(accepted(1, order(1)))
    about: dict[str, Any] = {
        "time": TIME,
        "order_id": 1,
        "client_order_id": "order 1",
        "security_id": "MSFT",
    }
    events = [
        triggered(5, 1),
        replaced(6, 7, 1),
        reduced(7, 1, 3, 1),
        cancelled(8, 1, 1, reason="expired"),
        mass_cancelled(9, 10, 2),
    ]
    assert listeners.message(*events) == {
        "alice": [
            TriggeredReport(seq=5, last=420.0, **about),
            ReplacedReport(
                seq=6, price=421.0, quantity=6, remaining_quantity=4, kept_priority=False, **about
            ),
            ReducedReport(seq=7, quantity=3, remaining_quantity=1, **about),
            CancelledReport(seq=8, quantity=1, remaining_quantity=0, reason="expired", **about),
            MassCancelledReport(seq=9, time=TIME, count=2),
        ]
    }
    assert Listeners("bob").message(*events) == {}


def test_the_report_of_an_accepted_order_has_the_options_that_it_uses() -> None:
    listeners = Listeners("alice")
    trailing = order(
        1,
        order_type="trailing_stop",
        price_e4=None,
        trail_ppm=25_000,
        time_in_force="gtd",
        expires_us=TIME_US,
        oco_group="exit",
    )
    ((report,),) = listeners.message(accepted(5, trailing)).values()
    assert msgspec.json.decode(encode_answer(report)) == {
        "event": "accepted",
        "seq": 5,
        "time": TIME,
        "order_id": 1,
        "client_order_id": "order 1",
        "security_id": "MSFT",
        "side": "buy",
        "type": "trailing_stop",
        "time_in_force": "gtd",
        "price": None,
        "quantity": 10,
        "remaining_quantity": 10,
        "trail_percent": 2.5,
        "expires_at": TIME,
        "oco_group": "exit",
    }
