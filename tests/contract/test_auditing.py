"""The audit of a store: only ever added to, whole whoever adds to it, and without the names that were erased."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from monitor.core.audit import (
    GENESIS,
    NAMED,
    OPERATOR,
    Checkpoint,
    Entry,
    Fault,
    Person,
    Personal,
    chained,
    verify,
)
from monitor.core.book import Book
from monitor.core.clocks import Seen
from monitor.errors import StoreProblem
from monitor.store import ACTIVATION, DECISION, TICK, AuditWanted, JournalEntry
from monitor.store.auditing import PROGRAM, ROWS_AT_ONCE, append, chain, entries, erase, remember, resolve
from monitor.store.database import Database, connect
from monitor.store.schema import AUDIT, AUDIT_TRIGGERS
from monitor.store.sql import SqlStore
from tests.store.taking import AT, commit_of

ROOT = Path(__file__).resolve().parents[2]
ANA = Person(OPERATOR, "ana")
MANY = 100_000
COPIED = "actor, act, subject, body, previous, hash from audit"
REFUSED = (
    "update audit set at = 0",
    "update audit set body = '{}' where number = 2",
    "delete from audit",
    "delete from audit where number = 3",
    "insert into audit select * from audit where number = 1 on conflict (number) do update set at = 0",
)
REFUSED_BY = {
    "sqlite": (
        f"insert or replace into audit select number, 0, {COPIED} where number = 3",
        f"insert into audit select 0, at, {COPIED} where number = 1",
        f"insert into audit select 5, at, {COPIED} where number = 1",
    ),
    "postgresql": (
        "truncate audit",
        "truncate audit cascade",
        "set local session_replication_role = replica; delete from audit",  # as one who copies another server may say
    ),
}
# Adds rows one after another once it is told to.
ADDING = """
import sys
from monitor.store.auditing import append, remember
from monitor.store.database import connect

database = connect(sys.argv[1], create=False)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    with database.writing() as connection:
        if number % 2:
            remember(connection, "named", f"{sys.argv[2]} {number}")
        append(connection, number, sys.argv[2], "test.added", str(number), {})
database.engine.dispose()
"""


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = connect(url, create=True)
    yield database
    database.engine.dispose()


def add(database: Database, count: int, act: str = "flag.closed", at: int = AT) -> list[Entry]:
    """So many rows, a transaction each."""
    found = []
    for number in range(count):
        with database.writing() as connection:
            actor = remember(connection, NAMED, "ana")
            found.append(append(connection, at + number, actor, act, f"F-{number}", {"reason": "ü\ud800\x00"}))
    return found


def without_triggers(connection: Connection) -> None:
    """As an administrator may make it."""
    shared = connection.dialect.name == "postgresql"
    for statement in AUDIT_TRIGGERS[connection.dialect.name]:
        found = re.match(r"CREATE TRIGGER (\w+)", statement)
        if found:
            connection.exec_driver_sql(f"drop trigger {found[1]}" + (" on audit" if shared else ""))


# -- rows ------------------------------------------------------------------------------------------------------------


def test_rows_are_a_chain(database: Database) -> None:
    """Numbers without a gap from 1 on, each row with the hash of the one before, whatever stands in it."""
    added = add(database, 3)

    with database.reading() as connection:
        rows = list(chain(connection))
    assert added == [row.entry for row in rows]
    assert [1, 2, 3] == [row.entry.number for row in rows]
    assert [GENESIS, rows[0].hash, rows[1].hash] == [row.previous for row in rows]
    assert verify(rows).broken is None


def test_a_row_and_what_it_is_about_are_one_transaction(database: Database) -> None:
    """What fails after the row takes the row with it, and the number is given again."""

    def fails() -> None:
        with database.writing() as connection:
            append(connection, AT, "x", "test.failed", "", {})
            raise ZeroDivisionError

    add(database, 1)
    with pytest.raises(ZeroDivisionError):
        fails()

    (added,) = add(database, 1)

    assert 2 == added.number


def test_rows_are_found_by_who_what_and_when(database: Database) -> None:
    """The latest first, at most so many."""
    add(database, 3)
    add(database, 2, "flag.viewed", AT + 100)

    def found(limit: int | None = None, **wanted: object) -> list[int]:
        with database.reading() as connection:
            return [row.entry.number for row in entries(connection, AuditWanted(**wanted), limit)]  # type: ignore[arg-type]

    with database.writing() as connection:
        ana = remember(connection, NAMED, "ana")
    assert [5, 4, 3, 2, 1] == found()
    assert [5, 4] == found(2)
    assert [5, 4] == found(since=AT + 100)
    assert [2, 1] == found(before=3)
    assert [3, 2, 1] == found(act="flag.closed")
    assert [4, 1] == found(subject="F-0")
    assert [5, 4, 3, 2, 1] == found(actors=[ana, "bo"])
    assert [] == found(actors=["ana"])
    assert [4] == found(act="flag.viewed", subject="F-0", actors=[ana], since=AT + 100, limit=9)


def test_a_hundred_thousand_rows_are_walked(database: Database) -> None:
    """In order, a few in memory at a time, and one more is added after them."""
    rows = [chained(GENESIS, Entry(1, AT, "x", "test.added", "s", "{}"))]
    for number in range(2, MANY + 1):
        rows.append(chained(rows[-1].hash, Entry(number, AT, "x", "test.added", "s", "{}")))
    values = [{**row.entry._asdict(), "previous": row.previous, "hash": row.hash} for row in rows]
    with database.writing() as connection:
        for start in range(0, MANY, 10_000):
            connection.execute(insert(AUDIT), values[start : start + 10_000])

    (added,) = add(database, 1)

    with database.reading() as connection:
        verdict = verify(chain(connection), [Checkpoint(AT, MANY, rows[-1].hash)])
        latest = [row.entry.number for row in entries(connection, AuditWanted(subject="s"), ROWS_AT_ONCE + 1)]
    assert (MANY + 1, MANY, None) == (verdict.rows, verdict.covered, verdict.broken)
    assert MANY + 1 == added.number
    assert list(range(MANY, MANY - ROWS_AT_ONCE - 1, -1)) == latest


def test_processes_that_add_at_once_make_one_chain(url: str, database: Database) -> None:
    """Nobody loses a row, nobody takes another one's number."""
    command = [sys.executable, "-c", ADDING, url]
    processes = [
        subprocess.Popen([*command, name, "100"], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in ("ana", "bo", "cy")
    ]
    for process in processes:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
    assert [0, 0, 0] == [process.returncode for process in processes]

    with database.reading() as connection:
        rows = list(chain(connection))
    assert verify(rows).broken is None
    assert {"ana": 100, "bo": 100, "cy": 100} == Counter(row.entry.actor for row in rows)


# -- nobody changes a row --------------------------------------------------------------------------------------------


def test_the_database_refuses_to_change_rows(database: Database) -> None:
    """Whatever the statement: on SQLite also those that replace a row, on PostgreSQL those that empty the table."""
    add(database, 3)
    with database.reading() as connection:
        before = list(chain(connection))

    def changed(statement: str) -> None:
        with database.writing() as connection:
            connection.exec_driver_sql(statement)

    for statement in (*REFUSED, *REFUSED_BY[database.engine.dialect.name]):
        with pytest.raises(StoreProblem, match="rows of the audit are"):
            changed(statement)

    with database.reading() as connection:
        assert before == list(chain(connection))


def test_a_changed_byte_is_named_once_the_triggers_are_gone(database: Database) -> None:
    """An administrator can take the triggers away, and not the chain."""
    add(database, 5)
    with database.writing() as connection:
        without_triggers(connection)
        connection.exec_driver_sql("update audit set body = replace(body, 'reason', 'season') where number = 3")

    with database.reading() as connection:
        broken = verify(chain(connection)).broken
    assert broken is not None
    assert (3, 3, Fault.CHANGED) == broken[:3]


# -- what is personal ------------------------------------------------------------------------------------------------


def test_a_person_is_known_by_a_hash(database: Database) -> None:
    """The same person by the same one; the row of the audit holds nothing else."""
    with database.writing() as connection:
        one, again, other = (remember(connection, *person) for person in (ANA, ANA, (NAMED, "ana")))
        append(connection, AT, one, "test.done", "", {})

    with database.reading() as connection:
        assert {one: Personal(one, OPERATOR, "ana"), other: Personal(other, NAMED, "ana")} == resolve(
            connection, [one, other, "sha256:unknown"]
        )
        (row,) = chain(connection)
    assert one == again
    assert one == row.entry.actor


def test_erasing_a_person_leaves_the_chain_as_it_is(database: Database) -> None:
    """The name is gone, the hash stays, every row is what it was; who was erased once is not erased again."""
    add(database, 2)
    with database.writing() as connection:
        ana = remember(connection, NAMED, "ana")
        assert erase(connection, ana, AT)
        assert not erase(connection, ana, AT)
        assert not erase(connection, "sha256:unknown", AT)

    with database.reading() as connection:
        assert {ana: Personal(ana, NAMED, None)} == resolve(connection, [ana])
        rows = list(chain(connection))
    assert ({ana}, None) == ({row.entry.actor for row in rows}, verify(rows).broken)


def test_whoever_was_erased_is_known_again_when_named_again(database: Database) -> None:
    """By the hash of before: nobody else can have it."""
    with database.writing() as connection:
        ana = remember(connection, NAMED, "ana")
        erase(connection, ana, AT)
        assert ana == remember(connection, NAMED, "ana")

        assert {ana: Personal(ana, NAMED, "ana")} == resolve(connection, [ana])


def test_many_people_are_resolved_at_once(database: Database) -> None:
    """More than a statement takes."""
    with database.writing() as connection:
        hashes = {remember(connection, NAMED, f"person {number}") for number in range(1_100)}

        assert hashes == resolve(connection, hashes).keys()


# -- what the store adds ---------------------------------------------------------------------------------------------


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore.open(url)
    yield store
    store.close()


def test_every_decision_is_a_row(store: SqlStore) -> None:
    """However it is written; a tick is none, and an activation only if it is somebody's."""
    body: dict[str, object] = {"viewed": "F-1", "by": ["bo", "cy"], "at": AT}
    store.decide(JournalEntry(DECISION, body), [], AT, by=ANA)
    store.decide(JournalEntry(TICK, {"as_of": AT}), [], AT)
    store.record([JournalEntry(DECISION, {"accept": "topic"})], AT + 1)
    store.record([JournalEntry(ACTIVATION, {"partitions": 4})], AT + 2)
    store.record([JournalEntry(ACTIVATION, {"partitions": 8})], AT + 3, ANA)
    journal = [JournalEntry(TICK, {"as_of": AT}), JournalEntry(DECISION, {"past_limit": ["events.jsonl"]})]
    store.commit(commit_of(Book(), journal=journal)._replace(by=ANA))

    rows = list(store.audit.chain())
    assert [
        ("flag.viewed", "F-1"),
        ("position.accepted", "topic"),
        ("books.repartitioned", "8"),
        ("limit.passed", "events.jsonl"),
    ] == [(row.entry.act, row.entry.subject) for row in rows]
    assert [AT, AT + 1, AT + 3, AT] == [row.entry.at for row in rows]
    assert verify(rows).broken is None
    shown = [actor for _, actor in store.audit.latest(AuditWanted(), 9)]
    assert ["ana (operating system user)"] * 2 + [PROGRAM, "ana (operating system user)"] == shown
    assert "bo" not in rows[0].entry.body
    assert body == store.journal()[0].entry.body


def test_the_journal_knows_people_until_they_are_erased(store: SqlStore) -> None:
    """Its row holds hashes, as that of the audit; whoever reads it gets the names that there are."""
    store.decide(JournalEntry(DECISION, {"viewed": "F-1", "by": ["bo", "cy"], "at": AT}), [], AT)
    (row,) = store.audit.chain()
    bo, cy = json.loads(row.entry.body)["by"]

    store.audit.erase(bo, AT)

    erased, known = store.journal()[0].entry.body["by"]  # type: ignore[misc]
    assert (f"erased ({bo[7:19]}…)", "cy") == (erased, known)
    assert Seen(AT) == store.seen()["F-1"]
    assert cy != bo


def test_people_are_wanted_of_name_or_hash(store: SqlStore) -> None:
    """As long as they are known; afterwards by the hash alone."""
    for person in (ANA, Person(NAMED, "ana"), Person(NAMED, "bo")):
        store.audit.add(AT, person, "evidence.read", "F-1", {})
    hash = store.audit.latest(AuditWanted(), 1)[0][0].entry.actor

    assert 2 == len(store.audit.latest(AuditWanted(actors=["ana"]), 9))
    assert 1 == len(store.audit.latest(AuditWanted(actors=["ana"]), 1))
    assert [(3, "bo")] == [(row.entry.number, who) for row, who in store.audit.latest(AuditWanted(actors=[hash]), 9)]
    store.audit.erase(hash, AT)
    ((_, who),) = store.audit.latest(AuditWanted(actors=[hash]), 9)
    assert who.startswith("erased (")


def test_a_checkpoint_agrees_with_its_chain(store: SqlStore) -> None:
    """Of an empty one, a growing one, and no other."""
    nothing = store.audit.head(AT)
    store.audit.add(AT, ANA, "evidence.read", "F-1", {})
    one = store.audit.head(AT + 1)
    store.audit.add(AT, ANA, "evidence.read", "F-2", {})

    rows = list(store.audit.chain())
    assert (Checkpoint(AT, 0, GENESIS), Checkpoint(AT + 1, 1, rows[0].hash)) == (nothing, one)
    assert 1 == verify(rows, [nothing, one]).covered
    assert [True, True, False, False] == [
        store.audit.agrees(one) for one in (nothing, one, one._replace(head=GENESIS), one._replace(rows=3))
    ]
