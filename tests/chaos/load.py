"""The traders, who hear their reports, and the operator; all can be told to pause."""

import asyncio
import time
from collections.abc import Sequence
from random import Random
from types import TracebackType
from typing import Self

import httpx

from tests.chaos.listener import Listener
from tests.support.traders import PersistentTrader, interrupt_trading

TRADER_PAUSE_SECONDS = 0.05
OPERATOR_PAUSE_SECONDS = 0.2
CANCEL_SHARE = 0.03
REQUEST_SECONDS = 5.0


class LoadFailed(Exception):
    """A trader got an answer that nobody should get, or none in the end."""


class Load:
    """Traders and an operator, at work between `begin` and `pause`."""

    def __init__(self, gateway_urls: Sequence[str], feed_url: str, seed: int, traders: int) -> None:
        self._gateway_urls = gateway_urls
        self._http = httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False)
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._watched: list[tuple[float, asyncio.Future[float]]] = []
        self.traders = [
            PersistentTrader(
                f"trader{number}",
                gateway_urls,
                Random(f"{seed} trader {number}"),
                pause_seconds=TRADER_PAUSE_SECONDS,
                cancel_share=CANCEL_SHARE,
                on_accepted=self._accepted,
            )
            for number in range(traders)
        ]
        self.listeners = [Listener(feed_url, trader) for trader in self.traders]
        self._listening: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Open the accounts, and listen."""
        for trader in self.traders:
            await trader.open_account(self._http)
        self._listening = [asyncio.create_task(one.listen()) for one in self.listeners]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let everybody go, in the middle of a request too."""
        tasks = [*self._tasks, *self._listening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    @property
    def accepted(self) -> int:
        """How many orders are known to be accepted."""
        return sum(len(trader.accepted) for trader in self.traders)

    @property
    def refused(self) -> int:
        """How many orders are known to be refused."""
        return sum(len(trader.outcomes) for trader in self.traders) - self.accepted

    @property
    def doubts(self) -> int:
        """How often a request had to be repeated."""
        return sum(trader.doubts for trader in self.traders)

    @property
    def reports_heard(self) -> int:
        """How many reports the traders were told."""
        heard = [one for listener in self.listeners for one in listener.connections]
        return sum(len(one.report_seqs) for one in heard)

    def begin(self) -> None:
        """Let everybody work."""
        self._stop = asyncio.Event()
        work = [trader.trade(self._http, self._stop) for trader in self.traders]
        work.append(
            interrupt_trading(
                self._gateway_urls,
                self._http,
                self._stop,
                pause_seconds=OPERATOR_PAUSE_SECONDS,
            )
        )
        self._tasks = [asyncio.create_task(one) for one in work]

    async def pause(self, seconds: float) -> None:
        """Return when the outcome of every order is known, and nobody sends another.

        Raises:
            LoadFailed: it is not within the time, or a trader was told nonsense.
        """
        self._stop.set()
        _, unknown = await asyncio.wait(self._tasks, timeout=seconds)
        self.check()
        if unknown:
            raise LoadFailed(f"{len(unknown)} requests have no known outcome after {seconds:.0f} s")

    def check(self) -> None:
        """See that nobody fell over.

        Raises:
            LoadFailed: somebody did, and over what.
        """
        for task in [*self._tasks, *self._listening]:
            if task.done() and (error := task.exception()):
                raise LoadFailed(f"{type(error).__name__}: {error}") from error

    def watch(self) -> asyncio.Future[float]:
        """When the answer to an order came that was sent from now on, and was accepted."""
        future = asyncio.get_running_loop().create_future()
        self._watched.append((time.monotonic(), future))
        return future

    def _accepted(self, sent: float) -> None:
        now = time.monotonic()
        for since, future in self._watched:
            if sent >= since and not future.done():
                future.set_result(now)
        self._watched = [one for one in self._watched if not one[1].done()]
