"""The readers of prices and reports: what arrives, what is lost, and what ends them."""

import asyncio
import gc
from decimal import Decimal
from typing import Any

import pytest

from trading_bots import ExchangeError, Price, Report, ReportsLost
from trading_bots.readers import MAX_UNREAD_REPORTS, Prices, Reader, Readers, Reports


def price(security_id: str, last: str) -> Price:
    return Price(
        security_id=security_id,
        bid=None,
        ask=None,
        bid_quantity=0,
        ask_quantity=0,
        last=Decimal(last),
        volume=0,
        timestamp="2026-01-31T09:30:00.000001Z",
        seq=1,
        state="continuous",
    )


def report(seq: int) -> Report:
    return Report(
        event="cancelled",
        seq=seq,
        time="2026-01-31T09:30:00.000001Z",
        order_id=1,
        client_order_id=None,
        security_id="MSFT",
        quantity=1,
        remaining_quantity=0,
    )


async def test_a_slow_reader_of_prices_gets_the_newest_of_each_security() -> None:
    prices = Prices()
    for security_id, last in (("MSFT", "1"), ("AAPL", "2"), ("MSFT", "3")):
        prices.put(price(security_id, last))
    assert [await anext(prices), await anext(prices)] == [price("MSFT", "3"), price("AAPL", "2")]


async def test_a_waiting_reader_of_prices_is_woken() -> None:
    prices = Prices()
    reading = asyncio.ensure_future(anext(prices))
    await asyncio.sleep(0)
    prices.put(price("MSFT", "1"))
    assert await reading == price("MSFT", "1")


async def test_a_refused_price_stream_tells_its_reader() -> None:
    prices = Prices()
    prices.fail(ExchangeError("unknown_security", "NOPE is not listed", status=404))
    with pytest.raises(ExchangeError, match="unknown_security: NOPE is not listed"):
        await anext(prices)


async def test_reports_are_all_read_in_order() -> None:
    reports = Reports()
    for seq in (1, 2, 3):
        reports.put(report(seq))
    assert [(await anext(reports)).seq for _ in range(3)] == [1, 2, 3]


async def test_a_slow_reader_of_reports_fails_after_those_that_were_kept_and_others_go_on() -> None:
    slow, quick = Reports(), Reports()
    readers: Readers[Report] = Readers()
    readers.add(slow)
    readers.add(quick)
    for seq in range(MAX_UNREAD_REPORTS + 5):
        readers.put(report(seq))
        assert (await anext(quick)).seq == seq
    assert [(await anext(slow)).seq for _ in range(MAX_UNREAD_REPORTS)] == [
        *range(MAX_UNREAD_REPORTS)
    ]
    for _ in range(2):
        with pytest.raises(ReportsLost, match="slow_consumer: more than 10,000 reports"):
            await anext(slow)


async def test_a_reader_that_only_its_own_task_knows_is_kept() -> None:
    readers: Readers[Report] = Readers()
    told: list[int] = []
    done = asyncio.Event()

    async def follow() -> None:
        reader = Reports()
        readers.add(reader)
        async for one in reader:
            told.append(one.seq)  # noqa: PERF401
        done.set()

    asyncio.create_task(follow())  # noqa: RUF006
    await asyncio.sleep(0)
    for seq in (1, 2, 3):
        gc.collect()
        readers.put(report(seq))
        await asyncio.sleep(0)
    gc.collect()
    readers.close()
    await done.wait()
    assert told == [1, 2, 3]


async def test_closed_readers_end_after_what_is_unread_and_take_in_no_more() -> None:
    reports, prices = Reports(), Prices()
    reports.put(report(1))
    prices.put(price("MSFT", "1"))
    for reader in (reports, prices):
        reader.close()
    reports.put(report(2))
    prices.put(price("MSFT", "2"))
    assert [one.seq async for one in reports] == [1]
    assert [one.last async for one in prices] == [Decimal(1)]
    assert [one.seq async for one in reports] == []


async def test_a_waiting_reader_is_woken_by_its_end() -> None:
    for end, expected in ((ReportsLost("connection_lost", "gone"), ReportsLost), (None, None)):
        reader = Reports()
        reading = asyncio.ensure_future(read_all(reader))
        await asyncio.sleep(0)
        if end is None:
            reader.close()
        else:
            reader.fail(end)
        assert type(await reading) is (expected or list)


async def test_only_the_readers_of_that_moment_fail() -> None:
    readers: Readers[Report] = Readers()
    early, late = Reports(), Reports()
    readers.add(early)
    readers.fail(lambda: ReportsLost("connection_lost", "gone"))
    readers.add(late)
    readers.put(report(1))
    assert isinstance(await read_all(early), ReportsLost)
    assert (await anext(late)).seq == 1


async def read_all(reader: Reader[Any]) -> list[Any] | Exception:
    """Everything until the end, or the error that it ends with."""
    try:
        return [one async for one in reader]
    except ExchangeError as error:
        return error
