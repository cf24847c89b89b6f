"""Seeded streams of commands of every kind, with every option."""

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from exchange_shared.ids import FORGED_FROM
from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ClockTick,
    FenceNode,
    MassCancel,
    NewOrder,
    ReplaceOrder,
)
from exchange_shared.messages.commands import AUCTION_ONLY, RESTING
from tests.support.rich_market import (
    DAY_US,
    SECURITIES,
    STARTS_US,
    UNKNOWN,
    Shape,
    opening,
)
from tests.support.rich_operators import Operators
from tests.support.rich_shapes import SHAPES

__all__ = ["SHAPES", "Shape", "opening", "rich_flow"]


WRONG_BY_US = 7_000
"""How far ahead of the others the clock of a gateway is that is wrong."""


def rich_flow(seed: int, count: int, shape: Shape) -> Iterator[AnyCommand]:
    """The opening of a shape's market, and `count` commands."""
    yield from opening(shape)
    flow = _Flow(Random(f"{seed} {shape.name}"), shape)
    for _ in range(count):
        yield flow.next()


class _Flow:
    def __init__(self, random: Random, shape: Shape) -> None:
        self._random = random
        self._shape = shape
        self._time_us = STARTS_US
        self._orders: list[NewOrder] = []
        self._resting: list[NewOrder] = []
        self._number = 0
        self._operators = Operators(random, shape)

    def next(self) -> AnyCommand:
        wrong_us = WRONG_BY_US * self._chance(self._shape.wrong_clocks)
        self._time_us += wrong_us
        command = self._next()
        self._time_us -= wrong_us
        return command

    def _next(self) -> AnyCommand:
        shape, random = self._shape, self._random
        self._number += 1
        self._let_time_pass()
        planned = self._operators.planned(self._number, self._time_us)
        if planned is not None:
            return planned
        kinds = {
            self._cancel: shape.cancels,
            self._replace: shape.replaces,
            self._mass_cancel: shape.mass_cancels,
            self._repeat: shape.repeats,
            self._operate: shape.terms + shape.actions + shape.phases + shape.risks,
            self._tick: 1,
            self._change_gateways: shape.gateways,
        }
        rest = 100 - sum(kinds.values())
        kind = random.choices([self._order, *kinds], [rest, *kinds.values()])[0]
        return kind()

    def _let_time_pass(self) -> None:
        if self._chance(self._shape.time_jumps):
            jumps = (10, 50, 500, 3_000, DAY_US // 2, DAY_US, -5, -2_000)
            self._time_us += self._random.choice(jumps)
        elif self._chance(0.9):
            self._time_us += 1

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _client(self) -> str:
        if self._chance(self._shape.mistakes):
            return "nobody"
        return f"client{self._random.randrange(self._shape.clients)}"

    def _security(self) -> str:
        if self._chance(self._shape.mistakes):
            return UNKNOWN
        return self._random.choice(SECURITIES[: self._shape.securities])

    def _price(self, ticks: int = 0) -> int:
        shape = self._shape
        ticks += self._random.randint(-shape.prices, shape.prices)
        return max(shape.reference_e4 + shape.tick_e4 * ticks + self._chance(shape.mistakes), 1)

    def _quantity(self, largest: int) -> int:
        quantity = self._random.randint(1, largest) * self._shape.lot
        return quantity + self._chance(self._shape.mistakes)

    def _order(self) -> AnyCommand:
        shape, random = self._shape, self._random
        fields = self._fields()
        while not _makes_sense(fields):
            fields = self._fields()
        known = self._orders and self._chance(shape.mistakes)
        order_id = random.choice(self._orders).order_id if known else self._number
        order = NewOrder(time_us=self._time_us, order_id=order_id, **fields)
        self._orders.append(order)
        may_rest = order.time_in_force in RESTING | AUCTION_ONLY
        if may_rest and (order.order_type != "market" or self._chance(0.1)):
            self._resting.append(order)
        return order

    def _fields(self) -> dict[str, Any]:
        shape, random = self._shape, self._random
        order_type = random.choices(
            ("limit", "market", "stop", "stop_limit", "trailing_stop"), shape.order_types
        )[0]
        quantity = self._quantity(shape.largest)
        side = random.choice(("buy", "sell"))
        up = 1 if side == "buy" else -1
        fields: dict[str, Any] = {
            "client_id": self._client(),
            "security_id": self._security(),
            "side": side,
            "order_type": order_type,
            "quantity": quantity,
            "time_in_force": random.choices(
                ("gtc", "day", "gtd", "ioc", "fok", "opg", "cls"), shape.times_in_force
            )[0],
            "self_trade_prevention": random.choice(
                ("cancel_newest", "cancel_oldest", "cancel_both", "decrement")
            ),
        }
        if order_type in ("limit", "stop_limit"):
            rests = fields["time_in_force"] in RESTING
            fields["price_e4"] = self._price(-up * shape.apart if rests else up * shape.apart)
        if order_type in ("stop", "stop_limit"):
            fields["stop_price_e4"] = self._price(up * shape.prices // 2)
        if order_type == "trailing_stop" and self._chance(0.5):
            fields["trail_e4"] = random.choice((1, 50, 100, 150, 300, 20_000))
        elif order_type == "trailing_stop":
            fields["trail_ppm"] = random.choice((1, 100, 10_000, 25_000, 999_999))
        if fields["time_in_force"] == "gtd":
            fields["expires_us"] = max(
                self._time_us + random.choice((0, 1, 10, 40, 200, DAY_US)), 0
            )
        if order_type == "limit":
            fields["post_only"] = self._chance(shape.post_only)
        if self._chance(shape.hidden):
            fields["hidden"] = True
        elif self._chance(shape.display):
            fields["display_quantity"] = min(self._quantity(6), quantity)
        if self._chance(shape.group):
            fields["oco_group"] = random.choice(shape.groups)
        if self._chance(0.3):
            fields["client_order_id"] = f"name{random.randrange(self._number * 2)}"
            if shape.gateways:
                fields["after_seq"] = random.randrange(3 * self._number)
        return fields

    def _known(self) -> NewOrder | None:
        return self._random.choice(self._resting[-15:]) if self._resting else None

    def _repeat(self) -> AnyCommand:
        named = [order for order in self._orders[-40:] if order.client_order_id is not None]
        if not named:
            return self._order()
        first = self._random.choice(named)
        fields = {name: getattr(first, name) for name in first.__struct_fields__}
        fields |= {"time_us": self._time_us, "order_id": self._number}
        if self._shape.gateways:
            fields["after_seq"] = self._random.randrange(3 * self._number)
        change = self._random.choice(
            (
                {"quantity": first.quantity + 1},
                {"hidden": not first.hidden},
                {"post_only": not first.post_only},
                {"display_quantity": 1},
                {"oco_group": "c"},
                {"self_trade_prevention": "cancel_both"},
                {"time_in_force": "gtc", "expires_us": None},
                {"trail_e4": 1, "trail_ppm": None},
            )
        )
        if self._chance(0.5) and _makes_sense(fields | change):
            fields |= change
        return NewOrder(**fields)

    def _change_gateways(self) -> AnyCommand:
        """Fence a node, or send with an earlier id, or with one that is forged."""
        number = self._number
        if self._chance(0.3):
            return FenceNode(time_us=self._time_us, request_id=number)
        number = FORGED_FROM if self._chance(0.1) else max(1, number - self._random.randint(0, 40))
        command = self._random.choice((self._order, self._cancel, self._mass_cancel))()
        named = "order_id" if isinstance(command, NewOrder) else "request_id"
        return msgspec.structs.replace(command, **{named: number})

    def _owner(self, order: NewOrder) -> str:
        return self._client() if self._chance(self._shape.mistakes) else order.client_id

    def _cancel(self) -> AnyCommand:
        order = self._known()
        if order is None:
            return self._order()
        return CancelOrder(
            time_us=self._time_us,
            request_id=self._number,
            client_id=self._owner(order),
            order_id=order.order_id,
        )

    def _replace(self) -> AnyCommand:
        order = self._known()
        if order is None:
            return self._order()
        quantity = max(order.quantity + self._random.randint(-6, 8) * self._shape.lot, 1)
        return ReplaceOrder(
            time_us=self._time_us,
            request_id=self._number,
            client_id=self._owner(order),
            order_id=order.order_id,
            quantity=quantity if self._chance(0.8) else None,
            price_e4=self._price() if self._chance(0.3) else None,
        )

    def _mass_cancel(self) -> AnyCommand:
        return MassCancel(
            time_us=self._time_us,
            request_id=self._number,
            client_id=self._client(),
            security_id=self._security() if self._chance(0.5) else None,
            side=self._random.choice((None, "buy", "sell")),
        )

    def _tick(self) -> AnyCommand:
        return ClockTick(time_us=self._time_us)

    def _operate(self) -> AnyCommand:
        return self._operators.any(self._number, self._time_us)


def _makes_sense(fields: dict[str, Any]) -> bool:
    """Whether an order with these fields does not contradict itself."""
    try:
        NewOrder(**{"time_us": 0, "order_id": 1, **fields})
    except ValueError:
        return False
    return True
