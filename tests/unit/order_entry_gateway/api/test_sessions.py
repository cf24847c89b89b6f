"""A session's end, when what ends it is not the client."""

import asyncio
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from exchange_shared.http import current_connection
from order_entry_gateway.api.sessions import Session, Sessions
from order_entry_gateway.rate_limits import RateLimit
from order_entry_gateway.settings import GatewaySettings


class FailingSocket:
    """A client that sends a ping, and to whom nothing can be sent."""

    def __init__(self, failure: Exception, *, goes: bool) -> None:
        self._failure = failure
        self._messages = [{"type": "websocket.receive", "text": '{"type": "ping"}'}]
        if goes:
            self._messages.append({"type": "websocket.disconnect"})

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, Any]:
        if not self._messages:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return self._messages.pop(0)

    async def send(self, _message: dict[str, Any]) -> None:
        raise self._failure


async def serve(socket: Any) -> None:
    no_requests: Any = None
    settings = GatewaySettings()
    session = Session(
        socket,
        current_connection(),
        sessions=Sessions(settings),
        client_of=no_requests,
        order_entry=no_requests,
        frames_limit=RateLimit("frames"),
        refusals_limit=RateLimit("refused requests"),
        settings=settings,
    )
    async with asyncio.timeout(10):
        await session.run(None)


@pytest.mark.parametrize("failure", [WebSocketDisconnect(1006), RuntimeError("it is closed")])
async def test_a_client_that_goes_is_no_failure(failure: Exception) -> None:
    await serve(FailingSocket(failure, goes=True))


@pytest.mark.parametrize("goes", [True, False])
async def test_a_bug_in_sending_ends_the_session_and_is_raised(goes: bool) -> None:
    with pytest.raises(LookupError, match="a bug"):
        await serve(FailingSocket(LookupError("a bug"), goes=goes))
