"""Reads the commands of golden tables, one a line. Their syntax: `tests.support.tables`."""

from typing import get_args

from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ClockTick,
    MassCancel,
    NewOrder,
    OpenAccount,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from tests.support.table_operators import e4, ppm, read_operator, take

REQUEST_IDS_FROM = 1_000_000
VERBS: dict[str, Side] = {"buys": "buy", "sells": "sell"}


class CommandReader:
    """Reads the commands of one table, in their order."""

    def __init__(self) -> None:
        self._orders = 0
        self._requests = REQUEST_IDS_FROM
        self._time_us = 0

    def command(self, line: str) -> AnyCommand:
        """The command that a line stands for."""
        words = line.split()
        self._requests += 1
        self._time_us = int(take(words, "at_time") or self._time_us + 1)
        operators = read_operator(words, self._time_us, self._requests)
        if operators is not None:
            return operators
        match words:
            case ["tick", *time_us]:
                self._time_us = int(time_us[0]) if time_us else self._time_us
                return ClockTick(time_us=self._time_us)
            case ["open" | "open_any_case", client_id, *_]:
                key = words[3] if len(words) > 2 else f"key of {client_id}"
                return OpenAccount(
                    time_us=self._time_us,
                    request_id=self._requests,
                    client_id=client_id,
                    api_key_hash=key,
                    any_case=words[0] == "open_any_case",
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
        quantity, price = take(words, "quantity"), take(words, "price")
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
        stop, trail = take(options, "stop"), take(options, "trail")
        in_percent = trail is not None and trail.endswith("%")
        expires, display = take(options, "until"), take(options, "display")
        after = take(options, "after")
        fields = {
            "order_id": int(take(options, "id") or self._orders),
            "client_order_id": take(options, "named"),
            "after_seq": None if after is None else int(after),
            "self_trade_prevention": take(options, "stp") or "cancel_newest",
            "oco_group": take(options, "group"),
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
            price_e4=None if price == "market" else e4(price),
            stop_price_e4=_optional_e4(stop),
            trail_e4=None if in_percent else _optional_e4(trail),
            trail_ppm=ppm(trail or "") if in_percent else None,
            expires_us=None if expires is None else int(expires),
            display_quantity=None if display is None else int(display),
            **fields,  # type: ignore[arg-type]
        )


def _order_type(price: str, stop: str | None, trail: str | None) -> str:
    if trail is not None:
        return "trailing_stop"
    if price == "market":
        return "market" if stop is None else "stop"
    return "limit" if stop is None else "stop_limit"


def _optional_e4(amount: str | None) -> int | None:
    return None if amount is None else e4(amount)
