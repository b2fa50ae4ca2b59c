"""Ruling 8: when dead letters are too many."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.limits import DeadLetterLimits, Limits
from monitor.core.model import Record, Rejected

SMALL = Limits(ratio_ppm=100_000, window=20, seen_min=10, run_max=4)


def record(offset: int, topic: str = "events") -> Record:
    return Record(topic, 0, offset, offset + 1, b"", None)


def first_stop(pattern: str, limits: Limits = SMALL, lifted: bool = False) -> int | None:
    """How many records of the pattern (`.` good, `x` bad) are read when a limit is reached."""
    counted = DeadLetterLimits(limits, lifted)
    for number, what in enumerate(pattern, 1):
        if counted.add("events", 0, what == "x") is not None:
            return number
    return None


@pytest.mark.parametrize(
    ("pattern", "stop"),
    [
        ("", None),
        ("." * 50, None),
        ("xxx.", None),  # fewer than 10 seen, fewer than 4 in a row
        ("xxxx", 4),
        ("...xxxx", 7),
        ("x" + "." * 9, None),  # exactly 10 per cent
        ("xx" + "." * 8, 10),  # 20 per cent, as soon as 10 were seen
        ("x" + "." * 9 + "x", 11),
        ("x" + "." * 19 + "x", None),  # the first one has left the window of 20: 1 in 20
        ("." * 20 + "xx", None),  # 2 in 20 are exactly 10 per cent
        ("." * 20 + "x.x.x", 25),
        ("xxx.xxx.xx", 10),  # a good record ends a run
    ],
)
def test_a_limit_is_reached_at_the_record_that_ruling_8_says(pattern: str, stop: int | None) -> None:
    """Over the share of the window once enough were seen, or so many in a row, and not one record earlier."""
    assert stop == first_stop(pattern)


def plainly(pattern: list[bool], limits: Limits) -> int | None:
    """Ruling 8 word for word."""
    window: deque[bool] = deque(maxlen=limits.window)
    run = 0
    for number, bad in enumerate(pattern, 1):
        window.append(bad)
        run = run + 1 if bad else 0
        over = number >= limits.seen_min and sum(window) * 1_000_000 > limits.ratio_ppm * len(window)
        if over or run >= limits.run_max:
            return number
    return None


@given(st.lists(st.sampled_from([False] * 8 + [True]), max_size=80))
def test_counting_record_by_record_follows_the_ruling(pattern: list[bool]) -> None:
    """The cheap way of counting agrees with a window that is looked at whole after each record."""
    assert plainly(pattern, SMALL) == first_stop("".join("x" if bad else "." for bad in pattern))


@given(st.lists(st.sampled_from([False] * 8 + [True]), max_size=80), st.integers(min_value=1, max_value=30))
@example([True] * 80, 30)
def test_a_batch_counts_like_its_records(pattern: list[bool], size: int) -> None:
    """Whether a limit is reached does not depend on how records are split into batches."""
    counted = DeadLetterLimits(SMALL)
    records = [record(offset) for offset in range(len(pattern))]
    stopped = False
    for start in range(0, len(records), size):
        batch = records[start : start + size]
        bad = [Rejected(one, "json", "") for one in batch if pattern[one.offset]]
        if counted.add_batch(batch, bad) is not None:
            stopped = True
            break

    assert (plainly(pattern, SMALL) is not None) == stopped


def test_the_numbers_of_the_ruling_are_the_defaults() -> None:
    """1 per cent of the last 10,000 records once 1,000 were seen, 1,000 in a row."""
    assert 1_000 == first_stop("x" * 2_000, Limits())
    assert 1_000 == first_stop("x" * 11 + "." * 989, Limits())
    assert first_stop("x" * 10 + "." * 990, Limits()) is None


def test_each_partition_has_its_own_limits() -> None:
    """Bad records of one partition neither stop nor excuse another one."""
    counted = DeadLetterLimits(SMALL)
    for _ in range(3):
        assert counted.add("one", 0, True) is None
        assert counted.add("two", 0, True) is None
        assert counted.add("one", 1, True) is None

    assert counted.add("two", 0, True) is not None
    assert counted.add("one", 1, False) is None


def test_the_sentence_names_counts_and_the_way_out() -> None:
    """Whoever reads it knows how many of how many, where, and what to type."""
    in_a_row = DeadLetterLimits(SMALL)
    sentences = [in_a_row.add("events", 3, True) for _ in range(4)]
    share = DeadLetterLimits(SMALL)
    shares = [share.add("events", 3, bad) for bad in [True, True, *[False] * 8]]

    assert [None, None, None] == sentences[:3]
    assert sentences[3] == (
        "The last 4 records of events, partition 3, are all unreadable: reading stopped at the last commit. "
        "Mend the producer, or go past them with `flopwatch positions accept events --reason TEXT`."
    )
    assert (shares[-1] or "").startswith("2 of the last 10 records of events, partition 3, are unreadable:")


def test_with_limits_lifted_everything_passes() -> None:
    """A replay told to go past its limits never stops."""
    assert first_stop("x" * 100, lifted=True) is None


def test_a_lifted_partition_is_limited_again_once_it_is_sound() -> None:
    """A decision covers one incident: after a whole window within the limits the next incident stops again."""
    counted = DeadLetterLimits(SMALL)
    counted.lift("events", 0)
    # What was good before the incident is read again after a restart; it does not use the decision up.
    before = counted.add_batch([record(offset) for offset in range(100)], [])
    incident = [counted.add("events", 0, True) for _ in range(30)]
    sound = counted.add_batch([record(offset) for offset in range(40)], [])
    again = [counted.add("events", 0, True) for _ in range(3)]

    assert before is None
    assert [None] * 30 == incident
    assert sound is None
    assert [None, None] == again[:2]
    assert again[2] is not None


def test_a_batch_of_good_records_can_reach_the_share() -> None:
    """Dead letters among the first records count when enough records were seen, though the last ones were good."""
    counted = DeadLetterLimits(SMALL)
    assert counted.add_batch([record(0), record(1)], [Rejected(record(one), "json", "") for one in (0, 1)]) is None

    assert counted.add_batch([record(offset) for offset in range(2, 102)], []) is not None
