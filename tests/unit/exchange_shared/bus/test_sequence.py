"""The tracker of gapless sequences: copies, overlaps, gaps, sources that come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_shared.bus import SequenceGap, SequenceTracker
from exchange_shared.bus.sequence import MAX_SOURCES, UnknownSource


def test_new_records_are_admitted_in_order() -> None:
    tracker = SequenceTracker()

    assert tracker.admit("engine", 1, 3) == 0
    assert tracker.admit("engine", 4, 1) == 0
    assert tracker.last_seen() == {"engine": 4}


def test_a_copy_was_seen_whole() -> None:
    tracker = SequenceTracker({"engine": 10})

    assert tracker.admit("engine", 8, 3) == 3
    assert tracker.admit("engine", 1, 2) == 2
    assert tracker.last_seen() == {"engine": 10}


def test_an_overlap_was_seen_in_part() -> None:
    tracker = SequenceTracker({"engine": 10})

    assert tracker.admit("engine", 9, 5) == 2
    assert tracker.last_seen() == {"engine": 13}


def test_a_gap_is_refused_and_changes_nothing() -> None:
    tracker = SequenceTracker({"engine": 10})

    with pytest.raises(SequenceGap, match="record 11 is missing, the next one is 12"):
        tracker.admit("engine", 12, 1)
    assert tracker.last_seen() == {"engine": 10}


def test_a_source_that_is_seen_first_in_its_middle_is_unknown() -> None:
    tracker = SequenceTracker({"engine": 10})

    with pytest.raises(UnknownSource, match="gateway"):
        tracker.admit("gateway", 2, 1)
    assert tracker.last_seen() == {"engine": 10}


def test_sources_have_their_own_numbers() -> None:
    tracker = SequenceTracker()

    tracker.admit("first", 1, 5)
    tracker.admit("second", 1, 2)
    tracker.admit("first", 6, 1)

    assert tracker.last_seen() == {"first": 6, "second": 2}


def test_the_source_that_was_silent_longest_is_forgotten_first() -> None:
    tracker = SequenceTracker()
    for number in range(MAX_SOURCES):
        tracker.admit(f"gateway-{number}", 1, 1)
    tracker.admit("gateway-0", 2, 1)

    tracker.admit("one more", 1, 1)

    assert "gateway-1" not in tracker.last_seen()
    assert tracker.last_seen()["gateway-0"] == 2
    assert len(tracker.last_seen()) == MAX_SOURCES


def test_a_tracker_goes_on_from_what_another_has_seen() -> None:
    tracker = SequenceTracker()
    tracker.admit("first", 1, 1)
    tracker.admit("second", 1, 1)
    tracker.admit("first", 2, 1)

    restored = SequenceTracker(tracker.last_seen())

    assert list(restored.last_seen().items()) == [("second", 1), ("first", 2)]
    assert restored.admit("first", 3, 1) == 0


def test_what_was_seen_is_a_copy() -> None:
    tracker = SequenceTracker({"engine": 1})
    tracker.last_seen()["engine"] = 99

    assert tracker.last_seen() == {"engine": 1}


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), max_size=40))
def test_every_record_is_admitted_exactly_once(batches: list[tuple[int, int]]) -> None:
    tracker = SequenceTracker()
    admitted: list[int] = []

    for seq, count in batches:
        records = list(range(seq, seq + count))
        try:
            seen = tracker.admit("engine", seq, count)
        except (SequenceGap, UnknownSource):
            assert seq > len(admitted) + 1
        else:
            admitted += records[seen:]

    assert admitted == list(range(1, len(admitted) + 1))
