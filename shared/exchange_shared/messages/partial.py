"""Decoding of `data_feed` only what somebody wants: the rest is passed over, not decoded."""

from collections.abc import Collection
from functools import reduce
from operator import or_
from typing import Any, get_args

import msgspec

from exchange_shared.messages.batch import WRITERS, BatchDecoder
from exchange_shared.messages.commands import snake_case
from exchange_shared.messages.events import AnyEvent
from exchange_shared.messages.reports import AnyFeedRecord


class PassedEvent(msgspec.Struct, gc=False):
    """An event that nobody wants; only where it stands in the sequence is decoded."""

    seq: int


class PassedReport(msgspec.Struct, gc=False):
    """A report that nobody wants: nothing of it is decoded."""


class PartialFeedDecoder(BatchDecoder[Any]):
    """Decodes the wanted types of records, and of every other type of the queue a stub.

    What is not wanted is derived from all that may travel on the queue, so a type that is added
    there is passed over here, and never undecodable. `passed_events` are the types of the stubs
    that have a `seq`.
    """

    def __init__(self, wanted: Collection[type[Any]]) -> None:
        """The wanted types are records of `data_feed`."""
        kinds = get_args(AnyFeedRecord)
        strangers = {kind.__name__ for kind in wanted} - {kind.__name__ for kind in kinds}
        if strangers:
            raise ValueError(f"no records of data_feed: {', '.join(sorted(strangers))}")
        stubs = {kind: _stub_of(kind) for kind in kinds if kind not in wanted}
        super().__init__(
            reduce(or_, (stubs.get(kind, kind) for kind in kinds)),
            {stubs.get(kind, kind): writer for kind, writer in WRITERS.items()},
        )
        self.passed_events = tuple(stub for stub in stubs.values() if issubclass(stub, PassedEvent))


def _stub_of(kind: type[Any]) -> type[Any]:
    base = PassedEvent if kind in get_args(AnyEvent) else PassedReport
    stub: type[Any] = msgspec.defstruct(
        f"Passed{kind.__name__}", [], bases=(base,), tag=snake_case(kind.__name__), gc=False
    )
    return stub
