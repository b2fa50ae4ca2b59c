"""One commit is one transaction: fenced, everything or nothing, and to be tried again after a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event as database_event

from monitor.core.book import Book, Moved, NewFact, Restatement
from monitor.core.bounds import Bounds
from monitor.core.findings import Finding
from monitor.core.flags import Act, Change, Entry, Flag, State, act
from monitor.core.inventory import Conservation
from monitor.core.ledger import Measured, MeasuredKey, MeasuredRow, UsageKey, UsageRow
from monitor.core.model import CERTAIN, Record, Rejected
from monitor.core.policy import Level
from monitor.core.timeline import NO_SHAPE, Shape, fingerprint
from monitor.errors import Overtaken, StoreProblem
from monitor.intake.decode import decode_facts
from monitor.store.commit import Commit, DeadLetter, JournalEntry, JournalRow, Position, StoredPosition
from monitor.store.sql import SqlStore
from tests.store.taking import AT, commit_of, known_of, loaded_book, seen, started, stopped, take, url_of

NOTHING = Moved({}, {}, [], [], {}, {}, [], [])
LINES = [started("x"), started("y", 5), seen("x", 10), stopped("y", 4_000)]


def finding(level: Level = Level.WARNING) -> Finding:
    """A finding with numbers that no float could carry."""
    return Finding(
        "ladder", 1, "internal", "ladder.1e23", "amber", level, "model_flop",
        Bounds(10**23 + 1, 10**24 + 1, 10**25 + 1, 10**26 + 1), 10**23, AT, ("Because.", "Über alles."), ("end use",),
    )  # fmt: skip


def flag(state: State = State.OPEN) -> Flag:
    """A flag of that finding."""
    return Flag("F-1", "ladder.1e23", "amber", state, Level.WARNING, AT - 1, AT, None, finding())


# -- the fence -------------------------------------------------------------------------------------------------------


def test_the_slower_of_two_owners_writes_nothing(tmp_path: Path) -> None:
    """After one process has committed, the other one's commit is refused whole, and the first goes on."""
    first, second = SqlStore.open(url_of(tmp_path)), SqlStore.open(url_of(tmp_path))
    book, late_book = loaded_book(first), loaded_book(second)
    take(book, first, LINES)
    take(late_book, second, LINES[:1])
    first.commit(commit_of(book, 400))
    with pytest.raises(Overtaken, match=r"Another process has written to the store .*books\.db since this one read it"):
        second.commit(commit_of(late_book, 100))
    take(book, first, [seen("x", 20)])
    first.commit(commit_of(book, 500))
    assert {("events.jsonl", 0): StoredPosition(2, 500, book.clock, "c0ffee")} == first.positions()
    assert [*LINES, seen("x", 20)] == list(first.lines())
    first.close()
    second.close()


def test_who_was_overtaken_reads_no_facts_of_the_other_as_its_own(tmp_path: Path) -> None:
    """Whatever it looks up that the other has written since, it is told so: numbers of facts would mean two things."""
    first, second = SqlStore.open(url_of(tmp_path)), SqlStore.open(url_of(tmp_path))
    book = loaded_book(first)
    take(book, first, LINES)
    first.commit(commit_of(book, 400))
    late_book = loaded_book(second)
    take(book, first, [seen("y", 6), stopped("y", 3_000)])
    first.commit(commit_of(book, 500))
    second.append([NewFact(len(LINES) + 1, 0, None, seen("z", 7))])  # the same number as the other's next
    looks = (
        lambda: second.heads([("amber", "y")]),
        lambda: second.heads_of("amber"),
        lambda: second.marked("amber", [fingerprint("//cloud", "start y")]),
        lambda: second.settled("east", 0),
        lambda: take(late_book, second, [seen("y", 9)]),
    )
    for look in looks:
        with pytest.raises(Overtaken, match="Another process has written"):
            look()
    first.close()
    second.close()


def test_two_owners_of_different_files_are_fenced_too(tmp_path: Path) -> None:
    """Files may be about the same tenants, so an embedded store has one writer whatever it reads."""
    first, second = SqlStore.open(url_of(tmp_path)), SqlStore.open(url_of(tmp_path))
    first.commit(Commit(NOTHING, Book(), [Position("one", 0, 1, 0, "")], [], [], [], AT))
    with pytest.raises(Overtaken):
        second.commit(Commit(NOTHING, Book(), [Position("two", 0, 1, 0, "")], [], [], [], AT))
    assert {("one", 0)} == set(second.positions())
    first.close()
    second.close()


def test_a_partition_that_somebody_else_moved_is_fenced(store: SqlStore, tmp_path: Path) -> None:
    """The sequence of each position is compared, not only that of the whole store."""
    store.commit(Commit(NOTHING, Book(), [Position("one", 0, 1, 0, "")], [], [], [], AT))
    with store._database.writing() as connection:
        connection.exec_driver_sql("update progress set sequence = sequence + 1 where topic = 'one'")
    with pytest.raises(Overtaken):
        store.commit(Commit(NOTHING, Book(), [Position("one", 0, 2, 0, "")], [], [], [], AT))
    assert 1 == store.positions()["one", 0].next_offset


def test_a_decision_may_be_written_beside_the_owner(tmp_path: Path) -> None:
    """A journal entry of another process does not fence the owner off, which then reads it."""
    owner, console = SqlStore.open(url_of(tmp_path)), SqlStore.open(url_of(tmp_path))
    owner.commit(Commit(NOTHING, Book(), [], [], [], [JournalEntry("tick", {"as_of": 7})], AT))
    console.record([JournalEntry("decision", {"accept": "events.jsonl"})], AT + 1)
    owner.commit(Commit(NOTHING, Book(), [], [], [], [JournalEntry("tick", {"as_of": 9})], AT + 2))
    assert [JournalRow(2, AT + 1, JournalEntry("decision", {"accept": "events.jsonl"}))] == owner.journal(after=1)[:1]
    assert 9 == owner.last_tick()
    owner.close()
    console.close()


# -- failures --------------------------------------------------------------------------------------------------------


def hold_pages(store: SqlStore, pages: int | None) -> None:
    """Let the database file have no more than so many pages, or as many as it likes, from now on."""
    engine = store._database.engine
    engine.dispose()
    database_event.listen(
        engine, "connect", lambda one, _: one.execute(f"PRAGMA max_page_count = {pages or 1_000_000}").close()
    )


def test_a_commit_that_met_a_full_disk_can_be_tried_again(store: SqlStore) -> None:
    """A full disk is a sentence; nothing is half written, and the same commit succeeds once there is room."""
    book = loaded_book(store)
    take(book, store, LINES)
    store.commit(commit_of(book, 1))
    before = known_of(loaded_book(store))
    take(book, store, [started(f"many {number}", 20 + number) for number in range(3_000)])
    big = commit_of(book, 2, [Change(flag(), Entry("F-1", AT, "raised", Level.WARNING, "Because."))])
    hold_pages(store, 60)
    for _ in range(2):
        with pytest.raises(StoreProblem, match=r"The disk of the store .*books.db is full: make room"):
            store.commit(big)
    assert (before, 1, []) == (
        known_of(loaded_book_of(store)),
        store.positions()["events.jsonl", 0].next_offset,
        store.flags(),
    )
    hold_pages(store, None)
    store.commit(big)
    assert known_of(book) == known_of(loaded_book_of(store))
    assert 3_004 == sum(1 for _ in store.lines())
    take(book, store, [seen("many 7", 9_000)])
    store.commit(commit_of(book, 3))
    assert known_of(book) == known_of(loaded_book_of(store))


def loaded_book_of(store: SqlStore) -> Book:
    """What another process would load now."""
    other = SqlStore(store._database)
    return loaded_book(other)


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A store opened read-only can be read, and refuses a commit with a sentence."""
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    take(book, store, LINES)
    store.commit(commit_of(book))
    reader = SqlStore.open(f"sqlite:///file:{tmp_path / 'books.db'}?mode=ro&uri=true")
    assert LINES == list(reader.lines())
    with pytest.raises(StoreProblem, match="cannot be written: make the file and its folder writable"):
        reader.commit(commit_of(loaded_book(reader)))
    reader.close()
    store.close()


def test_a_store_that_is_locked_says_so(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes for longer than we wait, a commit is refused, and succeeds afterwards."""
    monkeypatch.setattr("monitor.store.database.PRAGMAS", ("busy_timeout = 10",))
    other = SqlStore.open(url_of(tmp_path))
    book = loaded_book(other)
    take(book, other, LINES)
    commit = commit_of(book)
    with store._database.writing() as connection:
        connection.exec_driver_sql("update progress set clock = 0")
        with pytest.raises(StoreProblem, match="is in use by another process: stop that one, or wait"):
            other.commit(commit)
    other.commit(commit)
    assert LINES == list(other.lines())
    other.close()


# -- what is written comes back --------------------------------------------------------------------------------------


def test_numbers_beyond_64_bits_come_back(store: SqlStore) -> None:
    """Usage, work, restatements and conservation are exact whatever their size, negative ones too."""
    huge = 3 * 10**40 + 1
    shape = Shape("east", None, "H100", "accelerator")
    book = Book()
    book.tenant("amber")
    usage, measured = UsageKey(shape, CERTAIN, 480_000), MeasuredKey(shape, 480_000)
    restatement = Restatement("amber", "x", "//cloud", "late", AT, AT, 0, huge, huge, -huge)
    checked = Conservation("east", AT, "H100", huge, huge, 0, -huge, 0, (("amber", "x"),))
    usage_row = UsageRow(usage, -huge, huge, added=False)
    measured_row = MeasuredRow(measured, Measured(huge, huge**2, 0), added=False)
    moved = Moved({}, {}, [("amber", usage_row)], [("amber", measured_row)], {}, {}, [restatement], [checked])
    store.commit(Commit(moved, book, [], [], [], [], AT))
    found = loaded_book_of(store).tenants["amber"].ledger
    assert {usage: (-huge, huge)} == found.changes
    assert {measured: Measured(huge, huge**2, 0)} == found.measured
    assert {(shape, CERTAIN): huge + huge * 480_001 * 3_600_000} == found.totals
    assert [restatement] == store.restatements() == store.restatements("amber")
    assert [checked] == store.conservation() == store.conservation("east")
    assert ([], []) == (store.restatements("basalt"), store.conservation("west"))


@pytest.mark.parametrize("added", [False, True])
def test_what_became_nothing_is_deleted(store: SqlStore, added: bool) -> None:
    """Rows whose usage was taken back whole leave the store, whether they are written anew or added to."""
    usage, measured = UsageKey(NO_SHAPE, CERTAIN, 1), MeasuredKey(NO_SHAPE, 1)
    back = -1 if added else 0
    book = Book()
    book.tenant("amber")
    for rate, is_added in ((1, False), (back, added)):
        usage_row = UsageRow(usage, rate, 2 * rate, is_added)
        measured_row = MeasuredRow(measured, Measured(rate, rate, rate), is_added)
        moved = NOTHING._replace(usage=[("amber", usage_row)], measured=[("amber", measured_row)])
        store.commit(Commit(moved, book, [], [], [], [], AT))
    found = loaded_book_of(store).tenants["amber"].ledger
    assert ({}, {}, {}, {}) == (found.changes, found.measured, found.totals, found.measured_totals)


def test_flags_and_their_histories_come_back(store: SqlStore) -> None:
    """Flags are as they were last changed; a change that nobody is told of writes no line of history."""
    raised = Change(flag(), Entry("F-1", AT, "raised", Level.WARNING, "Because."))
    quiet = Change(flag()._replace(told_at=AT + 1), Entry("F-1", AT + 1, "", Level.WARNING, ""))
    closed = act(quiet.flag, Act.CLOSED, AT + 2, "Seen by a person.")
    book = Book()
    take(book, store, LINES[:1])
    store.commit(commit_of(book, 1, [raised, quiet]))
    assert [quiet.flag] == store.flags()
    store.commit(commit_of(book, 2, [closed]))
    assert [closed.flag] == store.flags("amber")
    assert [] == store.flags("basalt")
    assert [raised.entry, closed.entry] == store.flag_history("F-1")
    assert {"amber": {"F-1": closed.flag}} == store.load(decode_facts).flags


def test_dead_letters_come_back_byte_for_byte(store: SqlStore) -> None:
    """Each record that is no fact is kept with its reason, in order, however many there are."""
    rejected = [
        Rejected(Record("events.jsonl", 0, offset, offset + 1, b"\xff\x00" * offset, None), "json", "Not JSON.")
        for offset in range(250)
    ]
    store.commit(commit_of(Book(), 1, rejected=rejected))
    expected = [
        DeadLetter(offset + 1, "events.jsonl", 0, offset, "json", "Not JSON.", b"\xff\x00" * offset, AT)
        for offset in range(250)
    ]
    assert expected == list(store.dead_letters())
    assert expected[240:] == list(store.dead_letters(after=240))


def test_there_is_no_last_tick_at_first(store: SqlStore) -> None:
    """A store that was never evaluated says so."""
    assert (None, []) == (store.last_tick(), store.journal())


def test_a_fact_is_found_by_its_identity(store: SqlStore) -> None:
    """All contents of an identity are found, whether their names are escaped or not; others are not."""
    book = Book()
    other = seen("x", 30, id="same\nid")
    lines = [
        seen("x", 20, id="same\nid"),
        other,
        seen("x", 40, id="other"),
        started("y").replace(b"start y", b"gr\xc3\xbcn"),
    ]
    take(book, store, lines)
    store.commit(commit_of(book))
    take(book, store, [seen("x", 50, id="uncommitted")])
    assert [lines[0], other] == [fact.raw for fact in store.find_facts("//cloud", "same\nid")]
    assert [lines[3]] == [fact.raw for fact in store.find_facts("//cloud", "grün")]
    assert [5] == [fact.number for fact in store.find_facts("//cloud", "uncommitted")]
    assert [] == store.find_facts("//slurm", "other")
