"""A matching engine for tests of what stands before it.

It is small, slow with many orders, and strict about the form of its answers: gapless, in order, and
what a command causes is in one message.

Prices and ages decide as on the real exchange; of cash it only knows that nobody has more than
`RICHEST_E4` for one order, and there are no fees.
"""

import asyncio
import itertools
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, Bus, LogPosition, QueueReader
from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyEvent,
    CancelOrder,
    CancelReason,
    ConfigureMarket,
    FenceNode,
    ListSecurity,
    MarketConfigured,
    NewOrder,
    NodeFenced,
    OpenAccount,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderRepeated,
    OrderStatus,
    PriceChanged,
    RejectReason,
    RequestRejected,
    SecurityListed,
    TradeExecuted,
    command_decoder,
    encode_batch,
)
from exchange_shared.metrics import Metrics

RICHEST_E4 = 1_000_000 * 10_000


@dataclass
class FakeOrder:
    """An order and what became of it."""

    command: NewOrder
    remaining_quantity: int
    notional_e4: int = 0
    cancelled: bool = False

    @property
    def filled_quantity(self) -> int:
        """How much of it traded."""
        return self.command.quantity - self.remaining_quantity

    @property
    def status(self) -> OrderStatus:
        """Its state now."""
        if self.cancelled:
            return "cancelled"
        if not self.remaining_quantity:
            return "filled"
        return "partially_filled" if self.filled_quantity else "new"


class FakeEngine:
    """Answers commands, for as long as `answering` is set."""

    def __init__(self) -> None:
        self.answering = asyncio.Event()
        self.answering.set()
        self.seq = 0
        self.commands: list[Any] = []
        self._executions = itertools.count(1)
        self._trades = itertools.count(1)
        self._market = ConfigureMarket(
            time_us=0, request_id=1, initial_balance_e4=0, maker_fee_ppm=0, taker_fee_ppm=0
        )
        self._securities: dict[str, ListSecurity] = {}
        self._accounts: dict[str, str] = {}
        self._open: dict[int, FakeOrder] = {}
        self._named: dict[tuple[str, str], FakeOrder] = {}
        self._events: list[AnyEvent] = []

    async def run(self, bus: Bus) -> None:
        """Read `order_entry`, and publish the events of each message as one message."""
        reader = QueueReader(
            bus,
            ORDER_ENTRY,
            command_decoder(),
            LogPosition(),
            reader="fake-engine",
            metrics=Metrics(),
        )
        async with aclosing(reader.read()) as stream:
            async for deliveries in stream:
                for delivery in deliveries:
                    await self.answering.wait()
                    first_seq = self.seq + 1
                    events = [event for cmd in delivery.records for event in self.apply(cmd)]
                    if events:
                        body = encode_batch("matching-engine", first_seq, events)
                        await bus.publish(DATA_FEED, body)

    def apply(self, command: Any) -> list[AnyEvent]:
        """The events that a command causes."""
        self.commands.append(command)
        self._events = []
        match command:
            case NewOrder():
                self._new_order(command)
            case CancelOrder():
                self._cancel_order(command)
            case OpenAccount():
                self._open_account(command)
            case ConfigureMarket():
                self._market = command
                self._repeat_terms(MarketConfigured, command)
            case FenceNode():
                self._emit(NodeFenced, command, request_id=command.request_id, node=0)
            case ListSecurity():
                self._securities[command.security_id] = command
                self._repeat_terms(SecurityListed, command)
        return self._events

    def _emit(self, event_type: Any, command: Any, **fields: Any) -> None:
        self.seq += 1
        self._events.append(event_type(seq=self.seq, time_us=command.time_us, **fields))

    def _repeat_terms(self, event_type: Any, command: Any) -> None:
        terms = msgspec.structs.asdict(command)
        self._emit(event_type, command, **{k: v for k, v in terms.items() if k != "time_us"})

    def _open_account(self, command: OpenAccount) -> None:
        fields: dict[str, Any] = {
            "request_id": command.request_id,
            "client_id": command.client_id,
            "cash_e4": self._market.initial_balance_e4,
            "holdings": {name: one.granted_quantity for name, one in self._securities.items()},
        }
        known = self._accounts.get(command.client_id)
        if known is not None and known != command.api_key_hash:
            self._reject_request(command, "client_id_taken", "taken", None)
        elif known is not None:
            self._emit(AccountConfirmed, command, **fields)
        elif command.api_key_hash in self._accounts.values():
            self._reject_request(command, "api_key_in_use", "in use", None)
        else:
            self._accounts[command.client_id] = command.api_key_hash
            fields["execution_seq"] = next(self._executions)
            self._emit(AccountOpened, command, api_key_hash=command.api_key_hash, **fields)

    def _reject_request(
        self,
        command: OpenAccount | CancelOrder,
        reason: RejectReason,
        message: str,
        order_id: int | None,
    ) -> None:
        self._emit(
            RequestRejected,
            command,
            request_id=command.request_id,
            reason=reason,
            message=message,
            client_id=command.client_id,
            order_id=order_id,
        )

    def _cancel_order(self, command: CancelOrder) -> None:
        order = self._open.get(command.order_id)
        if order is None or order.command.client_id != command.client_id:
            message = f"you have no open order {command.order_id}"
            self._reject_request(command, "unknown_order", message, command.order_id)
            return
        self._take_off(command, order, "requested", command.request_id)
        self._tell_price(command, order.command.security_id, None)

    def _new_order(self, command: NewOrder) -> None:
        name = (command.client_id, command.client_order_id or "")
        first = self._named.get(name)
        if first is not None:
            if _content(first.command) == _content(command):
                self._repeat(command, first)
            else:
                self._reject_order(command, "client_order_id_reused", "another order has it")
            return
        refusal = self._refusal(command)
        if refusal is not None:
            self._reject_order(command, *refusal)
            return
        order = FakeOrder(command, command.quantity)
        if command.client_order_id is not None:
            self._named[name] = order
        fields = _order_fields(command)
        self._emit(
            OrderAccepted,
            command,
            **fields,
            time_in_force=command.time_in_force,
            unit_hold_e4=(command.price_e4 or 0) if command.side == "buy" else 0,
        )
        last_e4 = self._match(order)
        if order.remaining_quantity and command.order_type == "market":
            self._take_off(command, order, "no_liquidity", None)
        elif order.remaining_quantity and command.time_in_force == "ioc":
            self._take_off(command, order, "immediate_or_cancel", None)
        elif order.remaining_quantity:
            self._open[command.order_id] = order
        self._tell_price(command, command.security_id, last_e4)

    def _refusal(self, command: NewOrder) -> tuple[RejectReason, str] | None:
        security = self._securities.get(command.security_id)
        if command.client_id not in self._accounts:
            return "unknown_client", f"there is no client {command.client_id}"
        if security is None:
            return "unknown_security", f"{command.security_id} is not listed here"
        if command.price_e4 is not None and command.price_e4 % security.tick_e4:
            return "price_off_tick", f"not a multiple of {security.tick_e4}"
        if (command.price_e4 or 0) * command.quantity > RICHEST_E4:
            return "insufficient_funds", "nobody is that rich"
        return None

    def _match(self, order: FakeOrder) -> int | None:
        """Trade with resting orders; the price of the last trade."""
        command = order.command
        buying = command.side == "buy"
        last_e4: int | None = None
        while order.remaining_quantity:
            opposite = [
                resting
                for resting in self._open.values()
                if resting.command.security_id == command.security_id
                and resting.command.side != command.side
                and _crosses(command, resting.command)
            ]
            if not opposite:
                break
            resting = min(
                opposite, key=lambda one: (one.command.price_e4 or 0) * (1 if buying else -1)
            )
            last_e4 = self._trade(order, resting)
        return last_e4

    def _trade(self, order: FakeOrder, resting: FakeOrder) -> int:
        quantity = min(order.remaining_quantity, resting.remaining_quantity)
        price_e4 = resting.command.price_e4
        assert price_e4 is not None
        for one in (order, resting):
            one.remaining_quantity -= quantity
            one.notional_e4 += price_e4 * quantity
        if not resting.remaining_quantity:
            del self._open[resting.command.order_id]
        buy, sell = (order, resting) if order.command.side == "buy" else (resting, order)
        self._emit(
            TradeExecuted,
            order.command,
            execution_seq=next(self._executions),
            trade_id=next(self._trades),
            security_id=order.command.security_id,
            price_e4=price_e4,
            quantity=quantity,
            aggressor_side=order.command.side,
            buy_order_id=buy.command.order_id,
            sell_order_id=sell.command.order_id,
            buyer_id=buy.command.client_id,
            seller_id=sell.command.client_id,
            buyer_fee_e4=0,
            seller_fee_e4=0,
            buy_remaining_quantity=buy.remaining_quantity,
            sell_remaining_quantity=sell.remaining_quantity,
            buy_filled_quantity=buy.filled_quantity,
            sell_filled_quantity=sell.filled_quantity,
        )
        return price_e4

    def _take_off(
        self, command: Any, order: FakeOrder, reason: CancelReason, request_id: int | None
    ) -> None:
        order.cancelled = True
        self._open.pop(order.command.order_id, None)
        self._emit(
            OrderCancelled,
            command,
            order_id=order.command.order_id,
            client_id=order.command.client_id,
            security_id=order.command.security_id,
            quantity=order.remaining_quantity,
            reason=reason,
            request_id=request_id,
        )

    def _tell_price(self, command: Any, security_id: str, last_e4: int | None) -> None:
        self._emit(
            PriceChanged,
            command,
            security_id=security_id,
            bid_e4=None,
            bid_quantity=0,
            ask_e4=None,
            ask_quantity=0,
            last_e4=last_e4,
        )

    def _repeat(self, command: NewOrder, first: FakeOrder) -> None:
        self._emit(
            OrderRepeated,
            command,
            request_id=command.order_id,
            order_id=first.command.order_id,
            client_id=command.client_id,
            client_order_id=command.client_order_id,
            security_id=command.security_id,
            status=first.status,
            filled_quantity=first.filled_quantity,
            remaining_quantity=0 if first.cancelled else first.remaining_quantity,
            notional_e4=first.notional_e4,
        )

    def _reject_order(self, command: NewOrder, reason: RejectReason, message: str) -> None:
        self._emit(OrderRejected, command, **_order_fields(command), reason=reason, message=message)


def _order_fields(command: NewOrder) -> dict[str, Any]:
    return {
        "order_id": command.order_id,
        "client_id": command.client_id,
        "security_id": command.security_id,
        "side": command.side,
        "order_type": command.order_type,
        "quantity": command.quantity,
        "price_e4": command.price_e4,
        "client_order_id": command.client_order_id,
    }


def _content(command: NewOrder) -> dict[str, Any]:
    return {**_order_fields(command), "order_id": 0, "time_in_force": command.time_in_force}


def _crosses(incoming: NewOrder, resting: NewOrder) -> bool:
    if incoming.price_e4 is None:
        return True
    assert resting.price_e4 is not None
    if incoming.side == "buy":
        return resting.price_e4 <= incoming.price_e4
    return resting.price_e4 >= incoming.price_e4
