"""Services start and stop in any order: they tell what they wait for, and go when they are told."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.conftest import Databases
from tests.support.paths import ROOT
from tests.support.processes import ServerProcess, free_port, wait_until
from tests.support.stack import MODULES
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

GONE_SECONDS = 3.0
NEEDS_POSTGRES = ("clearinghouse", "market-data-feed", "order-entry-gateway")
NOBODY = "127.0.0.1:1"


class Alone:
    """One service as a process of its own."""

    def __init__(self, name: str, directory: Path, bus_url: str, dsns: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = ServerProcess(
            [sys.executable, "-m", MODULES[name]],
            directory / f"{name}.log",
            env={
                **os.environ,
                "EXCHANGE_PORT": str(port),
                "EXCHANGE_BUS_URL": bus_url,
                "EXCHANGE_MARKET_FILE": str(ROOT / "exchange.toml"),
                "EXCHANGE_SNAPSHOT_DIR": str(directory / "snapshots"),
                **dsns,
            },
            cwd=ROOT,
        )

    def answer(self, path: str) -> httpx.Response | None:
        """What it answers, `None` while it does not."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=2, trust_env=False)
        except httpx.TransportError:
            return None

    def until_it_lives(self) -> None:
        """Return when `/healthz` says so."""
        self.process.wait_until(lambda: self.answer("/healthz") is not None, "/healthz")
        health = self.answer("/healthz")
        assert health is not None
        assert (health.status_code, health.json()) == (200, {"status": "ok"})

    def missing(self) -> dict[str, str]:
        """What `/readyz` names as missing."""
        answer = self.answer("/readyz")
        assert answer is not None
        content: dict[str, Any] = answer.json()
        problems = {name: text for name, text in content["dependencies"].items() if text != "ok"}
        assert answer.status_code == (200 if content["status"] == "ready" else 503)
        return problems

    def until_named(self, *names: str) -> None:
        """Return when all of these, or one of the names that mean the same, are missing."""
        wait_until(lambda: all(self._names(name) for name in names), f"missing: {names}")

    def until_it_waits(self) -> None:
        """Return when anything is missing."""
        wait_until(lambda: bool(self.missing()), "something is missing")

    def until_it_has_all(self) -> None:
        """Return when nothing is missing, but perhaps another service."""
        wait_until(lambda: set(self.missing()) <= {"matching_engine"}, "nothing is missing")

    def _names(self, name: str) -> bool:
        text = str(self.missing())
        return ("RabbitMQ" if name == "bus" else "refused") in text

    def ends(self) -> None:
        """End it with SIGTERM; it must be gone in time, with exit code 0."""
        started = time.monotonic()
        code = self.process.end(signal.SIGTERM)
        took = time.monotonic() - started
        assert code == 0, self.process.log_tail()
        assert took < GONE_SECONDS


def dsns(clearing: str = f"postgresql://a@{NOBODY}/c", market: str | None = None) -> dict[str, str]:
    """The settings that say where Postgres is; by default nowhere."""
    market = market or f"postgresql://a@{NOBODY}/m"
    return {"EXCHANGE_CLEARING_DSN": clearing, "EXCHANGE_MARKET_DSN": market}


def through(proxy: TcpProxy, url: str) -> str:
    """The URL of a server behind a proxy."""
    parts = urlsplit(url)
    user = f"{parts.netloc.rpartition('@')[0]}@"
    return parts._replace(netloc=user + urlsplit(proxy.url).netloc).geturl()


@pytest.fixture
def services() -> Iterator[list[Alone]]:
    """Those started by a test; none outlives it."""
    started: list[Alone] = []
    yield started
    for service in started:
        service.process.end(signal.SIGKILL)


@pytest.mark.parametrize("name", MODULES)
def test_without_anything_it_lives_says_what_is_missing_and_goes(
    name: str, tmp_path: Path, services: list[Alone]
) -> None:
    service = Alone(name, tmp_path, f"amqp://guest:guest@{NOBODY}/", dsns())
    services.append(service)
    service.until_it_lives()
    service.until_named("bus", *(["postgres"] if name in NEEDS_POSTGRES else []))
    service.ends()


@pytest.mark.parametrize("name", MODULES)
async def test_without_a_broker_it_becomes_ready_when_that_comes(
    name: str, tmp_path: Path, services: list[Alone], rabbitmq_url: str, databases: Databases
) -> None:
    where = dsns(databases.clearing_data, databases.market_data)
    async with tcp_proxy(rabbitmq_url) as proxy:
        proxy.refuse()
        for number in range(2):
            service = Alone(name, tmp_path, through(proxy, rabbitmq_url), where)
            services.append(service)
            await asyncio.to_thread(service.until_it_lives)
            await asyncio.to_thread(service.until_named, "bus")
            if number == 0:
                await asyncio.to_thread(service.ends)
        proxy.refuse(False)
        await asyncio.to_thread(service.until_it_has_all)
        proxy.refuse()
        await asyncio.to_thread(service.ends)


@pytest.mark.parametrize("name", NEEDS_POSTGRES)
async def test_without_postgres_it_becomes_ready_when_that_comes(
    name: str, tmp_path: Path, services: list[Alone], rabbitmq_url: str, databases: Databases
) -> None:
    async with (
        tcp_proxy(databases.clearing_data) as clearing,
        tcp_proxy(databases.market_data) as market,
    ):
        clearing.refuse()
        market.refuse()
        where = dsns(
            through(clearing, databases.clearing_data), through(market, databases.market_data)
        )
        for number in range(2):
            service = Alone(name, tmp_path, rabbitmq_url, where)
            services.append(service)
            await asyncio.to_thread(service.until_it_lives)
            await asyncio.to_thread(service.until_it_waits)
            if number == 0:
                await asyncio.to_thread(service.ends)
        clearing.refuse(False)
        market.refuse(False)
        await asyncio.to_thread(service.until_it_has_all)
        clearing.refuse()
        market.refuse()
        await asyncio.to_thread(service.ends)


async def test_who_talks_to_it_does_not_keep_it(
    tmp_path: Path, services: list[Alone], databases: Databases, rabbitmq_url: str
) -> None:
    service = Alone("market-data-feed", tmp_path, rabbitmq_url, dsns(market=databases.market_data))
    services.append(service)
    await asyncio.to_thread(service.until_it_lives)
    await asyncio.to_thread(service.until_it_has_all)
    host, port = service.url.removeprefix("http://").split(":")
    _, slow = await asyncio.open_connection(host, int(port))
    slow.write(b"GET /securities HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\n{")
    url = service.url.replace("http", "ws")
    async with connect(f"{url}/stream/price", proxy=None):
        await asyncio.to_thread(service.ends)
    slow.close()


def test_a_second_signal_ends_it_at_once(tmp_path: Path, services: list[Alone]) -> None:
    service = Alone("market-data-feed", tmp_path, f"amqp://guest:guest@{NOBODY}/", dsns())
    services.append(service)
    service.until_it_lives()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.end(signal.SIGTERM) in (0, 128 + signal.SIGTERM)
