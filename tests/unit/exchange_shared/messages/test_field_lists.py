"""What messages have in common: their bytes are those that they would have with it written out."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict

from exchange_shared.messages import (
    NO_OPTIONS,
    AnyCommand,
    AnyFeedRecord,
    ClientLimits,
    ClientLimitsSet,
    ConfigureMarket,
    Event,
    ListSecurity,
    MarketConfigured,
    NewOrder,
    OrderAccepted,
    OrderOptions,
    SecurityListed,
    SecurityTerms,
    SetClientLimits,
    options_of,
)
from exchange_shared.messages.commands import is_plain
from exchange_shared.messages.terms import FieldList

TERMS: dict[str, Any] = {
    "tick_e4": 3,
    "reference_price_e4": 6,
    "granted_quantity": 4,
    "lot_quantity": 2,
    "max_order_quantity": 8,
    "max_order_value_e4": None,
    "static_band_ppm": 10,
    "dynamic_band_ppm": None,
    "halt_us": 0,
    "auction_us": 11,
    "short_margin_ppm": None,
}
OPTIONS: dict[str, Any] = {
    "stop_price_e4": 12,
    "trail_e4": 13,
    "trail_ppm": 14,
    "expires_us": 15,
    "post_only": True,
    "display_quantity": 3,
    "hidden": True,
    "self_trade_prevention": "decrement",
    "oco_group": "g",
}
ORDER: dict[str, Any] = {
    "order_id": 5,
    "client_id": "a",
    "security_id": "A",
    "side": "buy",
    "order_type": "stop_limit",
    "quantity": 6,
    "price_e4": 7,
    "time_in_force": "gtd",
    "client_order_id": "n",
}
SOME = {name: OPTIONS[name] for name in ("stop_price_e4", "expires_us", "oco_group")}
LIMITS: dict[str, Any] = {
    "max_open_orders": None,
    "max_position": 16,
    "max_order_value_e4": 17,
    "min_display_ppm": 0,
    "orders_per_second": 0,
    "order_burst": None,
}
MARKET: dict[str, Any] = {
    "request_id": 2,
    "initial_balance_e4": 18,
    "maker_fee_ppm": 19,
    "taker_fee_ppm": 20,
}
STEP: dict[str, Any] = {"max_time_step_us": 21}
LIMITED: dict[str, Any] = {"request_id": 2, "client_id": "a"}
LISTING: dict[str, Any] = {"request_id": 2, "security_id": "A"}

COMMANDS = [
    (
        ListSecurity(time_us=1, **LISTING, **TERMS),
        {"type": "list_security"} | LISTING | TERMS | {"time_us": 1},
    ),
    (
        NewOrder(time_us=1, **ORDER, **SOME),
        {"type": "new_order"} | ORDER | SOME | {"time_us": 1},
    ),
    (
        ConfigureMarket(time_us=1, **MARKET, **LIMITS, max_time_step_us=21),
        {"type": "configure_market"} | MARKET | LIMITS | STEP | {"time_us": 1},
    ),
    (
        SetClientLimits(time_us=1, **LIMITED, **LIMITS),
        {"type": "set_client_limits"} | LIMITED | LIMITS | {"time_us": 1},
    ),
]
EVENTS = [
    (
        SecurityListed(seq=5, time_us=1, **LISTING, **TERMS, state="auction", auction="opening"),
        {"type": "security_listed", "seq": 5, "time_us": 1}
        | LISTING
        | TERMS
        | {"state": "auction", "auction": "opening"},
    ),
    (
        OrderAccepted(seq=5, time_us=1, unit_hold_e4=8, **ORDER, **OPTIONS),
        {"type": "order_accepted", "seq": 5, "time_us": 1} | ORDER | {"unit_hold_e4": 8} | OPTIONS,
    ),
    (
        MarketConfigured(seq=5, time_us=1, **MARKET, **LIMITS, max_time_step_us=21),
        {"type": "market_configured", "seq": 5, "time_us": 1} | MARKET | LIMITS | STEP,
    ),
    (
        ClientLimitsSet(seq=5, time_us=1, **LIMITED, **LIMITS),
        {"type": "client_limits_set", "seq": 5, "time_us": 1} | LIMITED | LIMITS,
    ),
]


@pytest.mark.parametrize(("message", "wire"), [*COMMANDS, *EVENTS])
def test_shared_fields_stand_flat_after_those_of_the_base(
    message: msgspec.Struct, wire: dict[str, Any]
) -> None:
    told = msgspec.json.encode(wire)
    assert msgspec.json.encode(message) == told
    assert msgspec.json.decode(told, type=AnyCommand | AnyFeedRecord) == message


def test_a_list_of_fields_is_made_of_any_message_that_has_them() -> None:
    for message in (COMMANDS[0][0], EVENTS[0][0]):
        terms = msgspec.convert(message, SecurityTerms, from_attributes=True)
        assert asdict(terms) == TERMS


@pytest.mark.parametrize("name", OrderOptions.__struct_fields__)
def test_every_option_is_found_in_an_order(name: str) -> None:
    value = OPTIONS[name]
    order: Any = SimpleNamespace(**asdict(NO_OPTIONS), time_in_force="gtc")
    assert is_plain(order)
    assert options_of(order) is NO_OPTIONS
    setattr(order, name, value)
    assert not is_plain(order)
    assert options_of(order) == OrderOptions(**{name: value})


def test_shared_fields_are_checked_in_commands() -> None:
    wire = {"type": "list_security", "time_us": 1} | LISTING | TERMS | {"tick_e4": 0}
    with pytest.raises(msgspec.ValidationError, match=r"`int` >= 1 - at `\$.tick_e4`"):
        msgspec.convert(wire, ListSecurity)


def test_a_message_has_one_list_of_fields_before_its_base() -> None:
    for bases in ((Event, SecurityTerms), (SecurityTerms, ClientLimits, Event)):
        with pytest.raises(TypeError, match="Listing is to inherit from one list of fields, and"):
            FieldList("Listing", bases, {})
