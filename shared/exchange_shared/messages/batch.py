"""The envelope: one message on the bus carries a batch of records from one source."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, get_args

import msgspec

from exchange_shared.messages.commands import AnyCommand
from exchange_shared.messages.events import AnyEvent, AnyExecution
from exchange_shared.messages.reports import AnyFeedRecord, AnySettlement, OrderReport
from exchange_shared.messages.values import Id

FORMAT_VERSION = 1
"""Raised when a reader of the old form could misread the new one."""

ORDER_ENTRY_GATEWAY = "order-entry-gateway"
"""What the sources of commands and order reports begin with: one for each start of a gateway."""

MATCHING_ENGINE = "matching-engine"
"""The source of all events."""

CLEARINGHOUSE = "clearinghouse"
"""The source of all reports of settlements."""

MARKET_DATA_FEED = "market-data-feed"
"""The source of nothing."""

SERVICES = (ORDER_ENTRY_GATEWAY, MATCHING_ENGINE, CLEARINGHOUSE, MARKET_DATA_FEED)

WRITERS: Mapping[type[Any], str] = {
    **dict.fromkeys(get_args(AnyEvent), MATCHING_ENGINE),
    **dict.fromkeys(get_args(AnySettlement), CLEARINGHOUSE),
}
"""The only source from which a type of record is believed; other types may come from anybody."""

_SERVICE_OF: Mapping[type[Any], str] = {
    **dict.fromkeys(get_args(AnyCommand), ORDER_ENTRY_GATEWAY),
    OrderReport: ORDER_ENTRY_GATEWAY,
    **WRITERS,
}
"""The only service that writes a type of record."""

Record = TypeVar("Record")


class Batch(msgspec.Struct, Generic[Record], frozen=True, kw_only=True):
    """Records of one source; `seq` numbers the first, the others follow without a gap.

    What belongs together may be too large for one message: `more` says that what the last record
    belongs to goes on in the source's next batch.
    """

    version: int
    source: str
    seq: Id
    more: bool = False
    records: list[Record]


class UndecodableRecord(Exception):
    """A message, or one record of it, is not of the form that its queue carries."""


class BatchDecoder(Generic[Record]):
    """Decodes the messages of one queue.

    `decode` returns the batch with `None` in the place of every record that could not be read, or
    that is not its source's to write, and the reason for each such record by its index.
    """

    def __init__(self, record_type: Any, writers: Mapping[type[Any], str] = WRITERS) -> None:
        self._writers = writers
        self._strict = msgspec.json.Decoder(Batch[record_type])
        self._envelope = msgspec.json.Decoder(Batch[msgspec.Raw])
        self._record = msgspec.json.Decoder(record_type)

    def decode(self, body: bytes) -> tuple[Batch[Record | None], dict[int, str]]:
        """Raises `UndecodableRecord` when not even the envelope can be read."""
        try:
            batch = self._strict.decode(body)
            bad: dict[int, str] = {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            batch, bad = self._decode_each(body)
        if batch.version != FORMAT_VERSION:
            raise UndecodableRecord(f"format version {batch.version}, expected {FORMAT_VERSION}")
        if not batch.records:
            raise UndecodableRecord("a batch has at least one record")
        writers, source = self._writers, batch.source
        if any(writers.get(kind, source) != source for kind in set(map(type, batch.records))):
            batch, bad = self._without_forged(batch, bad)
        return batch, bad

    def _without_forged(
        self, batch: Batch[Record | None], bad: dict[int, str]
    ) -> tuple[Batch[Record | None], dict[int, str]]:
        records = list(batch.records)
        bad = dict(bad)
        for index, record in enumerate(records):
            writer = self._writers.get(type(record), batch.source)
            if writer != batch.source:
                records[index] = None
                bad[index] = f"only {writer} writes this, not {batch.source[:64]}"
        return msgspec.structs.replace(batch, records=records), bad

    def _decode_each(self, body: bytes) -> tuple[Batch[Record | None], dict[int, str]]:
        try:
            envelope = self._envelope.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UndecodableRecord(str(error)) from error
        records: list[Record | None] = []
        bad: dict[int, str] = {}
        for index, raw in enumerate(envelope.records):
            try:
                records.append(self._record.decode(raw))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                records.append(None)
                bad[index] = str(error)
        batch = Batch[Record | None](
            version=envelope.version,
            source=envelope.source,
            seq=envelope.seq,
            more=envelope.more,
            records=records,
        )
        return batch, bad


def forgery(user: str | None, batch: Batch[Any]) -> str | None:
    """Why a batch is not what it claims to be, by the user of the broker who wrote it.

    A service's user (named like the service, with underscores) writes only in that service's name,
    and only what that service writes; any other user is an administrator, who is believed.
    """
    if user is None:
        return None
    if not user:
        return "its writer is kept secret, which those before it told"
    service = user.replace("_", "-")
    if service not in SERVICES:
        return None
    if batch.source != service and not batch.source.startswith(f"{service}-"):
        return f"{user} wrote it in the name of {batch.source[:64]}"
    for kind in set(map(type, batch.records)):
        if _SERVICE_OF.get(kind, service) != service:
            return f"{user} wrote what only {_SERVICE_OF[kind]} writes"
    return None


_encoder = msgspec.json.Encoder()


def encode_batch(
    source: str, seq: int, records: Sequence[msgspec.Struct | msgspec.Raw], *, more: bool = False
) -> bytes:
    """The message for these records, the first of which is number `seq` of `source`."""
    envelope: dict[str, Any] = {"version": FORMAT_VERSION, "source": source, "seq": seq}
    if more:
        envelope["more"] = True
    envelope["records"] = records
    return _encoder.encode(envelope)


_parts = msgspec.json.Decoder(Batch[msgspec.Raw])


def split_batch(body: bytes, parts: int) -> list[bytes]:
    """A batch as several messages with about as many of its records each, left as they are.

    All but the last say that there is `more`. There are as many as wanted, or one for each record.
    """
    batch = _parts.decode(body)
    count = len(batch.records)
    size = -(-count // parts)
    return [
        encode_batch(
            batch.source,
            batch.seq + first,
            batch.records[first : first + size],
            more=batch.more or first + size < count,
        )
        for first in range(0, count, size)
    ]


def command_decoder() -> BatchDecoder[AnyCommand]:
    """For `order_entry`."""
    return BatchDecoder(AnyCommand)


def execution_decoder() -> BatchDecoder[AnyExecution]:
    """For `order_execution`."""
    return BatchDecoder(AnyExecution)


def feed_decoder() -> BatchDecoder[AnyFeedRecord]:
    """For `data_feed`."""
    return BatchDecoder(AnyFeedRecord)
