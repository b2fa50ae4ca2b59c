"""When something must have been done: days counted as stated, and what people said of when they knew."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.core.clocks import (
    UNSEEN,
    Clock,
    ClockFrom,
    Due,
    Seen,
    Times,
    due_of,
    due_sentence,
    instant,
    knowledge_decision,
    moves_later,
    seen_in,
    viewed_decision,
)


def at(text: str) -> int:
    """Milliseconds of a time like 2026-11-26T10:00."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def clock(days: int, kind: str = "calendar", since: ClockFrom = ClockFrom.ALERT) -> Clock:
    return Clock(days, kind, since, "report to the office")


TIMES = Times(at("2026-11-02T09:00"), at("2026-11-05T10:30"), at("2026-11-06T08:00"), None)

# 2026-11-05 is a Thursday.
DUE = [
    ("calendar", 15, "2026-11-05T10:30", "2026-11-20T10:30"),
    ("calendar", 3, "2026-11-27T23:59", "2026-11-30T23:59"),
    ("calendar", 1, "2026-12-31T00:00", "2027-01-01T00:00"),
    ("business", 1, "2026-11-05T10:30", "2026-11-06T10:30"),
    ("business", 2, "2026-11-05T10:30", "2026-11-09T10:30"),
    ("business", 1, "2026-11-07T10:30", "2026-11-09T10:30"),  # from a Saturday
    ("business", 1, "2026-11-08T10:30", "2026-11-09T10:30"),  # from a Sunday
    ("business", 15, "2026-11-05T10:30", "2026-11-26T10:30"),
    ("business", 5, "2026-11-06T00:00", "2026-11-13T00:00"),
]


@pytest.mark.parametrize(("kind", "days", "begins", "ends"), DUE)
def test_days_are_counted_after_the_first(kind: str, days: int, begins: str, ends: str) -> None:
    """Calendar days are all days, business days Monday to Friday; the time of day stays."""
    due = due_of(clock(days, kind), TIMES._replace(alert_at=at(begins)), "in_force")

    assert ends == instant(due.due_at or 0)[:16]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (ClockFrom.EVIDENCE, "2026-11-03T09:00"),
        (ClockFrom.ALERT, "2026-11-06T10:30"),
        (ClockFrom.KNOWLEDGE, "2026-11-05T00:00"),
    ],
)
def test_a_clock_runs_from_what_it_names(since: ClockFrom, expected: str) -> None:
    """From evidence, from the alert, or from knowledge; that somebody looked begins no clock."""
    times = TIMES._replace(knowledge_at=at("2026-11-04T00:00"))

    assert at(expected) == due_of(clock(1, since=since), times, "in_force").due_at


def test_without_knowledge_nothing_is_due() -> None:
    """A clock from knowledge has not begun while nobody has said when it was known, and says so."""
    due = due_of(clock(15, since=ClockFrom.KNOWLEDGE), TIMES, "in_force")

    assert Due(clock(15, since=ClockFrom.KNOWLEDGE), None, False) == due
    assert (
        "Report to the office: has not begun: nobody has said when it was known (15 calendar days from when it was "
        "known)." == due_sentence(due)
    )


@pytest.mark.parametrize(
    ("force", "planning"),
    [
        ("in_force", False),
        ("internal", False),
        ("guidance", True),
        ("unenforced", True),
        ("suspended", True),
        ("proposed", True),
        ("rescinded", True),
        ("research", True),
    ],
)
def test_clocks_of_rules_that_bind_nobody_are_for_planning(force: str, planning: bool) -> None:
    """The date is computed all the same."""
    due = due_of(clock(1), TIMES, force)

    assert (planning, at("2026-11-06T10:30")) == (due.planning, due.due_at)
    assert planning == ("for planning" in due_sentence(due))


def test_a_sentence_says_how_days_are_counted() -> None:
    """What, by when, how many of which days from when, and that public holidays are not known."""
    one = due_of(clock(1, "business"), TIMES, "in_force")
    many = due_of(clock(15, "business", ClockFrom.EVIDENCE), TIMES, "proposed")

    assert (
        "Report to the office: due 2026-11-06T10:30:00Z (1 business day from when it was told; Monday to Friday, "
        "public holidays are not known)." == due_sentence(one)
    )
    assert (
        "Report to the office: due 2026-11-23T09:00:00Z (15 business days from when it could first be computed; Monday "
        "to Friday, public holidays are not known; for planning: the rule binds nobody today)." == due_sentence(many)
    )


def test_the_earliest_look_and_the_earliest_knowledge_count() -> None:
    """In whatever order they were said; other decisions and other flags change nothing."""
    said = [
        viewed_decision("F-1", "ana", 50),
        viewed_decision("F-1", "bo", 20),
        viewed_decision("F-1", "cy", 70),
        knowledge_decision("F-1", ["ana"], 40, "the letter"),
        knowledge_decision("F-1", ["ana"], 30, "the call before it"),
        knowledge_decision("F-1", ["ana"], 60, "again"),
        knowledge_decision("F-2", ["bo"], 5, "x"),
        {"close": "F-1", "reason": "x"},
        {"viewed": "F-3", "at": "yesterday"},
        {"viewed": 3, "at": 1},
    ]

    assert {"F-1": Seen(20, 30), "F-2": Seen(None, 5)} == seen_in(said)


def test_two_people_move_knowledge_later() -> None:
    """Then what one says earlier counts again, and what one says later does not."""
    early = knowledge_decision("F-1", ["ana"], 30, "x")
    moved = knowledge_decision("F-1", ["ana", "bo"], 60, "another letter was meant")

    assert {"F-1": Seen(None, 60)} == seen_in([early, moved])
    assert {"F-1": Seen(None, 50)} == seen_in([early, moved, knowledge_decision("F-1", ["cy"], 50, "x")])
    assert {"F-1": Seen(None, 60)} == seen_in([early, moved, knowledge_decision("F-1", ["cy"], 70, "x")])
    assert {"F-1": Seen(None, 60)} == seen_in([early, moved, {"knowledge": "F-1", "at": 70, "by": "one and two"}])


def test_what_moves_later() -> None:
    """Only what is after what is known already."""
    known = Seen(None, 30)

    assert [False, False, False, True] == [
        moves_later(UNSEEN, 99),
        moves_later(known, 29),
        moves_later(known, 30),
        moves_later(known, 31),
    ]
