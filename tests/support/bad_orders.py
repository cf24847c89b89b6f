"""Orders that are wrong in one way each, with the answer that names it."""

import json
from decimal import Decimal
from typing import Any

GOOD_ORDER: dict[str, Any] = {
    "security_id": "MSFT",
    "side": "buy",
    "type": "limit",
    "quantity": 10,
    "price": Decimal("420.50"),
    "time_in_force": "gtc",
    "client_order_id": "order 1",
    "client_id": "alice",
}
"""A plain order, to which the cases add what is wrong."""

OPTIONS = {
    "stop_price", "trail_amount", "trail_percent", "expires_at", "post_only", "display_quantity",
    "hidden", "self_trade_prevention", "oco_group",
}  # fmt: skip
"""The fields that a plain order does not have."""

_NO_TEXT: list[Any] = [None, 7, True, Decimal("1.5"), [], {}, ""]
_NO_NUMBER: list[Any] = [True, False, [], {}, "", Decimal("NaN"), Decimal("Infinity")]
_BAD_PRICES: list[Any] = [
    *_NO_NUMBER, 0, -1, 1_000_001, 10**30, Decimal(0), Decimal("-0.01"), Decimal("0.00001"),
    Decimal("100.00000000000000001"), Decimal("420.123456"), Decimal("1000000.0001"),
    Decimal("1E+400"), Decimal("1E-400"), Decimal("-Infinity"), Decimal("sNaN"), "0", "-1",
    "NaN", "Infinity", "1e2", "1_000", " 1", "1 ", "0x10", "1,5", "1.", ".5", "+1", "٣",
    "420.00001", "1000000.0001", "9" * 5_000,
]  # fmt: skip
_BAD_QUANTITIES: list[Any] = [
    *_NO_NUMBER, "10", 0, -1, 10_000_001, 2**63, 10**30, Decimal("10.0"),
    Decimal("10.5"), Decimal("1E+1"), Decimal("1E+400"),
]  # fmt: skip
_BAD_NAMES: list[Any] = [
    7, True, [], {}, "", "x" * 65, "tab\t", "é", "new\nline", "\x7f", "🙂",
]  # fmt: skip
_BAD_FLAGS: list[Any] = [None, 0, 1, "true", "", [], {}, Decimal("1.0")]
_BAD_VALUES: dict[str, list[Any]] = {
    "security_id": [*_NO_TEXT, "msft", "MSFT ", "MSFT\n", "A" * 13, "MS/FT", "ÄPFEL", "\x00"],
    "side": [*_NO_TEXT, "BUY", "short", "buy "],
    "type": [*_NO_TEXT, "stop-limit", "LIMIT", "iceberg"],
    "quantity": [*_BAD_QUANTITIES, None],
    "price": _BAD_PRICES,
    "time_in_force": [*_NO_TEXT, "moo", "OPG", "GTC"],
    "stop_price": _BAD_PRICES,
    "trail_amount": _BAD_PRICES,
    "trail_percent": [
        *_NO_NUMBER, 0, 100, 101, -1, Decimal("0.00001"), Decimal("2.12345"), Decimal("100.0"),
        Decimal("99.99999"), "0", "100", "2%", "-2", "1e1", "99.99999",
    ],
    "expires_at": [
        7, True, [], {}, "", 1_769_877_000, Decimal("1769877000.5"), "2026-01-31", "16:30:00Z",
        "2026-01-31T16:30:00", "2026-01-31 16:30:00Z", "2026-01-31T16:30:00+01:00",
        "2026-01-31T16:30:00.0000001Z", "2026-01-31T16:30:00.Z", "2026-01-31T16:30Z",
        "2026-02-30T16:30:00Z", "2026-01-31T24:00:00Z", "2026-01-31T16:30:60Z", "now",
        "1969-12-31T23:59:59Z", "2255-06-06T00:00:00Z", "٢026-01-31T16:30:00Z",
        "2026-01-31T16:30:00Z\n", "0000-01-01T00:00:00Z", "2" * 5_000,
    ],
    "post_only": _BAD_FLAGS,
    "hidden": _BAD_FLAGS,
    "display_quantity": _BAD_QUANTITIES,
    "self_trade_prevention": [*_NO_TEXT, "none", "CANCEL_OLDEST", "cancel"],
    "oco_group": _BAD_NAMES,
    "client_order_id": _BAD_NAMES,
    "client_id": [7, True, [], {}, "", "x" * 33, "a b", "ä", "alice\n"],
}  # fmt: skip


_GTD: dict[str, Any] = {"time_in_force": "gtd", "expires_at": "2100-01-01T00:00:00Z"}
_MARKET: dict[str, Any] = {"type": "market", "price": None}
_STOP: dict[str, Any] = {"type": "stop", "price": None, "stop_price": 430}
_TRAIL: dict[str, Any] = {"type": "trailing_stop", "price": None, "trail_percent": 2}
_CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"stop_price": 430}, "invalid_field", "stop_price"),
    ({"trail_amount": 1}, "invalid_field", "trail_amount"),
    ({"trail_percent": 1}, "invalid_field", "trail_percent"),
    ({"expires_at": "2100-01-01T00:00:00Z"}, "invalid_field", "expires_at"),
    ({"time_in_force": "gtd"}, "missing_field", "expires_at"),
    ({**_GTD, "time_in_force": "day"}, "invalid_field", "expires_at"),
    ({**_MARKET, "time_in_force": "day"}, "invalid_field", "time_in_force"),
    ({**_MARKET, **_GTD}, "invalid_field", "time_in_force"),
    ({**_MARKET, "post_only": True}, "invalid_field", "post_only"),
    ({**_MARKET, "hidden": True}, "invalid_field", "hidden"),
    ({**_MARKET, "display_quantity": 1}, "invalid_field", "display_quantity"),
    ({"time_in_force": "ioc", "post_only": True}, "invalid_field", "post_only"),
    ({"time_in_force": "fok", "hidden": True}, "invalid_field", "hidden"),
    ({"time_in_force": "ioc", "display_quantity": 1}, "invalid_field", "display_quantity"),
    ({"display_quantity": 11}, "invalid_field", "display_quantity"),
    ({"display_quantity": 1, "hidden": True}, "invalid_field", "display_quantity"),
    ({**_STOP, "price": 430}, "invalid_field", "price"),
    ({**_STOP, "stop_price": None}, "missing_field", "stop_price"),
    ({**_STOP, "trail_amount": 1}, "invalid_field", "trail_amount"),
    ({**_STOP, "time_in_force": "ioc"}, "invalid_field", "time_in_force"),
    ({**_STOP, "time_in_force": "fok"}, "invalid_field", "time_in_force"),
    ({**_STOP, "post_only": True}, "invalid_field", "post_only"),
    ({**_STOP, "hidden": True}, "invalid_field", "hidden"),
    ({**_STOP, "type": "stop_limit"}, "missing_field", "price"),
    ({"type": "stop_limit"}, "missing_field", "stop_price"),
    ({"type": "stop_limit", "stop_price": 1, "post_only": True}, "invalid_field", "post_only"),
    ({**_TRAIL, "price": 430}, "invalid_field", "price"),
    ({**_TRAIL, "stop_price": 430}, "invalid_field", "stop_price"),
    ({**_TRAIL, "trail_amount": 1}, "invalid_field", "trail_amount"),
    ({**_TRAIL, "trail_percent": None}, "missing_field", "trail_amount"),
    ({**_TRAIL, "time_in_force": "ioc"}, "invalid_field", "time_in_force"),
    ({**_STOP, "time_in_force": "opg"}, "invalid_field", "time_in_force"),
    ({"time_in_force": "cls", "display_quantity": 1}, "invalid_field", "display_quantity"),
    ({"time_in_force": "opg", "hidden": True}, "invalid_field", "hidden"),
    ({"time_in_force": "cls", "post_only": True}, "invalid_field", "post_only"),
]
"""Changes of a good order that make it contradict itself."""


def bad_orders() -> list[tuple[Any, str, str]]:
    """Decoded JSON, and the code and the field of the refusal."""
    cases: list[tuple[Any, str, str]] = [
        ({**GOOD_ORDER, field: value}, "invalid_field", field)
        for field, values in _BAD_VALUES.items()
        for value in values
    ]
    cases += [({**GOOD_ORDER, **changes}, code, field) for changes, code, field in _CONTRADICTIONS]
    for field in ("security_id", "side", "type", "quantity", "price"):
        order = {name: value for name, value in GOOD_ORDER.items() if name != field}
        cases.append((order, "missing_field", field))
    cases += [
        ({**GOOD_ORDER, "price": None}, "missing_field", "price"),
        ({**GOOD_ORDER, "type": "market"}, "invalid_field", "price"),
        ({**GOOD_ORDER, "colour": "red"}, "unknown_field", "colour"),
        ({**GOOD_ORDER, "order_id": 7}, "unknown_field", "order_id"),
        ({**GOOD_ORDER, "price_e4": 7}, "unknown_field", "price_e4"),
        ({**GOOD_ORDER, "": 7}, "unknown_field", ""),
    ]
    return cases


def json_text(value: Any) -> str:
    """JSON with decimals as numbers, and with the words `NaN` and `Infinity`, which it has not."""
    if isinstance(value, Decimal):
        return str(value).replace("sNaN", "NaN")
    if isinstance(value, dict):
        items = (f"{json.dumps(name)}: {json_text(item)}" for name, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(json_text, value))}]"
    return json.dumps(value)
