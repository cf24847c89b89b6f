"""Within three seconds everybody who is asked says which part of the exchange is away."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.conftest import Databases
from tests.support.processes import wait_until
from tests.support.stack import Stack

TOLD_SECONDS = 3.0


@pytest.fixture
async def stack(rabbitmq_url: str, databases: Databases) -> AsyncIterator[Stack]:
    """Four processes."""
    running = Stack(rabbitmq_url, databases.clearing_data, databases.market_data)
    await asyncio.to_thread(running.__enter__)
    yield running
    await asyncio.to_thread(running.close)


def told_by_the_feed(stack: Stack, part: str) -> bool:
    """Whether the feed, which is ready itself, says that a part is at work."""
    answer = httpx.get(f"{stack.feed_url}/readyz", timeout=2, trust_env=False)
    assert answer.status_code == 200
    told: str = answer.json()["exchange"][part]
    return told == "ok"


def told_by_the_gateway(stack: Stack) -> bool:
    """Whether the gateway says that the engine is at work."""
    answer = httpx.get(f"{stack.gateway_url}/readyz", timeout=2, trust_env=False)
    engine_is_ok: bool = answer.json()["dependencies"]["matching_engine"] == "ok"
    assert answer.status_code == (200 if engine_is_ok else 503)
    return engine_is_ok


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("service", ["matching-engine", "clearinghouse"])
async def test_a_part_that_is_away_is_named_and_seen_again(
    stack: Stack, service: str, number: signal.Signals
) -> None:
    part = service.replace("-", "_")

    def all_say(at_work: bool) -> bool:
        gateway_agrees = part != "matching_engine" or told_by_the_gateway(stack) is at_work
        return told_by_the_feed(stack, part) is at_work and gateway_agrees

    def play() -> float:
        wait_until(lambda: all_say(True), f"{service} is heard")
        started = time.monotonic()
        if number == signal.SIGKILL:
            stack.kill(service)
        else:
            stack.signal(service, number)
        wait_until(lambda: all_say(False), f"{service} is missed")
        took = time.monotonic() - started
        if number == signal.SIGKILL:
            stack.start(service)
        else:
            stack.signal(service, signal.SIGCONT)
        wait_until(lambda: all_say(True), f"{service} is heard again")
        return took

    assert await asyncio.to_thread(play) <= TOLD_SECONDS
