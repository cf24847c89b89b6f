"""The web page: static files beside this module, served without anything from other sites."""

import html
from importlib.resources import files

from fastapi import FastAPI, Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def add_dashboard(app: FastAPI, gateway_url: str, gateway_port: int) -> None:
    """The page at `/`, and its parts.

    Without a URL the page looks for the gateway on that port of the host that it came from, by the
    name that the browser has for it.
    """
    folder = files(__package__)
    page = folder.joinpath("index.html").read_text(encoding="utf-8")
    page = page.replace("{{gateway_url}}", html.escape(gateway_url))
    page = page.replace("{{gateway_port}}", str(gateway_port))
    parts = {name: folder.joinpath(name).read_bytes() for name in _TYPES}

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return Response(page, media_type="text/html", headers=_HEADERS)

    def add_part(name: str) -> None:
        @app.get(f"/{name}", include_in_schema=False)
        async def part() -> Response:
            return Response(parts[name], media_type=_TYPES[name], headers=_HEADERS)

    for name in parts:
        add_part(name)
