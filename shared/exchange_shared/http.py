"""What the HTTP servers share: the error shape, exact JSON, health pages, and the server itself."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from exchange_shared.http_protocol import HttpProtocol, WebSocketProtocol
from exchange_shared.json_keys import repeated_key
from exchange_shared.metrics import Metrics
from exchange_shared.problems import rule
from exchange_shared.units import exact_number

MAX_BODY_BYTES = 16_384
MAX_WEBSOCKET_FRAME_BYTES = 262_144
MAX_CONNECTIONS = 2_000
_LAST_WORDS_SECONDS = 0.5
"""How much longer than the requests under way the server itself may take to end."""

UNREAD_MILLISECONDS = 30_000
"""How long a peer may leave what was sent to it unread before the system ends the connection."""

log = structlog.get_logger()
_encoder = msgspec.json.Encoder(decimal_format="number")
_STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class ApiError(Exception):
    """A refusal, in the one shape that every door of the exchange answers with."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> dict[str, Any]:
        """`{"error": {"code", "message", "field"}}`."""
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}


def encode_json(content: Any) -> bytes:
    """JSON with exact decimals written as numbers."""
    return _encoder.encode(content)


_decoder = msgspec.json.Decoder(float_hook=exact_number)


def decode_json(body: bytes | str) -> Any:
    """Python values from JSON; numbers with a fraction or an exponent become exact `Decimal`s.

    The words `NaN` and `Infinity`, which are not JSON, become `Decimal`s too: no field takes them,
    and the refusal can then name the field.

    Raises:
        ApiError: 400 `malformed_json`, or 422 `repeated_field` when an object names one twice.
    """
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        value = _decode_otherwise(body, error)
    try:
        key = repeated_key(body, value)
    except RecursionError as error:
        raise ApiError(400, "malformed_json", "the body is nested too deeply") from error
    if key is not None:
        raise ApiError(
            422, "repeated_field", f"{key[:64]}: is given twice, expected once", key[:64]
        )
    return value


def _decode_otherwise(body: bytes | str, error: Exception) -> Any:
    """What is JSON but for its constants; else a refusal that says what is wrong."""
    if body[:3] == b"\xef\xbb\xbf" or body[:1] == "\ufeff":
        message = "the body begins with a UTF-8 byte order mark, which JSON does not have"
        raise ApiError(400, "malformed_json", message) from error
    with contextlib.suppress(ValueError, RecursionError):
        return _decode_with_constants(body)
    raise ApiError(400, "malformed_json", f"the body is not JSON: {error}") from error


def check_query(query: bytes | str, known: Collection[str] = ()) -> None:
    """Refuse a query parameter that is unknown, or stands twice.

    Raises:
        ApiError: 422 `unknown_field` or `repeated_field`.
    """
    text = query.decode("latin-1") if isinstance(query, bytes) else query
    seen: set[str] = set()
    for name, _ in parse_qsl(text, keep_blank_values=True):
        shown = name[:64]
        if name not in known:
            expected = f"expected {', '.join(known)}" if known else "none is taken here"
            raise ApiError(422, "unknown_field", f"{shown}: unknown parameter, {expected}", shown)
        if name in seen:
            raise ApiError(422, "repeated_field", f"{shown}: is given twice, expected once", shown)
        seen.add(name)


class StrictRoute(APIRoute):
    """A route that takes each query parameter once, and nothing that it does not know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the checks."""
        handle = super().get_route_handler()
        known = _query_names(self)
        takes_body = self.body_field is not None or "requestBody" in (self.openapi_extra or {})

        async def check_and_handle(request: Request) -> Response:
            query = request.scope["query_string"]
            if query:
                check_query(query, known)
            if not takes_body and await _has_body(request):
                raise _unexpected_body(request, known)
            return await handle(request)

        return check_and_handle


def _query_names(route: APIRoute) -> list[str]:
    """The query parameters of a route; a model is one for each of its fields."""
    names: list[str] = []
    for parameter in route.dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names += model.model_fields
        else:
            names.append(parameter.alias)
    return names


async def _has_body(request: Request) -> bool:
    """Whether somebody sends a body; nothing of one that is announced by its length is read."""
    if "transfer-encoding" not in request.headers:
        return request.headers.get("content-length", "0") != "0"
    async for chunk in request.stream():
        if chunk:
            return True
    return False


def _unexpected_body(request: Request, known: list[str]) -> ApiError:
    message = f"{request.method} {request.url.path} takes no body, and did nothing"
    if known:
        message += f"; the query parameters {' and '.join(known)} choose what it is about"
    return ApiError(422, "unexpected_body", message)


def _decode_with_constants(body: bytes | str) -> Any:
    """Raises `ValueError` unless the body is JSON but for `NaN` and `Infinity` in it."""
    constants: list[Decimal] = []

    def take(word: str) -> Decimal:
        constants.append(Decimal(word))
        return constants[-1]

    value = json.loads(body, parse_float=exact_number, parse_constant=take)
    if not constants:
        raise ValueError("not JSON for another reason")
    json.dumps(value, default=str, ensure_ascii=False).encode()  # half a character is no text
    return value


async def read_json(request: Request, max_bytes: int = MAX_BODY_BYTES) -> Any:
    """The decoded body of a request; what is beyond `max_bytes` is never read.

    Raises:
        ApiError: 413 `body_too_large` or 400 `malformed_json`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise ApiError(413, "body_too_large", f"the body is larger than {max_bytes} bytes")
    return decode_json(bytes(body))


def json_response(content: Any, status: int = 200) -> Response:
    """An answer of exact JSON."""
    return Response(encode_json(content), status, media_type="application/json")


def error_response(error: ApiError) -> Response:
    """The answer for a refusal."""
    response = json_response(error.body(), error.status)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def validation_error(problems: list[Any]) -> ApiError:
    """The refusal for the first of pydantic's problems: 422 `invalid_field`, naming the field."""
    problem = problems[0]
    path = [str(part) for part in problem["loc"] if part not in ("body", "query", "path")]
    field = ".".join(path) or None
    codes = {"missing": "missing_field", "extra_forbidden": "unknown_field"}
    code = codes.get(problem["type"], "invalid_field")
    return ApiError(422, code, f"{field or 'body'}: {rule(problem)}", field)


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


def create_app(title: str, description: str, health: Health, metrics: Metrics) -> FastAPI:
    """A FastAPI application that answers every error in the one shape and tells its health."""
    # Its pages about the API load nothing from elsewhere, so they work without the internet.
    app = FastAPIOffline(redoc_url=None, title=title, description=description, version="1")
    app.router.route_class = StrictRoute
    app.router.default = _not_found

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
        return Response(metrics.render(), media_type=metrics.content_type)

    return app


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the runner has them, for every server of a process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an application on a socket that is bound at once, so that its port is known."""

    def __init__(self, app: ASGIApp, host: str, port: int, drain_seconds: float) -> None:
        self._socket = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=2_048,
        )
        self.port: int = self._socket.getsockname()[1]
        # Accepted connections inherit both. asyncio itself sets the first on no server's sockets.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            self._socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS
            )
        config = uvicorn.Config(
            self._limited(app),
            http=HttpProtocol,
            ws=WebSocketProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws_max_size=MAX_WEBSOCKET_FRAME_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=max(1, int(drain_seconds)),
        )
        self._drain_seconds = drain_seconds
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    def _limited(self, app: ASGIApp) -> ASGIApp:
        """The application, for as many connections at a time as the limit says."""

        async def limited(scope: Scope, receive: Receive, send: Send) -> None:
            connections = len(self._server.server_state.connections)
            if connections > MAX_CONNECTIONS and scope["type"] == "http":
                message = f"{MAX_CONNECTIONS} connections are open, which is the limit"
                error = ApiError(503, "too_many_connections", message, retry_after_seconds=1)
                await error_response(error)(scope, receive, send)
            else:
                await app(scope, receive, send)

        return limited

    async def serve(self) -> None:
        """Answer requests until `close`."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await asyncio.shield(self._serving)  # cancelling this leaves it time to drain

    async def close(self) -> None:
        """Take no new connections, and return when the open requests are answered, or late."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=self._drain_seconds + _LAST_WORDS_SECONDS)
