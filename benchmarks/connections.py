"""What a flood of connections does to those who are not part of it.

    python -m benchmarks.connections [--seconds 20] [--output FILE]

A trader places an order every 100 ms, each on a connection of its own, and reads its reports from a
stream; a probe asks gateway and feed for `/readyz` as often. They are measured alone, and while
`benchmarks.connection_flood` runs as a process of its own. Times count from when something was due.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.support.stack import EmbeddedStack

MARKET = Path(__file__).parent / "market.toml"
API_KEY = "benchmark-key-of-the-victim"
HEADERS = {"Authorization": f"Bearer {API_KEY}"}
ORDER = {"security_id": "MSFT", "side": "buy", "type": "limit", "quantity": 1, "price": 1}
EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 5.0
"""Who is not answered within this time is counted as not answered."""


@dataclass
class Times:
    """How long one kind of request took, and how many were not answered as they should be."""

    milliseconds: list[float] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)

    def took(self, due: float) -> None:
        """Something that was due then is answered now."""
        self.milliseconds.append((time.perf_counter() - due) * 1_000)

    def fail(self, why: str) -> None:
        """Something is not answered, or refused."""
        self.failed[why] = self.failed.get(why, 0) + 1

    def summary(self) -> dict[str, Any]:
        """What goes into the results."""
        ordered = sorted(self.milliseconds)
        shown: dict[str, Any] = {"answered": len(ordered), "failed": self.failed}
        if ordered:
            for name, share in (("p50_ms", 0.50), ("p99_ms", 0.99)):
                shown[name] = round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)
        return shown


class Victims:
    """A trader and a probe, for one measurement."""

    def __init__(self, http: httpx.AsyncClient, gateway_url: str, feed_url: str) -> None:
        self._http = http
        self._gateway, self._feed = gateway_url, feed_url
        self.times = {
            name: Times() for name in ("order", "report", "gateway_readyz", "feed_readyz")
        }
        self._due: dict[int, float] = {}
        self._reported: dict[int, float] = {}

    async def measure(self, seconds: float) -> dict[str, Any]:
        """Place orders, read reports and ask for `/readyz` for so long."""
        began = time.perf_counter()
        streaming = asyncio.create_task(self._read_reports())
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds / EVERY_SECONDS)):
                due = began + number * EVERY_SECONDS
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self._order(due))
                group.create_task(self._probe("gateway_readyz", self._gateway, due))
                group.create_task(self._probe("feed_readyz", self._feed, due))
        await asyncio.sleep(1)  # for the last reports
        streaming.cancel()
        await asyncio.gather(streaming, return_exceptions=True)
        for order_id, due in self._due.items():
            if order_id in self._reported:
                self.times["report"].milliseconds.append((self._reported[order_id] - due) * 1_000)
            else:
                self.times["report"].fail("not told")
        return {name: times.summary() for name, times in self.times.items()}

    async def _order(self, due: float) -> None:
        answer = await self._ask("order", "POST", f"{self._gateway}/orders", due, json=ORDER)
        if answer is not None:
            order_id = answer.json()["order_id"]
            self._due[order_id] = due
            url = f"{self._gateway}/orders/{order_id}"
            with suppress(httpx.HTTPError):
                await self._http.delete(url, headers=HEADERS)

    async def _probe(self, name: str, url: str, due: float) -> None:
        await self._ask(name, "GET", f"{url}/readyz", due)

    async def _ask(
        self, name: str, method: str, url: str, due: float, **content: Any
    ) -> httpx.Response | None:
        headers = HEADERS if name == "order" else {}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._http.request(method, url, headers=headers, **content)
        except (httpx.HTTPError, TimeoutError) as error:
            self.times[name].fail(type(error).__name__)
            return None
        if answer.status_code >= 400:
            self.times[name].fail(str(answer.status_code))
            return None
        self.times[name].took(due)
        return answer

    async def _read_reports(self) -> None:
        """Read the stream of reports, and open it again for as long as it takes."""
        url = f"{self._feed.replace('http', 'ws', 1)}/stream/report"
        while True:
            with suppress(OSError, TimeoutError, WebSocketException):
                async with connect(
                    url, compression=None, proxy=None, open_timeout=PATIENCE_SECONDS
                ) as stream:
                    await stream.send(json.dumps({"type": "login", "api_key": API_KEY}))
                    await self._note_reports(stream)
            await asyncio.sleep(EVERY_SECONDS)

    async def _note_reports(self, stream: ClientConnection) -> None:
        async for message in stream:
            report = json.loads(message)
            if "order_id" in report:
                self._reported.setdefault(report["order_id"], time.perf_counter())


async def measure(gateway_url: str, feed_url: str, seconds: float) -> dict[str, Any]:
    """The victims alone, and under the flood."""
    each_its_connection = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        timeout=PATIENCE_SECONDS, trust_env=False, limits=each_its_connection
    ) as http:
        account = {"client_id": "victim", "api_key": API_KEY}
        (await http.post(f"{gateway_url}/clients", json=account)).raise_for_status()

        def victims(duration: float = seconds) -> Coroutine[Any, Any, dict[str, Any]]:
            return Victims(http, gateway_url, feed_url).measure(duration)

        await victims(2)  # everything is imported when the measuring begins
        alone = await victims()
        return {"alone": alone, "flooded": await _while_flooded(gateway_url, feed_url, victims)}


async def _while_flooded(
    gateway_url: str, feed_url: str, work: Callable[[], Coroutine[Any, Any, dict[str, Any]]]
) -> dict[str, Any]:
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.connection_flood", gateway_url, feed_url),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert flood.stdout is not None
        with suppress(TimeoutError):  # a server that takes no more does not end the measurement
            async with asyncio.timeout(30):
                await flood.stdout.readline()
        return await work()
    finally:
        flood.kill()
        await flood.wait()


def main() -> None:
    """Read the command line, measure, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.connections")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with EmbeddedStack(market_file=MARKET) as stack:
        results = uvloop.run(measure(stack.gateway_url, stack.feed_url, arguments.seconds))
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
