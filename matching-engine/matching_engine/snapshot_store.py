"""Snapshots: the engine's state at a position of the log, in files that are whole or not there.

A file is one line of JSON (the header) and the encoded state. It is written under another name,
synced, and renamed; the newest three are kept, and the newest good one is loaded.
"""

import os
import zlib
from pathlib import Path

import msgspec
import structlog

from exchange_shared.bus import LogPosition
from matching_engine.core import Exchange, ExchangeState
from matching_engine.core.snapshot.format import decode_state, encode_state, hash_state

FORMAT_VERSION = 3
READABLE_VERSIONS = (1, 2, FORMAT_VERSION)
"""Earlier ones lack what their engines did not know; their state hashes are of that form, too."""

KEPT_SNAPSHOTS = 3

log = structlog.get_logger()


class SnapshotHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the first line: where in the log the state is, and how to check it."""

    format_version: int
    position: int
    sources: dict[str, int]
    seq: int
    execution_seq: int
    state_hash: str
    crc32: int
    mark: str | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """The state after what the engine had applied of `order_entry`."""

    applied: LogPosition
    state: ExchangeState


class BadSnapshotError(Exception):
    """A snapshot file is damaged, or was written by another version."""


class SnapshotStore:
    """The snapshot files of one engine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def save(self, snapshot: Snapshot) -> Path:
        """Write a snapshot durably, and delete all but the newest three. Blocks on the disk."""
        applied = snapshot.applied
        assert applied.position is not None, "there is nothing to write before the first command"
        body = encode_state(snapshot.state)
        header = SnapshotHeader(
            format_version=FORMAT_VERSION,
            position=applied.position,
            sources=applied.sources,
            seq=snapshot.state.seq,
            execution_seq=snapshot.state.execution_seq,
            state_hash=hash_state(body),
            crc32=zlib.crc32(body),
            mark=applied.mark,
        )
        path = self._directory / f"{applied.position:020d}.snapshot"
        unfinished = path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            file.write(msgspec.json.encode(header))
            file.write(b"\n")
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        self._sync_directory()
        for old in self.files()[KEPT_SNAPSHOTS:]:
            old.unlink()
        return path

    def load_newest(self) -> Snapshot | None:
        """The newest snapshot that can be read, `None` when there is none at all.

        Raises:
            BadSnapshotError: there are snapshots, but none is good. The engine must then not
                start empty, because the log may no longer reach back to its beginning.
        """
        files = self.files()
        for path in files:
            try:
                return self.load(path)
            except BadSnapshotError as error:
                log.error("bad_snapshot", path=str(path), error=str(error))
        if files:
            raise BadSnapshotError(f"none of the snapshots in {self._directory} can be read")
        return None

    def load(self, path: Path) -> Snapshot:
        """Read one snapshot file.

        Raises:
            BadSnapshotError: it is damaged, or was written by another version.
        """
        try:
            first_line, _, body = path.read_bytes().partition(b"\n")
            header = msgspec.json.decode(first_line, type=SnapshotHeader)
            if header.format_version not in READABLE_VERSIONS:
                raise BadSnapshotError(f"format {header.format_version} is not known")
            if header.crc32 != zlib.crc32(body):
                raise BadSnapshotError("the checksum is wrong")
            state = decode_state(body)
        except (OSError, msgspec.DecodeError) as error:
            raise BadSnapshotError(str(error)) from error
        exact = header.format_version == FORMAT_VERSION
        if exact and hash_state(encode_state(Exchange(state).state())) != header.state_hash:
            raise BadSnapshotError("the restored state has another hash")
        return Snapshot(LogPosition(header.position, header.sources, header.mark), state)

    def files(self) -> list[Path]:
        """The snapshot files, newest first."""
        return sorted(self._directory.glob("*.snapshot"), reverse=True)

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
