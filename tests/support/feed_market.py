"""What the feed reads: the records of a real engine, a tiny clearinghouse, and a tiny gateway."""

from collections.abc import Iterable

from exchange_shared.bus import Bus
from exchange_shared.messages import AnyCommand, AnyEvent, NewOrder, OrderReport
from matching_engine.core import Exchange
from tests.support.feed_log import ENGINE, GATEWAY, FeedLog


def confirmation(order: NewOrder) -> OrderReport:
    """What a gateway reports of an order that it took in."""
    return OrderReport(
        time_us=order.time_us,
        status="confirmed",
        client_id=order.client_id,
        order_id=order.order_id,
        security_id=order.security_id,
        side=order.side,
        quantity=order.quantity,
        price_e4=order.price_e4,
        client_order_id=order.client_order_id,
    )


class FeedMarket(FeedLog):
    """A market that writes `data_feed` as the three services do."""

    def __init__(self, bus: Bus | None = None) -> None:
        super().__init__(bus)
        self.exchange = Exchange()

    def apply(self, commands: Iterable[AnyCommand]) -> list[AnyEvent]:
        """What the engine makes of these commands; not published."""
        return [event for command in commands for event in self.exchange.apply(command)]

    async def trade(self, *commands: AnyCommand) -> list[AnyEvent]:
        """Report, apply and settle commands, and publish all of it; returns the events."""
        await self.publish(GATEWAY, [confirmation(c) for c in commands if isinstance(c, NewOrder)])
        events = self.apply(commands)
        await self.publish(ENGINE, events)
        await self.settle(events)
        return events
