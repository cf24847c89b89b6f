"""Snapshot files: whole or not there, and checked before they are believed."""

import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from matching_engine.core import Exchange
from matching_engine.core.state import (
    AccountState,
    ExchangeState,
    SecurityState,
    encode_state,
    hash_state,
)
from matching_engine.snapshot import BadSnapshotError, Snapshot, SnapshotHeader, SnapshotStore
from tests.support.flows import market_commands, order_flow


def snapshot_at(position: int) -> Snapshot:
    exchange = Exchange()
    for command in [*market_commands(), *order_flow(3, 50 + position)]:
        exchange.apply(command)
    return Snapshot(position, {"gateway-1": position}, exchange.state())


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
    assert [store.load(path).position for path in store.files()] == [30, 4, 2]


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
            body = body.replace(b'"format_version":2', b'"format_version":9', 1)
    path.write_bytes(body)
    loaded = store.load_newest()
    assert loaded is not None
    assert loaded.position == 1


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
    assert loaded.position == 1


def test_a_snapshot_of_the_first_version_is_read(tmp_path: Path) -> None:
    snapshot = snapshot_at(5)
    body = of_the_first_version(snapshot.state)
    header = SnapshotHeader(
        format_version=1,
        position=5,
        sources=snapshot.sources,
        seq=snapshot.state.seq,
        execution_seq=snapshot.state.execution_seq,
        state_hash=hash_state(body),
        crc32=zlib.crc32(body),
    )
    path = tmp_path / "00000000000000000005.snapshot"
    path.write_bytes(msgspec.json.encode(header) + b"\n" + body)
    loaded = SnapshotStore(tmp_path).load_newest()
    assert loaded is not None
    assert Exchange(loaded.state).state_hash() == hash_state(encode_state(snapshot.state))


def of_the_first_version(state: ExchangeState) -> bytes:
    """The state as it was encoded when only fields without a default were known."""
    content = msgspec.msgpack.decode(encode_state(state))
    securities, accounts = content["securities"], content["accounts"]
    return msgspec.msgpack.encode(
        required(ExchangeState, content)
        | {
            "securities": [required(SecurityState, security) for security in securities],
            "accounts": [required(AccountState, account) for account in accounts],
        }
    )


def required(kind: type[msgspec.Struct], content: dict[str, Any]) -> dict[str, Any]:
    fields = msgspec.structs.fields(kind)
    return {field.name: content[field.name] for field in fields if field.required}
