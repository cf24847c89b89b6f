"""What every HTTP server of the exchange does with a caller who leaves."""

from typing import Any

from fastapi import Request, Response
from structlog.testing import capture_logs

from exchange_shared.http import Health, create_app, read_json
from exchange_shared.metrics import Metrics


async def test_who_leaves_in_the_middle_of_a_request_is_no_failure() -> None:
    app = create_app("Test", "", Health(), Metrics())

    @app.post("/")
    async def post(request: Request) -> Response:
        await read_json(request)
        return Response()

    incoming = iter(
        [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(incoming)

    async def send(_message: Any) -> None:
        return

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
    }
    with capture_logs() as logs:
        await app(scope, receive, send)
    assert logs == []
