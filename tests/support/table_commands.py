"""The commands of golden tables: read from a line, and written as one."""

from collections.abc import Iterable
from decimal import Decimal
from typing import get_args

from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ClockTick,
    ConfigureMarket,
    ListSecurity,
    MassCancel,
    NewOrder,
    OpenAccount,
    OrderAccepted,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from exchange_shared.units import format_e4, to_e4

REQUEST_IDS_FROM = 1_000_000
VERBS: dict[str, Side] = {"buys": "buy", "sells": "sell"}


class CommandReader:
    """Reads the commands of one table, in their order."""

    def __init__(self) -> None:
        self._orders = 0
        self._requests = REQUEST_IDS_FROM
        self._time_us = 0

    def command(self, line: str) -> AnyCommand:
        """The command that a line stands for. `docs` of the syntax: `tests.support.tables`."""
        words = line.split()
        self._requests += 1
        self._time_us = int(_take(words, "at_time") or self._time_us + 1)
        match words:
            case ["tick", *time_us]:
                self._time_us = int(time_us[0]) if time_us else self._time_us
                return ClockTick(time_us=self._time_us)
            case ["configure", *_]:
                return self._configure(words)
            case ["list", *_]:
                return self._list(words)
            case ["open", client_id, *_]:
                key = words[3] if len(words) > 2 else f"key of {client_id}"
                return OpenAccount(
                    time_us=self._time_us,
                    request_id=self._requests,
                    client_id=client_id,
                    api_key_hash=key,
                )
            case [_, "cancels", "all", *_]:
                return self._mass_cancel(words)
            case [client_id, "cancels", order_id]:
                return CancelOrder(
                    time_us=self._time_us,
                    request_id=self._requests,
                    client_id=client_id,
                    order_id=int(order_id.removeprefix("#")),
                )
            case [_, "replaces", *_]:
                return self._replace(words)
        return self._order(words)

    def _configure(self, words: list[str]) -> ConfigureMarket:
        return ConfigureMarket(
            time_us=self._time_us,
            request_id=self._requests,
            initial_balance_e4=_e4(words[2]),
            maker_fee_ppm=int(Decimal(words[4]) * 100),
            taker_fee_ppm=int(Decimal(words[6]) * 100),
        )

    def _list(self, words: list[str]) -> ListSecurity:
        return ListSecurity(
            time_us=self._time_us,
            request_id=self._requests,
            security_id=words[1],
            tick_e4=_e4(words[3]),
            reference_price_e4=_e4(words[5]),
            granted_quantity=int(words[7]),
        )

    def _mass_cancel(self, words: list[str]) -> MassCancel:
        client_id, _cancels, _all, *which = words
        sides = [VERBS[word] for word in which if word in VERBS]
        securities = [word for word in which if word not in VERBS]
        return MassCancel(
            time_us=self._time_us,
            request_id=self._requests,
            client_id=client_id,
            security_id=securities[0] if securities else None,
            side=sides[0] if sides else None,
        )

    def _replace(self, words: list[str]) -> ReplaceOrder:
        quantity, price = _take(words, "quantity"), _take(words, "price")
        client_id, _replaces, order_id = words
        return ReplaceOrder(
            time_us=self._time_us,
            request_id=self._requests,
            client_id=client_id,
            order_id=int(order_id.removeprefix("#")),
            quantity=None if quantity is None else int(quantity),
            price_e4=_optional_e4(price),
        )

    def _order(self, words: list[str]) -> NewOrder:
        client_id, verb, quantity, security_id, _at, price, *options = words
        self._orders += 1
        stop, trail = _take(options, "stop"), _take(options, "trail")
        percent = trail is not None and trail.endswith("%")
        expires, display = _take(options, "until"), _take(options, "display")
        fields = {
            "order_id": int(_take(options, "id") or self._orders),
            "client_order_id": _take(options, "named"),
            "self_trade_prevention": _take(options, "stp") or "cancel_newest",
            "oco_group": _take(options, "group"),
            "time_in_force": "gtc" if expires is None else "gtd",
        }
        for option in options:
            if option in get_args(TimeInForce):
                fields["time_in_force"] = option
            else:
                assert option in ("post_only", "hidden"), f"{option} is no option of an order"
                fields[option] = True
        return NewOrder(
            time_us=self._time_us,
            client_id=client_id,
            security_id=security_id,
            side=VERBS[verb],
            order_type=_order_type(price, stop, trail),  # type: ignore[arg-type]
            quantity=int(quantity),
            price_e4=None if price == "market" else _e4(price),
            stop_price_e4=_optional_e4(stop),
            trail_e4=None if percent else _optional_e4(trail),
            trail_ppm=int(Decimal((trail or "")[:-1]) * 10_000) if percent else None,
            expires_us=None if expires is None else int(expires),
            display_quantity=None if display is None else int(display),
            **fields,  # type: ignore[arg-type]
        )


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
        text = self._text(command)
        self._time_us += 1
        if command.time_us != self._time_us:
            self._time_us = command.time_us
            text += f" at_time {command.time_us}"
        return text

    def _text(self, command: AnyCommand) -> str:
        match command:
            case ConfigureMarket():
                return (
                    f"configure balance {format_e4(command.initial_balance_e4)}"
                    f" maker {_basis_points(command.maker_fee_ppm)}"
                    f" taker {_basis_points(command.taker_fee_ppm)}"
                )
            case ListSecurity():
                return (
                    f"list {command.security_id} tick {format_e4(command.tick_e4)}"
                    f" reference {format_e4(command.reference_price_e4)}"
                    f" grant {command.granted_quantity}"
                )
            case OpenAccount(client_id=client_id, api_key_hash=key):
                return f"open {client_id}" + (
                    "" if key == f"key of {client_id}" else f" with {key}"
                )
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
        return f"{Decimal(order.trail_ppm) / 10_000:f}%"
    return None if order.trail_e4 is None else format_e4(order.trail_e4)


def _order_type(price: str, stop: str | None, trail: str | None) -> str:
    if trail is not None:
        return "trailing_stop"
    if price == "market":
        return "market" if stop is None else "stop"
    return "limit" if stop is None else "stop_limit"


def _take(words: list[str], name: str) -> str | None:
    """Take the option `name value` out of the words; returns the value."""
    if name not in words:
        return None
    at = words.index(name)
    value = words[at + 1]
    del words[at : at + 2]
    return value


def _basis_points(ppm: int) -> str:
    return f"{Decimal(ppm) / 100:f}"


def _e4(amount: str) -> int:
    return to_e4(Decimal(amount.replace(",", "")))


def _optional_e4(amount: str | None) -> int | None:
    return None if amount is None else _e4(amount)
