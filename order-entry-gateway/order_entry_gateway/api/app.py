"""The gateway's HTTP calls and its WebSocket."""

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse
from starlette.websockets import WebSocket

from exchange_shared.auth import bearer_key, new_api_key, origin_allowed
from exchange_shared.http import (
    ApiError,
    Health,
    check_query,
    create_app,
    error_response,
    read_json,
)
from order_entry_gateway.answers.answers import AccountAnswer, OutcomeUnknown, PendingAnswer
from order_entry_gateway.api.dependencies import Doors, Waiter, json_of, response_of
from order_entry_gateway.api.openapi import responses, schema_of
from order_entry_gateway.api.operator import add_operator_calls
from order_entry_gateway.api.orders import add_changes, add_new_orders
from order_entry_gateway.api.sessions import Session
from order_entry_gateway.metrics import GatewayMetrics
from order_entry_gateway.requests.parsing import parse
from order_entry_gateway.requests.schemas import ClientRequest, request_body

DESCRIPTION = """\
Changes things on the exchange: accounts, orders, and for its operator states, limits and terms.
The market data feed tells about them.

`WS /ws` is the fast way in: `{"type": "login", "api_key"}` (or the header `Authorization`), then
`{"type": "new", "ref", "order"}`, `{"type": "batch", "ref", "orders"}`,
`{"type": "replace", "ref", "order_id", "quantity", "price"}`,
`{"type": "cancel", "ref", "order_id"}`,
`{"type": "mass_cancel", "ref", "security_id", "side"}` and `{"type": "ping", "ref"}`. Each request
is answered under its `type` and `ref`, with the `answer` (or `answers`) that it would get over
HTTP, or with `{"type": "error", "ref", "error"}`. Execution reports come unasked:
`{"type": "execution_reports", "reports": [{"seq", "event", "order_id", …}]}`.
"""


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
    # `DELETE /orders/`, of a client that lost the id, must never become a mass cancel.
    app.router.redirect_slashes = False
    app.add_route("/", lambda _request: RedirectResponse("/docs"), include_in_schema=False)
    _add_accounts(app, doors)
    add_new_orders(app, doors)
    add_changes(app, doors)
    add_operator_calls(app, doors)
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

        waiter = Waiter()
        doors.order_entry.open_account(wanted.client_id, api_key, waiter.set)
        (answer,) = await waiter.answers()
        if isinstance(answer, AccountAnswer):
            content = {**msgspec.structs.asdict(answer), "api_key": api_key}
            return json_of(content, 201 if answer.opened else 200)
        if isinstance(answer, PendingAnswer):
            return json_of(AccountPending(wanted.client_id, api_key), 202)
        if isinstance(answer, OutcomeUnknown):
            answer.details = {"client_id": wanted.client_id, "api_key": api_key}
        return response_of(answer)


def _add_sessions(app: FastAPI, doors: Doors) -> None:
    @app.websocket("/ws")
    async def session(websocket: WebSocket) -> None:
        try:
            _check_origin(websocket, doors.settings.allowed_origins)
            check_query(websocket.scope["query_string"], takes_any=False)
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
