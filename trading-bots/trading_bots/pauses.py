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
class _Rest:
    refused_in_a_row: int = 0
    ends: float = 0.0


class Rests:
    """Each security rests after a refusal: longer and longer, until one of its orders is taken.

    So a bot goes on while a security is halted or closed, or while the account may not trade it,
    and is back within seconds when that is over.
    """

    def __init__(self, bot_log: Any, pause: Callable[[int], float] = pause_seconds) -> None:
        """`pause` gives the seconds to rest after so many refusals in a row."""
        self._log = bot_log
        self._pause = pause
        self._rests: dict[str, _Rest] = {}

    def allowed(self, orders: Sequence[PlaceOrder], now: float) -> list[PlaceOrder]:
        """The orders of the securities that do not rest; `now` is in seconds of any clock."""
        rests = self._rests
        return [
            order
            for order in orders
            if order.security_id not in rests or rests[order.security_id].ends <= now
        ]

    def learn(
        self, orders: Sequence[PlaceOrder], answers: Sequence[Order | ExchangeError], now: float
    ) -> None:
        """Take in the answer to each order. The reason of a long rest is logged once."""
        refusals: dict[str, ExchangeError] = {}
        taken: set[str] = set()
        for order, answer in zip(orders, answers, strict=True):
            if not isinstance(answer, ExchangeError):
                taken.add(order.security_id)
            elif answer.status not in BUSY:
                refusals[order.security_id] = answer
        for security_id in taken:
            self._rests.pop(security_id, None)
        for security_id in refusals.keys() - taken:
            rest = self._rests.setdefault(security_id, _Rest())
            rest.refused_in_a_row += 1
            rest.ends = now + self._pause(rest.refused_in_a_row)
            if rest.refused_in_a_row == TELL_AFTER:
                self._log.info(
                    "security_rests", security_id=security_id, reason=str(refusals[security_id])
                )
