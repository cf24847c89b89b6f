"""How many callers may have something for a while: a stream, or a read that waits."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from exchange_shared.http import ApiError, Connection
from exchange_shared.metrics import Metrics
from market_data_feed.settings import MarketDataFeedSettings


class Places:
    """So many of something at a time: half for those with a key, and of one caller only so many."""

    def __init__(
        self, what: str, limit: int, *, of_address: int, of_client: int, refusal: ApiError
    ) -> None:
        """`refusal` is what is said when there are too many, but for its message."""
        half = max(1, limit // 2)
        self._limits = {"anonymous": half, "client": max(1, limit - half)}
        self._limits_of_one = {"anonymous": of_address, "client": of_client}
        self._taken: Counter[str] = Counter()
        self._taken_by: Counter[str] = Counter()
        self._what = what
        self._refusal = refusal
        self.refused = 0

    def __len__(self) -> int:
        return self._taken.total()

    @contextmanager
    def one_for(self, connection: Connection) -> Iterator[None]:
        """Count one more while the context is open.

        Raises:
            ApiError: the refusal.
        """
        kind, owner = connection.kind, connection.owner
        self._check(self._taken[kind], self._limits[kind], f"{kind} {self._what}")
        of_owner = f"{self._what} of {owner}"
        self._check(self._taken_by[owner], self._limits_of_one[kind], of_owner)
        self._taken[kind] += 1
        self._taken_by[owner] += 1
        try:
            yield
        finally:
            self._taken[kind] -= 1
            self._taken_by[owner] -= 1
            if not self._taken_by[owner]:
                del self._taken_by[owner]

    def _check(self, taken: int, limit: int, what: str) -> None:
        if taken < limit:
            return
        self.refused += 1
        told = self._refusal
        message = f"{taken} {what} are open, which is the limit"
        raise ApiError(
            told.status, told.code, message, retry_after_seconds=told.retry_after_seconds
        )


def stream_places(settings: MarketDataFeedSettings, metrics: Metrics) -> Places:
    """The places of the WebSocket streams."""
    places = Places(
        "streams",
        settings.max_streams,
        of_address=settings.max_streams_per_address,
        of_client=settings.max_streams_per_client,
        refusal=ApiError(503, "too_many_streams", "", retry_after_seconds=5),
    )
    _watch(places, metrics, "feed_websocket_clients", "feed_streams_refused", "WebSocket streams")
    return places


def waiting_reads(settings: MarketDataFeedSettings, metrics: Metrics) -> Places:
    """The places of the reads that wait for their `min_seq`."""
    places = Places(
        "waiting reads",
        settings.max_waiting_reads,
        of_address=settings.max_waiting_reads_per_caller,
        of_client=settings.max_waiting_reads_per_caller,
        refusal=ApiError(429, "too_many_waiting_reads", "", retry_after_seconds=1),
    )
    _watch(places, metrics, "feed_waiting_reads", "feed_waiting_reads_refused", "Waiting reads")
    return places


def _watch(places: Places, metrics: Metrics, now: str, refused: str, what: str) -> None:
    metrics.gauge(now, f"{what} at this moment").set_function(places.__len__)
    metrics.gauge(refused, f"{what} refused until now").set_function(lambda: places.refused)
