"""How the monitor is: stops that nobody answered, what is blind, and an audit that does not hold what it held."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.audit import OPERATOR, Person
from monitor.core.book import Book
from monitor.core.model import DAY_MS, HOUR_MS, Record, Rejected
from monitor.reference.lists.shelf import Standing
from monitor.reference.lists.versions import Changes
from monitor.run.condition import WALK_EVERY_MS, AuditSight, Condition, condition_of
from monitor.run.listing import ScreeningLists
from monitor.run.reports import Report
from monitor.run.stops import stop_entry
from monitor.run.task import JOURNAL
from monitor.store import DECISION, BlindRow, JournalEntry, Position
from monitor.store.sql import SqlStore
from tests.run.test_survey import EFFECTS
from tests.store.taking import commit_of, url_of

NOW = 1_800_000_000_000
ANA = Person(OPERATOR, "ana")
TOPIC = "events.jsonl"
NO_LISTS = ScreeningLists(EFFECTS, [], NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore.open(url_of(tmp_path))
    yield store
    store.close()


def condition(store: SqlStore) -> Condition:
    return condition_of(store, NO_LISTS, AuditSight(), NOW)


def test_an_empty_store_is_in_order(store: SqlStore) -> None:
    """There is nothing to tell."""
    found = condition(store)

    assert ({}, {}, [], {}, "") == (found.positions, found.stops, found.blind, found.letters, found.audit)
    assert ([], 0, []) == (found.lasting, found.unseen_today, found.doubtful_lists)


def test_positions_are_those_of_topics(store: SqlStore) -> None:
    """How far the journal was read is nobody's partition."""
    commit = commit_of(Book(), 7)
    store.commit(commit._replace(positions=[*commit.positions, Position(*JOURNAL, 3, 0, "")]))

    assert {(TOPIC, 0): 7} == {where: one.next_offset for where, one in condition(store).positions.items()}


def test_a_stop_waits_until_somebody_answers_or_it_was_passed(store: SqlStore) -> None:
    """Also of a partition of which nothing was ever committed; an answer is for one topic, or one partition of it."""
    store.commit(commit_of(Book(), 7))
    for where, offset in (((TOPIC, 0), 7), (("t", 1), 0), (("t", 2), 0)):
        store.record([stop_entry(where, offset, "dead letters", f"It stands at {where}.")], NOW)
    assert {(TOPIC, 0), ("t", 1), ("t", 2)} == condition(store).stops.keys()
    assert "It stands at ('t', 1)." == condition(store).stops["t", 1]
    store.record([JournalEntry(DECISION, {"accept": "t", "partition": 1, "reason": "noise"})], NOW, ANA)
    assert {(TOPIC, 0), ("t", 2)} == condition(store).stops.keys()
    store.commit(commit_of(Book(), 8))

    assert {("t", 2)} == condition(store).stops.keys()


def test_what_lasts_comes_first_and_today_is_counted_once(store: SqlStore) -> None:
    """Two hours of today in two partitions at once are two hours."""
    today = NOW - NOW % DAY_MS
    rows = [
        BlindRow("old", "gap", None, None, None, today - DAY_MS, today + HOUR_MS, "A gap.", NOW),
        BlindRow("same", "hole", None, None, None, today, today + HOUR_MS, "A hole.", NOW),
        BlindRow("now", "silence", "//a", None, None, NOW - HOUR_MS, None, "Nothing from //a.", NOW),
    ]
    store.commit(commit_of(Book(), 1)._replace(blind=rows))
    found = condition(store)

    assert ["now", "same", "old"] == [one.name for one in found.blind]
    assert ["now"] == [one.name for one in found.lasting]
    assert 2 * HOUR_MS == found.unseen_today


def test_letters_are_counted_by_reason(store: SqlStore) -> None:
    """Those that wait."""
    store.commit(commit_of(Book(), 1, rejected=[Rejected(Record("t", 0, 0, 1, b"{", None), "json", "Not JSON.")]))

    assert {"json": 1} == condition(store).letters


def test_a_refused_list_is_doubtful() -> None:
    """As long as something is wrong with its file."""
    standing = Standing("dps", Path("dps.csv"), None, "It cannot be read.", Changes((), (), ()), None, 30)
    lists = ScreeningLists(EFFECTS, [standing, standing._replace(name="csl", problem="")], NOW)

    assert ["dps"] == [
        one.name for one in Condition(NOW, {}, {}, [], {}, lists, Report([], {}, {}, []), "", 0).doubtful_lists
    ]


def test_an_audit_that_changes_is_noticed(tmp_path: Path, store: SqlStore) -> None:
    """Its end at each look, all of it once an hour; what is wrong once stays wrong until somebody starts anew."""
    sight = AuditSight()
    for number in range(3):
        store.audit.add(NOW, ANA, "case.read", f"C-{number}", {})
    assert "" == sight.trouble(store.audit, NOW)
    changed(tmp_path, "UPDATE audit SET hash = 'other' WHERE number = 2")
    assert "" == sight.trouble(store.audit, NOW + WALK_EVERY_MS - 1)
    assert "Row 2" in sight.trouble(store.audit, NOW + WALK_EVERY_MS)
    assert "Row 2" in sight.trouble(store.audit, NOW)

    sight = AuditSight()
    assert "Row 2" in sight.trouble(store.audit, NOW)


def test_an_audit_that_was_cut_off_is_noticed_at_once(tmp_path: Path, store: SqlStore) -> None:
    """The row that was its last is not there."""
    sight = AuditSight()
    store.audit.add(NOW, ANA, "case.read", "C-1", {})
    sight.trouble(store.audit, NOW)
    changed(tmp_path, "DELETE FROM audit")

    assert "no longer holds what it held at 2027-01-15T08:00:00Z" in sight.trouble(store.audit, NOW + 1)


def changed(folder: Path, statement: str) -> None:
    """What whoever runs the database can do."""
    connection = sqlite3.connect(folder / "books.db")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()
