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
_NO_TEXT: list[Any] = [None, 7, True, Decimal("1.5"), [], {}, ""]
_NO_NUMBER: list[Any] = [True, False, [], {}, "", Decimal("NaN"), Decimal("Infinity")]
_BAD_VALUES: dict[str, list[Any]] = {
    "security_id": [*_NO_TEXT, "msft", "MSFT ", "MSFT\n", "A" * 13, "MS/FT", "ÄPFEL", "\x00"],
    "side": [*_NO_TEXT, "BUY", "short", "buy "],
    "type": [*_NO_TEXT, "stop", "LIMIT"],
    "quantity": [
        *_NO_NUMBER, None, "10", 0, -1, 10_000_001, 2**63, 10**30, Decimal("10.0"),
        Decimal("10.5"), Decimal("1E+1"), Decimal("1E+400"),
    ],
    "price": [
        *_NO_NUMBER, 0, -1, 1_000_001, 10**30, Decimal(0), Decimal("-0.01"), Decimal("0.00001"),
        Decimal("100.00000000000000001"), Decimal("420.123456"), Decimal("1000000.0001"),
        Decimal("1E+400"), Decimal("1E-400"), Decimal("-Infinity"), Decimal("sNaN"), "0", "-1",
        "NaN", "Infinity", "1e2", "1_000", " 1", "1 ", "0x10", "1,5", "1.", ".5", "+1", "٣",
        "420.00001", "1000000.0001", "9" * 5_000,
    ],
    "time_in_force": [*_NO_TEXT, "day", "GTC"],
    "client_order_id": [7, True, [], {}, "", "x" * 65, "tab\t", "é", "new\nline", "\x7f", "🙂"],
    "client_id": [7, True, [], {}, "", "x" * 33, "a b", "ä", "alice\n"],
}  # fmt: skip


def bad_orders() -> list[tuple[Any, str, str]]:
    """Decoded JSON, and the code and the field of the refusal."""
    cases: list[tuple[Any, str, str]] = [
        ({**GOOD_ORDER, field: value}, "invalid_field", field)
        for field, values in _BAD_VALUES.items()
        for value in values
    ]
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
