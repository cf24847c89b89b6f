"""Bodies: exact JSON, read strictly and written as it was counted."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import msgspec
from fastapi import Request, Response

from exchange_shared.http.errors import ApiError
from exchange_shared.http.json_keys import repeated_key
from exchange_shared.units import exact_number

MAX_BODY_BYTES = 16_384
MAX_WEBSOCKET_FRAME_BYTES = 262_144

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode_json(content: Any) -> bytes:
    """JSON with exact decimals written as numbers."""
    return _encoder.encode(content)


_decoder = msgspec.json.Decoder(float_hook=exact_number)


def decode_json(body: bytes | str) -> Any:
    """Python values from JSON; numbers with a fraction or an exponent become exact `Decimal`s.

    The words `NaN` and `Infinity`, which are not JSON, become `Decimal`s too: no field takes them,
    and the refusal can then name the field.

    Raises:
        ApiError: 400 `malformed_json`, or 422 `repeated_field` when an object names one twice.
    """
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        value = _decode_otherwise(body, error)
    try:
        key = repeated_key(body, value)
    except RecursionError as error:
        raise ApiError(400, "malformed_json", "the body is nested too deeply") from error
    if key is not None:
        raise ApiError(
            422, "repeated_field", f"{key[:64]}: is given twice, expected once", key[:64]
        )
    return value


def _decode_otherwise(body: bytes | str, error: Exception) -> Any:
    """What is JSON but for its constants; else a refusal that says what is wrong."""
    if body[:3] == b"\xef\xbb\xbf" or body[:1] == "\ufeff":
        message = "the body begins with a UTF-8 byte order mark, which JSON does not have"
        raise ApiError(400, "malformed_json", message) from error
    with contextlib.suppress(ValueError, RecursionError):
        return _decode_with_constants(body)
    raise ApiError(400, "malformed_json", f"the body is not JSON: {error}") from error


def _decode_with_constants(body: bytes | str) -> Any:
    """Raises `ValueError` unless the body is JSON but for `NaN` and `Infinity` in it."""
    constants: list[Decimal] = []

    def take(word: str) -> Decimal:
        constants.append(Decimal(word))
        return constants[-1]

    value = json.loads(body, parse_float=exact_number, parse_constant=take)
    if not constants:
        raise ValueError("not JSON for another reason")
    json.dumps(value, default=str, ensure_ascii=False).encode()  # half a character is no text
    return value


async def read_json(request: Request, max_bytes: int = MAX_BODY_BYTES) -> Any:
    """The decoded body of a request; what is beyond `max_bytes` is never read.

    Raises:
        ApiError: 413 `body_too_large` or 400 `malformed_json`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise ApiError(413, "body_too_large", f"the body is larger than {max_bytes} bytes")
    return decode_json(bytes(body))


def json_response(content: Any, status: int = 200) -> Response:
    """An answer of exact JSON."""
    return Response(encode_json(content), status, media_type="application/json")


def error_response(error: ApiError) -> Response:
    """The answer for a refusal."""
    response = json_response(error.body(), error.status)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
