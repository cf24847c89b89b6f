"""A bot's own books, and its settings: kept from reports, put right by the exchange's answers."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr, ValidationError

from trading_bots import BotSettings, Report
from trading_bots.books import Books
from trading_bots.models import Balance, Holding, OrderState, Price, Security
from trading_bots.strategies import Account, OpenOrder, Quote

TIME = "2026-01-31T09:30:00.000001Z"


def books() -> Books:
    made = Books([security()])
    made.reset(balance("1000"), {"MSFT": holding(10)}, [])
    return made


def prices() -> dict[str, Any]:
    return {
        "security_id": "MSFT",
        "bid": Decimal("99.5"),
        "ask": None,
        "bid_quantity": 3,
        "ask_quantity": 0,
        "last": Decimal("99.75"),
        "volume": 0,
        "timestamp": TIME,
        "seq": 1,
        "state": "continuous",
    }


def security() -> Security:
    tick, reference = Decimal("0.01"), Decimal(100)
    return Security(**prices(), tick=tick, reference_price=reference, granted_quantity=100, lot=5)


def balance(available: str, seq: int = 10) -> Balance:
    amount = Decimal(available)
    return Balance(client_id="me", balance=amount, held=Decimal(0), available=amount, seq=seq)


def holding(available: int) -> Holding:
    return Holding(
        security_id="MSFT",
        quantity=available,
        held=0,
        available=available,
        average_cost=None,
        seq=1,
    )


def report(event: str, seq: int, quantity: int, **fields: Any) -> Report:
    return Report(
        event=event,
        seq=seq,
        time=TIME,
        order_id=1,
        client_order_id=None,
        security_id="MSFT",
        quantity=quantity,
        remaining_quantity=0,
        **fields,
    )


def open_order(order_id: int) -> OrderState:
    return OrderState(
        order_id=order_id,
        client_order_id=None,
        security_id="MSFT",
        side="buy",
        type="limit",
        time_in_force="gtc",
        quantity=5,
        price=Decimal(90),
        status="partially_filled",
        filled_quantity=3,
        remaining_quantity=2,
        average_price=Decimal(90),
        reason=None,
        message=None,
        created=TIME,
        timestamp=TIME,
        seq=9,
    )


def test_a_buy_holds_cash_until_it_trades_or_is_cancelled() -> None:
    mine = books()
    account = mine.view.account
    mine.report(report("accepted", 11, 5, side="buy", price=Decimal(100)))
    assert account == Account(
        1000_0000 - 501_0000, {"MSFT": 10}, {1: OpenOrder(1, "MSFT", "buy", 5, 100_0000)}
    )
    mine.report(report("trade", 12, 2, side="buy", price=Decimal(99), fee=Decimal("0.02")))
    mine.report(report("cancelled", 13, 3))
    assert account == Account(1000_0000 - 198_0200, {"MSFT": 12}, {})


def test_a_sell_holds_shares_until_it_trades() -> None:
    mine = books()
    account = mine.view.account
    mine.report(report("accepted", 11, 4, side="sell", price=Decimal(100)))
    assert account.shares == {"MSFT": 6}
    assert account.owned("MSFT") == 10
    mine.report(report("trade", 12, 4, side="sell", price=Decimal(101), fee=Decimal("0.04")))
    assert account == Account(1000_0000 + 404_0000 - 400, {"MSFT": 6}, {})


def test_an_order_that_was_reduced_or_replaced_holds_what_it_now_needs() -> None:
    mine = books()
    account = mine.view.account
    mine.report(report("accepted", 11, 5, side="buy", price=Decimal(100)))
    mine.report(report("reduced", 12, 2))
    assert (account.cash_e4, account.open_orders[1].remaining_quantity) == (1000_0000 - 300_6000, 3)
    replaced = report("replaced", 13, 6, price=Decimal(90))
    mine.report(msgspec.structs.replace(replaced, remaining_quantity=4))
    assert account == Account(
        1000_0000 - 360_7200, {"MSFT": 10}, {1: OpenOrder(1, "MSFT", "buy", 4, 90_0000)}
    )
    mine.report(report("cancelled", 14, 4))
    assert account == Account(1000_0000, {"MSFT": 10}, {})


def test_reports_without_an_order_or_a_quantity_change_nothing() -> None:
    mine = books()
    mine.report(Report(event="mass_cancelled", seq=11, time=TIME, count=0))
    mine.report(Report(event="triggered", seq=12, time=TIME, order_id=1, security_id="MSFT"))
    assert mine.view.account == Account(1000_0000, {"MSFT": 10}, {})


def test_what_the_last_comparison_knew_is_not_counted_again() -> None:
    mine = books()
    mine.report(report("accepted", 10, 5, side="buy", price=Decimal(100)))
    assert mine.view.account == Account(1000_0000, {"MSFT": 10}, {})


def test_reports_of_unknown_orders_and_refusals_change_nothing() -> None:
    mine = books()
    mine.report(report("trade", 11, 5, side="buy", price=Decimal(100), fee=Decimal(0)))
    mine.report(report("cancelled", 12, 5))
    mine.report(report("rejected", 13, 5, side="buy", price=Decimal(100), reason="no"))
    mine.gone(7)
    assert mine.view.account == Account(1000_0000, {"MSFT": 10}, {})


def test_a_comparison_takes_over_the_open_orders_oldest_first() -> None:
    mine = books()
    mine.reset(balance("500.5"), {}, [open_order(8), open_order(3)])
    expected = [OpenOrder(number, "MSFT", "buy", 2, 90_0000) for number in (3, 8)]
    assert mine.view.account.cash_e4 == 500_5000
    assert list(mine.view.account.open_orders.values()) == expected


def test_prices_move_the_quotes_of_what_is_traded_here() -> None:
    mine = books()
    mine.price(Price(**prices()))
    mine.price(Price(**{**prices(), "security_id": "AAPL"}))
    assert mine.view.quotes == {
        "MSFT": Quote("MSFT", 100, 100_0000, bid_e4=99_5000, ask_e4=None, last_e4=99_7500, lot=5)
    }


def test_a_bot_is_named_after_its_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_BOT_STRATEGY", "retail")
    monkeypatch.setenv("EXCHANGE_BOT_SECRET", "of the test")
    monkeypatch.setenv("EXCHANGE_BOT_SECURITIES", '["MSFT", "JPM"]')
    settings = BotSettings()
    assert (settings.account_id, settings.securities) == ("retail", ["MSFT", "JPM"])


def test_a_derived_key_is_the_same_at_every_start_and_different_for_every_bot_and_secret() -> None:
    def key(client_id: str, secret: str) -> str:
        return BotSettings(
            strategy="retail", client_id=client_id, secret=SecretStr(secret)
        ).account_key

    keys = {key(client_id, secret) for client_id in ("a", "b") for secret in ("x", "y")}
    assert len(keys) == 4
    assert key("a", "x") in keys


KEY = {"secret": "of the test"}


def test_a_given_key_is_used() -> None:
    settings = BotSettings(strategy="retail", api_key=SecretStr("my-very-own-key-1"))
    assert settings.account_key == "my-very-own-key-1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "luck", **KEY},
        KEY,
        {"strategy": "retail", "client_id": "with space", **KEY},
        {"strategy": "retail", "api_key": "short"},
        {"strategy": "retail", "interval_seconds": 0, **KEY},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BotSettings(**wrong)
