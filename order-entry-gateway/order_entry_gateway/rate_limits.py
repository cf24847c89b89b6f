"""Rate limits: how fast one client, session or address may ask.

The buckets are our own, because every request is asked for here: one hit of the library `limits`,
whichever its strategy, takes longer than all else that is done with a request on its way to the
queue, and its fixed window lets twice the limit through around its end.
"""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from exchange_shared.http import ApiError
from exchange_shared.messages import ClientLimitsSet, MarketConfigured

_FIRST_PURGE = 1_024
_ROUNDING_SECONDS = 1e-6


class Rate(NamedTuple):
    """So many a second on average, and up to `burst` at once; 0 a second limits nothing."""

    per_second: int
    burst: int


UNLIMITED = Rate(0, 1)


class TokenBuckets:
    """A bucket for each key. It holds `burst` tokens when it is full, and is given `per_second`.

    Of each only the time is remembered at which it is full again, and nothing of a full one. More
    than a full bucket holds is taken from a full bucket; the next has to wait for it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}
        self._purge_at = _FIRST_PURGE

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, cost: int, rate: Rate) -> float:
        """Take tokens; returns 0, or in how many seconds they are there: then none is taken."""
        per_second, burst = rate
        if not per_second:
            return 0.0
        now = self._clock()
        full_at = max(now, self._full_at.get(key, now))
        wait = full_at - now - (burst - min(cost, burst)) / per_second
        if wait > _ROUNDING_SECONDS:
            return wait
        self._full_at[key] = full_at + cost / per_second
        if len(self._full_at) > self._purge_at:
            self._purge(now)
        return 0.0

    def full_in(self, key: str) -> float:
        """In how many seconds the bucket is full."""
        return max(0.0, self._full_at.get(key, 0.0) - self._clock())

    def _purge(self, now: float) -> None:
        """Forget the buckets that are full; the cost is spread over as many takes as are left."""
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._purge_at = max(_FIRST_PURGE, 2 * len(self._full_at))


class RateLimit:
    """How fast each key may have something."""

    def __init__(
        self, what: str, rate: Rate = UNLIMITED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._rate = rate
        self._clock = clock
        self._buckets = TokenBuckets(clock)
        self._shut_until: dict[str, float] = {}

    def check(self, key: str, cost: int = 1, rate: Rate | None = None) -> None:
        """Raises `ApiError` 429 `rate_limited` when the key may not have it now.

        `rate` is the key's own, where it is not that of all.
        """
        rate = self._rate if rate is None else rate
        wait = self._buckets.take(key, cost, rate)
        if wait:
            message = f"more than {rate.per_second} {self._what} in a second, {rate.burst} at once"
            raise _rate_limited(message, wait)

    def check_recovered(self, key: str) -> None:
        """Raises `ApiError` 429 `rate_limited` while a key is shut out."""
        wait = self._shut_until.get(key, 0.0) - self._clock()
        if wait > 0.0:
            raise _rate_limited(f"there were too many {self._what}", wait)
        self._shut_until.pop(key, None)

    def shut_out(self, key: str) -> None:
        """The key went too far: `check_recovered` refuses it until it has its whole burst again."""
        self._shut_until[key] = self._clock() + self._buckets.full_in(key)


class MinuteLimit:
    """How often in a minute each key may have something, and how many at once."""

    def __init__(
        self,
        what: str,
        per_minute: int,
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Limits nothing when `per_minute` is 0."""
        self._what = what
        self._per_minute = per_minute
        self._at_once = at_once
        self._buckets = TokenBuckets(clock)

    def check(self, key: str) -> None:
        """Raises `ApiError` 429 `rate_limited` when the key may not have it now."""
        rate = Rate(self._per_minute, 60 * self._at_once)  # one of it costs sixty tokens
        wait = self._buckets.take(key, 60, rate)
        if wait:
            most = f"{self._per_minute} {self._what} in a minute, {self._at_once} at once"
            raise _rate_limited(f"more than {most}", wait)


def _rate_limited(message: str, wait: float) -> ApiError:
    return ApiError(429, "rate_limited", message, retry_after_seconds=math.ceil(wait))


class ClientRates:
    """How fast each client may send orders: as the operator has set for it, else as all may."""

    def __init__(self) -> None:
        self._market = UNLIMITED
        self._own: dict[str, tuple[int | None, int | None]] = {}
        self.handlers: dict[type, Callable[[Any], None]] = {
            ClientLimitsSet: self._limits_set,
            MarketConfigured: self._market_configured,
        }

    def add(self, client_id: str, per_second: int | None, burst: int | None) -> None:
        """What the operator has set for a client; `None` is as for all."""
        if per_second is None and burst is None:
            self._own.pop(client_id, None)
        else:
            self._own[client_id] = (per_second, burst)

    def of(self, client_id: str) -> Rate:
        """The rate of a client."""
        own = self._own.get(client_id)
        if own is None:
            return self._market
        per_second, burst = own
        return Rate(
            self._market.per_second if per_second is None else per_second,
            self._market.burst if burst is None else burst,
        )

    def _limits_set(self, event: ClientLimitsSet) -> None:
        self.add(event.client_id, event.orders_per_second, event.order_burst)

    def _market_configured(self, event: MarketConfigured) -> None:
        """An engine of an earlier version does not tell any: then there is no limit."""
        self._market = Rate(event.orders_per_second or 0, event.order_burst or 1)
