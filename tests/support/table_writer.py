"""Writes commands as the lines of golden tables that read as the same commands."""

from collections.abc import Iterable

from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ClockTick,
    MassCancel,
    NewOrder,
    OpenAccount,
    OrderAccepted,
    ReplaceOrder,
)
from exchange_shared.units import format_e4
from tests.support.table_operators import operator_text, percent


class CommandWriter:
    """Writes commands, in their order, as the lines that read as the same commands."""

    def __init__(self) -> None:
        self._orders = 0
        self._time_us = 0

    def line(self, command: AnyCommand) -> str:
        """The line of the next command."""
        if isinstance(command, ClockTick):
            self._time_us = command.time_us
            return f"tick {command.time_us}"
        text = operator_text(command) or self._text(command)
        self._time_us += 1
        if command.time_us != self._time_us:
            self._time_us = command.time_us
            text += f" at_time {command.time_us}"
        return text

    def _text(self, command: AnyCommand) -> str:
        match command:
            case OpenAccount(client_id=client_id, api_key_hash=key, any_case=any_case):
                opens = "open_any_case" if any_case else "open"
                other_key = "" if key == f"key of {client_id}" else f" with {key}"
                return f"{opens} {client_id}{other_key}"
            case CancelOrder():
                return f"{command.client_id} cancels #{command.order_id}"
            case MassCancel():
                security = "" if command.security_id is None else f" {command.security_id}"
                side = "" if command.side is None else f" {command.side}s"
                return f"{command.client_id} cancels all{security}{side}"
            case ReplaceOrder():
                text = f"{command.client_id} replaces #{command.order_id}"
                if command.quantity is not None:
                    text += f" quantity {command.quantity}"
                if command.price_e4 is not None:
                    text += f" price {format_e4(command.price_e4)}"
                return text
            case NewOrder():
                return self._order(command)
        raise AssertionError(f"no text for {command}")

    def _order(self, order: NewOrder) -> str:
        self._orders += 1
        price = "market" if order.price_e4 is None else format_e4(order.price_e4)
        text = f"{order.client_id} {order.side}s {order.quantity} {order.security_id} at {price}"
        if order.time_in_force not in ("gtc", "gtd"):
            text += f" {order.time_in_force}"
        text += options_text(order)
        if order.client_order_id is not None:
            text += f" named {order.client_order_id}"
        if order.after_seq is not None:
            text += f" after {order.after_seq}"
        if order.order_id != self._orders:
            text += f" id {order.order_id}"
        return text


def write_commands(commands: Iterable[AnyCommand]) -> str:
    """The commands as a table without events, which `run_table` fills in."""
    writer = CommandWriter()
    return "".join(f"{writer.line(command)}\n" for command in commands)


def options_text(order: NewOrder | OrderAccepted) -> str:
    """What is not usual about an order, each with a blank before it; nothing for a plain order."""
    options = {
        "stop": None if order.stop_price_e4 is None else format_e4(order.stop_price_e4),
        "trail": _trail(order),
        "post_only": "" if order.post_only else None,
        "hidden": "" if order.hidden else None,
        "display": order.display_quantity,
        "stp": None
        if order.self_trade_prevention == "cancel_newest"
        else order.self_trade_prevention,
        "group": order.oco_group,
        "until": order.expires_us,
    }
    return "".join(
        f" {name} {value}".rstrip() for name, value in options.items() if value is not None
    )


def _trail(order: NewOrder | OrderAccepted) -> str | None:
    if order.trail_ppm is not None:
        return percent(order.trail_ppm)
    return None if order.trail_e4 is None else format_e4(order.trail_e4)
