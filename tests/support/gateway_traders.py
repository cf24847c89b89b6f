"""Traders who ask a gateway over HTTP."""

from typing import Any

import httpx

from tests.support.gateways import Gateway, bearer

SELL = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 10, "price": 420}
BUY = {**SELL, "side": "buy"}


class Trader:
    """A client, and the requests that it makes over HTTP."""

    def __init__(self, gateway: Gateway, client_id: str, api_key: str) -> None:
        self.client_id = client_id
        self.api_key = api_key
        self._http = gateway.http

    async def request(self, method: str, path: str, content: Any = None) -> httpx.Response:
        return await self._http.request(method, path, headers=bearer(self.api_key), json=content)

    async def order(self, content: Any, **changes: Any) -> Any:
        """The answer to an order, which must be accepted."""
        answer = await self.request("POST", "/orders", {**content, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def refused(self, method: str, path: str, content: Any = None) -> Any:
        """Status, code and field of the answer, which must be a refusal."""
        answer = await self.request(method, path, content)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["field"]


def outcome(answer: Any) -> tuple[str, int, int, str | None]:
    """Status, filled and remaining quantity, and reason."""
    return (
        answer["status"],
        answer["filled_quantity"],
        answer["remaining_quantity"],
        answer.get("reason"),
    )
