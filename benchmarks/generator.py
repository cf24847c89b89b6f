"""The load: a process of its own, which costs little and is told of.

It is open loop: requests are sent when they are due, whether or not earlier ones are answered, and
the time of an answer counts from the moment its request was due. So waiting in any queue, this
program's own included, is counted too (no "coordinated omission").

Usage: `python -m benchmarks.generator`. It reads a `Load` as a line of JSON, prints a line when all
sessions are open, begins when it reads another line, and prints a `Measured` as JSON.
"""

import asyncio
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from random import Random

import httpx
import msgspec
import uvloop

from benchmarks.socket_client import SocketClient

SECURITIES = {"MSFT": 4_200_000, "AAPL": 2_300_000, "TSLA": 2_500_000, "JPM": 2_100_000}
SECURITIES |= {"SHEL": 700_000}
"""Where the prices of each begin, in 1/10,000."""

_OPENING_SECONDS = 0.06
"""Between two new accounts: a gateway lets so many open from one address in a second."""

_TICK_E4 = 100
_SPREAD_TICKS = 10
_ANSWER_SECONDS = 60.0
_KNOWN_ORDERS = 200
"""How many of its newest open orders a client may cancel or replace."""


class Load(msgspec.Struct):
    """What is to be offered.

    `per_second` requests in all, by `clients` sessions in turn, `per_frame` new orders in a frame.
    `cancels` and `replaces` are the shares of requests that cancel and replace a resting order,
    each in a frame of its own; `crossing` is the share of new orders that are priced to trade.
    """

    gateway_urls: list[str]
    clients: int
    per_second: float
    seconds: float
    per_frame: int
    first_client: int = 0
    cancels: float = 0.0
    replaces: float = 0.0
    crossing: float = 1 / 3
    seed: int = 1


class Measured(msgspec.Struct):
    """What came of it; times are in milliseconds."""

    requests: int
    new_orders: int
    accepted: int
    refused: dict[str, int]
    seconds_to_last_answer: float
    answer_ms: list[float]
    cpu_us_per_request: float
    last_seq: int
    client_id: str
    api_key: str


class _Error(msgspec.Struct):
    code: str


class _Answer(msgspec.Struct):
    order_id: int = 0
    seq: int = 0
    status: str = ""
    error: _Error | None = None


class _Frame(msgspec.Struct):
    type: str
    ref: int | None = None
    answer: _Answer | None = None
    answers: list[_Answer] = []
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Frame).decode
_REPORTS = b'{"type":"execution_reports"'


class Trader:
    """One client with one session."""

    def __init__(self, number: int, load: Load, random: Random, counts: "Counts") -> None:
        self.client_id = f"bench{number}"
        self.api_key = f"benchmark-key-of-client-{number}"
        self._load = load
        self._random = random
        self._counts = counts
        self._gateway_url = load.gateway_urls[number % len(load.gateway_urls)]
        self._open: deque[int] = deque(maxlen=_KNOWN_ORDERS)
        self._due: dict[int, tuple[float, int]] = {}
        self._ref = 0
        self.socket = SocketClient(self._take)

    async def open_account(self, http: httpx.AsyncClient) -> None:
        """Open the account, if it is not there."""
        body = {"client_id": self.client_id, "api_key": self.api_key}
        (await http.post(f"{self._gateway_url}/clients", json=body)).raise_for_status()

    async def log_in(self) -> None:
        """Open the session; nobody waits for the answers of one before.

        Raises:
            ConnectionError: it was refused.
        """
        self._counts.wait(-sum(size for _, size in self._due.values()))
        self._due.clear()
        url = f"{self._gateway_url.replace('http', 'ws', 1)}/ws"
        await self.socket.connect(url, {"Authorization": f"Bearer {self.api_key}"})

    def send(self, due: float) -> int:
        """Send a frame; returns how many requests are in it."""
        self._ref += 1
        load = self._load
        news = (1 - load.cancels - load.replaces) / load.per_frame
        choice = self._random.random() * (load.cancels + load.replaces + news)
        if choice < load.cancels and self._open:
            frame = b'{"type":"cancel","ref":%d,"order_id":%d}' % (self._ref, self._open.popleft())
            size = 1
        elif choice < load.cancels + load.replaces and self._open:
            order_id, quantity = self._open[0], self._random.randint(1, 10)
            frame = b'{"type":"replace","ref":%d,"order_id":%d,"quantity":%d}' % (
                self._ref,
                order_id,
                quantity,
            )
            size = 1
        else:
            size = load.per_frame
            self._counts.new_orders += size
            orders = b",".join(self._order() for _ in range(size))
            if size == 1:
                frame = b'{"type":"new","ref":%d,"order":%s}' % (self._ref, orders)
            else:
                frame = b'{"type":"batch","ref":%d,"orders":[%s]}' % (self._ref, orders)
        self._due[self._ref] = (due, size)
        self._counts.wait(size)
        self.socket.send(frame)
        return size

    def _order(self) -> bytes:
        random = self._random
        security_id = random.choice(tuple(SECURITIES))
        buys = random.random() < 0.5
        offset = random.randint(1, _SPREAD_TICKS) * _TICK_E4
        if (random.random() < self._load.crossing) == buys:
            price_e4 = SECURITIES[security_id] + offset
        else:
            price_e4 = SECURITIES[security_id] - offset
        return b'{"security_id":"%s","side":"%s","type":"limit","quantity":%d,"price":%d.%02d}' % (
            security_id.encode(),
            b"buy" if buys else b"sell",
            random.randint(1, 10),
            price_e4 // 10_000,
            price_e4 // 100 % 100,
        )

    def _take(self, message: bytes) -> None:
        if message.startswith(_REPORTS):
            return
        frame = _decode(message)
        if frame.type == "logged_in":
            return
        counts = self._counts
        if frame.ref is None:
            counts.refuse(frame.error.code if frame.error else frame.type, 1)
            return
        due, size = self._due.pop(frame.ref)
        milliseconds = (time.perf_counter() - due) * 1_000
        if frame.error is not None:
            counts.refuse(frame.error.code, size)
        for answer in frame.answers or [frame.answer or _Answer()]:
            if answer.error is not None:
                counts.refuse(answer.error.code, 1)
            elif answer.seq:
                counts.accepted += 1
                counts.last_seq = max(counts.last_seq, answer.seq)
                if answer.status in ("new", "partially_filled") and frame.type != "replace":
                    self._open.append(answer.order_id)
        counts.answer_ms += [milliseconds] * size
        counts.last_answer = time.perf_counter()
        counts.wait(-size)


class Counts:
    """What all traders count together."""

    def __init__(self) -> None:
        self.new_orders = self.accepted = self.last_seq = 0
        self._waiting = 0
        self._none_waits = asyncio.Event()
        self.refused: dict[str, int] = {}
        self.answer_ms: list[float] = []
        self.last_answer = 0.0

    def wait(self, count: int) -> None:
        """Count requests without an answer: more of them, or fewer."""
        self._waiting += count
        if self._waiting:
            self._none_waits.clear()
        else:
            self._none_waits.set()

    async def until_answered(self) -> None:
        """Return when no request waits for an answer."""
        await self._none_waits.wait()

    def refuse(self, code: str, count: int) -> None:
        """Count refusals."""
        self.refused[code] = self.refused.get(code, 0) + count


async def run(load: Load, ready: Callable[[], None]) -> Measured:
    """Open the sessions, call `ready`, then offer the load and wait for the last answer."""
    counts = Counts()
    random = Random(load.seed)
    traders = [
        Trader(load.first_client + number, load, Random(random.random()), counts)
        for number in range(load.clients)
    ]
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        for trader in traders:
            await trader.open_account(http)
            await trader.log_in()
            await asyncio.sleep(_OPENING_SECONDS)
    ready()
    cpu = _cpu_seconds()
    began = time.perf_counter()
    sent = await _offer(traders, load, began)
    async with asyncio.timeout(_ANSWER_SECONDS):
        await counts.until_answered()
    used = _cpu_seconds() - cpu
    for trader in traders:
        trader.socket.close()
    return Measured(
        requests=sent,
        new_orders=counts.new_orders,
        accepted=counts.accepted,
        refused=counts.refused,
        seconds_to_last_answer=counts.last_answer - began,
        answer_ms=counts.answer_ms,
        cpu_us_per_request=used * 1_000_000 / sent,
        last_seq=counts.last_seq,
        client_id=traders[0].client_id,
        api_key=traders[0].api_key,
    )


async def _offer(traders: list[Trader], load: Load, began: float) -> int:
    """Send every frame when the last request in it is due; returns how many requests were sent."""
    total = int(load.per_second * load.seconds)
    sent = turn = 0
    while sent < total:
        due = began + sent / load.per_second
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        size = traders[turn % len(traders)].send(due)
        sent += size
        turn += 1
        if turn % 32 == 0:
            await asyncio.sleep(0)  # answers are read although sending is late
    return sent


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _ready() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    """Run the load that the standard input describes."""
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    print(msgspec.json.encode(uvloop.run(run(load, _ready))).decode())


if __name__ == "__main__":
    main()
