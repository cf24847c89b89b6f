"""For how long a bot leaves a security alone whose orders the exchange refuses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trading_bots.errors import ExchangeError
from trading_bots.links import pause_seconds
from trading_bots.models import Order
from trading_bots.strategies import PlaceOrder

BUSY = (429, 503)
"""Statuses of refusals that are about the exchange, and not about the order."""

TELL_AFTER = 3
"""So many refusals in a row are not the business of every day."""


@dataclass(slots=True)
class _Pause:
    refused_in_a_row: int = 0
    ends: float = 0.0


class Pauses:
    """Each security has a pause after a refusal: longer each time, until an order of it is taken.

    So a bot goes on while a security is halted or closed, or while the account may not trade it,
    and is back within seconds when that is over.
    """

    def __init__(self, bot_log: Any, length: Callable[[int], float] = pause_seconds) -> None:
        """`length` gives the seconds of the pause after so many refusals in a row."""
        self._log = bot_log
        self._length = length
        self._pauses: dict[str, _Pause] = {}

    def allowed(self, orders: Sequence[PlaceOrder], now: float) -> list[PlaceOrder]:
        """The orders of the securities that have no pause; `now` is in seconds of any clock."""
        pauses = self._pauses
        return [
            order
            for order in orders
            if order.security_id not in pauses or pauses[order.security_id].ends <= now
        ]

    def learn(
        self, orders: Sequence[PlaceOrder], answers: Sequence[Order | ExchangeError], now: float
    ) -> None:
        """Take in the answer to each order. The reason of a long pause is logged once."""
        refusals: dict[str, ExchangeError] = {}
        taken: set[str] = set()
        for order, answer in zip(orders, answers, strict=True):
            if not isinstance(answer, ExchangeError):
                taken.add(order.security_id)
            elif answer.status not in BUSY:
                refusals[order.security_id] = answer
        for security_id in taken:
            self._pauses.pop(security_id, None)
        for security_id in refusals.keys() - taken:
            pause = self._pauses.setdefault(security_id, _Pause())
            pause.refused_in_a_row += 1
            pause.ends = now + self._length(pause.refused_in_a_row)
            if pause.refused_in_a_row == TELL_AFTER:
                self._log.info(
                    "security_paused", security_id=security_id, reason=str(refusals[security_id])
                )
