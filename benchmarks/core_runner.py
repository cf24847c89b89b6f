"""One scenario of the core: `python -m benchmarks.core_runner NAME COUNT` prints it as JSON."""

import gc
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from benchmarks.core_flows import Operation, operations
from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ConfigureMarket,
    ListSecurity,
    NewOrder,
    OpenAccount,
    ReplaceOrder,
)
from matching_engine.core import Exchange

CLIENTS = 50
SECURITY = "MSFT"
TICK_E4 = 100
WITH_LIMITS = "_with_limits"
"""Ends the name of a scenario in which every limit is set, though none is ever reached."""


def main() -> None:
    """Measure the scenario that the command line names."""
    print(json.dumps(run_scenario(sys.argv[1], int(sys.argv[2]))))


def run_scenario(name: str, count: int) -> dict[str, Any]:
    """Commands a second of one thread's own time, and a hash of the state that they lead to."""
    exchange = opened_exchange(with_limits=name.endswith(WITH_LIMITS))
    flow = operations(name.removesuffix(WITH_LIMITS), count)
    rate = rate_of(exchange, commands(flow))
    return {"commands_per_second": round(rate), "state": exchange.state_hash()}


def opened_exchange(*, with_limits: bool = False) -> Exchange:
    """A market with clients who never run out of cash or shares."""
    exchange = Exchange()
    limits = {
        "max_open_orders": 10**6,
        "max_position": 10**8,
        "max_order_value_e4": 10**12,
        "min_display_ppm": 1,
    }
    exchange.apply(
        ConfigureMarket(
            time_us=0,
            request_id=1,
            initial_balance_e4=100_000_000_0000,
            maker_fee_ppm=0,
            taker_fee_ppm=100,
            **limits if with_limits else {},
        )
    )
    terms = {
        "max_order_quantity": 10_000,
        "max_order_value_e4": 10**12,
        "static_band_ppm": 900_000,
        "dynamic_band_ppm": 900_000,
        "short_margin_ppm": 500_000,
    }
    exchange.apply(
        ListSecurity(
            time_us=0,
            request_id=1,
            security_id=SECURITY,
            tick_e4=TICK_E4,
            reference_price_e4=1_000_000,
            granted_quantity=10_000_000,
            **terms if with_limits else {},
        )
    )
    for client in range(CLIENTS):
        exchange.apply(
            OpenAccount(time_us=0, request_id=1, client_id=f"c{client}", api_key_hash=f"{client}")
        )
    return exchange


def commands(flow: Iterable[Operation]) -> list[AnyCommand]:
    """The operations as commands of the exchange; an order's client follows from its id."""
    return [_command(number, operation) for number, operation in enumerate(flow, 1)]


def _command(number: int, operation: Operation) -> AnyCommand:
    kind, order_id = operation[0], operation[1]
    client_id = f"c{order_id % CLIENTS}"
    if kind == "cancel":
        return CancelOrder(
            time_us=number, request_id=number, client_id=client_id, order_id=order_id
        )
    if kind == "replace":
        return ReplaceOrder(
            time_us=number,
            request_id=number,
            client_id=client_id,
            order_id=order_id,
            quantity=operation[2],
            price_e4=operation[3] * TICK_E4,
        )
    return NewOrder(
        time_us=number,
        order_id=order_id,
        client_id=client_id,
        security_id=SECURITY,
        side=operation[2],
        order_type="limit",
        quantity=operation[3],
        price_e4=operation[4] * TICK_E4,
    )


def rate_of(exchange: Exchange, batch: list[AnyCommand]) -> float:
    """Commands a second of this thread's own time."""
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for command in batch:
        exchange.apply(command)
    seconds = time.process_time() - began
    exchange.check_invariants()
    gc.unfreeze()
    return len(batch) / seconds


if __name__ == "__main__":
    main()
