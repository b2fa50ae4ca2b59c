"""The work on cases by months: what counts in which, and what medians are of."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.core.cases import State
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.policy import Level
from monitor.core.workload import MONTHS, Undecided, Worked, backlog, first_of_months, months


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


NOW = at("2027-02-10T12:00")


def test_the_last_twelve_months_are_there_whatever_happened() -> None:
    """The latest first, across the turn of a year, with nothing in them."""
    found = months([], [], NOW)

    assert MONTHS == len(found)
    assert ["2027-02", "2027-01", "2026-12"] == [one.name for one in found[:3]]
    assert "2026-03" == found[-1].name
    assert at("2026-03-01") == first_of_months(NOW)
    assert {(0, 0, None, None, 0)} == {
        (one.opened, sum(one.decided.values()), one.to_claim, one.to_decision, one.unseen) for one in found
    }


def test_a_case_counts_where_it_was_opened_and_where_it_was_decided() -> None:
    """Opened in January and decided in February it is in both; the medians are of real cases, the lower of two."""
    opened = at("2027-01-31T23:00")
    cases = [
        Worked(opened, opened + HOUR_MS, opened + 2 * DAY_MS, "explained"),
        Worked(opened, opened + 3 * HOUR_MS, opened + 4 * DAY_MS, "referred"),
        Worked(opened, None, None, None),
        Worked(at("2027-02-01"), None, None, None),
    ]
    february, january = months(cases, [], NOW)[:2]

    assert (1, {"explained": 1, "referred": 1}, None, 2 * DAY_MS) == february[1:5]
    assert (3, {}, HOUR_MS, None) == january[1:5]


def test_time_not_seen_is_that_of_each_month() -> None:
    """A span over the end of a month counts in both; one that lasts counts until now."""
    spans = [(at("2027-01-31T22:00"), at("2027-02-01T01:00")), (NOW - HOUR_MS, None)]

    assert [2 * HOUR_MS, 2 * HOUR_MS] == [one.unseen for one in months([], spans, NOW)[:2]]


def test_a_backlog_counts_what_people_have_to_do() -> None:
    """By state and level; the longest wait is of what nobody has taken up, and what is hidden waits for nobody."""
    hour_ago, critical = NOW - HOUR_MS, Level.CRITICAL
    cases = [
        Undecided(State.NEW, critical, hour_ago, NOW + 2 * HOUR_MS),
        Undecided(State.NEW, critical, hour_ago - 1, NOW + HOUR_MS),
        Undecided(State.CLAIMED, critical, NOW + 1, None),  # whose claim holds, or which is hidden
        Undecided(State.INVESTIGATING, Level.WARNING, hour_ago, NOW - DAY_MS),
    ]
    found = backlog(cases, {"explained": 3}, [NOW + 7 * DAY_MS, NOW + 7 * DAY_MS + 1], NOW)

    assert {("new", "critical"): 2, ("claimed", "critical"): 1, ("investigating", "warning"): 1} == found.cases
    assert {"critical": hour_ago - 1} == found.unclaimed_since
    assert {"critical": NOW + HOUR_MS, "warning": NOW - DAY_MS} == found.due_at
    assert {"explained": 3, "authorised": 0, "unexplained": 0, "data_error": 0, "referred": 0} == found.decided
    assert {"yes": 1, "no": 1} == found.suppressions
