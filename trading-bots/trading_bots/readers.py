"""Readers of what the exchange tells unasked: prices, and execution reports, as async iterators.

A reader is held by its stream until one of them is closed or the reader has failed, so that it may
be known to nobody but the task that reads it. It is whole or it fails: what it has missed is an
error that is raised after everything that arrived before, and again at every later read.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Sized
from typing import Generic, TypeVar

from trading_bots.errors import ReportsLost
from trading_bots.models import Price, Report

MAX_UNREAD_REPORTS = 10_000

Item = TypeVar("Item")


class Reader(AsyncIterator[Item]):
    """What has arrived and is not read yet."""

    def __init__(self, unread: Sized) -> None:
        self._unread = unread
        self._arrived = asyncio.Event()
        self._end: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will arrive."""
        return self._end is not None

    @abstractmethod
    def put(self, item: Item, /) -> None:
        """Take in what has arrived."""

    @abstractmethod
    def take(self) -> Item:
        """The first of what is unread."""

    def close(self) -> None:
        """Take in nothing more: the iteration ends after what is unread."""
        self.fail(StopAsyncIteration())

    def fail(self, failure: BaseException) -> None:
        """Take in nothing more: the iteration raises this after what is unread."""
        if self._end is None:
            self._end = failure
            self._arrived.set()

    async def __anext__(self) -> Item:
        """The next item, as soon as there is one.

        Raises:
            ExchangeError: the exchange refuses the stream.
            ReportsLost: reports may be missing from here on.
            StopAsyncIteration: the reader or its client was closed.
        """
        while not len(self._unread):
            if self._end is not None:
                raise self._end
            self._arrived.clear()
            await self._arrived.wait()
        return self.take()


class Prices(Reader[Price]):
    """The newest price of each security, whenever it changes.

    A reader that is slower than the market gets the newest price, and never an outdated one. It
    goes on after the connection was lost, with the prices of then.
    """

    def __init__(self) -> None:
        self._news: dict[str, Price] = {}
        super().__init__(self._news)

    def put(self, price: Price) -> None:
        """Replace what has not been read of this security."""
        if not self.ended:
            self._news[price.security_id] = price
            self._arrived.set()

    def take(self) -> Price:
        """The price that has waited longest."""
        return self._news.pop(next(iter(self._news)))


class Reports(Reader[Report]):
    """The own execution reports from its making on: every one and in order, or `ReportsLost`."""

    def __init__(self) -> None:
        self._reports: deque[Report] = deque()
        super().__init__(self._reports)

    def put(self, report: Report) -> None:
        """Add a report; more unread ones than `MAX_UNREAD_REPORTS` are lost."""
        if self.ended:
            return
        if len(self._reports) >= MAX_UNREAD_REPORTS:
            reason = f"more than {MAX_UNREAD_REPORTS:,} reports waited to be read"
            self.fail(ReportsLost("slow_consumer", reason))
            return
        self._reports.append(report)
        self._arrived.set()

    def take(self) -> Report:
        """The oldest unread report."""
        return self._reports.popleft()


class Readers(Generic[Item]):
    """All readers of one stream. Each gets everything, however slow the others are."""

    def __init__(self) -> None:
        self._open: set[Reader[Item]] = set()

    def add(self, reader: Reader[Item]) -> None:
        """Hold a reader until it ends."""
        self._open.add(reader)

    def put(self, item: Item) -> None:
        """Give this to each."""
        for reader in tuple(self._open):
            reader.put(item)
            if reader.ended:
                self._open.discard(reader)

    def fail(self, failure: Callable[[], BaseException]) -> None:
        """Let each of those that are here now end with an error of its own."""
        for reader in self._open:
            reader.fail(failure())
        self._open.clear()

    def close(self) -> None:
        """Let each end after what is unread."""
        self.fail(StopAsyncIteration)
