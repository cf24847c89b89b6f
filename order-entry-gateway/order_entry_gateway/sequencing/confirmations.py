"""The gateway's own reports on `data_feed`: each order was confirmed for sequencing, or denied."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from exchange_shared.bus import Publisher
from exchange_shared.http import ApiError
from exchange_shared.messages import NewOrder, OrderReport
from exchange_shared.units import now_us
from order_entry_gateway.metrics import GatewayMetrics
from order_entry_gateway.rate_limits import RateLimit
from order_entry_gateway.requests.parsing import well_formed_fields


class Confirmations:
    """Puts reports into their publisher, in which there is room for those of all open requests."""

    def __init__(
        self, publisher: Publisher, denials_limit: RateLimit, metrics: GatewayMetrics
    ) -> None:
        self._publisher = publisher
        self._denials_limit = denials_limit
        self._metrics = metrics

    def room_for(self, count: int) -> bool:
        """Whether this many more reports can wait for the message bus."""
        return self._publisher.room_for(count)

    def confirmed(self, commands: Sequence[msgspec.Struct]) -> None:
        """Report the orders among commands that are now durable."""
        time_us = now_us()
        reports = [
            _report(order, time_us, "confirmed")
            for order in commands
            if isinstance(order, NewOrder)
        ]
        if reports:
            self._publisher.put(reports)

    def denied(
        self, client_id: str, refusals: Sequence[tuple[Any, ApiError]], unconfirmed: int
    ) -> None:
        """Report orders (decoded JSON) that were refused, with what of them was well-formed.

        Those beyond what the client may have in a second are only counted, and so are all of them
        when there is no room beside the reports of `unconfirmed` commands.
        """
        for _, refusal in refusals:
            self._metrics.refused.labels(refusal.code).inc()
        if not self.room_for(unconfirmed + len(refusals)):
            return
        try:
            self._denials_limit.check(client_id, len(refusals))
        except ApiError:
            return
        time_us = now_us()
        self._publisher.put(
            [
                OrderReport(
                    time_us=time_us,
                    status="denied",
                    client_id=client_id,
                    reason=refusal.code,
                    message=refusal.message,
                    **well_formed_fields(value),
                )
                for value, refusal in refusals
            ]
        )

    def withdrawn(self, order: NewOrder, refusal: ApiError) -> None:
        """Report an order that was not sent after all; there is room, as for all taken in."""
        self._metrics.refused.labels(refusal.code).inc()
        report = _report(order, now_us(), "denied", refusal.code, refusal.message)
        self._publisher.put([report])


def _report(
    order: NewOrder,
    time_us: int,
    status: Literal["confirmed", "denied"],
    reason: str | None = None,
    message: str | None = None,
) -> OrderReport:
    return OrderReport(
        time_us=time_us,
        status=status,
        client_id=order.client_id,
        order_id=order.order_id or None,
        security_id=order.security_id,
        side=order.side,
        quantity=order.quantity,
        price_e4=order.price_e4,
        client_order_id=order.client_order_id,
        reason=reason,
        message=message,
    )
