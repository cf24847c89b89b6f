"""Everything that an exchange has put on record in its log, read once from beginning to end."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from exchange_shared.bus import (
    DATA_FEED,
    ORDER_ENTRY,
    ORDER_EXECUTION,
    Bus,
    LogPosition,
    QueueReader,
)
from exchange_shared.messages import (
    AnyCommand,
    AnyEvent,
    AnyExecution,
    AnyFeedRecord,
    AnySettlement,
    BatchDecoder,
    Event,
    Heartbeat,
    OrderReport,
    command_decoder,
    execution_decoder,
    feed_decoder,
)
from exchange_shared.metrics import Metrics

Record = TypeVar("Record")


@dataclass(frozen=True)
class Evidence:
    """The records of the three queues, copies left out, in their order.

    `commands` are those of one message each, with the message's position.
    """

    commands: list[tuple[int, list[AnyCommand]]]
    executions: list[AnyExecution]
    events: list[AnyEvent]
    order_reports: list[OrderReport]
    settlements: list[AnySettlement]


async def read_commands(bus: Bus) -> list[tuple[int, list[AnyCommand]]]:
    """The commands that are in the log now, message by message."""
    return await _read_all(bus, ORDER_ENTRY, command_decoder())


async def read_evidence(bus: Bus) -> Evidence:
    """What is in the log now. The commands are read last: they explain everything read before."""
    feed = await _read_all(bus, DATA_FEED, feed_decoder())
    executions = await _read_all(bus, ORDER_EXECUTION, execution_decoder())
    return _sort(await read_commands(bus), feed, executions)


async def _read_all(
    bus: Bus, queue: str, decoder: BatchDecoder[Record]
) -> list[tuple[int, list[Record]]]:
    """All messages that are in a queue now."""
    end = await bus.last_position(queue)
    found: list[tuple[int, list[Record]]] = []
    if end is None:
        return found
    reader = QueueReader(
        bus,
        queue,
        decoder,
        LogPosition(),
        reader="verify",
        metrics=Metrics(),
        keep_copies=False,
    )
    async with aclosing(reader.read()) as deliveries_stream:
        async for deliveries in deliveries_stream:
            found += [(delivery.position, delivery.records) for delivery in deliveries]
            if found[-1][0] >= end:
                break
    return found


def _sort(
    commands: list[tuple[int, list[AnyCommand]]],
    feed: list[tuple[int, list[AnyFeedRecord]]],
    executions: list[tuple[int, list[AnyExecution]]],
) -> Evidence:
    events: list[Any] = []
    order_reports: list[OrderReport] = []
    settlements: list[AnySettlement] = []
    for _, records in feed:
        for record in records:
            if isinstance(record, Event):
                events.append(record)
            elif isinstance(record, OrderReport):
                order_reports.append(record)
            elif not isinstance(record, Heartbeat):
                settlements.append(record)
    return Evidence(
        commands=commands,
        executions=[record for _, records in executions for record in records],
        events=events,
        order_reports=order_reports,
        settlements=settlements,
    )
