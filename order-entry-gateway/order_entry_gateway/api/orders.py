"""The HTTP calls about orders."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from exchange_shared.http import MAX_WEBSOCKET_FRAME_BYTES, ApiError, read_json
from order_entry_gateway.answers.answers import (
    CancelAnswer,
    MassCancelAnswer,
    OrderAnswer,
    PendingAnswer,
    ReplaceAnswer,
)
from order_entry_gateway.api.dependencies import Credentials, Gateway
from order_entry_gateway.api.openapi import BATCH_ANSWER, responses, schema_of
from order_entry_gateway.api.responses import Waiter, json_of
from order_entry_gateway.requests.parsing import parse, parse_replace
from order_entry_gateway.requests.schemas import (
    MAX_ID,
    BatchRequest,
    MassCancelRequest,
    OrderRequest,
    ReplaceRequest,
    request_body,
)

_PENDING = ("In the log, not answered yet.", schema_of(PendingAnswer))


def add_new_orders(calls: APIRouter, gateway: Gateway) -> None:
    """`POST /orders` and `POST /orders/batch`."""
    order = schema_of(OrderAnswer)

    @calls.post(
        "/orders",
        tags=["orders"],
        summary="Buy or sell",
        status_code=201,
        openapi_extra=request_body(OrderRequest),
        responses=responses(
            {
                200: ("The order came before, under the same `client_order_id`.", order),
                201: ("What the matching engine did with the order.", order),
                202: _PENDING,
            },
            *(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
        ),
    )
    async def new_order(request: Request, credentials: Credentials) -> Response:
        client_id = gateway.client_of(credentials)
        value = await read_json(request)
        waiter = Waiter()
        await gateway.order_entry.new_orders(client_id, [value], waiter.set)
        return await waiter.response()

    @calls.post(
        "/orders/batch",
        tags=["orders"],
        summary="Up to 500 orders at once",
        openapi_extra=request_body(BatchRequest),
        responses=responses(
            {200: ("One answer for each order.", BATCH_ANSWER)}, 400, 401, 413, 415, 422, 429, 503
        ),
    )
    async def new_orders(request: Request, credentials: Credentials) -> Response:
        client_id = gateway.client_of(credentials)
        batch = parse(BatchRequest, await read_json(request, MAX_WEBSOCKET_FRAME_BYTES))
        waiter = Waiter()
        await gateway.order_entry.new_orders(client_id, batch.orders, waiter.set)
        return json_of({"answers": await waiter.answers()}, 200)


def add_changes(calls: APIRouter, gateway: Gateway) -> None:
    """`PATCH /orders/{order_id}`, `DELETE /orders/{order_id}` and `DELETE /orders`."""

    @calls.patch(
        "/orders/{order_id}",
        tags=["orders"],
        summary="Change the quantity or the price of an own order",
        openapi_extra=request_body(ReplaceRequest),
        responses=responses(
            {
                200: ("What the matching engine made of the order.", schema_of(ReplaceAnswer)),
                202: _PENDING,
            },
            *(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
        ),
    )
    async def replace(order_id: str, request: Request, credentials: Credentials) -> Response:
        """At once: the order is never gone in between.

        It keeps its place in the queue when the price stays and the quantity does not grow.
        """
        client_id = gateway.client_of(credentials)
        id_ = _order_id(order_id)
        wanted = parse_replace(ReplaceRequest, await read_json(request))
        waiter = Waiter()
        gateway.order_entry.replace(client_id, id_, wanted, waiter.set)
        return await waiter.response()

    @calls.delete(
        "/orders/{order_id}",
        tags=["orders"],
        summary="Cancel an own order",
        responses=responses(
            {200: ("The order is cancelled.", schema_of(CancelAnswer)), 202: _PENDING},
            *(401, 404, 422, 429, 503),
        ),
    )
    async def cancel(order_id: str, credentials: Credentials) -> Response:
        client_id = gateway.client_of(credentials)
        waiter = Waiter()
        gateway.order_entry.cancel(client_id, _order_id(order_id), waiter.set)
        return await waiter.response()

    @calls.delete(
        "/orders",
        tags=["orders"],
        summary="Cancel all own orders, or those of one security or one side",
        responses=responses(
            {200: ("These are cancelled.", schema_of(MassCancelAnswer)), 202: _PENDING},
            *(401, 404, 422, 429, 503),
        ),
    )
    async def mass_cancel(
        which: Annotated[MassCancelRequest, Query()], credentials: Credentials
    ) -> Response:
        """Which ones is said by the query parameters alone: a body is refused."""
        client_id = gateway.client_of(credentials)
        waiter = Waiter()
        gateway.order_entry.mass_cancel(client_id, which, waiter.set)
        return await waiter.response()


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
