"""What the gateway takes as an order, and how it refuses what it does not take."""

from decimal import Decimal
from typing import Any

import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import NewOrder
from order_entry_gateway.parsing import new_order, parse, parse_orders, well_formed_fields
from order_entry_gateway.schemas import (
    BatchFrame,
    BatchRequest,
    CancelFrame,
    ClientRequest,
    LoginFrame,
    OrderRequest,
    PingFrame,
)
from tests.support.bad_orders import GOOD_ORDER, bad_orders


def command(value: Any) -> NewOrder:
    """The command that an order of alice becomes."""
    (request,) = parse_orders([value], "alice")
    assert isinstance(request, OrderRequest), request
    return new_order(request, "alice", 77, 1_000)


def refusal(value: Any) -> tuple[int, str, str | None]:
    """Status, code and field of the refusal of an order of alice."""
    (request,) = parse_orders([value], "alice")
    assert isinstance(request, ApiError), request
    return request.status, request.code, request.field


def test_a_full_order_becomes_a_command_with_exact_integers() -> None:
    assert command(GOOD_ORDER) == NewOrder(
        time_us=1_000,
        order_id=77,
        client_id="alice",
        security_id="MSFT",
        side="buy",
        order_type="limit",
        quantity=10,
        price_e4=4_205_000,
        time_in_force="gtc",
        client_order_id="order 1",
    )


def test_a_market_order_needs_neither_a_price_nor_any_option() -> None:
    order = {"security_id": "BRK.B", "side": "sell", "type": "market", "quantity": 10_000_000}
    assert command(order) == NewOrder(
        time_us=1_000,
        order_id=77,
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
    answers = parse_orders(values, "alice")
    assert [getattr(answer, "client_order_id", "refused") for answer in answers] == [
        "order 1",
        "refused",
        "order 2",
        "refused",
    ]


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
        (LoginFrame, {"type": "login", "api_key": 7}, "invalid_field", "api_key"),
        (PingFrame, {"type": "ping", "x" * 100: 1}, "unknown_field", "x" * 64),
    ],
)  # fmt: skip
def test_other_requests_name_the_field_too(model: Any, value: Any, code: str, field: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(model, value)
    assert (caught.value.status, caught.value.code, caught.value.field) == (422, code, field)
