"""What the HTTP servers share: the error shape, exact JSON, strict calls, health, the server."""

from exchange_shared.http.admission import current_connection
from exchange_shared.http.app import Health, create_app, readiness_response
from exchange_shared.http.bodies import (
    MAX_BODY_BYTES,
    MAX_WEBSOCKET_FRAME_BYTES,
    decode_json,
    encode_json,
    error_response,
    json_response,
    read_json,
)
from exchange_shared.http.connections import Connection
from exchange_shared.http.errors import ApiError, validation_error
from exchange_shared.http.server import HttpServer
from exchange_shared.http.strictness import StrictRoute, check_query
from exchange_shared.server_limits import ServerLimits

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_WEBSOCKET_FRAME_BYTES",
    "ApiError",
    "Connection",
    "Health",
    "HttpServer",
    "ServerLimits",
    "StrictRoute",
    "check_query",
    "create_app",
    "current_connection",
    "decode_json",
    "encode_json",
    "error_response",
    "json_response",
    "read_json",
    "readiness_response",
    "validation_error",
]
