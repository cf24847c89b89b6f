"""The client library without a network: exact values, refusals, and the two kinds of streams."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from trading_bots import ExchangeClient, ExchangeError, NewOrder, OutcomeUnknown
from trading_bots.errors import problem_error, refusal
from trading_bots.links import LONGEST_PAUSE_SECONDS, pause_seconds, websocket_url
from trading_bots.models import Balance
from trading_bots.orders import content_of, is_pending, with_id


def parts(error: ExchangeError) -> tuple[object, ...]:
    return error.code, error.message, error.field, error.status, error.retry_after_seconds


def test_amounts_are_exact_and_unknown_fields_are_passed_over() -> None:
    body = b'{"client_id":"a","balance":899999999999.9999,"held":0.1,"available":1,"seq":7,"x":[]}'
    assert msgspec.json.decode(body, type=Balance) == Balance(
        client_id="a",
        balance=Decimal("899999999999.9999"),
        held=Decimal("0.1"),
        available=Decimal(1),
        seq=7,
    )


def test_a_refusal_has_its_code_message_field_and_status() -> None:
    body = b'{"error":{"code":"price_off_tick","message":"use 0.01","field":"price"},"seq":3}'
    assert parts(refusal(body, 422)) == ("price_off_tick", "use 0.01", "price", 422, None)


def test_a_refusal_tells_when_to_try_again() -> None:
    body = b'{"error":{"code":"rate_limited","message":"slower","field":null}}'
    assert parts(refusal(body, 429, "2")) == ("rate_limited", "slower", None, 429, 2.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b'{"error":7}', b"null"])
def test_an_answer_that_is_not_of_the_exchange_is_still_an_exchange_error(body: bytes) -> None:
    error = refusal(body, 502)
    assert (error.code, error.status) == ("refused", 502)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("unknown_order", 404),
        ("client_order_id_reused", 409),
        ("rate_limited", 429),
        ("new", 422),
        ("client_suspended", 403),
        ("market_closed", 409),
        ("trading_halted", 409),
        ("no_continuous_trading", 409),
        ("auction_over", 409),
        ("price_outside_band", 422),
        ("quantity_off_lot", 422),
        ("position_limit", 422),
        ("too_many_open_orders", 422),
        ("insufficient_margin", 422),
    ],
)
def test_a_refusal_over_the_websocket_has_the_status_that_it_has_over_http(
    code: str, status: int
) -> None:
    assert problem_error({"code": code, "message": "", "field": None}).status == status


def test_an_unknown_outcome_is_a_class_of_its_own() -> None:
    error = problem_error({"code": "outcome_unknown", "message": "maybe", "field": None})
    assert isinstance(error, OutcomeUnknown)
    assert error.client_order_id is None


def test_an_unknown_outcome_names_the_order_to_repeat() -> None:
    order = NewOrder(security_id="MSFT", side="buy", quantity=1, client_order_id="mine-1")
    assert OutcomeUnknown("lost", [order]).client_order_id == "mine-1"


def test_a_float_is_refused_as_a_price() -> None:
    with pytest.raises(TypeError, match=r"price=0\.1 is a float: give a Decimal, str or int"):
        NewOrder(security_id="MSFT", side="buy", quantity=1, price=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["stop_price", "trail_amount", "trail_percent"])
def test_a_float_is_refused_as_any_price(name: str) -> None:
    prices: dict[str, Any] = {name: 0.1}
    with pytest.raises(TypeError, match=rf"{name}=0\.1 is a float"):
        NewOrder(security_id="MSFT", side="buy", quantity=1, **prices)


@pytest.mark.parametrize(
    ("prices", "order_type"),
    [
        ({}, "market"),
        ({"price": "1"}, "limit"),
        ({"stop_price": "1"}, "stop"),
        ({"stop_price": "1", "price": "1"}, "stop_limit"),
        ({"trail_amount": "1"}, "trailing_stop"),
        ({"trail_percent": "1"}, "trailing_stop"),
    ],
)
def test_the_prices_of_an_order_make_its_type(prices: dict[str, Any], order_type: str) -> None:
    order = NewOrder(security_id="MSFT", side="buy", quantity=1, **prices)
    assert order.order_type == order_type
    assert content_of(order) == {
        "security_id": "MSFT",
        "side": "buy",
        "quantity": 1,
        "type": order_type,
        **prices,
    }


def test_an_order_keeps_the_id_that_it_has() -> None:
    order = NewOrder(security_id="MSFT", side="buy", quantity=1)
    named = with_id(order, lambda: "made")
    assert named == NewOrder(security_id="MSFT", side="buy", quantity=1, client_order_id="made")
    assert with_id(named, lambda: "other") is named


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:2400", "ws://127.0.0.1:2400/ws"),
        ("https://exchange.test/", "wss://exchange.test/ws"),
    ],
)
def test_the_websocket_is_on_the_same_server(url: str, expected: str) -> None:
    assert websocket_url(url, "/ws") == expected


def test_pauses_grow_to_a_limit() -> None:
    assert 0.025 <= pause_seconds(0) <= 0.05
    assert 0.2 <= pause_seconds(3) <= 0.4
    assert 0 < pause_seconds(10_000) <= LONGEST_PAUSE_SECONDS


async def test_a_client_without_an_account_cannot_trade() -> None:
    async with ExchangeClient() as exchange:
        for use in (exchange.buy("MSFT", 1), exchange.balance(), exchange.open_account()):
            with pytest.raises(ExchangeError, match="no_api_key: this client has no account"):
                await use


def test_a_pending_answer_is_told_from_every_other() -> None:
    assert is_pending(msgspec.Raw(b'{"order_id":1,"status":"pending"}'))
    assert is_pending(msgspec.Raw(b'{"status":"pending"}'))
    assert not is_pending(msgspec.Raw(b'{"order_id":1,"status":"cancelled","seq":7}'))


async def test_a_client_that_could_not_enter_is_closed() -> None:
    exchange = ExchangeClient("alice", "short", gateway_url="http://127.0.0.1:1")
    with pytest.raises(ExchangeError, match="unreachable"):
        await exchange.__aenter__()
    with pytest.raises(RuntimeError, match="the client is closed"):
        exchange.prices()
