"""The fills of orders that may still be asked for: by a replacement, or under their own name."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from exchange_shared.messages import OrderCancelled, TradeExecuted
from exchange_shared.units import from_e4
from order_entry_gateway.answers.answers import Fill


class KnownFills:
    """The latest fills of each order, of those that the gateway has seen since it started.

    They are kept while the order is open, and beyond that if it has a `client_order_id`, because
    it can be repeated then. When there are too many in all, those of the order that traded first
    are forgotten.
    """

    def __init__(
        self, name_of: Callable[[int], str | None], max_of_order: int, max_fills: int
    ) -> None:
        """`name_of` gives the `client_order_id` of an order until its end has been handled."""
        self._name_of = name_of
        self._max_of_order = max_of_order
        self._max_fills = max_fills
        self._fills: OrderedDict[int, deque[Fill]] = OrderedDict()
        self._count = 0
        self.handlers: dict[type, Callable[[Any], None]] = {
            TradeExecuted: self._traded,
            OrderCancelled: self._cancelled,
        }

    def __len__(self) -> int:
        return self._count

    def of(self, order_id: int) -> list[Fill]:
        """The fills of an order that are known, oldest first."""
        return list(self._fills.get(order_id, ()))

    def _traded(self, event: TradeExecuted) -> None:
        self._add(event, event.buy_order_id, event.buy_remaining_quantity, event.buyer_fee_e4)
        self._add(event, event.sell_order_id, event.sell_remaining_quantity, event.seller_fee_e4)

    def _add(
        self, event: TradeExecuted, order_id: int, remaining_quantity: int, fee_e4: int
    ) -> None:
        if not remaining_quantity and self._name_of(order_id) is None:
            self._forget(order_id)
            return
        fills = self._fills.get(order_id)
        if fills is None:
            fills = self._fills[order_id] = deque(maxlen=self._max_of_order)
        self._count -= len(fills)
        fills.append(fill_of(event, fee_e4))
        self._count += len(fills)
        while self._count > self._max_fills:
            _, oldest = self._fills.popitem(last=False)
            self._count -= len(oldest)

    def _cancelled(self, event: OrderCancelled) -> None:
        if self._name_of(event.order_id) is None:
            self._forget(event.order_id)

    def _forget(self, order_id: int) -> None:
        self._count -= len(self._fills.pop(order_id, ()))


def fill_of(event: TradeExecuted, fee_e4: int) -> Fill:
    """A trade as a fill of the order that pays this fee."""
    return Fill(event.trade_id, from_e4(event.price_e4), event.quantity, from_e4(fee_e4))
