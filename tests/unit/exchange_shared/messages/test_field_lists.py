"""What messages have in common: their bytes are those that they would have with it written out."""

from typing import Any

import msgspec
import pytest

from exchange_shared.messages import (
    AnyCommand,
    AnyFeedRecord,
    ListSecurity,
    SecurityListed,
    SecurityTerms,
)

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
LISTING: dict[str, Any] = {"request_id": 2, "security_id": "A"}

COMMANDS = [
    (
        ListSecurity(time_us=1, **LISTING, **TERMS),
        {"type": "list_security"} | LISTING | TERMS | {"time_us": 1},
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
        assert msgspec.structs.asdict(terms) == TERMS


def test_shared_fields_are_checked_in_commands() -> None:
    wire = {"type": "list_security", "time_us": 1} | LISTING | TERMS | {"tick_e4": 0}
    with pytest.raises(msgspec.ValidationError, match=r"`int` >= 1 - at `\$.tick_e4`"):
        msgspec.convert(wire, ListSecurity)
