"""Limits how many wrong API keys an address may try."""

import contextlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import structlog
from pydantic import SecretStr

from exchange_shared.auth import hash_api_key
from exchange_shared.http.addresses import network_of
from exchange_shared.http.errors import ApiError

WINDOW_SECONDS = 60.0
MAX_ADDRESSES = 10_000
"""Addresses of which failures are remembered; beyond it, those that failed longest ago are not."""

MAX_GOOD_KEYS = 100_000
"""Keys that are remembered as right; beyond it, those that were used longest ago are not."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class GivenKey:
    """The API key that came with a request, if one did, and the address that it came from."""

    api_key: str | None
    address: str


class FailedKeys:
    """Knows which addresses have tried too many wrong keys in the last minute.

    Such an address may only use keys that were right when they came from it before: whoever shares
    it with somebody who guesses trades on. Any other key is not even looked up, so that a right
    guess is told from a wrong one no more than by an address that waits. The operator's key, which
    nobody guesses, is looked at always: nobody keeps the operator out.

    A wrong key counts once within a minute: who repeats it learns nothing.
    """

    def __init__(
        self,
        per_minute: int,
        operator_key: SecretStr | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Limits nothing when `per_minute` is 0."""
        self._per_minute = per_minute
        self._operator_key = operator_key.get_secret_value().encode() if operator_key else b""
        self._clock = clock
        self._failures: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        """By network the hashes of wrong keys, and when each was tried."""
        self._good: OrderedDict[tuple[str, str], None] = OrderedDict()

    def owner(self, given: GivenKey, owner_of: Callable[[str], str]) -> str | None:
        """Whose the key is; `None` when it is nobody's, or is not looked up.

        `owner_of` raises `ApiError` `unknown_api_key` when nobody has it, and another while that
        is not known.
        """
        if given.api_key is None:
            return None
        try:
            with self.checking(given):
                return owner_of(given.api_key)
        except ApiError:
            return None

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
        failures = self._failures.get(network)
        if failures is None or given.api_key is None:
            return
        wait_seconds = self._wait_seconds(failures)
        if wait_seconds > 0 and not self._may_always(network, failures, given.api_key):
            message = (
                f"{self._per_minute} wrong API keys came from {network} within a minute;"
                " only keys that were right from there since this server started are looked at"
            )
            wait = math.ceil(wait_seconds)
            raise ApiError(429, "too_many_failed_keys", message, retry_after_seconds=wait)

    def failed(self, given: GivenKey) -> None:
        """Count a wrong key."""
        if not self._per_minute or given.api_key is None:
            return
        network, key = network_of(given.address), hash_api_key(given.api_key)
        failures = self._failures.setdefault(network, OrderedDict())
        self._failures.move_to_end(network)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        self._forget_old(failures)
        if key in failures:
            return
        failures[key] = self._clock()
        if len(failures) > self._per_minute:
            failures.popitem(last=False)
        if self._wait_seconds(failures) > 0:
            log.warning("too_many_failed_keys", address=network, wrong_keys=len(failures))

    def passed(self, given: GivenKey) -> None:
        """Remember a right key."""
        if not self._per_minute or given.api_key is None:
            return
        good = (network_of(given.address), hash_api_key(given.api_key))
        self._good[good] = None
        self._good.move_to_end(good)
        if len(self._good) > MAX_GOOD_KEYS:
            self._good.popitem(last=False)

    def _may_always(self, network: str, failures: Collection[str], api_key: str) -> bool:
        """Whether a look tells nothing new: right or wrong before, or as good as random."""
        key = hash_api_key(api_key)
        operators = hmac.compare_digest(api_key.encode(), self._operator_key)
        return (network, key) in self._good or key in failures or operators

    def _wait_seconds(self, failures: OrderedDict[str, float]) -> float:
        """How long until the oldest of as many failures as may be is a minute ago."""
        self._forget_old(failures)
        if len(failures) < self._per_minute:
            return 0.0
        return next(iter(failures.values())) + WINDOW_SECONDS - self._clock()

    def _forget_old(self, failures: OrderedDict[str, float]) -> None:
        oldest = self._clock() - WINDOW_SECONDS
        while failures and next(iter(failures.values())) <= oldest:
            failures.popitem(last=False)
