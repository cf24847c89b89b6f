"""The REST side of orders and their reports, for those whose they are."""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from exchange_shared.http import json_response
from market_data_feed.api.paging import LINKED
from market_data_feed.api.parameters import Key, OrderId, OrdersPage, Read, ReportsPage
from market_data_feed.api.reads import Reads
from market_data_feed.projections import Order
from market_data_feed.views import orders as order_views
from market_data_feed.views import shapes

_OWN = shapes.refusals(401, 403, 404, 422, 429, 503)


def add_order_routes(app: FastAPI, reads: Reads) -> None:
    """Orders and reports, for whose they are."""

    @app.get(
        "/status/{security_id}/{order_id}",
        tags=["orders"],
        summary="Latest state",
        response_model=shapes.Order,
        responses=_OWN,
    )
    async def status(
        security_id: str,
        order_id: OrderId,
        query: Annotated[Read, Query()],
        key: Key,
    ) -> Response:
        """`pending` is an order that the engine has not answered yet."""
        found = await reads.order(key, security_id, order_id, query.min_seq)
        view = (
            order_views.order(found)
            if isinstance(found, Order)
            else order_views.unanswered_order(found)
        )
        return json_response(view)

    @app.get(
        "/report/{security_id}/{order_id}",
        tags=["orders"],
        summary="Latest report",
        response_model=shapes.Report,
        responses=_OWN,
    )
    async def report(
        security_id: str,
        order_id: OrderId,
        query: Annotated[Read, Query()],
        key: Key,
    ) -> Response:
        """The settlement of its last trade, or that trade, or whether it was taken in."""
        found = await reads.order(key, security_id, order_id, query.min_seq)
        return json_response(await reads.history.latest_report(found))

    @app.get(
        "/orders",
        tags=["orders"],
        summary="Own orders, newest first, or after one",
        response_model=list[shapes.Order],
        responses=_OWN | LINKED,
    )
    async def orders(request: Request, query: Annotated[OrdersPage, Query()], key: Key) -> Response:
        """`before` and `after` are order ids."""
        account = await reads.account(key, query.client_id, query.min_seq)
        if query.status == "open":
            part = reads.history.open_orders(account, query.window)
        else:
            part = await reads.history.orders(account, query.window)
        return part.response(request)

    @app.get(
        "/reports",
        tags=["orders"],
        summary="Own reports, newest first, or after one",
        response_model=list[shapes.Report],
        responses=_OWN | LINKED,
    )
    async def reports(
        request: Request, query: Annotated[ReportsPage, Query()], key: Key
    ) -> Response:
        """`before` and `after` are values of `report_seq`, by which a lost stream is resumed."""
        account = await reads.account(key, query.client_id, query.min_seq)
        part = await reads.history.reports(account, query.event_type, query.window)
        return part.response(request)
