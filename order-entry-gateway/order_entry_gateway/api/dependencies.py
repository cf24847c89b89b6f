"""What all HTTP calls of the gateway have in common: whom they ask, and how they answer."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from exchange_shared.http import ApiError
from order_entry_gateway.answers.answers import Answer, OrderAnswer, PendingAnswer, encode_answer
from order_entry_gateway.api.sessions import Sessions
from order_entry_gateway.api_keys import KeyTable, Operator
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.rate_limits import RateLimit
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.order_entry import OrderEntry
from order_entry_gateway.settings import GatewaySettings

_bearer = HTTPBearer(auto_error=False, description="Your API key.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What stands behind the HTTP server."""

    settings: GatewaySettings
    keys: KeyTable
    operator: Operator
    readiness: Readiness
    market: MarketStatus
    order_entry: OrderEntry
    sessions: Sessions
    frames_limit: RateLimit
    new_clients_limit: RateLimit

    def client_of(self, credentials: HTTPAuthorizationCredentials | None) -> str:
        """Whose request it is. Raises `ApiError` 401."""
        return self.keys.client_of(credentials.credentials if credentials else None)

    def check_operator(self, credentials: HTTPAuthorizationCredentials | None) -> None:
        """Let only the operator pass. Raises `ApiError` 401 or 403."""
        self.operator.check(credentials.credentials if credentials else None)


class Waiter:
    """Waits for the answers to a request; a caller who has left does not take them."""

    def __init__(self) -> None:
        self._future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()

    def set(self, answers: list[Answer]) -> None:
        """Hand over the answers."""
        if not self._future.done():
            self._future.set_result(answers)

    async def answers(self) -> list[Answer]:
        """The answers, as soon as they are there."""
        return await self._future

    async def response(self) -> Response:
        """The HTTP answer to a single request. Raises it when it is a refusal."""
        (answer,) = await self._future
        return response_of(answer)


def json_of(content: Any, status: int) -> Response:
    """An HTTP answer made of answers."""
    return Response(encode_answer(content), status, media_type="application/json")


def response_of(answer: Answer) -> Response:
    """The HTTP answer to a single request. Raises it when it is a refusal."""
    if isinstance(answer, ApiError):
        raise answer
    if isinstance(answer, PendingAnswer):
        return json_of(answer, 202)
    created = isinstance(answer, OrderAnswer) and answer.repeated is msgspec.UNSET
    return json_of(answer, 201 if created else 200)
