"""A gateway that stood still takes nothing that may have waited in its sockets meanwhile."""

from order_entry_gateway.standstill import CLOSED_SECONDS, STANDSTILL_SECONDS, Standstill


def test_after_a_standstill_nothing_is_taken_for_a_while_whoever_notices_it() -> None:
    now = [0.0]
    standstill = Standstill(lambda: now[0])
    assert standstill.problem() is None
    now[0] += STANDSTILL_SECONDS
    assert standstill.problem() is None
    now[0] += STANDSTILL_SECONDS + 0.001
    assert "stood still" in (standstill.problem() or "")
    now[0] += CLOSED_SECONDS / 2
    assert "stood still" in (standstill.problem() or "")
    now[0] += CLOSED_SECONDS / 2
    assert standstill.problem() is None
