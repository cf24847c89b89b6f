"""What the engine tells, made by hand, and small stand-ins for who asks and who listens."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from exchange_shared.messages import (
    MassCancelled,
    NewOrder,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRejected,
    OrderReplaced,
    OrderTriggered,
    TradeExecuted,
)
from order_entry_gateway.answers.answers import (
    Answer,
    OrderAnswer,
)
from order_entry_gateway.answers.builder import AnswerBuilder
from order_entry_gateway.answers.known_fills import KnownFills
from order_entry_gateway.answers.pending import Group, Pending, Slot
from order_entry_gateway.feed_tail.report_collector import ReportCollector
from order_entry_gateway.market_status import MarketStatus

TIME_US = 1_767_225_600_000_001
TIME = "2026-01-01T00:00:00.000001Z"


def order(order_id: int, quantity: int = 10, **changes: Any) -> NewOrder:
    """A limit order of alice to buy MSFT at 420.50."""
    fields: dict[str, Any] = {
        "time_us": TIME_US,
        "order_id": order_id,
        "client_id": "alice",
        "security_id": "MSFT",
        "side": "buy",
        "order_type": "limit",
        "quantity": quantity,
        "price_e4": 4_205_000,
        "client_order_id": f"order {order_id}",
    }
    return NewOrder(**(fields | changes))


def accepted(seq: int, command: NewOrder) -> OrderAccepted:
    """The event for an order."""
    content = msgspec.structs.asdict(command)
    del content["after_seq"]
    return OrderAccepted(seq=seq, unit_hold_e4=0, **content)


def rejected(seq: int, command: NewOrder, reason: Any) -> OrderRejected:
    """The refusal of an order."""
    names = {field.name for field in msgspec.structs.fields(OrderRejected)}
    content = msgspec.structs.asdict(command)
    fields = {name: value for name, value in content.items() if name in names}
    return OrderRejected(seq=seq, reason=reason, message="because", **fields)


def trade(seq: int, buy_id: int, sell_id: int, quantity: int, price_e4: int, **changes: Any) -> Any:
    """A trade of buyer alice, the aggressor, with seller bob."""
    fields: dict[str, Any] = {
        "seq": seq,
        "time_us": TIME_US,
        "execution_seq": 1,
        "trade_id": seq * 100,
        "security_id": "MSFT",
        "price_e4": price_e4,
        "quantity": quantity,
        "aggressor_side": "buy",
        "buy_order_id": buy_id,
        "sell_order_id": sell_id,
        "buyer_id": "alice",
        "seller_id": "bob",
        "buyer_fee_e4": 42,
        "seller_fee_e4": 0,
        "buy_remaining_quantity": 0,
        "sell_remaining_quantity": 5,
        "buy_filled_quantity": 10,
        "sell_filled_quantity": 12,
    }
    return TradeExecuted(**(fields | changes))


def cancelled(seq: int, order_id: int, quantity: int, **changes: Any) -> OrderCancelled:
    """The end of an order of alice."""
    fields: dict[str, Any] = {"reason": "requested", "client_id": "alice"} | changes
    return OrderCancelled(
        seq=seq, time_us=TIME_US, order_id=order_id, security_id="MSFT", quantity=quantity, **fields
    )


def command_id(command: Any) -> int:
    """The id under which a command is answered."""
    id_: int = command.order_id if isinstance(command, NewOrder) else command.request_id
    return id_


@dataclass
class Desk:
    """Asks, and keeps what is answered."""

    pending: Pending[Answer] = field(default_factory=lambda: Pending(1_000))
    answered: list[list[Answer]] = field(default_factory=list)
    market: MarketStatus = field(default_factory=MarketStatus)

    def __post_init__(self) -> None:
        name_of = {1: "order 1"}.get
        self.fills = KnownFills(name_of, max_of_order=3, max_fills=5)
        self.builder = AnswerBuilder(
            self.pending, Group.close, name_of, self.fills.of, self.market.securities
        )

    def ask(self, *commands: Any, answers: list[Answer | None] | None = None) -> Group[Answer]:
        """Let a group wait for the answers to commands."""
        group: Group[Answer] = Group(answers or [None] * len(commands), self.answered.append, 0.0)
        places = [place for place, answer in enumerate(group.answers) if answer is None]
        for place, command in zip(places, commands, strict=True):
            self.pending.add(command_id(command), Slot(group, place, command))
        return group

    def message(self, *events: Any) -> list[list[Answer]]:
        """Take in one message of the engine; returns the groups that it completed."""
        self.answered.clear()
        for event in events:
            if isinstance(event, int):
                self.builder.follow(event)
                continue
            for taker in (self.market, self.builder, self.fills):
                taker.handlers.get(type(event), lambda _: None)(event)
        self.builder.end_of_message()
        return list(self.answered)


def triggered(seq: int, order_id: int) -> OrderTriggered:
    """A stop of alice is set off at 420.00."""
    return OrderTriggered(
        seq=seq,
        time_us=TIME_US,
        order_id=order_id,
        client_id="alice",
        security_id="MSFT",
        last_e4=4_200_000,
    )


def reduced(seq: int, order_id: int, quantity: int, remaining_quantity: int) -> OrderReduced:
    """A self-trade of alice was prevented."""
    return OrderReduced(
        seq=seq,
        time_us=TIME_US,
        order_id=order_id,
        client_id="alice",
        security_id="MSFT",
        quantity=quantity,
        remaining_quantity=remaining_quantity,
    )


def replaced(seq: int, request_id: int, order_id: int, **changes: Any) -> OrderReplaced:
    """An order of alice, of which 2 are filled at 419, is now one of 6 at 421."""
    fields: dict[str, Any] = {
        "quantity": 6,
        "price_e4": 4_210_000,
        "remaining_quantity": 4,
        "unit_hold_e4": 0,
        "kept_priority": False,
        "notional_e4": 2 * 4_190_000,
    }
    return OrderReplaced(
        seq=seq,
        time_us=TIME_US,
        request_id=request_id,
        order_id=order_id,
        client_id="alice",
        security_id="MSFT",
        **(fields | changes),
    )


def mass_cancelled(
    seq: int, request_id: int, count: int, *, client_id: str = "alice"
) -> MassCancelled:
    """The end of a mass cancel of alice, or of another client."""
    return MassCancelled(
        seq=seq, time_us=TIME_US, request_id=request_id, client_id=client_id, count=count
    )


def order_answer(command: NewOrder, seq: int, **changes: Any) -> OrderAnswer:
    """The answer to an order of which nothing traded."""
    fields: dict[str, Any] = {
        "quantity": command.quantity,
        "status": "new",
        "filled_quantity": 0,
        "remaining_quantity": command.quantity,
        "average_price": None,
        "fills": [],
    }
    return OrderAnswer(
        order_id=command.order_id,
        client_order_id=command.client_order_id,
        security_id=command.security_id,
        side=command.side,
        type=command.order_type,
        price=None if command.price_e4 is None else command.price_e4 / 10_000,
        seq=seq,
        **(fields | changes),
    )


class Listeners:
    """The reports for connected clients, of one message."""

    def __init__(self, *connected: str, max_remembered: int = 100) -> None:
        self.collector = ReportCollector(connected, max_remembered)

    def message(self, *events: Any) -> dict[str, list[Any]]:
        """Take in one message of the engine."""
        for event in events:
            self.collector.handlers[type(event)](event)
        return {name: list(reports) for name, reports in self.collector.end_of_message().items()}
