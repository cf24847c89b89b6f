"""A trader's stream of reports, connected again whenever it is lost."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import websockets

from tests.support.traders import RETRY_SECONDS, PersistentTrader

OPEN_SECONDS = 5.0


@dataclass
class Heard:
    """The numbers of the reports of one connection, which began after report number `after`."""

    after: int
    report_seqs: list[int] = field(default_factory=list)


@dataclass
class Listener:
    """Hears what a trader is told. `listen` must be running as a task."""

    feed_url: str
    trader: PersistentTrader
    connections: list[Heard] = field(default_factory=list)

    async def listen(self) -> None:
        """Listen for ever."""
        while True:
            with suppress(OSError, TimeoutError, websockets.WebSocketException):
                await self._listen_once()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        url = f"{self.feed_url.replace('http', 'ws', 1)}/stream/report"
        headers = {"Authorization": f"Bearer {self.trader.api_key}"}
        async with websockets.connect(
            url, additional_headers=headers, open_timeout=OPEN_SECONDS, proxy=None
        ) as socket:
            heard: Heard | None = None
            async for frame in socket:
                message = msgspec.json.decode(frame)
                if "error" in message:
                    return
                if heard is None:
                    heard = Heard(message["report_seq"])
                    self.connections.append(heard)
                else:
                    heard.report_seqs.append(message["report_seq"])

    def missed(self, report_seqs: Sequence[int]) -> list[str]:
        """Where a connection left out, mixed up or repeated any of all the trader's reports.

        What comes after the last that a connection heard may have been lost with the connection.
        """
        found = []
        for heard in self.connections:
            last = max(heard.report_seqs, default=0)
            expected = [seq for seq in report_seqs if heard.after < seq <= last]
            if heard.report_seqs != expected:
                missing = sorted(set(expected) - set(heard.report_seqs))
                surplus = sorted(set(heard.report_seqs) - set(expected))
                found.append(
                    f"the stream of {self.trader.client_id} after report {heard.after} told"
                    f" {len(heard.report_seqs)} reports, should be {len(expected)}:"
                    f" missing {missing[:5]}, not expected {surplus[:5]}"
                )
        return found
