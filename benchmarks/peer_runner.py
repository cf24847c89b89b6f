"""Runs one peer over a flow, in an environment of its own: `peer_runner.py NAME SCENARIO COUNT`."""

import json
import logging
import sys
import time
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
operations = import_module("core_flows").operations

Peer = Any


class Bourse:
    """Rust, called from Python: https://pypi.org/project/bourse/."""

    def __init__(self) -> None:
        self._book = import_module("bourse").core.OrderBook(0, 1, True)
        self._ids: dict[int, int] = {}

    def new(self, order_id: int, side: str, quantity: int, price: int) -> None:
        """Place a limit order."""
        self._ids[order_id] = self._book.place_order(side == "buy", quantity, 1, price=price)

    def cancel(self, order_id: int) -> None:
        """Cancel an order; one that is gone is left alone by the book."""
        self._book.cancel_order(self._ids[order_id])

    def replace(self, order_id: int, quantity: int, price: int) -> None:
        """Modify an order."""
        self._book.modify_order(self._ids[order_id], new_price=price, new_vol=quantity)


class LightMatchingEngine:
    """Pure Python: https://pypi.org/project/lightmatchingengine/."""

    def __init__(self) -> None:
        self._module = import_module("lightmatchingengine.lightmatchingengine")
        self._engine = self._module.LightMatchingEngine()
        self._orders: dict[int, tuple[int, str]] = {}

    def new(self, order_id: int, side: str, quantity: int, price: int) -> None:
        """Place a limit order."""
        kind = self._module.Side.BUY if side == "buy" else self._module.Side.SELL
        order, _ = self._engine.add_order("MSFT", price, quantity, kind)
        self._orders[order_id] = (order.order_id, side)

    def cancel(self, order_id: int) -> None:
        """Cancel an order; it asserts that one that is gone is still there."""
        with suppress(AssertionError):
            self._engine.cancel_order(self._orders[order_id][0], "MSFT")

    def replace(self, order_id: int, quantity: int, price: int) -> None:
        """It has no replace: cancel, and place anew."""
        side = self._orders[order_id][1]
        self.cancel(order_id)
        self.new(order_id, side, quantity, price)


class PyOrderBook:
    """Pure Python: https://pypi.org/project/pyorderbook/."""

    def __init__(self) -> None:
        self._module = import_module("pyorderbook")
        logging.disable(logging.CRITICAL)
        self._book = self._module.Book()
        self._orders: dict[int, Any] = {}

    def new(self, order_id: int, side: str, quantity: int, price: int) -> None:
        """Place a limit order."""
        make = self._module.bid if side == "buy" else self._module.ask
        order = make("MSFT", Decimal(price), quantity)
        self._orders[order_id] = order
        self._book.match(order)

    def cancel(self, order_id: int) -> None:
        """Cancel an order, unless it is gone."""
        order = self._orders[order_id]
        if order.id in self._book.order_map:
            self._book.cancel(order)

    def replace(self, order_id: int, quantity: int, price: int) -> None:
        """It has no replace: cancel, and place anew."""
        side = "buy" if self._orders[order_id].side is self._module.Side.BID else "sell"
        self.cancel(order_id)
        self.new(order_id, side, quantity, price)


class OrderMatching:
    """Pure Python: https://pypi.org/project/order-matching/."""

    def __init__(self) -> None:
        import_module("loguru").logger.remove()
        self._orders_type = import_module("order_matching.orders").Orders
        self._order_type = import_module("order_matching.order").LimitOrder
        self._side = import_module("order_matching.enums").Side
        self._engine = import_module("order_matching.matching_engine").MatchingEngine(seed=1)
        self._time = datetime(2026, 1, 1)  # noqa: DTZ001  # it compares naive times only
        self._sides: dict[int, str] = {}

    def new(self, order_id: int, side: str, quantity: int, price: int) -> None:
        """Place a limit order and match."""
        self._sides[order_id] = side
        order = self._order_type(
            side=self._side.BUY if side == "buy" else self._side.SELL,
            price=float(price),
            size=float(quantity),
            timestamp=self._time,
            order_id=str(order_id),
            trader_id="t",
        )
        self._engine.place(orders=self._orders_type([order]))
        self._engine.match(timestamp=self._time)

    def cancel(self, order_id: int) -> None:
        """Cancel an order, unless it is gone."""
        with suppress(ValueError):
            self._engine.cancel_order(str(order_id))
            self._engine.match(timestamp=self._time)

    def replace(self, order_id: int, quantity: int, price: int) -> None:
        """It has no replace: cancel, and place anew."""
        self.cancel(order_id)
        self.new(order_id, self._sides[order_id], quantity, price)


PEERS: dict[str, type[Peer]] = {
    "bourse": Bourse,
    "lightmatchingengine": LightMatchingEngine,
    "pyorderbook": PyOrderBook,
    "order_matching": OrderMatching,
}
MAX_SECONDS = 8.0


def main() -> None:
    """Run as much of the flow as fits the time, and print the rate."""
    peer = PEERS[sys.argv[1]]()
    flow = list(operations(sys.argv[2], int(sys.argv[3])))
    done = 0
    began = time.process_time()
    for kind, *arguments in flow:
        getattr(peer, kind)(*arguments)
        done += 1
        if done % 100 == 0 and time.process_time() - began > MAX_SECONDS:
            break
    rate = done / (time.process_time() - began)
    print(json.dumps({"operations_per_second": rate, "operations": done}))


if __name__ == "__main__":
    main()
