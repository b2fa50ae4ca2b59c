"""What every database does for the books of many partitions: fences, owners, journal, letters, whatever the names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from monitor.core.book import Book, Moved
from monitor.core.model import Record, Rejected
from monitor.errors import Overtaken, StoreProblem
from monitor.intake.decode import decode_facts
from monitor.store import (
    DECISION,
    DISMISSED,
    REPLAYED,
    STOP,
    TICK,
    BlindRow,
    Commit,
    DeadLetter,
    JournalEntry,
    JournalRow,
    Position,
    StoredPosition,
)
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore
from tests.store.taking import AT, commit_of, event, known_of, loaded_book, seen, started, stopped, take

NOTHING = Moved({}, {}, [], [], {}, {}, [], [])
HOSTILE = [
    '"',
    "\\",
    "{a,b}",
    "NULL",
    "",
    " ",
    "'; --",
    "%s",
    "a\tb\nc",
    "\x1a0000",
    "\x1a",
    "\u2028é\U0001f600",
    "x" * 999,
]


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """A new store in each kind of database."""
    store = SqlStore.open(url)
    yield store
    store.close()


def tick(number: int) -> JournalEntry:
    """A tick."""
    return JournalEntry(TICK, {"as_of": number})


def profile(tenant: str) -> bytes:
    """A profile of a tenant."""
    return event("tenant.profiled", 1, "//cloud", f"profile {tenant}", {"tenant": tenant, "name": "A company"})


def books(store: SqlStore, partition: int, lines: list[bytes]) -> tuple[SqlStore, Book]:
    """The books of a partition, claimed, with some facts that await a commit."""
    beside = store.beside(partition)
    beside.claim()
    book = loaded_book(beside)
    take(book, beside, lines)
    return beside, book


# -- round trips -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [one for one in HOSTILE if one.strip()])
def test_names_come_back_as_they_were(store: SqlStore, url: str, name: str) -> None:
    """Whatever stands in names comes back, as a name and in every fact that has it."""
    book = loaded_book(store)
    lines = [
        started(name, tenant=name, within="out" + name, region=name),
        started("out" + name, tenant=name),
        profile(name),
    ]
    take(book, store, lines)
    position = Position(name, 0, 1, book.clock, name)
    sentence = Rejected(Record(name, 0, 1, 2, b"\x00\xff\\", None, b"\x00key"), "json", name)
    entry = JournalEntry(DECISION, {"accept": name})
    store.commit(Commit(book.drain(), book, [position], [], [sentence], [entry], AT))
    other = SqlStore.open(url)
    assert known_of(book) == known_of(loaded_book(other))
    assert {(name, 0): StoredPosition(1, 1, book.clock, name)} == other.positions()
    assert [entry] == [row.entry for row in other.journal()]
    assert [DeadLetter(1, name, 0, 1, "json", name, b"\x00\xff\\", AT, key=b"\x00key")] == list(other.dead_letters())
    assert {name: 0} == other.owners([name, "nobody"])
    assert sorted(lines) == sorted(other.lines())
    other.close()


def test_old_hours_are_added_to_and_come_back(store: SqlStore) -> None:
    """A book that lets go of old hours leaves the same rows as one that keeps all, and gets its own back."""
    lines = [started(f"a{number}", 3_600 * number) for number in range(300)]
    late = [stopped(f"a{number}", 3_600 * 400) for number in range(300)]  # each adds to the hour of its start
    more = [started("b", 7_200, tenant="amber"), stopped("b", 10_800, tenant="amber")]
    whole, archive = Book(), MemoryArchive()
    book = loaded_book(store, resident_hours=2)
    for batch in (lines, late, more):
        take(whole, archive, batch)
        archive.commit(whole.drain())
        take(book, store, batch)
        store.commit(commit_of(book))
    ledger = book.tenants["amber"].ledger
    assert len(ledger.changes) < 10 < len(whole.tenants["amber"].ledger.changes)
    assert known_of(whole)["tenants"] == known_of(loaded_book(store))["tenants"]
    ledger.recall(*store.old_hours("amber", ledger.resident_from))
    assert known_of(whole)["tenants"] == known_of(book)["tenants"]


def test_a_file_of_any_name_has_a_position(store: SqlStore) -> None:
    """Names of files may hold bytes that are no text; positions, letters and decisions about them come back."""
    name = "bad\udcff name\x00.jsonl"
    entry = JournalEntry(DECISION, {"accept": name})
    rejected = [Rejected(Record(name, 0, 1, 2, b"{", None), "json", f"{name} is bad.")]
    store.commit(Commit(NOTHING, Book(), [Position(name, 0, 1, 0, "")], [], rejected, [entry], AT))
    store.commit(Commit(NOTHING, Book(), [Position(name, 0, 2, 0, "")], [], [], [], AT))
    assert {(name, 0): StoredPosition(2, 2, 0, "")} == store.positions()
    assert [(name, f"{name} is bad.")] == [(one.topic, one.sentence) for one in store.dead_letters()]
    assert [entry] == [row.entry for row in store.journal()]


def test_closed_and_moved_allocations_come_back(store: SqlStore, url: str) -> None:
    """Rows that are inserted, changed, closed and deleted over several commits are as a book has them."""
    book = loaded_book(store)
    for lines in (
        [started(f"a {number}", number) for number in range(300)],
        [seen(f"a {number}", 5_000 + number) for number in range(0, 300, 2)],
        [stopped(f"a {number}", 9_000 + number) for number in range(0, 300, 3)],
        [started("again", 10_000), stopped("a 1", 10_001)],
    ):
        take(book, store, lines)
        store.commit(commit_of(book))
    other = SqlStore.open(url)
    assert known_of(book) == known_of(loaded_book(other))
    other.close()


# -- partitions ------------------------------------------------------------------------------------------------------


def test_partitions_keep_their_books_apart(store: SqlStore, url: str) -> None:
    """Each partition loads its own tenants, facts, sources, positions and ticks, and no other's."""
    one, first = books(store, 1, [started("x"), profile("amber"), seen("x", 60)])
    two, second = books(store, 2, [started("x", tenant="basalt"), profile("cobalt")])
    one.commit(commit_of(first, 10, journal=[tick(7)]))
    two.commit(commit_of(second, 20, journal=[tick(9)]))
    with SqlStoreAt(url, 1) as again:
        assert known_of(first) == known_of(loaded_book(again))
        assert [started("x"), profile("amber"), seen("x", 60)] == list(again.lines())
        assert 7 == again.last_tick()
        assert {("amber", "x"): 3} == again.heads([("amber", "x"), ("basalt", "x")])
        assert known_of(second) == known_of(loaded_book(again.beside(2)))
        assert 9 == again.beside(2).last_tick()
        assert [] == list(again.beside(3).lines())
        assert None is again.beside(3).last_tick()
    assert [1, 2] == store.partitions()
    assert {"amber": 1, "basalt": 2, "cobalt": 2} == store.owners(["amber", "basalt", "cobalt", "dolomite"])
    assert {"//cloud": first.clock} == store.heard()


class SqlStoreAt:
    """A store of a partition for a `with`."""

    def __init__(self, url: str, partition: int) -> None:
        self._store = SqlStore.open(url, partition=partition)

    def __enter__(self) -> SqlStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def test_a_topic_that_all_read_has_the_least_position(store: SqlStore) -> None:
    """Every partition has its own place in the control topic; together they are as far as the slowest."""
    for partition, offset in ((1, 30), (2, 10), (3, 20)):
        bound = store.beside(partition)
        own, control = Position("tenants", partition, offset, 5, ""), Position("control", 0, offset + 1, 5, "")
        bound.commit(Commit(NOTHING, Book(), [own, control], [], [], [], AT))
    assert StoredPosition(1, 11, 5, "") == store.positions()["control", 0]
    assert {("control", 0), ("tenants", 1), ("tenants", 2), ("tenants", 3)} == set(store.positions())
    found = store.book_positions()
    assert {1: 31, 2: 11, 3: 21} == {number: where["control", 0].next_offset for number, where in found.items()}
    assert {("control", 0), ("tenants", 2)} == set(store.beside(2).load(decode_facts).positions)


def test_a_tenant_has_one_owner(store: SqlStore) -> None:
    """A commit that brings a tenant which another partition has is refused whole, a profile alone included."""
    one, first = books(store, 1, [profile("amber")])
    two, second = books(store, 2, [started("y", tenant="basalt"), started("x")])
    one.commit(commit_of(first, 1))
    with pytest.raises(Overtaken, match="Another partition has the books of a tenant"):
        two.commit(commit_of(second, 1))
    assert {"amber": 1} == store.owners(["amber", "basalt"])
    two.claim()
    again = loaded_book(two)
    take(again, two, [started("y", tenant="basalt")])
    two.commit(commit_of(again, 1))
    assert {"amber": 1, "basalt": 2} == store.owners(["amber", "basalt"])
    assert [started("y", tenant="basalt")] == list(two.lines())


# -- the fence -------------------------------------------------------------------------------------------------------


def test_a_claim_shuts_out_whoever_loaded_before(store: SqlStore) -> None:
    """After a claim the former owner's commit is refused, and so is its loading; the claimant's goes through."""
    former, lost = books(store, 1, [started("x")])
    owner, book = books(store, 1, [started("x"), started("y")])
    with pytest.raises(Overtaken):
        former.commit(commit_of(lost, 1))
    with pytest.raises(Overtaken):
        former.load(decode_facts)
    owner.commit(commit_of(book, 2))
    assert [started("x"), started("y")] == list(owner.beside(1).lines())
    former.claim()
    assert known_of(book) == known_of(loaded_book(former))


def test_a_claim_of_one_partition_leaves_the_others_alone(store: SqlStore) -> None:
    """Fences are by partition."""
    one, first = books(store, 1, [started("x")])
    books(store, 2, [])
    one.commit(commit_of(first, 1))
    assert {"amber": 1} == store.owners(["amber"])


def together(works: list[Callable[[], object]]) -> list[type[Exception] | None]:
    """Do these at the same time; what each raised."""
    barrier, raised = threading.Barrier(len(works)), [None for _ in works]

    def run(number: int) -> None:
        barrier.wait(10)
        try:
            works[number]()
        except (Overtaken, StoreProblem) as error:
            raised[number] = type(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def test_of_owners_that_commit_at_once_one_succeeds(store: SqlStore, url: str) -> None:
    """Whoever comes second through the fence is refused, however close behind."""
    for number in range(10):
        owners = [SqlStore.open(url) for _ in range(3)]
        books = [loaded_book(one) for one in owners]
        for which, (one, book) in enumerate(zip(owners, books, strict=True)):
            take(book, one, [started(f"{number} {which}", number)])
        commits = [commit_of(book, number) for book in books]
        raised = together(
            [lambda one=one, commit=commit: one.commit(commit) for one, commit in zip(owners, commits, strict=True)]
        )
        assert [None, Overtaken, Overtaken] == sorted(raised, key=str, reverse=False) or 2 == raised.count(Overtaken)
        for one in owners:
            one.close()
    assert 10 == sum(1 for _ in store.beside(0).lines())


# -- the journal -----------------------------------------------------------------------------------------------------


def test_the_journal_is_read_by_kind(store: SqlStore) -> None:
    """A worker that starts reads decisions without every tick; decisions concern all, ticks one partition."""
    one = store.beside(1)
    one.commit(Commit(NOTHING, Book(), [], [], [], [tick(1)], AT))
    store.record([JournalEntry(DECISION, {"a": 1}), JournalEntry(STOP, {"b": 2})], AT)
    one.commit(Commit(NOTHING, Book(), [], [], [], [tick(2)], AT))
    assert [JournalRow(2, AT, JournalEntry(DECISION, {"a": 1}))] == store.journal(kinds=(DECISION,))
    assert [2, 3] == [row.number for row in store.journal(0, (STOP, DECISION))]
    assert [3] == [row.number for row in store.journal(2, (STOP, DECISION))]
    assert [JournalRow(4, AT, tick(2), 1)] == store.journal(3)
    assert [] == store.journal(kinds=())


def test_whoever_reads_the_journal_misses_nothing(store: SqlStore, url: str) -> None:
    """Numbers follow the order of commits: behind a number that was read no smaller one appears."""
    found: list[int] = []
    done = threading.Event()

    def read() -> None:
        while True:
            last = done.is_set()
            found.extend(row.number for row in store.journal(found[-1] if found else 0))
            if last:
                return

    def write(partition: int) -> None:
        with SqlStoreAt(url, partition) as bound:
            for number in range(25):
                bound.commit(Commit(NOTHING, Book(), [], [], [], [tick(number), tick(number)], AT))

    reader = threading.Thread(target=read)
    reader.start()
    raised = together([lambda partition=partition: write(partition) for partition in range(3)])
    done.set()
    reader.join(60)
    assert [None, None, None] == raised
    assert [row.number for row in store.journal()] == found
    assert 150 == len(found)


# -- dead letters and what could not be seen --------------------------------------------------------------------------


def test_dead_letters_are_published_and_settled(store: SqlStore) -> None:
    """A letter is published once, and replayed or dismissed, within a commit or without."""
    rejected = [Rejected(Record("t", 0, offset, offset + 1, b"{", None), "json", "Not JSON.") for offset in range(5)]
    store.commit(commit_of(Book(), 1, rejected=rejected))
    assert [1, 2] == [letter.number for letter in store.unpublished(2, [0])]
    store.mark_published([2, 1])
    store.mark_published([])
    assert [3, 4, 5] == [letter.number for letter in store.unpublished(10, [0, 1])]
    assert 5 == store.letters_waiting()
    store.decide(JournalEntry(DECISION, {"reason": "noise"}), [], AT, {3: DISMISSED})
    store.commit(commit_of(Book(), 2)._replace(settled_letters={4: REPLAYED, 5: REPLAYED}))
    assert ["waiting", "waiting", DISMISSED, REPLAYED, REPLAYED] == [letter.state for letter in store.dead_letters()]
    assert 2 == store.letters_waiting()
    assert [] == store.unpublished(10, [1])
    letter = store.dead_letter(2)
    assert DeadLetter(2, "t", 0, 1, "json", "Not JSON.", b"{", AT, "waiting", True, None) == letter
    assert None is store.dead_letter(9)


def test_waiting_letters_are_counted_and_shown_in_part(store: SqlStore) -> None:
    """By reason; the latest first, with the beginning of a long body; what is settled counts no more."""
    kinds = [("json", b"{"), ("shape", b"x" * 1_000), ("json", b"")]
    rejected = [
        Rejected(Record("t", 0, number, number + 1, body, None), reason, "So.")
        for number, (reason, body) in enumerate(kinds)
    ]
    store.commit(commit_of(Book(), 1, rejected=rejected))
    assert {"json": 2, "shape": 1} == store.letters_by_reason()
    assert [(3, b""), (2, b"xxxx")] == [(one.number, one.body) for one in store.latest_letters(2, 4)]
    store.decide(JournalEntry(DECISION, {"reason": "noise"}), [], AT, {3: DISMISSED})

    assert {"json": 1, "shape": 1} == store.letters_by_reason()
    assert [2, 1] == [one.number for one in store.latest_letters(9, 4)]


def test_a_blind_interval_ends_under_its_name(store: SqlStore) -> None:
    """What could not be seen is kept by partition and name; the same name later replaces it."""
    first, second = store.beside(1), store.beside(2)
    opened = BlindRow("silence/a", "silence", "//a", None, None, 5, None, "Nothing from //a.", AT, 1)
    hole = BlindRow("hole/t/3", "hole", None, "t", 3, 2, 4, "Kafka lost records.", AT, 1)
    elsewhere = opened._replace(partition=2)
    first.commit(commit_of(Book(), 1)._replace(blind=[opened, hole]))
    second.commit(commit_of(Book(), 1)._replace(blind=[opened, elsewhere]))
    first.commit(commit_of(Book(), 2)._replace(blind=[opened._replace(end=9)]))
    assert [hole, opened._replace(end=9), elsewhere] == store.blind()
    assert [elsewhere] == store.blind(2)
    assert [] == store.blind(3)
