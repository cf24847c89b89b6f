"""The WebSocket side of the feed: prices for everybody, reports for those whose they are."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.datastructures import Headers
from starlette.types import Message

from exchange_shared.auth import bearer_key, origin_allowed
from exchange_shared.http import (
    ApiError,
    check_query,
    current_connection,
    decode_json,
    encode_json,
    error_response,
)
from exchange_shared.http.addresses import address_of
from exchange_shared.http.failed_keys import GivenKey
from market_data_feed.api.places import Places
from market_data_feed.api.reads import Reads
from market_data_feed.fanout import ALL_PRICES, Fanout, Subscriber, Topic, price_of, reports_of
from market_data_feed.views import market as market_views

LOGIN_SECONDS = 5.0
FAREWELL_SECONDS = 1.0
"""How long a client that is closed may take to read why."""

_GONE = (WebSocketDisconnect, RuntimeError)
"""What the server raises for a message to a client that has gone."""

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013


@dataclass(frozen=True)
class Streams:
    """What the streams send, and their limits."""

    reads: Reads
    fanout: Fanout
    places: Places
    max_backlog: int
    allowed_origins: list[str]

    async def accept(self, websocket: WebSocket, parameter: str) -> bool:
        """Accept a connection that a page of ours opened, or none, with one parameter at most."""
        try:
            self._check_page(websocket.headers)
            check_query(websocket.scope["query_string"], [parameter])
        except ApiError as error:
            await websocket.send_denial_response(error_response(error))
            return False
        await websocket.accept()
        return True

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for a stream while the context is open, and keep its connection.

        Raises:
            ApiError: 503 `too_many_streams` or `too_many_connections`.
        """
        connection = current_connection()
        with self.places.one_for(connection):
            connection.begin()
            yield

    def _check_page(self, headers: Headers) -> None:
        """Raises `ApiError` 403 `origin_not_allowed`."""
        if not origin_allowed(headers.get("origin"), headers.get("host"), self.allowed_origins):
            message = f"pages from {headers['origin'][:100]} may not use this API"
            raise ApiError(403, "origin_not_allowed", message)

    async def send(
        self,
        websocket: WebSocket,
        first: Sequence[object],
        topic: Topic,
        client_id: str | None = None,
    ) -> None:
        """Send the first messages, then what comes, until the client goes or is too slow.

        Nothing is awaited between the making of `first` and the subscription, so nothing is lost.
        What the client says is answered with why that is nothing here; it may be logged in.
        """
        subscriber = Subscriber([encode_json(m).decode() for m in first], self.max_backlog)
        with self.fanout.subscribed(subscriber, topic):
            tasks = [
                asyncio.create_task(_write(websocket, subscriber)),
                asyncio.create_task(_read(websocket, subscriber, client_id)),
                asyncio.create_task(subscriber.overflowed.wait()),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, _GONE):
                raise end
        if subscriber.overflowed.is_set():
            self.fanout.slow_consumers.inc()
            message = (
                f"more than {self.max_backlog} messages waited to be read;"
                " connect again, and read what was missed with GET"
            )
            await _refuse(websocket, ApiError(503, "slow_consumer", message))


def add_streams(app: FastAPI, streams: Streams) -> None:
    """The routes of the streams."""

    @app.websocket("/stream/price")
    async def prices(websocket: WebSocket) -> None:
        """Every change of price or state; first those of the security, or of all, as they are."""
        if not await streams.accept(websocket, "security_id"):
            return
        security_id = websocket.query_params.get("security_id")
        with ExitStack() as stack:
            try:
                stack.enter_context(streams.place())
                if security_id is None:
                    shown, topic = streams.reads.securities(), ALL_PRICES
                else:
                    shown, topic = [streams.reads.security(security_id)], price_of(security_id)
            except ApiError as error:
                if error.status == 503:
                    await current_connection().hold_back()
                await _refuse(websocket, error)
                return
            await streams.send(
                websocket, [market_views.price(security) for security in shown], topic
            )

    @app.websocket("/stream/report")
    async def reports(websocket: WebSocket) -> None:
        """Own reports of orders, trades and settlements; first `{"type": "logged_in", …}`."""
        if not await streams.accept(websocket, "client_id"):
            return
        with ExitStack() as stack:
            try:
                client_id = await _log_in(websocket, streams.reads)
                stack.enter_context(streams.place())
            except ApiError as error:
                await _refuse(websocket, error)
                return
            except WebSocketDisconnect:
                return
            first = {
                "type": "logged_in",
                "client_id": client_id,
                "report_seq": streams.reads.projections.report_seq,
            }
            await streams.send(websocket, [first], reports_of(client_id), client_id)


async def _log_in(websocket: WebSocket, reads: Reads) -> str:
    """Whose reports the client may have: by its header, or by its first message.

    The query parameter `client_id` tells whose reports are meant by a key that opens all accounts.

    Raises:
        ApiError: as for any read of an account; 401 `no_api_key` when the login is late or wrong.
    """
    authorization = websocket.headers.get("authorization")
    api_key = bearer_key(authorization) if authorization else await _key_in_message(websocket)
    key = GivenKey(api_key, address_of(websocket))
    client_id = reads.access.account(key, websocket.query_params.get("client_id")).client_id
    owner = reads.access.owner(key)
    if owner is not None:
        current_connection().prove(owner)
    return client_id


async def _key_in_message(websocket: WebSocket) -> str:
    expected = 'the first message must be {"type": "login", "api_key": "…"}'
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            message = await websocket.receive()
    except TimeoutError:
        raise ApiError(401, "no_api_key", f"{expected}, within {LOGIN_SECONDS:g} s") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    content = _content(message)
    if not isinstance(content, dict) or content.get("type") != "login":
        raise ApiError(401, "no_api_key", expected)
    for name in content:
        if name not in ("type", "api_key"):
            told = f"{name[:100]}: a login has no such field; {expected}"
            raise ApiError(422, "unknown_field", told, name[:100])
    api_key = content.get("api_key")
    if not isinstance(api_key, str):
        raise ApiError(401, "no_api_key", expected, "api_key")
    return api_key


async def _write(websocket: WebSocket, subscriber: Subscriber) -> None:
    while True:
        await websocket.send_text(await subscriber.next())


async def _read(websocket: WebSocket, subscriber: Subscriber, client_id: str | None) -> None:
    """Answer what the client says with what is wrong about it, until it goes.

    Others get their turns in between.
    """
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        error = _unexpected(message, client_id)
        subscriber.offer(encode_json(error.body()).decode())
        await asyncio.sleep(0)


def _unexpected(message: Message, client_id: str | None) -> ApiError:
    """Why a message is nothing to a stream that only tells."""
    try:
        content = _content(message)
    except ApiError as error:
        return error
    if client_id is None:
        expected = "this stream takes no messages; give `security_id` in its address"
        return ApiError(422, "unexpected_message", expected)
    if isinstance(content, dict) and content.get("type") == "login":
        told = f"the stream is logged in as {client_id} already; it takes no more messages"
        return ApiError(409, "already_logged_in", told)
    expected = "this stream takes no messages after the login"
    return ApiError(422, "unexpected_message", expected)


def _content(message: Message) -> Any:
    """Raises `ApiError`: 400 `malformed_json`."""
    return decode_json(message.get("text") or message.get("bytes") or "")


async def _refuse(websocket: WebSocket, error: ApiError) -> None:
    """Say why, and close; a client that does not even read that is left to the server's pings."""
    code = TRY_AGAIN_LATER if error.status == 503 else POLICY_VIOLATION
    with suppress(TimeoutError, *_GONE):
        async with asyncio.timeout(FAREWELL_SECONDS):
            await websocket.send_text(encode_json(error.body()).decode())
    with suppress(TimeoutError, *_GONE):
        async with asyncio.timeout(FAREWELL_SECONDS):
            await websocket.close(code, error.code)
