"""The gateway's HTTP calls and its WebSocket."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Request, Response, Security
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.websockets import WebSocket

from exchange_shared.auth import bearer_key, new_api_key, origin_allowed
from exchange_shared.http import (
    MAX_WEBSOCKET_FRAME_BYTES,
    ApiError,
    Health,
    create_app,
    error_response,
    read_json,
)
from order_entry_gateway.answers import (
    AccountAnswer,
    Answer,
    CancelAnswer,
    OrderAnswer,
    OutcomeUnknown,
    PendingAnswer,
    encode_answer,
)
from order_entry_gateway.auth import KeyTable
from order_entry_gateway.gateway_metrics import GatewayMetrics
from order_entry_gateway.openapi import BATCH_ANSWER, responses, schema_of
from order_entry_gateway.order_entry import OrderEntry
from order_entry_gateway.parsing import parse
from order_entry_gateway.rate_limits import RateLimit
from order_entry_gateway.schemas import (
    MAX_ID,
    BatchRequest,
    ClientRequest,
    OrderRequest,
    request_body,
)
from order_entry_gateway.sessions import Session, Sessions
from order_entry_gateway.settings import GatewaySettings

DESCRIPTION = """\
Changes things on the exchange: accounts and orders. The market data feed tells about them.

`WS /ws` is the fast way in: `{"type": "login", "api_key"}` (or the header `Authorization`), then
`{"type": "new", "ref", "order"}`, `{"type": "batch", "ref", "orders"}`,
`{"type": "cancel", "ref", "order_id"}` and `{"type": "ping", "ref"}`. Each request is answered
under its `type` and `ref`, with the `answer` (or `answers`) that it would get over HTTP, or with
`{"type": "error", "ref", "error"}`. Execution reports come unasked:
`{"type": "execution_reports", "reports": [{"seq", "event", "order_id", …}]}`.
"""

_ORDER_ERRORS = (400, 401, 403, 404, 409, 413, 422, 429, 503)
_bearer = HTTPBearer(auto_error=False, description="Your API key.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What stands behind the HTTP server."""

    settings: GatewaySettings
    keys: KeyTable
    order_entry: OrderEntry
    sessions: Sessions
    frames_limit: RateLimit
    new_clients_limit: RateLimit


class AccountPending(msgspec.Struct):
    """The request for an account is in the log, but the engine has not answered in time."""

    client_id: str
    api_key: str
    status: str = "pending"


def build_app(doors: Doors, health: Health, metrics: GatewayMetrics) -> FastAPI:
    """The application with all calls."""
    app = create_app("Order entry gateway", DESCRIPTION, health, metrics)
    if doors.settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=doors.settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"],
        )
    _add_accounts(app, doors)
    _add_orders(app, doors)
    _add_sessions(app, doors)
    return app


def _add_accounts(app: FastAPI, doors: Doors) -> None:
    opened = {
        "type": "object",
        "properties": {
            **schema_of(AccountAnswer)["properties"],
            "api_key": {"type": "string", "description": "Shown only here."},
        },
    }

    @app.post(
        "/clients",
        tags=["accounts"],
        summary="Open an account",
        status_code=201,
        openapi_extra=request_body(ClientRequest),
        responses=responses(
            {
                200: ("The account was there already, with this key.", opened),
                201: ("The account is open.", opened),
                202: ("In the log, not answered yet.", schema_of(AccountPending)),
            },
            *(400, 409, 413, 422, 429, 503),
        ),
    )
    async def open_account(request: Request) -> Response:
        await doors.new_clients_limit.check(request.client.host if request.client else "")
        wanted = parse(ClientRequest, await read_json(request))
        api_key = wanted.api_key or new_api_key()

        waiter = _Waiter()
        doors.order_entry.open_account(wanted.client_id, api_key, waiter.set)
        (answer,) = await waiter.answers()
        if isinstance(answer, AccountAnswer):
            content = {**msgspec.structs.asdict(answer), "api_key": api_key}
            return _json(content, 201 if answer.opened else 200)
        if isinstance(answer, PendingAnswer):
            return _json(AccountPending(wanted.client_id, api_key), 202)
        if isinstance(answer, OutcomeUnknown):
            answer.details = {"client_id": wanted.client_id, "api_key": api_key}
        return _response(answer)


def _add_orders(app: FastAPI, doors: Doors) -> None:
    order, pending = schema_of(OrderAnswer), schema_of(PendingAnswer)

    def client_of(credentials: HTTPAuthorizationCredentials | None) -> str:
        return doors.keys.client_of(credentials.credentials if credentials else None)

    @app.post(
        "/orders",
        tags=["orders"],
        summary="Buy or sell",
        status_code=201,
        openapi_extra=request_body(OrderRequest),
        responses=responses(
            {
                200: ("The order came before, under the same `client_order_id`.", order),
                201: ("What the matching engine did with the order.", order),
                202: ("In the log, not answered yet.", pending),
            },
            *_ORDER_ERRORS,
        ),
    )
    async def new_order(request: Request, credentials: Credentials) -> Response:
        client_id = client_of(credentials)
        value = await read_json(request)
        waiter = _Waiter()
        await doors.order_entry.new_orders(client_id, [value], waiter.set)
        (answer,) = await waiter.answers()
        return _response(answer)

    @app.post(
        "/orders/batch",
        tags=["orders"],
        summary="Up to 500 orders at once",
        openapi_extra=request_body(BatchRequest),
        responses=responses(
            {200: ("One answer for each order.", BATCH_ANSWER)}, 400, 401, 413, 422, 429, 503
        ),
    )
    async def new_orders(request: Request, credentials: Credentials) -> Response:
        client_id = client_of(credentials)
        batch = parse(BatchRequest, await read_json(request, MAX_WEBSOCKET_FRAME_BYTES))
        waiter = _Waiter()
        await doors.order_entry.new_orders(client_id, batch.orders, waiter.set)
        return _json({"answers": await waiter.answers()}, 200)

    @app.delete(
        "/orders/{order_id}",
        tags=["orders"],
        summary="Cancel an own order",
        responses=responses(
            {
                200: ("The order is cancelled.", schema_of(CancelAnswer)),
                202: ("In the log, not answered yet.", pending),
            },
            *(401, 404, 422, 429, 503),
        ),
    )
    async def cancel(order_id: str, credentials: Credentials) -> Response:
        client_id = client_of(credentials)
        waiter = _Waiter()
        await doors.order_entry.cancel(client_id, _order_id(order_id), waiter.set)
        (answer,) = await waiter.answers()
        return _response(answer)


def _add_sessions(app: FastAPI, doors: Doors) -> None:
    @app.websocket("/ws")
    async def session(websocket: WebSocket) -> None:
        try:
            _check_origin(websocket, doors.settings.allowed_origins)
            api_key = bearer_key(websocket.headers.get("authorization"))
            client_id = None if api_key is None else doors.keys.client_of(api_key)
            doors.sessions.enter()
        except ApiError as error:
            await websocket.send_denial_response(error_response(error))
            return
        try:
            session = Session(
                websocket,
                sessions=doors.sessions,
                keys=doors.keys,
                order_entry=doors.order_entry,
                frames_limit=doors.frames_limit,
                settings=doors.settings,
            )
            await session.run(client_id)
        finally:
            doors.sessions.leave()


def _check_origin(websocket: WebSocket, allowed: list[str]) -> None:
    """Refuse foreign web pages.

    Raises:
        ApiError: 403 `origin_not_allowed`.
    """
    headers = websocket.headers
    if not origin_allowed(headers.get("origin"), headers.get("host"), allowed):
        raise ApiError(403, "origin_not_allowed", "pages of this origin may not use the exchange")


def _order_id(text: str) -> int:
    """The id in a path.

    Raises:
        ApiError: 422.
    """
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)):
        order_id = int(text)
        if 1 <= order_id <= MAX_ID:
            return order_id
    message = f"order_id: a whole number from 1 to {MAX_ID} is expected"
    raise ApiError(422, "invalid_field", message, "order_id")


class _Waiter:
    """Waits for the answers to a request; a caller who has left does not take them."""

    def __init__(self) -> None:
        self._future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()

    def set(self, answers: list[Answer]) -> None:
        """Hand over the answers."""
        if not self._future.done():
            self._future.set_result(answers)

    async def answers(self) -> list[Answer]:
        """The answers, as soon as they are there."""
        return await self._future


def _json(content: Any, status: int) -> Response:
    return Response(encode_answer(content), status, media_type="application/json")


def _response(answer: Answer) -> Response:
    """The HTTP answer to a single request. Raises it when it is a refusal."""
    if isinstance(answer, ApiError):
        raise answer
    if isinstance(answer, PendingAnswer):
        return _json(answer, 202)
    created = isinstance(answer, OrderAnswer) and answer.repeated is msgspec.UNSET
    return _json(answer, 201 if created else 200)
