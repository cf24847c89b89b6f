"""Open-loop load: orders are sent when they are due, whether or not earlier ones are answered.

The time of an acknowledgement is counted from the moment an order was due, so that waiting in any
queue, this program's own included, is counted too (no "coordinated omission").
"""

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import msgspec
import websockets

BATCH_SECONDS = 0.02
"""Orders of one client that are due within this time travel in one frame."""

SETTLE_SECONDS = 60.0
_PRICES = {"MSFT": 420.0, "AAPL": 230.0, "TSLA": 250.0, "JPM": 210.0, "SHEL": 70.0}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass
class Result:
    """What a run of the load measured. Times are in milliseconds."""

    offered_per_second: int
    seconds: float
    orders: int = 0
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    fills: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    behind_after_last_ack_ms: float = 0.0
    achieved_per_second: float = 0.0
    last_seq: int = 0

    def percentile_ms(self, share: float) -> float:
        """The acknowledgement time that this share of the orders did not exceed."""
        ordered = sorted(self.latencies_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    def summary(self) -> dict[str, Any]:
        """What goes into the results file."""
        return {
            "offered_orders_per_second": self.offered_per_second,
            "achieved_orders_per_second": round(self.achieved_per_second),
            "seconds": round(self.seconds, 2),
            "orders": self.orders,
            "accepted": self.accepted,
            "refused": self.refused,
            "fills_of_incoming_orders": self.fills,
            "ack_p50_ms": self.percentile_ms(0.50),
            "ack_p99_ms": self.percentile_ms(0.99),
            "ack_max_ms": self.percentile_ms(1.0),
            "settled_and_on_the_feed_after_last_ack_ms": round(self.behind_after_last_ack_ms, 1),
        }


class Trader:
    """One client with one order-entry session."""

    def __init__(self, number: int, random: Random) -> None:
        self.client_id = f"bench{number}"
        self.api_key = f"benchmark-key-of-client-{number}"
        self.due: dict[int, list[float]] = {}
        self.all_answered = asyncio.Event()
        self._random = random
        self._refs = itertools.count(1)
        self._socket: Any = None

    async def open(self, http: httpx.AsyncClient, gateway_url: str) -> None:
        """Open the account and the session."""
        body = {"client_id": self.client_id, "api_key": self.api_key}
        (await http.post(f"{gateway_url}/clients", json=body)).raise_for_status()
        url = f"{gateway_url.replace('http', 'ws', 1)}/ws"
        self._socket = await websockets.connect(
            url, compression=None, max_size=None, max_queue=None, ping_interval=None
        )
        await self._socket.send(_encode({"type": "login", "api_key": self.api_key}).decode())
        answer = _decode(await self._socket.recv())
        assert answer["type"] == "logged_in", answer

    async def send(self, due: list[float]) -> None:
        """Send one frame with an order for each time in `due`."""
        ref = next(self._refs)
        self.due[ref] = due
        self.all_answered.clear()
        orders = [self._order() for _ in due]
        frame = {"type": "batch", "ref": ref, "orders": orders}
        await self._socket.send(_encode(frame).decode())

    def _order(self) -> dict[str, Any]:
        security_id = self._random.choice(tuple(_PRICES))
        price = round(_PRICES[security_id] + self._random.randint(-10, 10) / 100, 2)
        return {
            "security_id": security_id,
            "side": "buy" if self._random.random() < 0.5 else "sell",
            "type": "limit",
            "quantity": self._random.randint(1, 10),
            "price": price,
        }

    async def read(self, result: Result) -> None:
        """Count the answers until the session ends."""
        async for frame in self._socket:
            message = _decode(frame)
            if message["type"] != "batch":
                continue
            now = time.perf_counter()
            for due, answer in zip(self.due.pop(message["ref"]), message["answers"], strict=True):
                result.latencies_ms.append((now - due) * 1_000)
                _count(result, answer)
            if not self.due:
                self.all_answered.set()

    async def close(self) -> None:
        """End the session."""
        await self._socket.close()


def _count(result: Result, answer: dict[str, Any]) -> None:
    error = answer.get("error")
    if error is not None:
        code = error["code"]
        result.refused[code] = result.refused.get(code, 0) + 1
        return
    if answer["status"] == "pending":
        result.refused["pending"] = result.refused.get("pending", 0) + 1
        return
    result.accepted += 1
    result.fills += len(answer["fills"])
    result.last_seq = max(result.last_seq, answer["seq"])


async def run_load(
    gateway_url: str,
    feed_url: str,
    *,
    orders_per_second: int,
    seconds: float,
    clients: int,
    first_client: int = 0,
    seed: int = 1,
) -> Result:
    """Offer orders at a constant rate, and wait until everything is settled and on the feed."""
    result = Result(orders_per_second, seconds)
    async with httpx.AsyncClient(timeout=30) as http:
        random = Random(seed)
        traders = [
            Trader(first_client + number, Random(random.random())) for number in range(clients)
        ]
        for trader in traders:
            await trader.open(http, gateway_url)
        readers = [asyncio.create_task(trader.read(result)) for trader in traders]
        began = time.perf_counter()
        result.orders = await _offer(traders, orders_per_second, seconds, began)
        for trader in traders:
            await trader.all_answered.wait()
        acknowledged = time.perf_counter()
        await _wait_until_settled(http, feed_url, traders[0], result.last_seq)
        result.behind_after_last_ack_ms = (time.perf_counter() - acknowledged) * 1_000
        result.achieved_per_second = len(result.latencies_ms) / (acknowledged - began)
        for trader in traders:
            await trader.close()
        await asyncio.gather(*readers)
    return result


async def _offer(traders: list[Trader], rate: int, seconds: float, began: float) -> int:
    """Send every order when it is due; returns how many were sent."""
    total = int(rate * seconds)
    # At high rates one frame carries what a client's orders of a fraction of a second are.
    size = max(1, round(rate * BATCH_SECONDS / len(traders)))
    turns = itertools.cycle(traders)
    for first in range(0, total, size):
        due = [began + number / rate for number in range(first, min(first + size, total))]
        wait = due[-1] - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        await next(turns).send(due)
    return total


async def _wait_until_settled(
    http: httpx.AsyncClient, feed_url: str, trader: Trader, seq: int
) -> None:
    """Return once the ledger and the feed have everything up to an event."""
    deadline = time.perf_counter() + SETTLE_SECONDS
    while True:
        answer = await http.get(
            f"{feed_url}/balance/{trader.client_id}",
            params={"min_seq": seq},
            headers={"Authorization": f"Bearer {trader.api_key}"},
        )
        if answer.status_code == 200:
            return
        if answer.status_code != 503 or time.perf_counter() > deadline:
            raise RuntimeError(f"the exchange did not settle: {answer.text}")
