"""What a source says to have sent against what came: losses are steps, everything else is scatter."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Book
from monitor.core.gaps import STANDING, USUAL, Gap, Lag, compared
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.simulate.faults import with_faults
from monitor.simulate.scenarios import simulate
from monitor.store.memory import MemoryArchive

SOURCE = "//globex"


def gaps_of(missing: list[int]) -> list[Gap]:
    """The losses seen in these differences, one a second; the source has sent a thousand a second."""
    lags: list[Lag] = []
    gaps = []
    for second, lag in enumerate(missing):
        lags, gap = compared(SOURCE, lags, Lag(second, 1_000 * second, lag))
        gaps += [] if gap is None else [gap]
    return gaps


@given(st.lists(st.integers(0, 50), min_size=USUAL, max_size=60), st.integers(51, 10_000))
def test_a_step_above_the_scatter_is_a_loss(scatter: list[int], lost: int) -> None:
    """Whatever the scatter: once that much is lost and stays away, it is told, between the right signs of life."""
    at = len(scatter)
    gaps = gaps_of([*scatter, *[lost + 50 + value for value in scatter]])

    assert gaps[-1:] or len(scatter) < STANDING
    told = [gap for gap in gaps if gap.end >= at]
    assert told[0].start == at - 1
    assert told[0].end == at
    assert lost <= told[0].missing <= lost + 100


@given(st.integers(0, 1_000), st.integers(1, 1_000), st.integers(1, 1_000))
def test_each_loss_is_told_once_with_its_size(level: int, first: int, second: int) -> None:
    """Two losses, the second soon after the first: both in full, and nothing more while things stay as they are."""
    calm, between = [level] * USUAL, [level + first] * STANDING
    gaps = gaps_of([*calm, *between, *[level + first + second] * 40])

    assert [first, second] == [gap.missing for gap in gaps]


@given(st.lists(st.integers(-20, 20), max_size=80))
def test_two_high_ones_are_no_loss(scatter: list[int]) -> None:
    """What comes late is no loss: it takes three signs of life in a row."""
    calm = [0] * USUAL
    assert [] == gaps_of([*calm, 9, 9, *calm, 9, 9, *calm])
    assert all(gap.missing > 0 for gap in gaps_of(scatter))


def test_a_source_that_counts_anew_is_looked_at_anew() -> None:
    """A producer that restarts counts from the start: that is no loss, and no excuse for the next."""
    lags = [Lag(second, 100 * second, 0) for second in range(USUAL)]
    lags, gap = compared(SOURCE, lags, Lag(USUAL, 5, -700))
    assert ([Lag(USUAL, 5, -700)], None) == (lags, gap)


def test_an_old_sign_of_life_says_nothing() -> None:
    """What comes out of order is not compared."""
    lags = [Lag(5, 100, 0)]
    assert (lags, None) == compared(SOURCE, lags, Lag(5, 100, 0))


def taken(lines: list[bytes], batch: int, place: str | None = None) -> Book:
    """A book that took these lines in, so many at a time."""
    book, archive = Book(), MemoryArchive()
    book.place = place
    facts = decode_facts([line.rstrip(b"\n") for line in lines])
    for start in range(0, len(facts), batch):
        part = facts[start : start + batch]
        take_in(book, archive, part, [None] * len(part))
    return book


def demo(count: int = 6_000) -> list[bytes]:
    """The first events of the demo."""
    return list(islice(simulate("demo").events(), count))


@pytest.mark.parametrize("batch", [1, 2_000])
def test_a_whole_stream_has_no_gap(batch: int) -> None:
    """All that the simulator sends comes: also in large batches, also with repetitions."""
    assert [] == taken(demo(), batch).take_gaps()
    fewer = demo(2_500)  # facts in disorder take ten times as long, each alone
    assert min(Counter(signs(fewer)).values()) > USUAL + STANDING
    assert [] == taken(list(with_faults(fewer, seed=3, duplicate=0.05, shuffle_window=20)), batch).take_gaps()


def signs(lines: list[bytes]) -> list[str]:
    """The source of each sign of life."""
    return [json.loads(line)["source"] for line in lines if b"source.alive" in line]


def test_lost_events_are_a_gap_of_that_size() -> None:
    """Facts of one source that never came are told with their number and the time in which they were sent."""
    lines = demo()
    of_source = [
        index for index, line in enumerate(lines) if json.loads(line)["source"] == "/regions/eu-west/control-plane"
    ]
    assert len(of_source) > 200
    lost = set(of_source[len(of_source) // 2 :][:25])
    while any(b"source.alive" in lines[index] for index in lost):
        lost = {index + 1 for index in lost}
    (gap,) = taken([line for index, line in enumerate(lines) if index not in lost], 500).take_gaps()

    times = sorted(fact.time for fact in decode_facts([lines[index].rstrip() for index in sorted(lost)]))
    assert ("/regions/eu-west/control-plane", len(lost)) == (gap.source, gap.missing)
    assert gap.start <= times[0]
    assert times[-1] <= gap.end


def alive(second: int, sent: dict[str, int]) -> bytes:
    """A sign of life."""
    body = {"specversion": "1.0", "id": f"alive-{second}", "source": SOURCE, "type": "io.flopwatch.source.alive.v1"}
    time = f"2026-03-01T00:{second // 60:02d}:{second % 60:02d}Z"
    return json.dumps({**body, "time": time, "subject": SOURCE, "data": {"source": SOURCE, "sent": sent}}).encode()


def profile(second: int) -> bytes:
    """A fact of a tenant."""
    body = {"specversion": "1.0", "id": f"fact-{second}", "source": SOURCE, "type": "io.flopwatch.tenant.profiled.v1"}
    time = f"2026-03-01T00:{second // 60:02d}:{second % 60:02d}Z"
    data = {"tenant": "acme", "party": "p", "hq_country": "GB"}
    return json.dumps({**body, "time": time, "subject": "acme", "data": data}).encode()


def test_books_of_a_partition_count_what_was_sent_to_it() -> None:
    """Of several partitions only the own one is compared, with the facts of tenants; no count is no statement."""
    lines = []
    for second in range(0, 120, 2):
        lines.append(profile(second))
        sent = second // 2 + 1 + (7 if second > 60 else 0)
        lines.append(alive(second + 1, {"topic-0": sent, "topic-1": 999 * second}))

    (gap,) = taken(lines, 10, place="topic-0").take_gaps()
    assert 7 == gap.missing
    assert [] == taken(lines, 10, place="topic-2").take_gaps()
    assert [] == taken([alive(second, {}) for second in range(60)], 10).take_gaps()


def test_repetitions_do_not_count_as_sent() -> None:
    """A repeated sign of life leaves the count of a partition alone, as a repeated fact of a tenant does."""
    lines = [profile(0), alive(1, {"topic-0": 1})]
    book = taken([*lines, *lines], 1, place="topic-0")
    assert (2, 1) == (book.counts.duplicate, book.sources[SOURCE].came)
