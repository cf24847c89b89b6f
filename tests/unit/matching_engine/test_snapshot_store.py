"""Snapshot files: whole or not there, and checked before they are believed."""

import zlib
from pathlib import Path

import msgspec
import pytest

from exchange_shared.bus import LogPosition
from matching_engine.core import Exchange
from matching_engine.core.snapshot.format import hash_state
from matching_engine.snapshot_store import BadSnapshotError, Snapshot, SnapshotStore
from tests.support.flows import market_commands, order_flow
from tests.support.paths import DATA

FIRST_VERSION = DATA / "first_version.snapshot"


def snapshot_at(position: int) -> Snapshot:
    exchange = Exchange()
    for command in [*market_commands(), *order_flow(3, 50 + position)]:
        exchange.apply(command)
    applied = LogPosition(position, {"gateway-1": position}, f"gateway-1 {position} digest")
    return Snapshot(applied, exchange.state())


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    snapshot = snapshot_at(5)
    store.save(snapshot)
    assert SnapshotStore(tmp_path).load_newest() == snapshot


def test_without_snapshots_the_engine_starts_empty(tmp_path: Path) -> None:
    assert SnapshotStore(tmp_path).load_newest() is None


def test_the_newest_three_are_kept(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    for position in (1, 2, 30, 4):
        store.save(snapshot_at(position))
    assert [store.load(path).applied.position for path in store.files()] == [30, 4, 2]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "header", "version"])
def test_a_damaged_snapshot_is_passed_over_for_an_older_one(tmp_path: Path, damage: str) -> None:
    store = SnapshotStore(tmp_path)
    store.save(snapshot_at(1))
    path = store.save(snapshot_at(2))
    body = bytearray(path.read_bytes())
    match damage:
        case "flip":
            body[-100] ^= 1
        case "cut":
            del body[len(body) // 2 :]
        case "empty":
            body.clear()
        case "header":
            body[:10] = b"x" * 10
        case "version":
            body = body.replace(b'"format_version":3', b'"format_version":9', 1)
    path.write_bytes(body)
    loaded = store.load_newest()
    assert loaded is not None
    assert loaded.applied.position == 1


def test_with_only_damaged_snapshots_the_engine_refuses_to_start_empty(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.save(snapshot_at(1)).write_bytes(b"nothing")
    with pytest.raises(BadSnapshotError, match="none of the snapshots"):
        store.load_newest()


def test_an_unfinished_file_is_not_a_snapshot(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.save(snapshot_at(1))
    (tmp_path / "00000000000000000009.tmp").write_bytes(b"half of it")
    loaded = store.load_newest()
    assert loaded is not None
    assert loaded.applied.position == 1


def test_an_engine_goes_on_from_a_snapshot_of_the_first_version(tmp_path: Path) -> None:
    """`tests/data` has one that the first version wrote after 100 orders of this flow."""
    flow = [*market_commands(), *order_flow(3, 400)]
    before, after = flow[:-300], flow[-300:]
    (tmp_path / "00000000000000000100.snapshot").write_bytes(FIRST_VERSION.read_bytes())
    loaded = SnapshotStore(tmp_path).load_newest()
    assert loaded is not None
    old, new = Exchange(loaded.state), Exchange()
    old.check_invariants()
    for command in before:
        new.apply(command)
    assert old.state_hash() == new.state_hash()
    for command in after:
        assert old.apply(command) == new.apply(command)
    assert old.state_hash() == new.state_hash()


def test_an_engine_goes_on_from_a_snapshot_without_nodes_and_refusals(tmp_path: Path) -> None:
    store, snapshot = SnapshotStore(tmp_path), snapshot_at(5)
    path = store.save(snapshot)
    first_line, _, body = path.read_bytes().partition(b"\n")
    state = msgspec.msgpack.decode(body)
    del state["highest_ids"]
    for account in state["accounts"]:
        del account["refusals"], account["refused_until"]
    body = msgspec.msgpack.encode(state)
    header = msgspec.json.decode(first_line) | {
        "format_version": 2,
        "state_hash": hash_state(body),
        "crc32": zlib.crc32(body),
    }
    path.write_bytes(msgspec.json.encode(header) + b"\n" + body)
    assert store.load_newest() == snapshot
