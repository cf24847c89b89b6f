"""How the HTTP calls of the gateway answer: what they wait for, and how it is written."""

import asyncio
from typing import Any

import msgspec
from fastapi import Response

from exchange_shared.http import ApiError
from order_entry_gateway.answers.answers import Answer, OrderAnswer, PendingAnswer, encode_answer


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
