"""The gateway's HTTP calls and its WebSocket."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse

from exchange_shared.http import Health, create_app
from order_entry_gateway.api.accounts import add_accounts
from order_entry_gateway.api.dependencies import Gateway
from order_entry_gateway.api.operator import add_operator_calls
from order_entry_gateway.api.orders import add_changes, add_new_orders
from order_entry_gateway.api.websocket import add_websocket
from order_entry_gateway.metrics import GatewayMetrics

DESCRIPTION = """\
Changes things on the exchange: accounts, orders, and for its operator states, limits and terms.
The market data feed tells about them.

`WS /ws` is the fast way in: `{"type": "login", "api_key"}` (or the header `Authorization`), which
is answered by `{"type": "logged_in", "client_id"}`; then `{"type": "new", "ref", "order"}`,
`{"type": "batch", "ref", "orders"}`,
`{"type": "replace", "ref", "order_id", "quantity", "price"}`,
`{"type": "cancel", "ref", "order_id"}`,
`{"type": "mass_cancel", "ref", "security_id", "side"}` and `{"type": "ping", "ref"}`. Each request
is answered under its `type` and `ref`, with the `answer` (or `answers`) that it would get over
HTTP, or with `{"type": "error", "ref", "error"}`. Execution reports come unasked:
`{"type": "execution_reports", "reports": [{"seq", "event", "order_id", …}]}`.
"""


def build_app(gateway: Gateway, health: Health, metrics: GatewayMetrics) -> FastAPI:
    """The application with all calls."""
    app = create_app(
        "Order entry gateway",
        DESCRIPTION,
        health,
        metrics,
        allowed_hosts=gateway.settings.allowed_hosts,
        owner_of=gateway.owner_of,
    )
    if gateway.settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=gateway.settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_route("/", lambda _request: RedirectResponse("/docs"), include_in_schema=False)
    add_accounts(app.router, gateway)
    add_new_orders(app.router, gateway)
    add_changes(app.router, gateway)
    add_operator_calls(app.router, gateway)
    add_websocket(app, gateway)
    return app
