"""A server answers to its own names, whichever a web page has let lead to it."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from exchange_shared.http import Health, HttpServer, create_app
from exchange_shared.metrics import Metrics

OURS = [
    "localhost",
    "LOCALHOST.:2404",
    "127.0.0.1:1",
    "127.8.9.10",
    "[::1]:2404",
    "192.168.1.20:2404",
    "[fe80::1]",
    "market.example",
    "Market.Example:80",
]
NOT_OURS = [
    "evil.example",
    "evil.example:2404",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "notmarket.example",
    "sub.market.example",
    "127.1",
    "2130706433",
    "localhost:80:80",
    "localhost@evil.example",
    "",
]


async def served(allowed: list[str]) -> AsyncIterator[HttpServer]:
    app = create_app("Test", "", Health(), Metrics(), allowed)

    @app.get("/who")
    async def who() -> str:
        return "us"

    @app.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    server = HttpServer(app, "127.0.0.1", 0, 1)
    serving = asyncio.create_task(server.serve())
    yield server
    await server.close()
    await serving


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async for one in served(["market.example"]):
        yield one


@pytest.fixture
async def open_server() -> AsyncIterator[HttpServer]:
    async for one in served(["*"]):
        yield one


async def ask(server: HttpServer, host: str, path: str = "/who") -> httpx.Response:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, headers={"Host": host})


async def test_our_names_and_addresses_in_digits_are_answered(server: HttpServer) -> None:
    for host in OURS:
        assert (await ask(server, host)).status_code == 200, host


async def test_other_names_are_refused_and_told_what_to_set(server: HttpServer) -> None:
    for host in NOT_OURS:
        answer = await ask(server, host)
        problem = answer.json()["error"]
        assert (answer.status_code, problem["code"], problem["field"]) == (
            421,
            "host_not_allowed",
            "Host",
        ), host
        assert ascii(host) in problem["message"]
        assert "EXCHANGE_ALLOWED_HOSTS" in problem["message"]


async def test_the_health_pages_answer_to_every_name(server: HttpServer) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await ask(server, "engine.cluster.internal", path)).status_code == 200
    assert (await ask(server, "engine.cluster.internal", "/metrics")).status_code == 421


async def test_every_name_may_be_allowed(open_server: HttpServer) -> None:
    assert (await ask(open_server, "evil.example")).status_code == 200


async def test_a_program_that_sends_no_host_is_no_web_page(server: HttpServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /who HTTP/1.0\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()


def talk(server: HttpServer, host: str) -> connect:
    headers = {"Host": host, "Origin": f"http://{host}"}
    url = f"ws://127.0.0.1:{server.port}/talk"
    return connect(url, additional_headers=headers, proxy=None)


async def test_a_websocket_is_asked_for_by_one_of_our_names(server: HttpServer) -> None:
    async with talk(server, "localhost"):
        pass
    with pytest.raises(InvalidStatus) as refused:
        await talk(server, "evil.example")
    assert refused.value.response.status_code == 421
    problem = json.loads(refused.value.response.body or b"")["error"]
    assert (problem["code"], problem["field"]) == ("host_not_allowed", "Host")
