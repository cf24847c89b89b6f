"""How fast somebody may ask: buckets, by a clock that is moved by hand."""

import pytest

from exchange_shared.http import ApiError
from exchange_shared.messages import ClientLimitsSet, MarketConfigured
from order_entry_gateway.rate_limits import (
    ClientRates,
    MinuteLimit,
    Rate,
    RateLimit,
    TokenBuckets,
)

TEN_A_SECOND = Rate(10, 20)


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buckets(clock: Clock) -> TokenBuckets:
    return TokenBuckets(clock)


def test_a_full_bucket_gives_its_burst_and_then_tells_when_there_is_more(
    buckets: TokenBuckets,
) -> None:
    assert [buckets.take("a", 1, TEN_A_SECOND) for _ in range(20)] == [0.0] * 20
    assert buckets.take("a", 1, TEN_A_SECOND) == pytest.approx(0.1)
    assert buckets.take("a", 5, TEN_A_SECOND) == pytest.approx(0.5)


def test_what_was_promised_is_there_then_and_not_before(
    buckets: TokenBuckets, clock: Clock
) -> None:
    buckets.take("a", 20, TEN_A_SECOND)
    wait = buckets.take("a", 5, TEN_A_SECOND)
    clock.now += wait - 0.01
    assert buckets.take("a", 5, TEN_A_SECOND) > 0.0
    clock.now += 0.02
    assert buckets.take("a", 5, TEN_A_SECOND) == 0.0


def test_over_any_time_no_more_comes_through_than_the_burst_and_the_rate(
    buckets: TokenBuckets, clock: Clock
) -> None:
    taken = 0
    for _ in range(1_000):  # ten seconds, a hundred tries in each
        taken += buckets.take("a", 1, TEN_A_SECOND) == 0.0
        clock.now += 0.01
    assert taken in (119, 120)


def test_a_bucket_never_holds_more_than_its_burst(buckets: TokenBuckets, clock: Clock) -> None:
    buckets.take("a", 1, TEN_A_SECOND)
    clock.now += 3_600
    assert buckets.take("a", 20, TEN_A_SECOND) == 0.0
    assert buckets.take("a", 1, TEN_A_SECOND) > 0.0


def test_more_than_a_bucket_holds_is_taken_from_a_full_one_and_paid_for_later(
    buckets: TokenBuckets, clock: Clock
) -> None:
    assert buckets.take("a", 50, TEN_A_SECOND) == 0.0
    assert buckets.take("a", 1, TEN_A_SECOND) == pytest.approx(3.1)
    assert buckets.take("a", 50, TEN_A_SECOND) == pytest.approx(5.0)


def test_each_key_has_a_bucket_and_no_rate_is_no_limit(buckets: TokenBuckets) -> None:
    buckets.take("a", 20, TEN_A_SECOND)
    assert buckets.take("b", 20, TEN_A_SECOND) == 0.0
    assert [buckets.take("a", 10_000, Rate(0, 1)) for _ in range(3)] == [0.0] * 3


def test_full_buckets_are_forgotten(buckets: TokenBuckets, clock: Clock) -> None:
    for number in range(5_000):
        buckets.take(f"address {number}", 1, TEN_A_SECOND)
        clock.now += 0.05
    assert len(buckets) < 1_100


def test_a_breach_says_after_how_many_whole_seconds_it_is_over(clock: Clock) -> None:
    limit = RateLimit("orders", Rate(2, 4), clock)
    limit.check("a", 4)
    with pytest.raises(ApiError, match="more than 2 orders in a second, 4 at once") as caught:
        limit.check("a", 3)
    assert (caught.value.status, caught.value.code) == (429, "rate_limited")
    assert caught.value.retry_after_seconds == 2
    clock.now += 2
    limit.check("a", 3)


def test_who_was_shut_out_has_recovered_when_its_burst_is_back(clock: Clock) -> None:
    limit = RateLimit("refused requests", Rate(10, 40), clock)
    limit.check("a", 40)
    limit.check_recovered("a")
    limit.shut_out("a")
    limit.check_recovered("b")
    clock.now += 3.9
    with pytest.raises(ApiError) as caught:
        limit.check_recovered("a")
    assert (caught.value.code, caught.value.retry_after_seconds) == ("rate_limited", 1)
    clock.now += 0.2
    limit.check_recovered("a")
    limit.check("a", 40)


def test_a_clients_rate_is_its_own_and_else_the_markets() -> None:
    rates = ClientRates()
    assert rates.of("alice").per_second == 0

    def configure(per_second: int | None, burst: int | None) -> None:
        rates.handlers[MarketConfigured](
            MarketConfigured(
                seq=1,
                time_us=0,
                request_id=1,
                initial_balance_e4=0,
                maker_fee_ppm=0,
                taker_fee_ppm=0,
                orders_per_second=per_second,
                order_burst=burst,
            )
        )

    def limit(per_second: int | None, burst: int | None) -> None:
        event = ClientLimitsSet(
            seq=2,
            time_us=0,
            request_id=2,
            client_id="alice",
            orders_per_second=per_second,
            order_burst=burst,
        )
        rates.handlers[ClientLimitsSet](event)

    configure(100, 500)
    limit(7, None)
    assert (rates.of("alice"), rates.of("bob")) == (Rate(7, 500), Rate(100, 500))
    configure(50, 60)
    limit(None, 9)
    assert rates.of("alice") == Rate(50, 9)
    limit(0, None)
    assert rates.of("alice").per_second == 0
    limit(None, None)
    assert rates.of("alice") == rates.of("bob") == Rate(50, 60)
    configure(None, None)
    assert rates.of("bob").per_second == 0


def test_so_many_a_minute_and_some_at_once(clock: Clock) -> None:
    limit = MinuteLimit("accounts", 20, 100, clock)
    for _ in range(100):
        limit.check("here")
    with pytest.raises(ApiError, match="more than 20 accounts in a minute, 100 at once") as refused:
        limit.check("here")
    assert (refused.value.code, refused.value.retry_after_seconds) == ("rate_limited", 3)
    limit.check("elsewhere")
    clock.now += 60
    for _ in range(20):
        limit.check("here")
    with pytest.raises(ApiError):
        limit.check("here")


def test_none_a_minute_limits_nothing(clock: Clock) -> None:
    limit = MinuteLimit("accounts", 0, 0, clock)
    for _ in range(1_000):
        limit.check("here")
