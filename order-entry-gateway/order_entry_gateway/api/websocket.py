"""The way into a session: `WS /ws`."""

from fastapi import FastAPI
from starlette.websockets import WebSocket

from exchange_shared.auth import bearer_key, origin_allowed
from exchange_shared.http import ApiError, check_query, current_connection, error_response
from exchange_shared.http.addresses import address_of
from exchange_shared.http.failed_keys import GivenKey
from order_entry_gateway.api.dependencies import Gateway
from order_entry_gateway.api.sessions import Session


def add_websocket(app: FastAPI, gateway: Gateway) -> None:
    """`WS /ws`: a session for everybody who may come in."""

    @app.websocket("/ws")
    async def session(websocket: WebSocket) -> None:
        try:
            _check_origin(websocket, gateway.settings.allowed_origins)
            check_query(websocket.scope["query_string"])
            given = GivenKey(
                bearer_key(websocket.headers.get("authorization")), address_of(websocket)
            )
            client_id = None if given.api_key is None else gateway.client_of(given)
            if client_id is not None:
                gateway.refusals_limit.check_recovered(client_id)
            session = Session(
                websocket,
                current_connection(),
                sessions=gateway.sessions,
                client_of=gateway.client_of,
                order_entry=gateway.order_entry,
                frames_limit=gateway.frames_limit,
                refusals_limit=gateway.refusals_limit,
                settings=gateway.settings,
            )
            gateway.sessions.enter(session)
        except ApiError as error:
            await websocket.send_denial_response(error_response(error))
            return
        try:
            await session.run(client_id)
        finally:
            gateway.sessions.leave(session)


def _check_origin(websocket: WebSocket, allowed: list[str]) -> None:
    """Refuse foreign web pages.

    Raises:
        ApiError: 403 `origin_not_allowed`.
    """
    headers = websocket.headers
    if not origin_allowed(headers.get("origin"), headers.get("host"), allowed):
        raise ApiError(403, "origin_not_allowed", "pages of this origin may not use the exchange")
