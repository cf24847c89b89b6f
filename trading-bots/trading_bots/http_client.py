"""Questions over HTTP: answers as models, refusals as `ExchangeError`, and patience."""

import asyncio
from typing import Any, TypeVar

import httpx
import msgspec

from trading_bots.errors import ExchangeError, refusal
from trading_bots.links import pause_seconds

TRIES = 4
REQUEST_SECONDS = 10.0
LONGEST_RETRY_AFTER_SECONDS = 5.0

Answer = TypeVar("Answer")


class HttpClient:
    """One of the exchange's two HTTP servers. Every request made here may be repeated safely."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, timeout=REQUEST_SECONDS, trust_env=False, follow_redirects=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(
        self, path: str, answer: type[Answer], api_key: str | None = None, **query: Any
    ) -> Answer:
        """The answer to a question; parameters that are `None` are left out.

        Raises:
            ExchangeError: refused, or `unreachable` after several tries.
        """
        return await self._request("GET", path, answer, api_key, query, None)

    async def post(self, path: str, answer: type[Answer], content: dict[str, Any]) -> Answer:
        """The answer to an idempotent request with a body; raises like `get`."""
        return await self._request("POST", path, answer, None, {}, msgspec.json.encode(content))

    async def _request(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        api_key: str | None,
        query: dict[str, Any],
        content: bytes | None,
    ) -> Answer:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        params = {name: value for name, value in query.items() if value is not None}
        error = ExchangeError("unreachable", f"{self._http.base_url} does not answer")
        for attempt in range(TRIES):
            if attempt:
                wait = error.retry_after_seconds or pause_seconds(attempt)
                await asyncio.sleep(min(LONGEST_RETRY_AFTER_SECONDS, wait))
            try:
                response = await self._http.request(
                    method, path, params=params, headers=headers, content=content
                )
            except httpx.TransportError as problem:
                error = ExchangeError("unreachable", f"{self._http.base_url}: {problem!r}")
                continue
            if response.status_code == httpx.codes.ACCEPTED:
                error = ExchangeError("not_answered", "the exchange has not come to it yet")
                continue
            if response.is_success:
                return msgspec.json.decode(response.content, type=answer)
            retry_after = response.headers.get("Retry-After")
            error = refusal(response.content, response.status_code, retry_after)
            if response.status_code not in (429, 503):
                break
        raise error
