"""What a trader with ten orders a second notices of clients that send a thousand each."""

import asyncio
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import uvloop
import websockets

from benchmarks.generator import Counts, Load, Trader
from benchmarks.orders import MARKET, deployed

FLOODERS = 20
ORDERS_PER_FLOODER = 1_000
ORDERS_PER_SECOND = 10
LAST_ANSWER_SECONDS = 5.0
_ORDER = {"security_id": "SHEL", "side": "buy", "type": "limit", "quantity": 1, "price": 60.0}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Victim:
    """A trader who places an order every tenth of a second, and cancels it when it is there."""

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self._refs = itertools.count(1)
        self.times: dict[str, list[float]] = {"order": [], "cancel": []}
        self.refused = 0

    async def trade(self, url: str, api_key: str, seconds: float) -> dict[str, Any]:
        """Trade for so long; what was not answered counts as long as it was waited for."""
        async with websockets.connect(
            f"{url.replace('http', 'ws', 1)}/ws", compression=None, proxy=None, open_timeout=60
        ) as socket:
            await socket.send(_encode({"type": "login", "api_key": api_key}).decode())
            reader = asyncio.create_task(self._read(socket))
            began = time.perf_counter()
            for number in range(int(seconds * ORDERS_PER_SECOND)):
                due = began + number / ORDERS_PER_SECOND
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await self._send(socket, due, type="new", order=_ORDER)
            await asyncio.sleep(LAST_ANSWER_SECONDS)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        return self._summary()

    async def _send(self, socket: Any, due: float, **frame: Any) -> None:
        ref = next(self._refs)
        self._began[ref] = due
        await socket.send(_encode({**frame, "ref": ref}).decode())

    async def _read(self, socket: Any) -> None:
        async for message in socket:
            frame, now = _decode(message), time.perf_counter()
            due = self._began.pop(frame.get("ref"), None)
            if due is None:
                continue
            answer = frame.get("answer", {})
            self.refused += frame["type"] == "error" or answer.get("status") == "pending"
            if frame["type"] == "new" and answer.get("status") == "new":
                self.times["order"].append(now - due)
                await self._send(socket, now, type="cancel", order_id=answer["order_id"])
            elif frame["type"] == "cancel":
                self.times["cancel"].append(now - due)

    def _summary(self) -> dict[str, Any]:
        return {
            "answered": {kind: len(times) for kind, times in self.times.items()},
            "refused": self.refused,
            "not_answered": len(self._began),
            **{f"{kind}_ms": _percentiles(times) for kind, times in self.times.items()},
        }


def _percentiles(times: list[float]) -> dict[str, float | None]:
    ordered = sorted(times)

    def at(share: float) -> float | None:
        place = min(len(ordered) - 1, int(share * len(ordered)))
        return round(ordered[place] * 1_000, 1) if ordered else None

    return {"p50": at(0.5), "p99": at(0.99)}


def without_rate(market: Path, directory: Path) -> Path:
    """The market of the benchmarks, but with the default rate of orders."""
    path = directory / "flood.toml"
    text = market.read_text(encoding="utf-8").replace("orders_per_second = 0\n", "")
    path.write_text(text, encoding="utf-8")
    return path


async def _flood(url: str, seconds: float) -> asyncio.subprocess.Process:
    """The flooders, all of whom are logged in and begin now."""
    sizes = map(str, (FLOODERS, ORDERS_PER_FLOODER, seconds))
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.flood_runner", url, *sizes),
        stdout=asyncio.subprocess.PIPE,
    )
    assert await _line(flood) == "ready"
    return flood


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def measure_flood(seconds: float) -> dict[str, Any]:
    """What clients without measure do to one with, on servers, with the default limits."""
    with tempfile.TemporaryDirectory() as directory:
        market = without_rate(MARKET, Path(directory))
        with deployed(market) as (deployment, _):
            results = uvloop.run(_measure(deployment.gateway_urls[0], seconds))
    print("flood_of_orders", json.dumps(results, indent=2), file=sys.stderr, flush=True)
    return results


async def _measure(url: str, seconds: float) -> dict[str, Any]:
    """The victim's times alone, and from the moment at which the flood begins."""
    load = Load(gateway_urls=[url], clients=1, per_second=0, seconds=0, per_frame=1)
    trader = Trader(4_999, load, Random(1), Counts())
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        await trader.open_account(http)
    await Victim().trade(url, trader.api_key, 2)  # everything is imported and connected
    alone = await Victim().trade(url, trader.api_key, seconds)
    flood = await _flood(url, seconds + LAST_ANSWER_SECONDS)
    flooded = await Victim().trade(url, trader.api_key, seconds)
    flooders = json.loads(await _line(flood))
    await flood.wait()
    return {"alone": alone, "under_the_flood": flooded, "flooders": flooders}
