"""What the tests of the client library and the bots share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.tcp_proxy import TcpProxy
from trading_bots import BotSettings, ExchangeClient

WAIT_SECONDS = 20.0

Connect = Callable[[str], Awaitable[ExchangeClient]]
"""Makes a client that trades, of this account."""


def key_of(client_id: str) -> str:
    return f"key-of-{client_id}-0123456789"


async def within(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(WAIT_SECONDS):
        return await awaitable


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():
            await asyncio.sleep(0)


def bot(gateway: TcpProxy, feed: TcpProxy, **changes: Any) -> BotSettings:
    urls = {"gateway_url": gateway.url, "feed_url": feed.url}
    own = {"strategy": "market_maker", "seed": 1, "secret": "secret of the tests' bots"}
    return BotSettings(**{**own, **urls, **changes})


def as_bot(settings: BotSettings) -> ExchangeClient:
    """A client of the bot's own account."""
    return ExchangeClient(
        settings.account_id,
        settings.account_key,
        gateway_url=settings.gateway_url,
        feed_url=settings.feed_url,
    )
