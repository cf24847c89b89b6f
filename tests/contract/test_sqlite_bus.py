"""What only the SQLite adapter promises: one writer, readers beside it, the tail and the file."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from exchange_shared.bus import DEAD_LETTER, ORDER_ENTRY, Bus, BusError, open_bus, sqlite_file
from exchange_shared.bus import sqlite as sqlite_bus
from exchange_shared.bus.sqlite import SQLiteBus
from tests.support.bus import bodies, read, read_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "log.db"


async def publish_numbers(bus: Bus, count: int) -> list[bytes]:
    sent = [b"%d" % number for number in range(count)]
    await asyncio.gather(*[bus.publish(ORDER_ENTRY, body) for body in sent])
    return sent


async def test_a_url_of_sqlite_opens_this_adapter(path: Path) -> None:
    bus = await open_bus(f"sqlite:///{path}")
    await bus.publish(ORDER_ENTRY, b"first")
    await bus.close()

    assert isinstance(bus, SQLiteBus)


async def test_positions_count_from_one_in_each_queue(path: Path) -> None:
    bus = await SQLiteBus.open(path)
    await bus.publish(DEAD_LETTER, b"bad")
    await publish_numbers(bus, 200)

    messages = await read_all(bus, ORDER_ENTRY)

    assert [message.position for message in messages] == list(range(1, 201))
    await bus.close()


async def test_a_second_writer_is_refused_until_the_first_is_closed(path: Path) -> None:
    bus = await SQLiteBus.open(path)

    with pytest.raises(BusError, match="in use by another process"):
        await SQLiteBus.open(path)
    await bus.close()

    await (await SQLiteBus.open(path)).close()


async def test_a_read_only_log_follows_the_writer(path: Path) -> None:
    writer = await SQLiteBus.open(path)
    await writer.publish(ORDER_ENTRY, b"first")
    reader = await SQLiteBus.open(path, read_only=True)
    reading = asyncio.create_task(read(reader, ORDER_ENTRY, None, 2))
    await writer.publish(ORDER_ENTRY, b"second")

    assert bodies(await reading) == [b"first", b"second"]
    assert await reader.last_position(ORDER_ENTRY) == 2
    with pytest.raises(BusError, match="reading only"):
        await reader.publish(ORDER_ENTRY, b"third")
    await reader.close()
    await writer.close()


async def test_a_read_only_log_needs_no_writer(path: Path) -> None:
    writer = await SQLiteBus.open(path)
    await writer.publish(ORDER_ENTRY, b"first")
    await writer.close()

    reader = await SQLiteBus.open(path, read_only=True)

    assert bodies(await read_all(reader, ORDER_ENTRY)) == [b"first"]
    await reader.close()


async def test_a_read_only_log_must_exist(path: Path) -> None:
    with pytest.raises(BusError, match="cannot be opened"):
        await SQLiteBus.open(path, read_only=True)


async def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no database" * 1_000)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE other (id INTEGER)")
    connection.close()

    with pytest.raises(BusError, match="cannot be opened"):
        await SQLiteBus.open(text)
    with pytest.raises(BusError, match="no log of the exchange"):
        await SQLiteBus.open(other)


async def test_an_unknown_queue_is_refused(path: Path) -> None:
    bus = await SQLiteBus.open(path)

    with pytest.raises(BusError, match="no queue 'orders'"):
        await bus.publish("orders", b"")
    await bus.close()


@pytest.mark.usefixtures("flood")
async def test_what_is_no_longer_in_memory_is_read_from_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_bus, "TAIL_MESSAGES", 10)
    bus = await SQLiteBus.open(path)
    sent = await publish_numbers(bus, 2_000)

    messages = await read(bus, ORDER_ENTRY, None, len(sent))

    assert bodies(messages) == sent
    assert await read(bus, ORDER_ENTRY, 1_995, 5) == messages[-5:]
    await bus.close()


async def test_the_tail_in_memory_is_limited_in_bytes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_bus, "TAIL_BYTES", 100)
    bus = await SQLiteBus.open(path)
    for _ in range(5):
        await bus.publish(ORDER_ENTRY, bytes(60))

    assert bodies(await read(bus, ORDER_ENTRY, None, 5)) == [bytes(60)] * 5
    await bus.close()


async def test_what_was_published_before_closing_is_written(path: Path) -> None:
    bus = await SQLiteBus.open(path)
    publishing = [asyncio.create_task(bus.publish(ORDER_ENTRY, b"%d" % n)) for n in range(500)]
    await asyncio.sleep(0)
    await bus.close()
    await asyncio.gather(*publishing)

    reader = await SQLiteBus.open(path, read_only=True)
    assert bodies(await read_all(reader, ORDER_ENTRY)) == [b"%d" % n for n in range(500)]
    await reader.close()


async def test_a_log_that_cannot_be_written_to_says_so_and_tries_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.0)
    monkeypatch.setattr(sqlite_bus, "RETRY_SECONDS", 0.01)
    bus = await SQLiteBus.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    publishing = asyncio.create_task(bus.publish(ORDER_ENTRY, b"first"))
    async with asyncio.timeout(10):
        while bus.unavailable_reason() is None:
            await asyncio.sleep(0)
    assert bus.unavailable_reason() == "the log cannot be written to: database is locked"

    other.execute("ROLLBACK")
    other.close()
    await publishing

    assert bus.unavailable_reason() is None
    assert bodies(await read_all(bus, ORDER_ENTRY)) == [b"first"]
    await bus.close()


async def test_closing_gives_up_on_a_log_that_cannot_be_written_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.0)
    bus = await SQLiteBus.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    publishing = [asyncio.create_task(bus.publish(ORDER_ENTRY, b"%d" % n)) for n in range(100)]
    async with asyncio.timeout(10):
        while bus.unavailable_reason() is None:
            await asyncio.sleep(0)

    await bus.close()

    for result in await asyncio.gather(*publishing, return_exceptions=True):
        assert isinstance(result, BusError)
    other.close()


@pytest.mark.usefixtures("flood")
async def test_the_drawer_for_dead_letters_keeps_the_newest(path: Path) -> None:
    bus = await SQLiteBus.open(path)
    await asyncio.gather(*[bus.publish(DEAD_LETTER, b"%d" % n) for n in range(1_100)])
    await bus.close()

    bus = await SQLiteBus.open(path)
    letters = bodies(await read_all(bus, DEAD_LETTER))
    assert letters == [b"%d" % n for n in range(100, 1_100)]
    await bus.close()


async def test_a_closed_log_is_one_whole_file_that_can_be_read(path: Path) -> None:
    bus = await SQLiteBus.open(path)
    sent = await publish_numbers(bus, 200)
    await read_all(bus, ORDER_ENTRY)
    await bus.close()

    assert {file.name for file in path.parent.iterdir()} == {"log.db", "log.db.lock"}
    copy = path.parent / "copy.db"
    await asyncio.to_thread(shutil.copy, path, copy)
    reader = await SQLiteBus.open(copy, read_only=True)
    assert bodies(await read_all(reader, ORDER_ENTRY)) == sent
    await reader.close()
