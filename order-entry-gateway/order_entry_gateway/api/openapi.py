"""What the OpenAPI page says of answers, which are msgspec structs."""

from typing import Any

import msgspec

_ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "field"],
            "properties": {
                "code": {"type": "string", "description": "Stable; see docs/errors.md."},
                "message": {"type": "string"},
                "field": {"type": ["string", "null"]},
            },
        },
        "order_id": {"type": "integer"},
        "seq": {"type": "integer"},
    },
}

_ERRORS = {
    400: "Not JSON.",
    401: "No API key, or one that nobody has.",
    403: "Not your account, not for you, or you are suspended.",
    404: "No such security, client or open order of yours.",
    409: "In conflict with what is there already, or with the state of the security.",
    413: "The body is too large.",
    415: "The body is not called `application/json`.",
    422: "A field is wrong, or the matching engine refused; `code` and `field` say why.",
    429: "Too many in a second; `Retry-After` says when.",
    503: "Not ready, or the outcome is unknown; `Retry-After` says when to ask again.",
}

BATCH_ANSWER = {
    "type": "object",
    "properties": {
        "answers": {
            "type": "array",
            "description": "One for each order, in order: what `POST /orders` would answer.",
            "items": {"type": "object"},
        }
    },
}


def schema_of(struct: Any) -> dict[str, Any]:
    """The JSON schema of a struct, with everything it refers to written in place."""
    (schema,), parts = msgspec.json.schema_components([struct], ref_template="{name}")
    inlined: dict[str, Any] = _inline(schema, parts)
    return inlined


def _inline(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            return _inline(parts[node["$ref"]], parts)
        return {key: _inline(value, parts) for key, value in node.items()}
    if isinstance(node, list):
        return [_inline(item, parts) for item in node]
    return node


def responses(
    answers: dict[int, tuple[str, dict[str, Any]]], *errors: int
) -> dict[int | str, dict[str, Any]]:
    """The documented answers of a call: by status a description and a schema, then its errors."""
    documented = {**answers, **{status: (_ERRORS[status], _ERROR_SCHEMA) for status in errors}}
    return {
        status: {"description": text, "content": {"application/json": {"schema": schema}}}
        for status, (text, schema) in documented.items()
    }
