"""Rate limits: how much one client, session or address may ask in a second."""

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from exchange_shared.http import ApiError


class RateLimits:
    """Counts requests by limit and key in this process."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def per_second(self, name: str, amount: int) -> "RateLimit":
        """A limit with its own counters; an amount of 0 limits nothing."""
        return RateLimit(self._limiter, name, amount)


class RateLimit:
    """How many of something one key may have in a second."""

    def __init__(self, limiter: FixedWindowRateLimiter, name: str, amount: int) -> None:
        self._limiter = limiter
        self._name = name
        self._item = RateLimitItemPerSecond(amount, namespace=name) if amount else None

    async def allows(self, key: str, cost: int = 1) -> bool:
        """Whether the key may have this many more now; counts them either way."""
        return self._item is None or await self._limiter.hit(self._item, key, cost=cost)

    async def check(self, key: str, cost: int = 1) -> None:
        """Raises `ApiError` 429 `rate_limited` when the key may not."""
        if not await self.allows(key, cost):
            assert self._item is not None
            raise ApiError(
                429,
                "rate_limited",
                f"more than {self._item.amount} {self._name} in a second",
                retry_after_seconds=1,
            )
