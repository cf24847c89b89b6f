"""Order ids: unique, ascending, small, and in step with the clock."""

import pytest

from exchange_shared.ids import EPOCH_MS, node_of
from order_entry_gateway.sequencing.order_ids import LAST_MS, OrderIds, last_id_of

NOON_MS = EPOCH_MS + 123_456_789


class Clock:
    """A clock that stands still unless told otherwise."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms * 1_000


def ids_of(node: int, clock: Clock) -> OrderIds:
    """All ids of a node."""
    ids = OrderIds(clock)
    ids.begin(node, -1)
    return ids


def parts(order_id: int) -> tuple[int, int, int]:
    """Milliseconds since the epoch, gateway, counter."""
    return order_id >> 12, order_id >> 8 & 15, order_id & 255


def test_an_id_tells_the_millisecond_the_gateway_and_the_count() -> None:
    ids = ids_of(9, Clock())
    assert [parts(order_id) for order_id in ids.take(2)] == [
        (NOON_MS - EPOCH_MS, 9, 0),
        (NOON_MS - EPOCH_MS, 9, 1),
    ]


def test_under_load_ids_run_ahead_of_the_clock_and_stay_ascending() -> None:
    clock = Clock()
    ids = ids_of(0, clock)
    taken = ids.take(600) + ids.take(1)
    assert taken == sorted(set(taken))
    assert parts(taken[-1]) == (NOON_MS - EPOCH_MS + 2, 0, 88)
    clock.now_ms += 1
    assert parts(ids.take(1)[0]) == (NOON_MS - EPOCH_MS + 2, 0, 89)
    clock.now_ms += 2
    assert parts(ids.take(1)[0]) == (NOON_MS - EPOCH_MS + 3, 0, 0)


def test_ids_ascend_when_the_clock_steps_back() -> None:
    clock = Clock()
    ids = ids_of(0, clock)
    before = ids.take(1)[0]
    clock.now_ms -= 60_000
    assert ids.take(1)[0] == before + 1


@pytest.mark.parametrize("node", [0, 7, 15])
def test_after_a_restart_ids_begin_above_every_id_of_the_log(node: int) -> None:
    clock = Clock()
    stored = ids_of(15, clock).take(1_000)[-1]
    clock.now_ms -= 3_600_000
    ids = ids_of(node, clock)
    ids.raise_floor(stored)
    ids.raise_floor(5)
    assert ids.take(1)[0] > stored


def test_a_forged_id_from_the_end_of_time_does_not_use_up_all_others() -> None:
    ids = ids_of(0, Clock())
    before = ids.take(1)[0]
    ids.raise_floor(2**53 - 1)
    assert ids.take(1) == [before + 1]


def test_gateways_never_make_the_same_id() -> None:
    clock = Clock()
    taken = [order_id for node in range(16) for order_id in ids_of(node, clock).take(1_000)]
    assert len(set(taken)) == 16_000


def test_ids_fit_53_bits_until_2095() -> None:
    last_ms = EPOCH_MS + LAST_MS
    assert ids_of(15, Clock(last_ms)).take(256)[-1] == 2**53 - 1
    with pytest.raises(AssertionError):
        ids_of(15, Clock(last_ms)).take(257)


def test_ids_are_positive_even_with_a_clock_before_the_epoch() -> None:
    assert ids_of(0, Clock(0)).take(2) == [1, 2]


@pytest.mark.parametrize("node", [-1, 16])
def test_a_gateway_number_out_of_range_is_refused(node: int) -> None:
    with pytest.raises(ValueError, match="0 to 15"):
        ids_of(node, Clock())


def test_ids_end_where_the_reserved_ones_do() -> None:
    clock = Clock()
    ids = OrderIds(clock)
    begin_ms = NOON_MS - EPOCH_MS + 5_000
    ids.begin(3, begin_ms - 1, begin_ms)
    assert ids.now_ms == begin_ms
    assert ids.room_for(256)
    assert not ids.room_for(257)
    taken = ids.take(256)
    assert [parts(taken[0]), parts(taken[-1])] == [(begin_ms, 3, 0), (begin_ms, 3, 255)]
    assert taken[-1] == last_id_of(3, begin_ms)
    assert not ids.room_for(1)
    ids.extend(begin_ms + 1)
    assert parts(ids.take(1)[0]) == (begin_ms + 1, 3, 0)


def test_another_node_goes_on_above_the_ids_of_the_one_before() -> None:
    ids = ids_of(3, Clock())
    before = ids.take(300)[-1]
    ids.begin(0, 0)
    (after,) = ids.take(1)
    assert after > before
    assert node_of(after) == 0
