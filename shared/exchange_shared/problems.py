"""What pydantic finds wrong with a value, in words for people."""

from collections.abc import Mapping
from typing import Any

_PATTERNS = {
    r"^[A-Z0-9.]{1,12}$": "1 to 12 capital letters, digits or dots are expected",
    r"^[A-Za-z0-9_-]{1,32}$": "1 to 32 letters, digits, `_` or `-` are expected",
    r"^[ -~]{1,64}$": "1 to 64 printable ASCII characters are expected",
    r"^[!-~]{16,128}$": "16 to 128 printable ASCII characters without spaces are expected",
}
"""What is told as a pattern."""

_NUMBER = "a number is expected, like 10.5"
_WHOLE = "a whole number is expected"
_BOOL = "true or false is expected"
_LIST = "a list is expected"
_FEW = "at least {min_length} is needed"
_MANY = "there may be at most {max_length}"
_RULES = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "is_instance_of": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "a finite number is expected",
    "decimal_max_places": "there may be at most {decimal_places} decimals",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "greater_than": "it must be above {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be below {lt}",
    "less_than_equal": "it must be at most {le}",
    "float_parsing": _NUMBER,
    "bool_type": _BOOL,
    "bool_parsing": _BOOL,
    "string_type": "a text is expected",
    "string_too_long": "it may have at most {max_length} characters",
    "literal_error": "{expected} is expected",
    "list_type": _LIST,
    "frozen_set_type": _LIST,
    "too_short": _FEW,
    "too_long": _MANY,
    "model_type": "named fields are expected",
}
"""By pydantic's types of errors, with the names of what it tells of each."""


def rule(problem: Mapping[str, Any]) -> str:
    """What would be right instead of the value in one of `ValidationError.errors()`."""
    context = problem.get("ctx", {})
    message = str(problem["msg"])
    if problem["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], message)
    if problem["type"] == "value_error":
        return str(context["error"])
    words = _RULES.get(problem["type"])
    return message if words is None else words.format_map(context)
