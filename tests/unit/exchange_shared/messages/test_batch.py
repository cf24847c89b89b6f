"""The envelope of a message: what is read back, and what garbage cannot do."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_shared.messages import (
    AccountFunded,
    AnyCommand,
    Batch,
    BatchDecoder,
    CancelOrder,
    ConfigureMarket,
    NewOrder,
    OpenAccount,
    OrderReport,
    PriceChanged,
    UndecodableRecord,
    command_decoder,
    encode_batch,
    execution_decoder,
    feed_decoder,
    forgery,
    split_batch,
)

CANCEL = CancelOrder(time_us=1, request_id=2, client_id="alice", order_id=3)
OPEN = OpenAccount(time_us=1, request_id=2, client_id="alice", api_key_hash="00")
BUY = NewOrder(
    time_us=5,
    order_id=7,
    client_id="alice",
    security_id="MSFT",
    side="buy",
    order_type="limit",
    quantity=10,
    price_e4=1_000_000,
    client_order_id='é\u2028"\\',
)
MARKET = ConfigureMarket(
    time_us=1, request_id=1, initial_balance_e4=0, maker_fee_ppm=0, taker_fee_ppm=0
)


def envelope(*records: Any, **changes: Any) -> bytes:
    """A message as another program might write it."""
    fields = {"version": 1, "source": "gateway", "seq": 1, "records": list(records)}
    return json.dumps(fields | changes).encode()


def as_json(record: msgspec.Struct, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return fields | changes


def test_a_batch_is_read_back_as_it_was_written() -> None:
    records = [MARKET, OPEN, BUY, CANCEL]

    batch, bad = command_decoder().decode(encode_batch("gateway-1", 17, records))

    assert batch == Batch[AnyCommand | None](
        version=1, source="gateway-1", seq=17, records=[MARKET, OPEN, BUY, CANCEL]
    )
    assert bad == {}


def test_the_wire_form_is_plain_json_with_the_type_in_each_record() -> None:
    assert json.loads(encode_batch("gateway-1", 17, [CANCEL])) == {
        "version": 1,
        "source": "gateway-1",
        "seq": 17,
        "records": [
            {
                "type": "cancel_order",
                "time_us": 1,
                "request_id": 2,
                "client_id": "alice",
                "order_id": 3,
            }
        ],
    }


def test_fields_that_a_newer_version_has_added_are_passed_over() -> None:
    body = envelope(as_json(CANCEL, reason="new"), comment="new")

    batch, bad = command_decoder().decode(body)

    assert (batch.records, bad) == ([CANCEL], {})


BAD_RECORDS: list[object] = [
    None,
    7,
    "text",
    [],
    {},
    {"type": "cancel_order"},
    {"type": "no_such_type", "time_us": 1},
    {"type": 5},
    as_json(CANCEL, order_id="3"),
    as_json(CANCEL, order_id=3.5),
    as_json(CANCEL, order_id=0),
    as_json(CANCEL, order_id=2**53),
    as_json(CANCEL, order_id=10**400),
    as_json(CANCEL, order_id=True),
    as_json(CANCEL, order_id=None),
    as_json(CANCEL, time_us=-1),
    as_json(OPEN, client_id="no spaces"),
    as_json(OPEN, client_id=""),
    as_json(OPEN, client_id="x" * 33),
    as_json(OPEN, client_id="name\n"),
    as_json(BUY, quantity=0),
    as_json(BUY, quantity=-1),
    as_json(BUY, quantity=10_000_001),
    as_json(BUY, price_e4=0),
    as_json(BUY, price_e4=10_000_000_001),
    as_json(BUY, price_e4=None),
    as_json(BUY, order_type="market"),
    as_json(BUY, side="hold"),
    as_json(BUY, side=["buy"]),
    as_json(BUY, time_in_force="never"),
    as_json(MARKET, taker_fee_ppm=-1),
]


@pytest.mark.parametrize("bad_record", BAD_RECORDS, ids=str)
def test_a_record_that_cannot_be_read_does_not_hide_its_neighbours(bad_record: object) -> None:
    batch, bad = command_decoder().decode(envelope(as_json(CANCEL), bad_record, as_json(OPEN)))

    assert batch.records == [CANCEL, None, OPEN]
    assert list(bad) == [1]
    assert bad[1]


def test_every_record_may_be_bad() -> None:
    batch, bad = command_decoder().decode(envelope({}, 1, None))

    assert batch.records == [None, None, None]
    assert sorted(bad) == [0, 1, 2]


def test_text_that_is_no_utf8_spoils_its_record_only() -> None:
    body = envelope(as_json(CANCEL), as_json(CANCEL, client_id="?")).replace(b'"?"', b'"\xff"')

    batch, bad = command_decoder().decode(body)

    assert batch.records == [CANCEL, None]
    assert list(bad) == [1]


BAD_BODIES = [
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"null",
    b"0",
    b"[]",
    b"{}",
    b'"text"',
    b"{",
    b"not json",
    b'{"version":1,"source":"s","seq":1,"records":[',
    b"[" * 100_000,
    b'{"version":1,"source":"s","seq":1,"records":[' + b"[" * 100_000,
    b'{"version":1,"source":"s","seq":1,"records":' + b'{"a":' * 100_000,
    envelope(as_json(CANCEL)) + b"x",
    envelope(),
    envelope(as_json(CANCEL), version=0),
    envelope(as_json(CANCEL), version=2),
    envelope(as_json(CANCEL), version="1"),
    envelope(as_json(CANCEL), seq=0),
    envelope(as_json(CANCEL), seq=-1),
    envelope(as_json(CANCEL), seq=1.5),
    envelope(as_json(CANCEL), seq=None),
    envelope(as_json(CANCEL), seq=10**30),
    envelope(as_json(CANCEL), source=1),
    envelope(as_json(CANCEL), source=None),
    envelope(records={}),
    envelope(records=None),
    msgspec.msgpack.encode({"version": 1, "source": "s", "seq": 1, "records": []}),
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:50]))
def test_a_message_without_an_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(UndecodableRecord):
        command_decoder().decode(body)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_refused(body: bytes) -> None:
    for decoder in (command_decoder(), execution_decoder(), feed_decoder()):
        with pytest.raises(UndecodableRecord):
            decoder.decode(body)


_json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_fields = st.sampled_from([*as_json(BUY), *as_json(OPEN), "records", "type"])


@given(_fields, _json_values)
def test_a_field_of_any_value_spoils_its_record_at_most(field: str, value: object) -> None:
    batch, bad = command_decoder().decode(
        envelope(as_json(CANCEL), as_json(BUY, **{field: value}), as_json(OPEN))
    )

    assert (batch.records[0], batch.records[2]) == (CANCEL, OPEN)
    assert set(bad) <= {1}
    assert (batch.records[1] is None) == (1 in bad)


def test_each_queue_has_its_own_types() -> None:
    body = encode_batch("gateway", 1, [CANCEL])

    decoders: list[BatchDecoder[Any]] = [execution_decoder(), feed_decoder()]
    for decoder in decoders:
        batch, bad = decoder.decode(body)
        assert (batch.records, list(bad)) == ([None], [0])


PRICE = PriceChanged(
    seq=1,
    time_us=1,
    security_id="MSFT",
    bid_e4=1,
    bid_quantity=1,
    ask_e4=None,
    ask_quantity=0,
    last_e4=None,
)
FUNDED = AccountFunded(time_us=1, execution_seq=1, client_id="alice", cash_e4=1, holdings={})
REPORT = OrderReport(time_us=1, status="confirmed", client_id="alice")


@pytest.mark.parametrize(
    ("source", "believed"),
    [
        ("matching-engine", [PRICE, None, REPORT]),
        ("clearinghouse", [None, FUNDED, REPORT]),
        ("stranger", [None, None, REPORT]),
    ],
)
def test_events_and_settlements_are_believed_from_those_alone_who_make_them(
    source: str, believed: list[Any]
) -> None:
    batch, bad = feed_decoder().decode(encode_batch(source, 1, [PRICE, FUNDED, REPORT]))

    assert batch.records == believed
    assert list(bad) == [index for index, record in enumerate(believed) if record is None]
    assert all(text.endswith(f"writes this, not {source}") for text in bad.values())


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (BUY, "client_id"),
        (BUY, "security_id"),
        (BUY, "client_order_id"),
        (CANCEL, "client_id"),
        (OPEN, "api_key_hash"),
        (REPORT, "client_id"),
        (REPORT, "security_id"),
        (REPORT, "client_order_id"),
    ],
)
def test_a_text_too_long_for_a_database_is_not_read(record: msgspec.Struct, field: str) -> None:
    decoder: BatchDecoder[Any] = feed_decoder() if record is REPORT else command_decoder()
    batch, bad = decoder.decode(envelope(as_json(record, **{field: "x" * 65})))
    assert (batch.records, list(bad)) == ([None], [0])


def test_the_hash_of_a_key_is_printable() -> None:
    batch, bad = command_decoder().decode(envelope(as_json(OPEN, api_key_hash="0\0")))
    assert (batch.records, list(bad)) == ([None], [0])


@pytest.mark.parametrize(
    ("user", "source", "record", "reason"),
    [
        (None, "matching-engine", BUY, None),
        ("guest", "matching-engine", BUY, None),
        ("order_entry_gateway", "order-entry-gateway-0-aa", BUY, None),
        ("order_entry_gateway", "order-entry-gateway-0-aa", REPORT, None),
        ("", "order-entry-gateway-0-aa", BUY, "kept secret"),
        ("market_data_feed", "order-entry-gateway-0-aa", BUY, "in the name of order-entry"),
        ("order_entry_gateway", "order-entry-gateways", BUY, "in the name of order-entry"),
        ("market_data_feed", "market-data-feed", BUY, "what only order-entry-gateway writes"),
        ("matching_engine", "matching-engine", REPORT, "what only order-entry-gateway writes"),
    ],
)
def test_a_service_writes_only_its_own_and_in_its_own_name(
    user: str | None, source: str, record: NewOrder | OrderReport, reason: str | None
) -> None:
    batch = Batch(version=1, source=source, seq=1, records=[record])
    said = forgery(user, batch)
    assert said == reason or (reason is not None and said is not None and reason in said)


def test_a_batch_is_split_between_records_which_stay_as_they_are() -> None:
    body = encode_batch("gateway", 7, [MARKET, OPEN, BUY, CANCEL, CANCEL])
    parts = [command_decoder().decode(part)[0] for part in split_batch(body, 2)]
    assert [(part.seq, part.more, part.records) for part in parts] == [
        (7, True, [MARKET, OPEN, BUY]),
        (10, False, [CANCEL, CANCEL]),
    ]
    assert len(split_batch(body, 100)) == 5
    assert split_batch(body, 1) == [body]


def test_the_parts_of_a_part_say_that_there_is_more() -> None:
    body = encode_batch("gateway", 1, [OPEN, CANCEL], more=True)
    assert [command_decoder().decode(part)[0].more for part in split_batch(body, 2)] == [True, True]
