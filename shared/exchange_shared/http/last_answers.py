"""Refusals that no application is asked about: whole answers, as bytes."""

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec

from exchange_shared.http.errors import ApiError

MAX_HEAD_BYTES = 65_536
"""The longest request line and headers that are waited for, and as much of what frames a body."""

UNREAD_SECONDS = 1.0
"""How long one that has to make room may leave its last answer unread."""

HEAD_TOO_LARGE = ApiError(
    431, "head_too_large", f"the request line and headers are longer than {MAX_HEAD_BYTES} bytes"
)
MADE_ROOM = ApiError(
    503,
    "too_many_connections",
    "this connection had to make room for another one; a key has room of its own",
    retry_after_seconds=1,
)


def last_answer(error: ApiError, headers: list[tuple[bytes, bytes]]) -> bytes:
    """A whole answer, the last of its connection."""
    content: dict[str, Any] = error.body()
    body = msgspec.json.encode(content)
    head = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()]
    head += [name + b": " + value for name, value in headers]
    if error.retry_after_seconds is not None:
        head.append(b"retry-after: " + str(error.retry_after_seconds).encode())
    head += [
        b"content-type: application/json",
        b"content-length: " + str(len(body)).encode(),
        b"connection: close",
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def end_soon(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
    """Close a connection, whether or not its client reads what it was sent."""
    transport.close()
    if transport.get_write_buffer_size():
        loop.call_later(UNREAD_SECONDS, transport.abort)
