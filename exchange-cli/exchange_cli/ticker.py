"""What the terminal shows while the exchange runs: a line now and then, from its public API."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

LINE_SECONDS = 10.0
SECURITIES_SHOWN = 5


class Quote(msgspec.Struct):
    """What a line says of a security."""

    security_id: str
    state: str
    last: float | None
    reference_price: float

    @property
    def change(self) -> float:
        """How far the last trade is from the reference price, in parts of that."""
        return 0.0 if self.last is None else self.last / self.reference_price - 1


class Leader(msgspec.Struct):
    """Who leads, and what he has made."""

    client_id: str
    profit: float


class Readiness(msgspec.Struct):
    """What a service waits for; `ok` is what it has."""

    dependencies: dict[str, str]


@dataclass(frozen=True)
class Figures:
    """The exchange at one moment; orders and trades are counts that only grow."""

    orders: int
    trades: int
    quotes: list[Quote]
    leader: Leader | None


def line(before: Figures, now: Figures) -> str:
    """What happened since `before`, the prices that moved most, and who leads."""
    orders, trades = now.orders - before.orders, now.trades - before.trades
    moved = sorted(now.quotes, key=lambda quote: -abs(quote.change))[:SECURITIES_SHOWN]
    shown = {quote.security_id for quote in moved}
    parts = [
        f"{_count(orders, 'order')}, {_count(trades, 'trade')}",
        "  ".join(_quote(quote) for quote in now.quotes if quote.security_id in shown),
    ]
    if now.leader is not None:
        parts.append(f"{now.leader.client_id} leads with {now.leader.profit:+,.2f}")
    return " | ".join(part for part in parts if part)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _quote(quote: Quote) -> str:
    price = quote.reference_price if quote.last is None else quote.last
    change = f"{quote.change:+.2%}" if quote.state == "continuous" else quote.state
    return f"{quote.security_id} {_price(price)} {change.replace('_', '-')}"


def _price(price: float) -> str:
    """With two decimals, or more where there are more."""
    text = f"{price:,.4f}"
    return text.removesuffix("0").removesuffix("0")


async def show_lines(
    gateway_url: str, feed_url: str, show: Callable[[str], None], every: float = LINE_SECONDS
) -> None:
    """Show a line every so many seconds, for ever. One that says nothing new is left out."""
    last = ""
    async with httpx.AsyncClient(timeout=every, trust_env=False) as http:
        before = await _figures(http, gateway_url, feed_url)
        while True:
            await asyncio.sleep(every)
            text = await _trouble(http, feed_url) or await _trouble(http, gateway_url)
            if text is None and (now := await _figures(http, gateway_url, feed_url)) is not None:
                text = None if before is None else line(before, now)
                before = now
            if text is not None and text != last:
                show(f"  {datetime.now().astimezone():%H:%M:%S}  {text}")
                last = text


async def _trouble(http: httpx.AsyncClient, url: str) -> str | None:
    """What a service waits for, say for room on the disk; `None` while it is ready."""
    try:
        readiness = msgspec.json.decode((await http.get(f"{url}/readyz")).content, type=Readiness)
    except (httpx.HTTPError, msgspec.DecodeError):
        return None
    problems = readiness.dependencies.items()
    text = "; ".join(f"{name}: {problem}" for name, problem in problems if problem != "ok")
    return f"waiting for {text}" if text else None


async def _figures(http: httpx.AsyncClient, gateway_url: str, feed_url: str) -> Figures | None:
    """`None` while the exchange does not answer, say because its database is away."""

    async def get(url: str) -> bytes:
        return (await http.get(url)).raise_for_status().content

    try:
        leaders = msgspec.json.decode(
            await get(f"{feed_url}/leaderboard?limit=1"), type=list[Leader]
        )
        return Figures(
            orders=_metric(await get(f"{gateway_url}/metrics"), "exchange_orders_sequenced_total"),
            trades=_metric(await get(f"{feed_url}/metrics"), "exchange_feed_trades"),
            quotes=msgspec.json.decode(await get(f"{feed_url}/securities"), type=list[Quote]),
            leader=leaders[0] if leaders else None,
        )
    except httpx.HTTPError:
        return None


def _metric(page: bytes, name: str) -> int:
    """The value of a metric without labels on a page of them."""
    families = text_string_to_metric_families(page.decode())
    samples = (sample for family in families for sample in family.samples)
    return next(int(sample.value) for sample in samples if sample.name == name)
