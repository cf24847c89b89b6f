"""What a call does not take is refused: who sends it means something that would not happen."""

from collections.abc import Callable, Collection, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import Headers

from exchange_shared.http.errors import ApiError


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
            if takes_body:
                _check_content_type(request.headers)
            elif await _has_body(request):
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


def _check_content_type(headers: Headers) -> None:
    """Only JSON that is called so: a page of another site cannot send that without being asked.

    Raises:
        ApiError: 415 `unsupported_media_type`.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or not _announces_body(headers):
        return
    shown = ascii(kind[:64]) if kind else "no type"
    message = f"Content-Type: application/json is expected, not {shown}"
    raise ApiError(415, "unsupported_media_type", message, "Content-Type")


def _announces_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _has_body(request: Request) -> bool:
    """Whether somebody sends a body; nothing of one that is announced by its length is read."""
    if "transfer-encoding" not in request.headers:
        return _announces_body(request.headers)
    async for chunk in request.stream():
        if chunk:
            return True
    return False


def _unexpected_body(request: Request, known: list[str]) -> ApiError:
    message = f"{request.method} {request.url.path} takes no body, and did nothing"
    if known:
        message += f"; the query parameters {' and '.join(known)} choose what it is about"
    return ApiError(422, "unexpected_body", message)
