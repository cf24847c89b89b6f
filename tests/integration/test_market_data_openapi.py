"""The feed's API page: what it says of answers is what comes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange_shared.bus.sqlite import SQLiteBus
from tests.conftest import Databases
from tests.support.feed_market import FeedMarket
from tests.support.running_feed import RunningFeed, limit, opening, running_feed

SAMPLES = {
    "/securities": None,
    "/price/{security_id}": None,
    "/book/{security_id}": None,
    "/trades/{security_id}": None,
    "/leaderboard": None,
    "/status/{security_id}/{order_id}": "bob",
    "/report/{security_id}/{order_id}": "bob",
    "/orders": "bob",
    "/reports": "bob",
    "/holdings/{security_id}/{client_id}": "bob",
    "/holdings/{client_id}": "bob",
    "/balance/{client_id}": "bob",
    "/accounts/{client_id}": "bob",
}
"""Every documented call, and who asks."""


def content_of(response: Any) -> Any:
    return response["content"]["application/json"]["schema"]


def resolved(schema: Any, parts: dict[str, Any]) -> Any:
    """A schema with what it refers to in place."""
    if isinstance(schema, list):
        return [resolved(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(parts[schema["$ref"].rsplit("/", 1)[1]], parts)
    return {name: resolved(value, parts) for name, value in schema.items()}


def check(answer: Any, schema: Any) -> None:
    """An answer has what a schema requires, at every depth, and nothing that it does not name."""
    if "anyOf" in schema:
        kinds = [kind["properties"]["event_type"] for kind in schema["anyOf"]]
        names = [kind.get("enum", [kind.get("const")]) for kind in kinds]
        (schema,) = (
            kind
            for kind, known in zip(schema["anyOf"], names, strict=True)
            if answer["event_type"] in known
        )
    if schema.get("type") == "array" and "items" in schema:
        for item in answer:
            check(item, schema["items"])
    if schema.get("type") == "object":
        assert set(schema["required"]) <= set(answer) <= set(schema["properties"])
        for name in answer:
            if "anyOf" not in schema["properties"][name]:
                check(answer[name], schema["properties"][name])


@pytest.fixture
async def feed(tmp_path: Path, databases: Databases) -> AsyncIterator[RunningFeed]:
    """A feed that has something to tell of everything."""
    bus = await SQLiteBus.open(tmp_path / "log.db")
    market = FeedMarket(bus)
    await market.trade(*opening())
    await market.trade(limit(11, "alice", "sell", 10, 100), limit(12, "bob", "buy", 4, 101))
    async with running_feed(databases.market_data, bus) as running:
        await running.get("/price/MSFT", min_seq=market.exchange.seq)
        yield running
    await bus.close()


async def test_answers_have_the_documented_fields(feed: RunningFeed) -> None:
    page = (await feed.http.get("/openapi.json")).json()
    parts = page["components"]["schemas"]
    refusal = (await feed.http.get("/price/MSFT?min_seq=x")).json()
    calls = {path: call["get"] for path, call in page["paths"].items() if "tags" in call["get"]}
    assert {path for path, call in calls.items() if call["tags"] != ["health"]} == set(SAMPLES)
    for path, client_id in SAMPLES.items():
        answer = await feed.get(
            path.format(security_id="MSFT", order_id=12, client_id="bob"), client_id
        )
        assert answer, path
        responses = calls[path]["responses"]
        check(answer, resolved(content_of(responses["200"]), parts))
        check(refusal, resolved(content_of(responses["422"]), parts))
        assert ("401" in responses) == (client_id is not None)
