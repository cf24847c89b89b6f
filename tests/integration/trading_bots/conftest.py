"""An exchange for the clients and bots of a test, over connections that get lost."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.support.bot_clients import Connect, key_of
from tests.support.embedded_exchange import EmbeddedExchange, embedded_exchange
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from trading_bots import ExchangeClient


@pytest.fixture
async def exchange(tmp_path: Path, databases: Databases) -> AsyncIterator[EmbeddedExchange]:
    """The whole exchange, empty."""
    async with embedded_exchange(
        tmp_path, databases.clearing_data, databases.market_data
    ) as running:
        yield running


@pytest.fixture
async def gateway(exchange: EmbeddedExchange) -> AsyncIterator[TcpProxy]:
    """What a client takes for the gateway."""
    async with tcp_proxy(exchange.gateway_url) as proxy:
        yield proxy


@pytest.fixture
async def feed(exchange: EmbeddedExchange) -> AsyncIterator[TcpProxy]:
    """What a client takes for the feed."""
    async with tcp_proxy(exchange.feed_url) as proxy:
        yield proxy


@pytest.fixture
async def connect(gateway: TcpProxy, feed: TcpProxy) -> AsyncIterator[Connect]:
    """Makes clients that trade."""
    async with AsyncExitStack() as stack:

        async def connected(client_id: str) -> ExchangeClient:
            client = ExchangeClient(
                client_id, key_of(client_id), gateway_url=gateway.url, feed_url=feed.url
            )
            return await stack.enter_async_context(client)

        yield connected
