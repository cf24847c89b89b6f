"""What the gateway takes as an order, and how it refuses what it does not take."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import NewOrder
from order_entry_gateway.requests.parsing import (
    new_orders,
    parse,
    parse_replace,
    well_formed_fields,
)
from order_entry_gateway.requests.schemas import (
    BatchFrame,
    BatchRequest,
    CancelFrame,
    ClientRequest,
    LoginFrame,
    MassCancelFrame,
    MassCancelRequest,
    PingFrame,
    ReplaceFrame,
    ReplaceRequest,
)
from tests.support.bad_orders import GOOD_ORDER, bad_orders


def command(value: Any) -> NewOrder:
    """The command that an order of alice becomes."""
    (order,) = new_orders([value], "alice", 5)
    assert isinstance(order, NewOrder), order
    return order


def refusal(value: Any) -> tuple[int, str, str | None]:
    """Status, code and field of the refusal of an order of alice."""
    (order,) = new_orders([value], "alice", 5)
    assert isinstance(order, ApiError), order
    return order.status, order.code, order.field


def test_a_full_order_becomes_a_command_with_exact_integers() -> None:
    assert command(GOOD_ORDER) == NewOrder(
        time_us=0,
        order_id=0,
        client_id="alice",
        security_id="MSFT",
        side="buy",
        order_type="limit",
        quantity=10,
        price_e4=4_205_000,
        time_in_force="gtc",
        client_order_id="order 1",
        after_seq=5,
    )


def test_a_market_order_needs_neither_a_price_nor_any_option() -> None:
    order = {"security_id": "BRK.B", "side": "sell", "type": "market", "quantity": 10_000_000}
    assert command(order) == NewOrder(
        time_us=0,
        order_id=0,
        client_id="alice",
        security_id="BRK.B",
        side="sell",
        order_type="market",
        quantity=10_000_000,
    )


@pytest.mark.parametrize(
    ("price", "price_e4"),
    [
        (420, 4_200_000),
        (1_000_000, 10_000_000_000),
        (Decimal("0.0001"), 1),
        (Decimal("999999.9999"), 9_999_999_999),
        (Decimal("4.205E+2"), 4_205_000),
        (Decimal("420.50000"), 4_205_000),
        ("420.5", 4_205_000),
        ("0.0001", 1),
        ("1000000", 10_000_000_000),
        ("00420.10", 4_201_000),
    ],
)
def test_a_price_is_a_number_or_a_numeral(price: Any, price_e4: int) -> None:
    assert command({**GOOD_ORDER, "price": price}).price_e4 == price_e4


@pytest.mark.parametrize(("value", "code", "field"), bad_orders())
def test_a_bad_order_is_refused_with_the_name_of_the_field(
    value: Any, code: str, field: str
) -> None:
    assert refusal(value) == (422, code, field or None)


@pytest.mark.parametrize("value", [None, 7, "order", [], True, Decimal("NaN")])
def test_what_is_no_object_is_no_order(value: Any) -> None:
    assert refusal(value) == (422, "invalid_field", None)


def test_somebody_elses_client_id_is_forbidden() -> None:
    assert refusal({**GOOD_ORDER, "client_id": "bob"}) == (403, "not_your_account", "client_id")


def test_a_bad_order_in_a_batch_does_not_spoil_the_others() -> None:
    other = {**GOOD_ORDER, "client_order_id": "order 2", "price": 7}
    values = [GOOD_ORDER, {**GOOD_ORDER, "quantity": 0}, other, {**GOOD_ORDER, "client_id": "bob"}]
    answers = new_orders(values, "alice", 5)
    assert [
        answer.client_order_id if isinstance(answer, NewOrder) else "refused" for answer in answers
    ] == ["order 1", "refused", "order 2", "refused"]


def test_the_report_of_a_bad_order_shows_its_well_formed_fields() -> None:
    assert well_formed_fields({**GOOD_ORDER, "quantity": 0, "colour": "red"}) == {
        "security_id": "MSFT",
        "side": "buy",
        "price_e4": 4_205_000,
        "client_order_id": "order 1",
    }
    assert well_formed_fields({**GOOD_ORDER, "side": "BUY", "price": "x", "security_id": 7}) == {
        "quantity": 10,
        "client_order_id": "order 1",
    }
    assert well_formed_fields([GOOD_ORDER]) == {}


@pytest.mark.parametrize(
    ("model", "value", "code", "field"),
    [
        (ClientRequest, {}, "missing_field", "client_id"),
        (ClientRequest, {"client_id": "a b"}, "invalid_field", "client_id"),
        (ClientRequest, {"client_id": "a", "api_key": "short"}, "invalid_field", "api_key"),
        (ClientRequest, {"client_id": "a", "api_key": "x" * 129}, "invalid_field", "api_key"),
        (ClientRequest, {"client_id": "a", "api_key": "a b" * 8}, "invalid_field", "api_key"),
        (ClientRequest, {"client_id": "a", "admin": True}, "unknown_field", "admin"),
        (BatchRequest, {}, "missing_field", "orders"),
        (BatchRequest, {"orders": []}, "invalid_field", "orders"),
        (BatchRequest, {"orders": [1] * 501}, "invalid_field", "orders"),
        (BatchRequest, {"orders": {"0": GOOD_ORDER}}, "invalid_field", "orders"),
        (BatchFrame, {"type": "batch", "orders": [1], "ref": []}, "invalid_field", "ref"),
        (BatchFrame, {"type": "batch", "orders": [1], "ref": 2**60}, "invalid_field", "ref"),
        (BatchFrame, {"type": "batch", "orders": [1], "ref": "r" * 65}, "invalid_field", "ref"),
        (CancelFrame, {"type": "cancel", "order_id": 0}, "invalid_field", "order_id"),
        (CancelFrame, {"type": "cancel", "order_id": 2**53}, "invalid_field", "order_id"),
        (CancelFrame, {"type": "cancel", "order_id": "7"}, "invalid_field", "order_id"),
        (CancelFrame, {"type": "cancel"}, "missing_field", "order_id"),
        (ReplaceRequest, {"quantity": 0}, "invalid_field", "quantity"),
        (ReplaceRequest, {"quantity": "5"}, "invalid_field", "quantity"),
        (ReplaceRequest, {"price": 0}, "invalid_field", "price"),
        (ReplaceRequest, {"price": "420.00001"}, "invalid_field", "price"),
        (ReplaceRequest, {"quantity": 1, "side": "buy"}, "unknown_field", "side"),
        (ReplaceFrame, {"type": "replace", "quantity": 1}, "missing_field", "order_id"),
        (ReplaceFrame, {"type": "replace", "order_id": 0}, "invalid_field", "order_id"),
        (MassCancelRequest, {"security_id": ""}, "invalid_field", "security_id"),
        (MassCancelRequest, {"side": "both"}, "invalid_field", "side"),
        (MassCancelRequest, {"client_id": "bob"}, "unknown_field", "client_id"),
        (MassCancelFrame, {"type": "mass_cancel", "side": 1}, "invalid_field", "side"),
        (LoginFrame, {"type": "login", "api_key": 7}, "invalid_field", "api_key"),
        (PingFrame, {"type": "ping", "x" * 100: 1}, "unknown_field", "x" * 64),
    ],
)  # fmt: skip
def test_other_requests_name_the_field_too(model: Any, value: Any, code: str, field: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(model, value)
    assert (caught.value.status, caught.value.code, caught.value.field) == (422, code, field)


def test_a_replace_has_something_new() -> None:
    for value in ({}, {"quantity": None}, {"price": None, "quantity": None}):
        with pytest.raises(ApiError) as caught:
            parse_replace(ReplaceRequest, value)
        error = caught.value
        assert (error.status, error.code, error.field) == (422, "missing_field", "quantity")
    assert parse_replace(ReplaceRequest, {"price": "420.5"}).price == 4_205_000


STOP = {"security_id": "MSFT", "side": "sell", "type": "stop", "quantity": 10}
TRAIL = {**STOP, "type": "trailing_stop"}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({**STOP, "stop_price": "419.99"}, {"order_type": "stop", "stop_price_e4": 4_199_900}),
        (
            {**STOP, "type": "stop_limit", "stop_price": 419, "price": Decimal("418.5")},
            {"order_type": "stop_limit", "stop_price_e4": 4_190_000, "price_e4": 4_185_000},
        ),
        ({**TRAIL, "trail_amount": 5}, {"order_type": "trailing_stop", "trail_e4": 50_000}),
        (
            {**TRAIL, "trail_percent": Decimal("2.5"), "time_in_force": "day"},
            {"order_type": "trailing_stop", "trail_ppm": 25_000, "time_in_force": "day"},
        ),
        ({**TRAIL, "trail_percent": "0.0001"}, {"order_type": "trailing_stop", "trail_ppm": 1}),
        (
            {**TRAIL, "trail_percent": "99.9999"},
            {"order_type": "trailing_stop", "trail_ppm": 999_999},
        ),
    ],
)
def test_a_stop_has_its_own_fields(value: Any, fields: dict[str, Any]) -> None:
    common: dict[str, Any] = {
        "order_id": 0,
        "client_id": "alice",
        "security_id": "MSFT",
        "quantity": 10,
    }
    assert command(value) == NewOrder(time_us=0, side="sell", **(common | fields))


def test_every_option_of_an_order_becomes_the_commands() -> None:
    options = {
        "time_in_force": "gtd",
        "expires_at": "2026-01-31T16:30:00.5Z",
        "display_quantity": 3,
        "post_only": True,
        "self_trade_prevention": "decrement",
        "oco_group": "exit",
    }
    made = command({**GOOD_ORDER, **options})
    assert msgspec.structs.asdict(made) == msgspec.structs.asdict(command(GOOD_ORDER)) | {
        "time_in_force": "gtd",
        "expires_us": 1_769_877_000_500_000,
        "display_quantity": 3,
        "post_only": True,
        "self_trade_prevention": "decrement",
        "oco_group": "exit",
    }
    assert command({**GOOD_ORDER, "hidden": True}).hidden
    assert command({**GOOD_ORDER, "time_in_force": "fok"}).time_in_force == "fok"


@pytest.mark.parametrize(
    "text", ["2026-01-31T16:30:00Z", "2026-01-31T16:30:00.000000Z", "2026-01-31T16:30:00+00:00"]
)
def test_a_time_may_leave_out_its_fraction(text: str) -> None:
    order = {**GOOD_ORDER, "time_in_force": "gtd", "expires_at": text}
    assert command(order).expires_us == 1_769_877_000_000_000


def test_a_refused_time_is_told_what_would_be_right() -> None:
    order = {**GOOD_ORDER, "time_in_force": "gtd", "expires_at": "tomorrow"}
    (refused,) = new_orders([order], "alice", 5)
    assert isinstance(refused, ApiError)
    assert "RFC 3339 in UTC" in refused.message
    assert "such as 2026-01-31T16:30:00Z" in refused.message
