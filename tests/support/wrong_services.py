"""Services that are wrong in one thing each: `python -m tests.support.wrong_services WRONG`."""

import dataclasses
import itertools
import runpy
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import clearinghouse.store
from clearinghouse.ledger import Booking
from exchange_shared.messages import TradeExecuted
from market_data_feed.fanout import Fanout
from market_data_feed.projections import Projections
from order_entry_gateway.answers.answers import OrderAnswer
from order_entry_gateway.sequencing.order_entry import OrderEntry
from tests.support.stack import MODULES

EVERY = 20
"""One in so many is wrong."""

SECOND_TIME = 10
"""What is added to the number of a leg that is booked again."""


def _acknowledge_unpublished() -> None:
    """A gateway that now and then says that an order is new, and sends it nowhere."""
    right = OrderEntry.new_orders
    numbers = itertools.count(1)

    async def new_orders(
        self: OrderEntry,
        client_id: str,
        values: list[Any],
        on_answered: Callable[[list[Any]], None],
    ) -> None:
        if next(numbers) % EVERY:
            await right(self, client_id, values, on_answered)
            return
        (asked,) = values
        answer = OrderAnswer(
            order_id=self._ids.take(1)[0],
            client_order_id=asked["client_order_id"],
            security_id=asked["security_id"],
            side=asked["side"],
            type=asked["type"],
            quantity=asked["quantity"],
            price=asked["price"],
            status="new",
            filled_quantity=0,
            remaining_quantity=asked["quantity"],
            average_price=None,
            fills=[],
            seq=1,
        )
        on_answered([answer])

    OrderEntry.new_orders = new_orders  # type: ignore[method-assign]


def _settle_twice() -> None:
    """A clearinghouse that now and then moves what a trade moves a second time."""
    right: Callable[..., Awaitable[None]] = clearinghouse.store._write

    async def write(connection: Any, booking: Booking, *more: Any) -> None:
        again = [
            transfer._replace(leg=transfer.leg + SECOND_TIME)
            for transfer in booking.transfers
            if transfer.execution_seq % EVERY == 0
        ]
        twice = dataclasses.replace(booking, transfers=[*booking.transfers, *again])
        await right(connection, twice, *more)

    clearinghouse.store._write = write  # type: ignore[assignment]


def _lose_trades() -> None:
    """A feed that now and then passes over a trade."""
    right = Projections.apply

    def apply(self: Projections, record: Any) -> None:
        if not isinstance(record, TradeExecuted) or record.trade_id % EVERY:
            right(self, record)

    Projections.apply = apply  # type: ignore[method-assign]


def _tell_no_trades() -> None:
    """A feed that now and then stores a trade, and does not tell those whose it is."""
    right = Fanout.publish

    def publish(self: Fanout, record: Any) -> None:
        if not isinstance(record, TradeExecuted) or record.trade_id % EVERY:
            right(self, record)

    Fanout.publish = publish  # type: ignore[method-assign]


WRONG: dict[str, tuple[str, Callable[[], None]]] = {
    "acknowledges what it does not publish": ("order-entry-gateway", _acknowledge_unpublished),
    "settles twice": ("clearinghouse", _settle_twice),
    "loses trades": ("market-data-feed", _lose_trades),
    "tells not all trades": ("market-data-feed", _tell_no_trades),
}
"""Each with the service that it is."""


def program(wrong: str) -> dict[str, list[str]]:
    """The command to run in the place of the service, by its name."""
    return {WRONG[wrong][0]: [sys.executable, "-m", __name__, wrong]}


def main() -> None:
    """Run the service that is wrong in what the command line says."""
    service, patch = WRONG[sys.argv[1]]
    patch()
    runpy.run_module(MODULES[service], run_name="__main__")


if __name__ == "__main__":
    main()
