"""The application: errors in the one shape, health pages, metrics."""

from collections.abc import Callable, Collection, Mapping

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from exchange_shared.http.admission import Admission, OwnerOf, current_connection
from exchange_shared.http.bodies import error_response, json_response
from exchange_shared.http.errors import ApiError, validation_error
from exchange_shared.http.failed_keys import GivenKey
from exchange_shared.http.hosts import AllowedHosts
from exchange_shared.http.strictness import StrictRoute
from exchange_shared.metrics import Metrics

_STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}

log = structlog.get_logger()


class Health:
    """What a service depends on: by name, a function that says what is wrong, or `None`."""

    def __init__(self) -> None:
        self._dependencies: dict[str, Callable[[], str | None]] = {}
        self._told: dict[str, Callable[[], Mapping[str, str]]] = {}

    def depends_on(self, name: str, problem: Callable[[], str | None]) -> None:
        """Add a dependency. The function must answer at once."""
        self._dependencies[name] = problem

    def tells(self, name: str, content: Callable[[], Mapping[str, str]]) -> None:
        """Show something beside the dependencies, which does not decide whether it is ready."""
        self._told[name] = content

    def told(self) -> dict[str, Mapping[str, str]]:
        """What is shown beside the dependencies."""
        return {name: content() for name, content in self._told.items()}

    def problems(self) -> Mapping[str, str | None]:
        """What is wrong with each dependency; `None` where nothing is."""
        return {name: problem() for name, problem in self._dependencies.items()}

    def first_problem(self) -> str | None:
        """The first thing that is wrong, with the name of the dependency."""
        problems = self.problems().items()
        return next((f"{name}: {problem}" for name, problem in problems if problem), None)


def readiness_response(health: Health, *, opening: bool = False) -> Response:
    """The answer of `/readyz`; a service that still opens is not ready, whatever it waits for."""
    problems = health.problems()
    ready = not opening and not any(problems.values())
    content = {
        "status": "ready" if ready else "not_ready",
        "dependencies": {name: problem or "ok" for name, problem in problems.items()},
        **health.told(),
    }
    return json_response(content, 200 if ready else 503)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """No such path; a WebSocket is told so, too."""
    if scope["type"] == "websocket":
        message = f"WebSocket {scope['path'][:100]}: Not Found"
        error = ApiError(404, "not_found", message)
        await WebSocket(scope, receive, send).send_denial_response(error_response(error))
        return
    raise HTTPException(404)


def _nobody(_given: GivenKey) -> None:
    """Whose a key is where there are no clients."""


def create_app(
    title: str,
    description: str,
    health: Health,
    metrics: Metrics,
    allowed_hosts: Collection[str] = (),
    owner_of: OwnerOf = _nobody,
) -> FastAPI:
    """A FastAPI application that answers every error in the one shape and tells its health.

    It can be asked by the allowed names, beside its address and `localhost`. `owner_of` says whose
    an API key is, on whatever path it comes: the connections of its owner have room of their own.
    """
    # Its pages about the API load nothing from elsewhere, so they work without the internet.
    app = FastAPIOffline(redoc_url=None, title=title, description=description, version="1")
    app.router.route_class = StrictRoute
    app.router.default = _not_found
    # `DELETE /orders/`, of a client that lost the id, must never become a mass cancel.
    app.router.redirect_slashes = False
    app.add_middleware(AllowedHosts, allowed=allowed_hosts)
    app.add_middleware(Admission, owner_of=owner_of)

    @app.exception_handler(ApiError)
    async def refused(_request: Request, error: ApiError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        return error_response(validation_error(list(error.errors())))

    @app.exception_handler(ValidationError)
    async def invalid_body(_request: Request, error: ValidationError) -> Response:
        return error_response(validation_error(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = _STATUS_CODES.get(error.status_code, "refused")
        message = f"{request.method} {request.url.path}: {error.detail}"
        response = error_response(ApiError(error.status_code, code, message))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(ClientDisconnect)
    async def left(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # who went in the middle of a request does not read it

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, exc_info=error)
        message = "the exchange could not answer; the failure is in its log"
        return error_response(ApiError(503, "unavailable", message, retry_after_seconds=1))

    @app.get("/healthz", tags=["health"], summary="The process runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], summary="Each dependency by name; 503 if one is missing")
    async def readyz() -> Response:
        return readiness_response(health)

    @app.get("/metrics", tags=["health"], summary="For Prometheus")
    async def metrics_page() -> Response:
        page = metrics.render() + current_connection().metrics.render()
        return Response(page, media_type=metrics.content_type)

    return app
