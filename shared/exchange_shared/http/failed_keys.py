"""Limits how many wrong API keys an address may try."""

import contextlib
import functools
import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from starlette.requests import HTTPConnection

from exchange_shared.auth import hash_api_key
from exchange_shared.http.errors import ApiError

WINDOW_SECONDS = 60.0
MAX_ADDRESSES = 10_000
"""Addresses of which failures are remembered; beyond it, those that failed longest ago are not."""

UNKNOWN = "unknown"
"""What stands for everything that is no address."""

MAX_ADDRESS_LENGTH = 64
"""Longer than any address, or network, is written."""

MAX_GOOD_KEYS = 100_000
"""Keys that are remembered as right; beyond it, those that were used longest ago are not."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class GivenKey:
    """The API key that came with a request, if one did, and the address that it came from."""

    api_key: str | None
    address: str


def address_of(connection: HTTPConnection) -> str:
    """Where a request or a WebSocket comes from: an address, an IPv6 one's /64, or `unknown`."""
    return network_of(connection.client.host) if connection.client else UNKNOWN


class FailedKeys:
    """Knows which addresses have tried too many wrong keys in the last minute.

    Such an address may only use keys that were right when they came from it before: whoever shares
    it with somebody who guesses trades on. Any other key is not even looked up, so that a right
    guess is told from a wrong one no more than by an address that waits.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Limits nothing when `per_minute` is 0."""
        self._per_minute = per_minute
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._good: OrderedDict[tuple[str, str], None] = OrderedDict()

    @contextlib.contextmanager
    def checking(self, given: GivenKey) -> Iterator[None]:
        """What looks a key up, and raises `ApiError` `unknown_api_key` when nobody has it.

        Raises:
            ApiError: 429 `too_many_failed_keys`, without a look.
        """
        self.check(given)
        try:
            yield
        except ApiError as refusal:
            if refusal.code == "unknown_api_key":
                self.failed(given)
            raise
        self.passed(given)

    def check(self, given: GivenKey) -> None:
        """Raises `ApiError` 429 `too_many_failed_keys` when the key may not even be looked up."""
        network = network_of(given.address)
        times = self._failures.get(network)
        if times is None or given.api_key is None:
            return
        wait_seconds = self._wait_seconds(times)
        if wait_seconds > 0 and (network, hash_api_key(given.api_key)) not in self._good:
            message = (
                f"{self._per_minute} wrong API keys came from {network} within a minute;"
                " only keys that were right from there before are looked at"
            )
            wait = math.ceil(wait_seconds)
            raise ApiError(429, "too_many_failed_keys", message, retry_after_seconds=wait)

    def failed(self, given: GivenKey) -> None:
        """Count a wrong key."""
        if not self._per_minute or given.api_key is None:
            return
        network = network_of(given.address)
        times = self._failures.setdefault(network, deque(maxlen=self._per_minute))
        times.append(self._clock())
        self._failures.move_to_end(network)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        if self._wait_seconds(times) > 0:
            log.warning("too_many_failed_keys", address=network, wrong_keys=len(times))

    def passed(self, given: GivenKey) -> None:
        """Remember a right key."""
        if not self._per_minute or given.api_key is None:
            return
        good = (network_of(given.address), hash_api_key(given.api_key))
        self._good[good] = None
        self._good.move_to_end(good)
        if len(self._good) > MAX_GOOD_KEYS:
            self._good.popitem(last=False)

    def _wait_seconds(self, times: deque[float]) -> float:
        """How long until the oldest of as many failures as may be is a minute ago."""
        if len(times) < self._per_minute:
            return 0.0
        return times[0] + WINDOW_SECONDS - self._clock()


def network_of(address: str) -> str:
    """An IPv6 address stands for its whole /64, which anybody has who has one of it."""
    return _network(address) if len(address) <= MAX_ADDRESS_LENGTH else UNKNOWN


@functools.lru_cache(maxsize=MAX_ADDRESSES)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_interface(address.partition("%")[0]).ip
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address) and not parsed.is_loopback:
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
    return str(parsed)
