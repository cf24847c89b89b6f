"""Waiting for a `seq`: applied, and settled as far as it moved assets."""

import asyncio

import pytest

from market_data_feed import progress as module
from market_data_feed.progress import Progress


def test_an_event_that_moves_nothing_is_reached_when_it_is_applied() -> None:
    progress = Progress(applied_seq=0, settled_seq=0, execution_seq=0)
    progress.advance(applied_seq=5, settled_seq=0)
    assert [progress.reached(seq) for seq in (0, 5, 6)] == [True, True, False]


def test_an_execution_is_reached_when_it_is_settled() -> None:
    progress = Progress(applied_seq=0, settled_seq=0, execution_seq=0)
    progress.executed(seq=3, execution_seq=1)
    progress.executed(seq=5, execution_seq=2)
    progress.advance(applied_seq=6, settled_seq=0)
    assert [progress.reached(seq) for seq in (2, 3, 6)] == [True, False, False]
    progress.advance(applied_seq=6, settled_seq=1)
    assert [progress.reached(seq) for seq in (3, 4, 5)] == [True, True, False]
    progress.advance(applied_seq=6, settled_seq=2)
    assert progress.reached(6)


def test_settlement_may_be_read_before_the_trade() -> None:
    progress = Progress(applied_seq=0, settled_seq=0, execution_seq=0)
    progress.advance(applied_seq=0, settled_seq=1)
    progress.executed(seq=3, execution_seq=1)
    progress.advance(applied_seq=3, settled_seq=1)
    assert progress.reached(3)


def test_after_a_restart_everything_unsettled_is_waited_for() -> None:
    progress = Progress(applied_seq=10, settled_seq=3, execution_seq=4)
    assert not progress.reached(1)
    progress.advance(applied_seq=10, settled_seq=4)
    assert progress.reached(10)


def test_beyond_its_limit_it_waits_longer_rather_than_forget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_UNSETTLED", 2)
    progress = Progress(applied_seq=0, settled_seq=0, execution_seq=0)
    for number in range(1, 5):
        progress.executed(seq=number * 10, execution_seq=number)
    progress.advance(applied_seq=40, settled_seq=3)
    assert [progress.reached(seq) for seq in (10, 19, 20, 40)] == [True, True, False, False]
    progress.advance(applied_seq=40, settled_seq=4)
    assert progress.reached(40)


async def test_everybody_who_waits_is_told_in_time_or_told_off() -> None:
    progress = Progress(applied_seq=0, settled_seq=0, execution_seq=0)
    waiting = [asyncio.create_task(progress.wait(seq, 60)) for seq in (3, 1, 2)]
    late = asyncio.create_task(progress.wait(1, 0.001))
    assert await late is False
    progress.advance(applied_seq=2, settled_seq=0)
    assert await asyncio.gather(*waiting[1:]) == [True, True]
    assert not waiting[0].done()
    progress.advance(applied_seq=3, settled_seq=0)
    assert await waiting[0] is True
    assert await progress.wait(3, 0) is True
