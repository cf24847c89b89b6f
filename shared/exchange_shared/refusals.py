"""Refusals by their codes: the HTTP status of each, and the field that it is about.

`docs/errors.md` tells what they mean.
"""

from collections.abc import Mapping

UNPROCESSABLE = 422
"""The status of a refusal that has no other: a field is wrong, or the engine's rules forbid it."""

_STATUS: Mapping[str, int] = {
    "malformed_http": 400,
    "malformed_json": 400,
    "login_timeout": 401,
    "no_api_key": 401,
    "not_logged_in": 401,
    "unknown_api_key": 401,
    "client_suspended": 403,
    "not_your_account": 403,
    "operator_only": 403,
    "origin_not_allowed": 403,
    "not_found": 404,
    "unknown_client": 404,
    "unknown_order": 404,
    "unknown_security": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "already_logged_in": 409,
    "api_key_in_use": 409,
    "auction_over": 409,
    "client_id_taken": 409,
    "client_order_id_reused": 409,
    "market_closed": 409,
    "no_continuous_trading": 409,
    "not_replaceable": 409,
    "quantity_filled": 409,
    "superseded": 409,
    "trading_halted": 409,
    "withdrawn": 409,
    "wrong_state": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "host_not_allowed": 421,
    "rate_limited": 429,
    "too_many_failed_keys": 429,
    "too_many_sessions": 429,
    "too_many_waiting_reads": 429,
    "head_too_large": 431,
    "bus_unavailable": 503,
    "gateway_replaced": 503,
    "not_ready": 503,
    "outcome_unknown": 503,
    "overloaded": 503,
    "seq_not_reached": 503,
    "slow_consumer": 503,
    "storage_unavailable": 503,
    "too_many_connections": 503,
    "too_many_streams": 503,
    "unavailable": 503,
}

_FIELD: Mapping[str, str] = {
    "api_key_in_use": "api_key",
    "auction_over": "time_in_force",
    "client_id_taken": "client_id",
    "client_order_id_reused": "client_order_id",
    "display_too_small": "display_quantity",
    "expired": "expires_at",
    "lot_in_use": "lot",
    "no_continuous_trading": "time_in_force",
    "not_replaceable": "order_id",
    "price_off_tick": "price",
    "price_outside_band": "price",
    "quantity_filled": "quantity",
    "quantity_limit": "quantity",
    "quantity_off_lot": "quantity",
    "short_positions_open": "short_margin_percent",
    "superseded": "client_order_id",
    "tick_in_use": "tick",
    "unknown_order": "order_id",
    "unknown_security": "security_id",
    "weak_api_key": "api_key",
    "would_take": "price",
    "wrong_state": "action",
}


def status_of(code: str) -> int:
    """The HTTP status of a refusal, also where it does not come over HTTP.

    `too_many_sessions` is the client's own limit here; a server that is full has the status 503,
    and can only say so over HTTP.
    """
    return _STATUS.get(code, UNPROCESSABLE)


def field_of(reason: str) -> str | None:
    """The field of a request that an engine's refusal is usually about, if it is about one."""
    return _FIELD.get(reason)
