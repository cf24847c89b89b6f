"""What `exchange verify` says of events that break one rule each."""

from typing import Any

import msgspec
import pytest

from exchange_cli.verify.checks import check_trading
from exchange_shared.messages import (
    AccountOpened,
    AnyEvent,
    ClientSuspended,
    MarketConfigured,
    MarketStateChanged,
    OrderAccepted,
    PriceChanged,
    SecurityListed,
    Side,
    TradeExecuted,
)

Events = list[AnyEvent]
REFERENCE_E4 = 1_000_000


def configured() -> MarketConfigured:
    return MarketConfigured(
        seq=1,
        time_us=1,
        request_id=1,
        initial_balance_e4=10**8,
        maker_fee_ppm=-20,
        taker_fee_ppm=100,
    )


def listed() -> SecurityListed:
    return SecurityListed(
        seq=2,
        time_us=1,
        request_id=2,
        security_id="MSFT",
        tick_e4=100,
        reference_price_e4=REFERENCE_E4,
        granted_quantity=100,
        lot_quantity=10,
        max_order_quantity=100,
        static_band_ppm=100_000,
        dynamic_band_ppm=50_000,
    )


def opened(number: int, client_id: str) -> AccountOpened:
    return AccountOpened(
        seq=2 + number,
        time_us=1,
        execution_seq=number,
        request_id=2 + number,
        client_id=client_id,
        api_key_hash=client_id,
        cash_e4=10**8,
        holdings={"MSFT": 100},
    )


def accepted(
    order_id: int, client_id: str, side: Side, quantity: int, **more: Any
) -> OrderAccepted:
    fields: dict[str, Any] = {
        "order_type": "limit",
        "price_e4": REFERENCE_E4,
        "time_in_force": "gtc",
        "client_order_id": None,
        "unit_hold_e4": 0,
        **more,
    }
    return OrderAccepted(
        seq=10 * order_id,
        time_us=1,
        order_id=order_id,
        client_id=client_id,
        security_id="MSFT",
        side=side,
        quantity=quantity,
        **fields,
    )


def state(
    name: Any, auction: Any = None, reference_price_e4: int = REFERENCE_E4
) -> MarketStateChanged:
    return MarketStateChanged(
        seq=50,
        time_us=1,
        security_id="MSFT",
        state=name,
        auction=auction,
        until_us=None,
        reason="operator",
        reference_price_e4=reference_price_e4,
    )


def price(bid_e4: int | None, ask_e4: int | None, last_e4: int | None = None) -> PriceChanged:
    return PriceChanged(
        seq=51,
        time_us=1,
        security_id="MSFT",
        bid_e4=bid_e4,
        bid_quantity=10 if bid_e4 else 0,
        ask_e4=ask_e4,
        ask_quantity=10 if ask_e4 else 0,
        last_e4=last_e4,
    )


TRADE = TradeExecuted(
    seq=21,
    time_us=1,
    execution_seq=3,
    trade_id=1,
    security_id="MSFT",
    price_e4=1_000_000,
    quantity=10,
    aggressor_side="buy",
    buy_order_id=2,
    sell_order_id=1,
    buyer_id="bob",
    seller_id="alice",
    buyer_fee_e4=1_000,
    seller_fee_e4=-200,
    buy_remaining_quantity=20,
    sell_remaining_quantity=0,
    buy_filled_quantity=10,
    sell_filled_quantity=10,
)
AUCTIONED = msgspec.structs.replace(
    TRADE,
    seq=31,
    execution_seq=4,
    trade_id=2,
    price_e4=1_010_000,
    aggressor_side=None,
    sell_order_id=3,
    buyer_fee_e4=1_010,
    seller_fee_e4=1_010,
    buy_remaining_quantity=10,
    buy_filled_quantity=20,
)


def good_day() -> Events:
    """Continuous trading, a halt, an auction, and continuous trading again; nothing is wrong."""
    return [
        configured(),
        listed(),
        opened(1, "alice"),
        opened(2, "bob"),
        accepted(1, "alice", "sell", 10),
        price(None, 1_000_000),
        accepted(2, "bob", "buy", 30, price_e4=1_010_000),
        TRADE,
        price(1_010_000, None, 1_000_000),
        state("halted"),
        price(None, None, 1_000_000),
        state("auction", "reopening"),
        accepted(3, "alice", "sell", 10, order_type="market", price_e4=None),
        accepted(4, "alice", "sell", 10, order_type="market", price_e4=None, time_in_force="cls"),
        AUCTIONED,
        state("continuous", reference_price_e4=1_010_000),
        price(1_010_000, None, 1_010_000),
    ]


def problems_of(events: Events) -> list[str]:
    return [problem for finding in check_trading(events) for problem in finding.problems]


def changed(kind: type, occurrence: int, **changes: Any) -> Events:
    """The good day, with other values in one event."""
    events = good_day()
    places = [index for index, event in enumerate(events) if isinstance(event, kind)]
    index = places[occurrence]
    events[index] = msgspec.structs.replace(events[index], **changes)
    return events


def ending(*events: AnyEvent) -> Events:
    """The good day, and what comes after it."""
    return [*good_day(), *events]


def without(kind: type) -> Events:
    """The good day without the events of a kind."""
    return [event for event in good_day() if not isinstance(event, kind)]


def test_nothing_is_wrong_with_a_good_day() -> None:
    findings = check_trading(good_day())
    assert [(finding.looked_at, finding.problems) for finding in findings] == [
        ("4 orders, 2 trades", []),
        ("1 securities", []),
    ]


WRONG: list[tuple[str, Events]] = [
    (
        "has the aggressor None in the state continuous",
        changed(TradeExecuted, 0, aggressor_side=None),
    ),
    (
        "trade 2 has the aggressor sell in the state auction",
        changed(TradeExecuted, 1, aggressor_side="sell"),
    ),
    ("trade 1 has not the fees (1000, -200)", changed(TradeExecuted, 0, buyer_fee_e4=999)),
    ("trade 1 has not the fees (1000, -200)", changed(TradeExecuted, 0, seller_fee_e4=0)),
    ("trade 2 has not the fees (1010, 1010)", changed(TradeExecuted, 1, seller_fee_e4=-202)),
    ("trade 1 has not the fees (1000, 200)", changed(MarketConfigured, 0, maker_fee_ppm=20)),
    ("trade 1 is off the tick or the lot", changed(TradeExecuted, 0, price_e4=1_000_001)),
    ("trade 1 is off the tick or the lot", changed(TradeExecuted, 0, quantity=9)),
    (
        "trade 1 at 1050100 is outside the dynamic band of 1000000",
        changed(TradeExecuted, 0, price_e4=1_050_100),
    ),
    ("trade 1 is beyond the limit of order 2", changed(TradeExecuted, 0, price_e4=1_010_100)),
    ("trade 2 is beyond the limit of order 2", changed(TradeExecuted, 1, price_e4=1_010_100)),
    (
        "order 2 has (10, 20) filled and open, not (11, 20)",
        changed(TradeExecuted, 0, buy_filled_quantity=11),
    ),
    (
        "order 1 has (10, 0) filled and open, not (9, 0)",
        changed(TradeExecuted, 0, sell_filled_quantity=9),
    ),
    (
        "order 2 has (20, 10) filled and open, not (20, 9)",
        changed(TradeExecuted, 1, buy_remaining_quantity=9),
    ),
    (
        "trade 1 leaves alice with -10 MSFT, which none may owe",
        changed(AccountOpened, 0, holdings={}),
    ),
    ("trade 1 leaves bob owing cash", changed(AccountOpened, 1, cash_e4=9_999_000)),
    ("order 1 (gtc) was accepted in the state halted", changed(SecurityListed, 0, state="halted")),
    ("order 1 (gtc) was accepted in the state closed", changed(SecurityListed, 0, state="closed")),
    (
        "order 1 (opg) was accepted in the state continuous",
        changed(OrderAccepted, 0, time_in_force="opg"),
    ),
    (
        "order 3 (opg) was accepted in the state auction",
        changed(OrderAccepted, 2, time_in_force="opg"),
    ),
    (
        "order 3 (ioc) was accepted in the state auction",
        changed(OrderAccepted, 2, time_in_force="ioc"),
    ),
    ("order 1 is not in lots of 10", changed(OrderAccepted, 0, quantity=11)),
    ("order 1 is not in lots of 10", changed(OrderAccepted, 0, display_quantity=5)),
    ("order 2 has more than 20 shares", changed(SecurityListed, 0, max_order_quantity=20)),
    ("order 1 has a price off the tick 100", changed(OrderAccepted, 0, price_e4=999_999)),
    ("order 1 has a price off the tick 100", changed(OrderAccepted, 0, stop_price_e4=1)),
    (
        "order 2 is outside the static band of 1000000",
        changed(SecurityListed, 0, static_band_ppm=9_999),
    ),
    (
        "order 5 is of bob, who is suspended",
        ending(
            ClientSuspended(
                seq=52, time_us=1, request_id=9, client_id="bob", suspended=True, count=0
            ),
            accepted(5, "bob", "buy", 10),
        ),
    ),
    (
        "order 2 is still open",
        ending(
            ClientSuspended(
                seq=52, time_us=1, request_id=9, client_id="bob", suspended=True, count=0
            ),
        ),
    ),
    ("order 4 is still open", ending(state("closed"))),
    ("order 3 is still open", without(TradeExecuted)),
    ("MSFT is bid 1010000, asked 1000000", without(TradeExecuted)),
    ("price 51 has a bid or ask in the state halted", changed(PriceChanged, 2, ask_e4=1_000_000)),
    (
        "price 51 has the bid 1010000 and the ask 1010000",
        changed(PriceChanged, 1, ask_e4=1_010_000),
    ),
]


@pytest.mark.parametrize(("said", "events"), WRONG)
def test_what_breaks_a_rule_is_told(said: str, events: Events) -> None:
    assert any(said in problem for problem in problems_of(events)), problems_of(events)


def test_a_short_sale_is_in_order_where_it_is_allowed() -> None:
    short = changed(AccountOpened, 0, holdings={})
    short[1] = msgspec.structs.replace(listed(), short_margin_ppm=0)
    assert problems_of(short) == []


def test_the_dynamic_band_is_around_the_mark_before_the_command_or_after_an_uncross() -> None:
    def taken(trade_id: int, price_e4: int, aggressor_side: Side | None = "buy") -> TradeExecuted:
        return msgspec.structs.replace(
            TRADE,
            trade_id=trade_id,
            price_e4=price_e4,
            aggressor_side=aggressor_side,
            buyer_fee_e4=0,
            seller_fee_e4=0,
        )

    events: Events = [
        msgspec.structs.replace(configured(), maker_fee_ppm=0, taker_fee_ppm=0),
        msgspec.structs.replace(listed(), static_band_ppm=None),
        opened(1, "alice"),
        opened(2, "bob"),
        accepted(1, "alice", "sell", 100, price_e4=2_000_000),
        accepted(2, "bob", "buy", 100),
        taken(1, 1_050_000),
        taken(2, 1_000_000),
        taken(3, 950_000),
        accepted(3, "bob", "buy", 10, price_e4=900_000),
        taken(4, 902_500),
        state("auction", "reopening"),
        taken(5, 1_080_000, None),
        state("continuous"),
        taken(6, 1_134_000),
        taken(7, 1_026_000),
        taken(8, 1_134_100),
        accepted(4, "bob", "buy", 10, price_e4=900_000),
        taken(9, 1_190_900),
    ]
    rules = check_trading(events)[1]
    assert rules.problems == [
        "trade 8 at 1134100 is outside the dynamic band of 1080000",
        "trade 9 at 1190900 is outside the dynamic band of 1134100",
    ]


def test_waiting_orders_and_those_of_an_auction_may_overlap() -> None:
    waiting = ending(
        accepted(5, "bob", "sell", 10, price_e4=990_000, time_in_force="cls"),
        accepted(
            6, "bob", "sell", 10, price_e4=990_000, stop_price_e4=990_000, order_type="stop_limit"
        ),
    )
    assert problems_of(waiting) == []
    gathering = ending(state("auction", "closing"), accepted(7, "alice", "sell", 10))
    assert problems_of(gathering) == []
