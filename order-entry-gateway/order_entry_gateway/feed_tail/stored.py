"""What the gateway begins with: what the feed has stored in `market_data`."""

import asyncpg

from exchange_shared.bus import DATA_FEED, LogPosition
from exchange_shared.ids import FORGED_FROM
from exchange_shared.postgres import load_position, load_queries, open_pool
from order_entry_gateway.api_keys import KeyTable
from order_entry_gateway.market_status import MarketStatus, SecurityStatus
from order_entry_gateway.rate_limits import ClientRates
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.order_ids import OrderIds


async def load_stored(
    dsn: str,
    keys: KeyTable,
    rates: ClientRates,
    ids: OrderIds,
    market: MarketStatus,
    readiness: Readiness,
) -> LogPosition:
    """Take in keys and rates, the states of securities, and the greatest id of `market_data`.

    Returns the position in `data_feed` up to which they are complete. A database without tables
    yet is that of a fresh exchange: its position is the beginning.
    """
    queries = load_queries("order_entry_gateway.feed_tail")
    pool = await open_pool(dsn, max_size=1, tell=readiness.keys_wait_for)
    try:
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            stored = await load_position(connection, DATA_FEED)
            for row in await connection.fetch(queries["clients"]):
                keys.add(row["client_id"], row["api_key_hash"])
            for row in await connection.fetch(queries["client_rates"]):
                rates.add(*row)
            for row in await connection.fetch(queries["securities"]):
                market.add(SecurityStatus(**row))
            greatest = await connection.fetchval(queries["greatest_order_id"], FORGED_FROM)
            ids.raise_floor(greatest)
            return stored
    except asyncpg.UndefinedTableError:
        return LogPosition()
    finally:
        await pool.close()
