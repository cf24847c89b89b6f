"""A market that is small enough to know all figures of it by heart."""

from exchange_shared.bus import Bus
from tests.support.feed_market import FeedMarket
from tests.support.running_feed import limit, opening

SEQ = 9
"""The last event of it."""


async def small_market(bus: Bus) -> FeedMarket:
    """A market in which alice sells 10 at 100 and bob buys 4 of them, published on a bus."""
    market = FeedMarket(bus)
    await market.trade(*opening())
    await market.trade(limit(11, "alice", "sell", 10, 100, client_order_id="first"))
    await market.trade(limit(12, "bob", "buy", 4, 101))
    assert market.exchange.seq == SEQ
    return market
