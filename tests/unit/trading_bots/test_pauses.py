"""What a bot does about refusals: it leaves a security alone for a while, and comes back."""

from decimal import Decimal

import pytest
import structlog
from structlog.testing import capture_logs

from trading_bots.errors import ExchangeError, problem_error
from trading_bots.models import Order
from trading_bots.pauses import Pauses
from trading_bots.strategies import PlaceOrder

MSFT = PlaceOrder("MSFT", "buy", 1, 100_0000)
JPM = PlaceOrder("JPM", "sell", 1, 100_0000)
TAKEN = Order(
    order_id=1,
    client_order_id=None,
    security_id="MSFT",
    side="buy",
    type="limit",
    quantity=1,
    price=Decimal(100),
    status="cancelled",
    filled_quantity=0,
    remaining_quantity=0,
    average_price=None,
    fills=[],
    seq=1,
    reason="circuit_breaker",
)


def refused(code: str = "trading_halted") -> ExchangeError:
    return problem_error({"code": code, "message": "because", "field": None})


def new_pauses() -> Pauses:
    """Pauses of one second for each refusal in a row."""
    return Pauses(structlog.get_logger(), float)


@pytest.mark.parametrize(
    "code",
    [
        "trading_halted",
        "market_closed",
        "no_continuous_trading",
        "auction_over",
        "price_outside_band",
        "quantity_off_lot",
        "position_limit",
        "too_many_open_orders",
        "display_too_small",
        "client_suspended",
        "insufficient_margin",
    ],
)
def test_a_refused_security_paused_longer_each_time_and_others_do_not(code: str) -> None:
    pauses = new_pauses()
    for refusals, now in [(1, 0.0), (2, 10.0), (3, 20.0)]:
        assert pauses.allowed([MSFT, JPM], now) == [MSFT, JPM]
        pauses.learn([MSFT], [refused(code)], now)
        assert pauses.allowed([MSFT, JPM], now + refusals - 0.1) == [JPM]
        assert pauses.allowed([MSFT, JPM], now + refusals) == [MSFT, JPM]


def test_an_order_that_is_taken_ends_the_pause() -> None:
    pauses = new_pauses()
    pauses.learn([MSFT, JPM], [refused(), refused()], 0.0)
    pauses.learn([MSFT, MSFT, JPM], [refused(), TAKEN, refused()], 1.0)
    assert pauses.allowed([MSFT, JPM], 1.0) == [MSFT]
    pauses.learn([MSFT], [refused()], 2.0)
    assert pauses.allowed([MSFT, JPM], 3.0) == [MSFT, JPM]


def test_a_batch_counts_as_one_refusal_and_a_busy_exchange_as_none() -> None:
    pauses = new_pauses()
    pauses.learn([MSFT, MSFT], [refused(), refused()], 0.0)
    pauses.learn([JPM], [refused("overloaded")], 0.0)
    assert pauses.allowed([MSFT, JPM], 0.9) == [JPM]
    assert pauses.allowed([MSFT, JPM], 1.0) == [MSFT, JPM]


def test_the_reason_of_a_long_pause_is_logged_once() -> None:
    pauses = new_pauses()
    with capture_logs() as logs:
        for number in range(10):
            pauses.learn([MSFT], [refused()], float(number))
    assert logs == [
        {
            "event": "security_paused",
            "log_level": "info",
            "security_id": "MSFT",
            "reason": "trading_halted: because",
        }
    ]
