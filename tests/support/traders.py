"""Traders who do what the documentation says: on any doubt, send the same order again.

And an operator, who interrupts them.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from tests.support.stack import OPERATOR_KEY

RETRY_SECONDS = 0.05
SECURITIES = {"MSFT": 420.0, "AAPL": 230.0, "SHEL": 70.0}
INTERRUPTIONS = ("start_auction", "uncross", "halt", "resume", "uncross")


@dataclass
class PersistentTrader:
    """Sends one order after another, each again and again until its outcome is known.

    Each request goes to any of the gateways, a repeated one perhaps to another.
    """

    client_id: str
    gateway_urls: Sequence[str]
    random: Random
    pause_seconds: float = 0.0
    """Between two orders."""

    cancel_share: float = 0.0
    """After how many of the orders all that are open are cancelled."""

    on_accepted: Callable[[float], None] = lambda _sent: None
    """Told of each order that was accepted when the request that was answered was sent."""

    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The answer to each order, by its `client_order_id`."""

    doubts: int = 0
    """How often a request had to be repeated."""

    @property
    def api_key(self) -> str:
        """The trader's key."""
        return f"key-of-client-{self.client_id}"

    @property
    def accepted(self) -> dict[str, dict[str, Any]]:
        """The answers to the orders that were not refused."""
        return {name: one for name, one in self.outcomes.items() if "error" not in one}

    async def open_account(self, http: httpx.AsyncClient) -> None:
        """Open the account."""
        body = {"client_id": self.client_id, "api_key": self.api_key}
        answer = await self._until_known(http, "/clients", body)
        assert answer["client_id"] == self.client_id

    async def trade(self, http: httpx.AsyncClient, stop: asyncio.Event) -> None:
        """Trade until told to stop; the last order's outcome is known then too."""
        while not stop.is_set():
            name = f"{self.client_id}-{len(self.outcomes)}"
            security_id = self.random.choice(tuple(SECURITIES))
            order = {
                "security_id": security_id,
                "side": self.random.choice(("buy", "sell")),
                "type": "limit",
                "quantity": self.random.randint(1, 5),
                "price": round(SECURITIES[security_id] + self.random.randint(-5, 5) / 100, 2),
                "client_order_id": name,
            }
            self.outcomes[name] = await self._until_known(http, "/orders", order)
            if self.random.random() < self.cancel_share:
                await self._until_known(http, "/orders", None, "DELETE")
            await asyncio.sleep(self.pause_seconds)

    async def _until_known(
        self,
        http: httpx.AsyncClient,
        path: str,
        body: dict[str, Any] | None,
        method: str = "POST",
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        while True:
            url = f"{self.random.choice(self.gateway_urls)}{path}"
            sent = time.monotonic()
            try:
                answer = await http.request(method, url, json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in (202, 429, 503):
                assert answer.status_code < 500, answer.text
                known: dict[str, Any] = answer.json()
                if body and path == "/orders" and "error" not in known:
                    self.on_accepted(sent)
                return known
            self.doubts += 1
            await asyncio.sleep(RETRY_SECONDS)


async def interrupt_trading(
    gateway_urls: Sequence[str],
    http: httpx.AsyncClient,
    stop: asyncio.Event,
    *,
    pause_seconds: float = RETRY_SECONDS,
) -> None:
    """Lead one security after another through auctions and a halt until told to stop.

    Each gateway is told in its turn.
    """
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    steps = itertools.cycle(itertools.product(INTERRUPTIONS, SECURITIES))
    for (action, security_id), gateway_url in zip(steps, itertools.cycle(gateway_urls)):
        if stop.is_set():
            return
        body = {"action": action, "security_id": security_id}
        with suppress(httpx.TransportError):
            answer = await http.post(f"{gateway_url}/admin/state", json=body, headers=headers)
            assert answer.status_code in (200, 202, 409, 503), answer.text
        await asyncio.sleep(pause_seconds)
