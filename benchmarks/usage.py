"""How much CPU each process of an exchange uses, and what its databases and queues took in."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import aclosing, suppress

import asyncpg
import msgspec
import psutil

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, ORDER_EXECUTION, open_bus


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """The CPU time so far of processes and all their children, by the name of their root.

    The backends of a Postgres are told apart by their database: `postgres/market_data`.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    for name, pid in roots.items():
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds[_name(name, process)] += times.user + times.system
    return seconds


def _name(root: str, process: psutil.Process) -> str:
    if root == "postgres":
        title = " ".join(process.cmdline())
        for database in ("clearing_data", "market_data"):
            if database in title:
                return f"postgres/{database}"
        return "postgres/itself"
    return root


async def rows_written(dsn: str) -> dict[str, dict[str, int]]:
    """The rows inserted into, updated and deleted from each table of a database so far."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        rows = await connection.fetch(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
        )
    finally:
        await connection.close()
    return {
        row["relname"]: {
            "inserted": row["n_tup_ins"],
            "updated": row["n_tup_upd"],
            "deleted": row["n_tup_del"],
        }
        for row in rows
    }


class _Envelope(msgspec.Struct):
    records: list[msgspec.Raw]


async def queue_sizes(url: str) -> dict[str, dict[str, int]]:
    """The messages, records and bytes in each queue."""
    bus = await open_bus(url)
    decode = msgspec.json.Decoder(_Envelope).decode
    sizes = {}
    try:
        for queue in (ORDER_ENTRY, ORDER_EXECUTION, DATA_FEED):
            sizes[queue] = size = {"messages": 0, "records": 0, "bytes": 0}
            last = await bus.last_position(queue)
            if last is None:
                continue
            async with aclosing(bus.subscribe(queue, None)) as deliveries:
                async for messages in deliveries:
                    for message in messages:
                        size["messages"] += 1
                        size["bytes"] += len(message.body)
                        size["records"] += len(decode(message.body).records)
                    if messages[-1].position >= last:
                        break
    finally:
        await bus.close()
    return sizes
