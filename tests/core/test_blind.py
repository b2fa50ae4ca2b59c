"""When we could not see: silences against a source's own rhythm, and what else ends and begins."""

from __future__ import annotations

import pytest

from monitor.core.blind import CAUSES, DEAD_LETTERS, HOLE, SILENCE, SILENCE_MS_MIN, Blind, Rhythm, Sight, unseen_ms
from monitor.intake.decode import decode_facts
from tests.core.table import events, seconds
from tests.core.test_partitioned_books import taken

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("pause", "silent_for", "expected"),
    [
        (1_000, SILENCE_MS_MIN, 0),
        (1_000, SILENCE_MS_MIN + 1, 1),
        (HOUR_MS, 3 * HOUR_MS, 0),
        (HOUR_MS, 3 * HOUR_MS + 1, 1),
        (0, 10 * HOUR_MS, 0),
    ],
    ids=["five minutes", "longer", "three pauses", "longer than that", "heard of once: no rhythm yet"],
)
def test_a_silence_is_held_against_the_rhythm_of_its_source(pause: int, silent_for: int, expected: int) -> None:
    """Three times the longest pause, and five minutes at least."""
    sight = Sight()
    sight.listen([("s", Rhythm(HOUR_MS, pause))], HOUR_MS + silent_for)

    assert expected == len(sight.lasting) == len(sight.take_changed())


def test_a_silence_begins_with_the_last_word_and_ends_with_the_next() -> None:
    """One interval, written when it begins and when it ends, whoever else is silent meanwhile."""
    sight = Sight()
    for now in (10, 11):
        sight.listen([("s", Rhythm(HOUR_MS, 1)), ("other", Rhythm(HOUR_MS, 1))], now * HOUR_MS)
    begun = sight.take_changed()
    assert not sight.changed
    sight.listen([("s", Rhythm(12 * HOUR_MS, 1))], 12 * HOUR_MS)
    (ended,) = sight.take_changed()

    assert ["s", "other"] == [blind.source for blind in begun]
    assert (SILENCE, HOUR_MS, 12 * HOUR_MS) == (ended.cause, ended.start, ended.end)
    assert begun[0].name == ended.name
    assert "1 s" in begun[0].sentence
    assert ["other"] == [blind.source for blind in sight.lasting]


def test_a_source_that_is_late_is_not_silent() -> None:
    """Facts of long ago that keep coming end a silence once and begin none; when they stop, it has fallen silent."""
    sight = Sight()
    told = []
    for number in range(60):  # a tick a second, and each brings a minute of events of yesterday
        sight.listen([("s", Rhythm(number * 60_000, 60_000))], 24 * HOUR_MS + number * 1_000)
        told += [blind.end for blind in sight.take_changed()]
    assert [None, 60_000] == told

    stopped = 24 * HOUR_MS + 59_000
    for silent_for, expected in ((SILENCE_MS_MIN, 0), (SILENCE_MS_MIN + 1, 1)):
        sight.listen([("s", Rhythm(59 * 60_000, 60_000))], stopped + silent_for)
        assert expected == len(sight.lasting)
    assert 59 * 60_000 == sight.lasting[0].start


def test_while_nobody_was_listened_to_nobody_was_silent() -> None:
    """Time in which nothing was delivered is no silence; what lies before and after it adds up."""
    sight = Sight()
    rhythm = [("s", Rhythm(HOUR_MS, 1_000))]
    sight.listen(rhythm, HOUR_MS + 60_000)
    sight.waited(5 * HOUR_MS)
    for silent_for, expected in ((SILENCE_MS_MIN, 0), (SILENCE_MS_MIN + 1, 1)):
        sight.listen(rhythm, 6 * HOUR_MS + silent_for)
        assert expected == len(sight.lasting)


@pytest.mark.parametrize(("pause", "said"), [(90_000, "1.5 min"), (2 * HOUR_MS, "2.0 h")])
def test_a_silence_says_what_is_usual(pause: int, said: str) -> None:
    """The sentence names the longest pause until then."""
    sight = Sight()
    sight.listen([("s", Rhythm(0, pause))], 100 * HOUR_MS)

    assert said in sight.lasting[0].sentence


def test_what_lasts_goes_on_after_a_restart() -> None:
    """What was stored as lasting is not told again, and ends under the same name; what had ended is history."""
    lasting = Blind(HOLE, "", "t", 3, 5, None, "Records are gone.")
    sight = Sight([lasting, lasting._replace(start=1, end=2)])
    assert [lasting] == sight.lasting
    sight.end(DEAD_LETTERS, "t", 3, 9)
    sight.end(HOLE, "t", 4, 9)
    assert not sight.changed
    sight.end(HOLE, "t", 3, 2)

    assert [lasting._replace(end=5)] == sight.take_changed()
    assert [] == sight.lasting


def test_an_interval_touches_what_overlaps_it() -> None:
    """Half-open like held time; one that lasts has no end."""
    blind = Blind(CAUSES[0], "", "", 0, 10, 20, "")

    assert [False, True, True, False] == [blind.touches(*span) for span in ((0, 10), (0, 11), (19, 30), (20, 30))]
    assert blind._replace(end=None).touches(99, 100)


def test_a_book_knows_the_pauses_of_its_sources() -> None:
    """The longest gap between two event times counts; it fades with many signs of life, and repeats change nothing."""
    book = taken("0 seen x \n 60 seen x \n 70 seen x \n 65 seen x", adopts=True)
    assert 60_000 - (60_000 >> 14) == book.sources["s"].pause
    many = "\n".join(f"{100 + number} seen x" for number in range(2_000))
    for fact in decode_facts(events(many)):
        book.observe(fact._replace(id=f"again-{fact.id}"))

    assert 2_000 == len(seconds(many))
    assert 50_000 < book.sources["s"].pause < 60_000


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([(10, 20)], 10),
        ([(10, None)], 90),
        ([(-50, 10), (95, 200)], 15),
        ([(10, 30), (20, 40), (25, 28)], 30),
        ([(-9, 0), (100, None), (-5, -1), (300, 400)], 0),
    ],
    ids=["none", "inside", "it lasts", "beyond both ends", "overlapping", "outside"],
)
def test_time_not_seen_counts_once(spans: list[tuple[int, int | None]], expected: int) -> None:
    """Of 0 to 100: what several spans cover counts once, what lies outside not at all."""
    assert expected == unseen_ms(spans, 0, 100)
