"""A gateway that is stopped for longer than its lease, and wakes up, does no harm."""

import asyncio
import signal
from typing import Any

import httpx
import pytest

from exchange_cli.verify import verify
from exchange_shared.bus import open_bus
from exchange_shared.ids import node_of
from tests.conftest import Databases
from tests.support.stack import Stack

LEASE_SECONDS = 2.0
ANSWER_SECONDS = 15.0
SELL = {"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 1, "price": 421.0}

pytestmark = [pytest.mark.slow]


async def until_known(
    http: httpx.AsyncClient, url: str, body: dict[str, Any], headers: dict[str, str]
) -> dict[str, Any]:
    """Ask again until it is answered by something certain."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            answer = await http.post(url, json=body, headers=headers)
            if answer.status_code not in (202, 503):
                known: dict[str, Any] = answer.json()
                return known
            await asyncio.sleep(0.05)


async def test_a_stopped_gateway_that_wakes_up_takes_nothing_that_waited_and_goes_on(
    databases: Databases, rabbitmq_url: str
) -> None:
    stack = Stack(
        rabbitmq_url,
        databases.clearing_data,
        databases.market_data,
        settings={"EXCHANGE_NODE_LEASE_SECONDS": str(LEASE_SECONDS)},
        gateways=2,
    )
    await asyncio.to_thread(stack.__enter__)
    try:
        first, second = stack.gateway_urls
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as http:
            headers = {"Authorization": "Bearer key-of-alice-0123456789"}
            body = {"client_id": "alice", "api_key": "key-of-alice-0123456789"}
            await until_known(http, f"{first}/clients", body, {})
            before = await until_known(http, f"{second}/orders", SELL, headers)
            stack.signal(stack.gateways[1], signal.SIGSTOP)
            named = {**SELL, "quantity": 1_000_000, "client_order_id": "once"}
            waiting = asyncio.create_task(
                http.post(f"{second}/orders", json=named, headers=headers)
            )
            await asyncio.sleep(2 * LEASE_SECONDS)
            refused = await until_known(http, f"{first}/orders", named, headers)
            assert refused["error"]["code"] == "insufficient_shares"
            stack.signal(stack.gateways[1], signal.SIGCONT)
            answer = await waiting
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
            after = await until_known(http, f"{second}/orders", SELL, headers)
            other = await until_known(http, f"{first}/orders", SELL, headers)
            ids = [one["order_id"] for one in (before, after, other)]
            assert ids[0] < ids[1]
            assert node_of(ids[1]) != node_of(ids[2])
        await asyncio.to_thread(stack.wait_ready, stack.gateways[1])
        bus = await open_bus(rabbitmq_url)
        try:
            findings = await verify(
                bus, stack.clearing_dsn, stack.market_dsn, stack.snapshot_dir, patience_seconds=30
            )
        finally:
            await bus.close()
        assert [finding for finding in findings if not finding.holds or finding.behind] == []
    finally:
        await asyncio.to_thread(stack.close)
