"""What mass cancels, and requests that are about no order, are answered with."""

from typing import Any

from exchange_shared.http import ApiError
from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    ConfigureMarket,
    MarketConfigured,
    MassCancel,
    OpenAccount,
    RequestRejected,
)
from order_entry_gateway.answers.answers import (
    AccountAnswer,
    DoneAnswer,
    MassCancelAnswer,
)
from tests.support.gateway_events import (
    TIME_US,
    Desk,
    accepted,
    cancelled,
    mass_cancelled,
    order,
    order_answer,
)


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
            seq=7,
            time_us=TIME_US,
            request_id=3,
            reason="client_id_taken",
            message="taken",
            client_id="alice",
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
    terms = {"initial_balance_e4": 0, "maker_fee_ppm": 0, "taker_fee_ppm": 0}
    desk.ask(ConfigureMarket(time_us=TIME_US, request_id=4, **terms))
    assert desk.message(configured) == [[DoneAnswer(8)]]
