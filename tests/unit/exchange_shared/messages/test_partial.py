"""Reading of `data_feed` only what is wanted."""

import json
from typing import Any, get_args

import msgspec
import pytest

from exchange_shared.messages import (
    AnyEvent,
    AnyFeedRecord,
    CancelOrder,
    MassCancelled,
    OrderReport,
    PartialFeedDecoder,
    PassedEvent,
    TradeSettled,
    encode_batch,
)
from exchange_shared.messages.batch import WRITERS
from exchange_shared.messages.commands import snake_case

RECORDS: list[Any] = list(get_args(AnyFeedRecord))
CANCELLED = MassCancelled(seq=8, time_us=1, request_id=2, client_id="alice", count=3)
REPORT = OrderReport(time_us=1, status="denied", client_id="alice")


def message(record: dict[str, Any], source: str) -> bytes:
    return json.dumps({"version": 1, "source": source, "seq": 1, "records": [record]}).encode()


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_of_every_record_that_is_not_wanted_a_stub_is_read(kind: Any) -> None:
    """Its other fields may be anything: they are not decoded."""
    record = {"type": snake_case(kind.__name__), "seq": 7, "quantity": "none", "new": [1]}
    decoder = PartialFeedDecoder([])
    batch, bad = decoder.decode(message(record, WRITERS.get(kind, "gateway")))
    (stub,) = batch.records
    assert not bad
    assert stub is not None
    if kind in get_args(AnyEvent):
        assert isinstance(stub, PassedEvent)
        assert type(stub) in decoder.passed_events
        assert stub.seq == 7
    else:
        assert msgspec.structs.fields(stub) == ()


def test_what_is_wanted_is_decoded_whole_among_the_others() -> None:
    decoder = PartialFeedDecoder([MassCancelled])
    batch, bad = decoder.decode(encode_batch("matching-engine", 1, [REPORT, CANCELLED]))
    assert batch.records[1] == CANCELLED
    assert type(batch.records[0]).__name__ == "PassedOrderReport"
    assert not bad
    assert len(decoder.passed_events) == len(get_args(AnyEvent)) - 1


@pytest.mark.parametrize("kind", [MassCancelled, TradeSettled], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("wanted", [True, False])
def test_a_forged_record_is_refused_whether_it_is_wanted_or_not(kind: Any, wanted: bool) -> None:
    fields = {field.name: 1 for field in msgspec.structs.fields(kind)}
    names = {name: "a" for name in fields if name.endswith(("client_id", "er_id", "security_id"))}
    record = {"type": snake_case(kind.__name__), **fields, **names}
    record |= {name: 1 for name in ("buy_order_id", "sell_order_id") if name in fields}
    decoder = PartialFeedDecoder([kind] if wanted else [])
    batch, bad = decoder.decode(message(record, "mallory"))
    assert batch.records == [None]
    assert bad == {0: f"only {WRITERS[kind]} writes this, not mallory"}


def test_a_type_that_is_not_of_the_feed_cannot_be_wanted() -> None:
    with pytest.raises(ValueError, match="no records of data_feed: CancelOrder"):
        PartialFeedDecoder([CancelOrder, MassCancelled])
