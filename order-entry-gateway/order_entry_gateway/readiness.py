"""What the gateway still waits for before it takes requests."""

from collections.abc import Callable

from exchange_shared.http import ApiError


class Readiness:
    """Each attribute says what is missing, or is `None`.

    `market_clock` says how far this gateway's clock is from the market's. While it is ahead, no
    orders are taken: by its time the market is not up to date, and what expired may still be open.
    """

    def __init__(self) -> None:
        self.api_keys: str | None = "the clients' keys have not been read yet"
        self.matching_engine: str | None = "the matching engine has not confirmed the market yet"
        self.stopping: str | None = None
        self.market_clock: str | None = None
        self.clock_is_ahead = False
        self._others: list[Callable[[], str | None]] = []

    def depends_on(self, problem: Callable[[], str | None]) -> None:
        """Ask this too, at each request, what is missing."""
        self._others.append(problem)

    def keys_wait_for(self, reason: str | None) -> None:
        """Why the database that has the keys cannot be read yet; `None`: no longer."""
        if reason is not None:
            self.api_keys = f"the clients' keys have not been read yet: {reason}"

    def check(self) -> None:
        """Raises `ApiError` 503 `not_ready` when something is missing."""
        problem = self.problem()
        if problem is not None:
            raise ApiError(503, "not_ready", problem, retry_after_seconds=1)

    def check_clock(self) -> None:
        """Raises `ApiError` 503 `not_ready` while this gateway's clock is ahead of the market's."""
        if self.clock_is_ahead and self.market_clock is not None:
            raise ApiError(503, "not_ready", self.market_clock, retry_after_seconds=1)

    def problem(self) -> str | None:
        """The first thing that is missing."""
        known = self.stopping or self.api_keys or self.matching_engine
        return known or next(filter(None, (problem() for problem in self._others)), None)
