"""What a service answers before it is open: that it lives, and what it waits for."""

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from exchange_shared.http import ApiError, Health, error_response, json_response, readiness_response


class Entrance:
    """The application behind a server's port: at first one that only waits, then the real one."""

    def __init__(self, name: str, health: Health) -> None:
        self.name = name
        self.health = health
        self._application: ASGIApp | None = None

    @property
    def app(self) -> ASGIApp:
        """What a server serves: the entrance itself, whichever application stands behind it."""
        return self

    def open(self, application: ASGIApp) -> None:
        """From now on this application answers."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one WebSocket."""
        if self._application is not None:
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            websocket = WebSocket(scope, receive, send)
            await websocket.send_denial_response(error_response(self._not_ready()))
        elif scope["path"] == "/healthz":
            await json_response({"status": "ok"})(scope, receive, send)
        elif scope["path"] == "/readyz":
            await readiness_response(self.health, opening=True)(scope, receive, send)
        else:
            await error_response(self._not_ready())(scope, receive, send)

    def _not_ready(self) -> ApiError:
        problems = self.health.problems().items()
        reasons = "; ".join(f"{name}: {problem}" for name, problem in problems if problem)
        message = f"{self.name} is starting; {reasons or 'it will be ready in a moment'}"
        return ApiError(503, "not_ready", message, retry_after_seconds=1)


class Waiting:
    """Why something that a service opens with cannot be had yet; `None` once it can."""

    def __init__(self) -> None:
        self._reason: str | None = "not connected yet"

    def tell(self, reason: str | None) -> None:
        """Set the reason."""
        self._reason = reason

    def problem(self) -> str | None:
        """The reason, for `Health.depends_on`."""
        return self._reason
