"""A stream's end, when what ends it is neither the client nor its slowness."""

import asyncio
from typing import Any

import pytest
from fastapi import WebSocketDisconnect

from exchange_shared.metrics import Metrics
from market_data_feed.api.places import stream_places
from market_data_feed.api.streams import Streams
from market_data_feed.fanout import ALL_PRICES, Fanout
from market_data_feed.projections import Projections
from market_data_feed.settings import MarketDataFeedSettings


class FailingSocket:
    """A client to whom nothing can be sent."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    async def send_text(self, _text: str) -> None:
        raise self._failure

    async def receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError


async def send_to(socket: Any) -> None:
    fanout = Fanout(Projections(), Metrics())
    places = stream_places(MarketDataFeedSettings(), Metrics())
    no_reads: Any = None
    streams = Streams(no_reads, fanout, places, max_backlog=1, allowed_origins=[])
    async with asyncio.timeout(10):
        await streams.send(socket, [{"price": 1}], ALL_PRICES)


@pytest.mark.parametrize("failure", [WebSocketDisconnect(1006), RuntimeError("it is closed")])
async def test_a_client_that_goes_is_no_failure(failure: Exception) -> None:
    await send_to(FailingSocket(failure))


async def test_a_bug_in_sending_is_raised() -> None:
    with pytest.raises(LookupError, match="a bug"):
        await send_to(FailingSocket(LookupError("a bug")))
