"""Traders who do what the documentation says: on any doubt, send the same order again.

And an operator, who interrupts them.
"""

import asyncio
import itertools
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
    """Sends one order after another, each again and again until its outcome is known."""

    client_id: str
    gateway_url: str
    random: Random
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
        for number in itertools.count():
            if stop.is_set():
                return
            name = f"{self.client_id}-{number}"
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

    async def _until_known(
        self, http: httpx.AsyncClient, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        while True:
            try:
                answer = await http.post(f"{self.gateway_url}{path}", json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in (202, 429, 503):
                assert answer.status_code < 500, answer.text
                known: dict[str, Any] = answer.json()
                return known
            self.doubts += 1
            await asyncio.sleep(RETRY_SECONDS)


async def interrupt_trading(gateway_url: str, http: httpx.AsyncClient, stop: asyncio.Event) -> None:
    """Lead one security after another through auctions and a halt until told to stop."""
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    for action, security_id in itertools.cycle(itertools.product(INTERRUPTIONS, SECURITIES)):
        if stop.is_set():
            return
        body = {"action": action, "security_id": security_id}
        with suppress(httpx.TransportError):
            answer = await http.post(f"{gateway_url}/admin/state", json=body, headers=headers)
            assert answer.status_code in (200, 202, 409, 503), answer.text
        await asyncio.sleep(RETRY_SECONDS)
