"""PostgreSQL: migrations, many processes at once, and troubles that are sentences."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from monitor.core.book import Book
from monitor.core.model import Observation
from monitor.errors import Overtaken, StoreProblem
from monitor.intake.decode import decode_facts
from monitor.store import StoredPosition
from monitor.store.database import connect, masked
from monitor.store.loading import _PIECES, _TRAITS
from monitor.store.postgres import SERVER_SETTINGS, sentence
from monitor.store.schema import METADATA
from monitor.store.sql import SqlStore
from tests.core.facts_strategy import event
from tests.store.cluster import Cluster
from tests.store.taking import commit_of, known_of, loaded_book, seen, started, take

ROOT = Path(__file__).resolve().parents[2]
# Commits one fact after another to the books of partition 0 until it is overtaken; then claims them and goes on.
OWNER = """
import sys
from monitor.errors import Overtaken
from monitor.store.sql import SqlStore
from tests.store.taking import commit_of, loaded_book, started, take

url, name, commits = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = SqlStore.open(url)
store.claim()
book, done, overtaken = loaded_book(store), 0, 0
while done < commits:
    try:
        take(book, store, [started(f"{name} {done}", done)])
        store.commit(commit_of(book, done))
        done += 1
    except Overtaken:
        overtaken += 1
        while True:
            try:
                store.claim()
                book = loaded_book(store)
                break
            except Overtaken:
                continue
print(overtaken)
store.close()
"""


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    """Do something to a database behind the program's back."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


# -- migrations ------------------------------------------------------------------------------------------------------


def test_alembic_finds_nothing_to_migrate(shared: str) -> None:
    """The migrations make the tables of the schema on PostgreSQL, too, but for references of the hot tables."""
    hot = ("allocations", "usage", "measured")
    database = connect(shared, create=True)
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert {("add_fk", table) for table in hot} == {(kind, constraint.table.name) for kind, constraint in found}
    database.engine.dispose()


def test_indexes_have_their_conditions(shared: str) -> None:
    """The partial indexes are the schema's, and a second opening finds nothing to do."""
    SqlStore.open(shared).close()
    SqlStore.open(shared, create=False).close()
    found = dict(run(shared, "select indexname, indexdef from pg_indexes where indexdef like '%WHERE%'"))
    conditional = {"allocations_closed", "allocations_inner", "allocations_open", "allocations_within"}
    outgoing = {"deliveries_waiting", "exports_waiting", "messages_undelivered", "proposals_waiting"}
    cases = {"queue", "one_live", "expiry", "review"}
    people = {f"cases_{name}" for name in cases} | {"approvals_waiting", "holds_standing", "suppressions_holding"}
    of_flags = {"case_flags_home", "case_flags_suppressed"}
    letters = {"dead_letters_unpublished", "dead_letters_waiting"}
    assert conditional | outgoing | people | of_flags | letters == set(found)


def test_processes_that_make_the_same_store_at_once_wait_for_each_other(shared: str) -> None:
    """Whoever comes second finds the tables made."""
    program = "import sys; from monitor.store.database import migrate; migrate(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", program, shared], cwd=ROOT) for _ in range(4)]
    assert [0, 0, 0, 0] == [process.wait(60) for process in processes]


def test_an_empty_or_a_strange_database_is_refused(shared: str) -> None:
    """A database without our tables is no store; one with others' tables is never touched."""
    with pytest.raises(StoreProblem, match="is an empty database, not a store"):
        SqlStore.open(shared, create=False)
    run(shared, "create table cookbook (recipe text)")
    with pytest.raises(StoreProblem, match="is the database of something else"):
        SqlStore.open(shared)


# -- many processes --------------------------------------------------------------------------------------------------


def test_owners_that_fight_lose_and_double_nothing(shared: str) -> None:
    """Processes that take the same books from each other again and again leave every committed fact once."""
    SqlStore.open(shared).close()
    command = [sys.executable, "-c", OWNER, shared]
    processes = [
        subprocess.Popen([*command, name, "40"], cwd=ROOT, stdout=subprocess.PIPE, text=True) for name in ("one", "two")
    ]
    overtaken = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert [0, 0] == [process.returncode for process in processes]
    store = SqlStore.open(shared)
    book = loaded_book(store)
    assert 80 == len(set(store.lines())) == sum(1 for _ in store.lines()) == len(book.tenants["amber"].timelines)
    assert 80 + 2 + sum(overtaken) <= store.beside(0)._sequences["", 0]
    store.close()


def test_a_commit_in_flight_holds_the_second_owner_at_the_fence(shared: str) -> None:
    """While one owner's transaction is open, the other's waits; when it ends, the other is overtaken."""
    first, second = SqlStore.open(shared), SqlStore.open(shared)
    book, late = loaded_book(first), loaded_book(second)
    take(book, first, [started("x")])
    first.commit(commit_of(book, 1))
    late = loaded_book(second)
    take(late, second, [started("y")])
    commit, raised = commit_of(late, 2), []

    def follow() -> None:
        try:
            second.commit(commit)
        except Overtaken as error:
            raised.append(error)

    with first._database.writing() as connection:  # as a commit begins
        connection.exec_driver_sql("update progress set sequence = sequence + 1 where books = 0 and topic = ''")
        follower = threading.Thread(target=follow)
        follower.start()
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        while run(shared, waiting) != [(1,)]:
            assert follower.is_alive()
        assert [] == raised
    follower.join(60)
    assert [Overtaken] == [type(error) for error in raised]
    first.close()
    second.close()


# -- troubles --------------------------------------------------------------------------------------------------------


def changed(url: str, **parts: str) -> str:
    """The address with some parts changed."""
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def test_a_wrong_address_says_what_is_wrong(cluster: Cluster) -> None:
    """A host, port, database or user that is not there has its own sentence, and none names a password."""
    url = cluster.url("books_that_are_not")
    for wrong, says in (
        (
            "postgresql://u:hush@no-such-host.invalid/books",
            "The host of the store postgresql://u:***@no-such-host.invalid/",
        ),
        ("postgresql://u:hush@127.0.0.1:1/books", "Nothing answers at the store postgresql://u:***@127.0.0.1:1/books"),
        ("postgresql://u:hush@/books?host=/no/such/folder", "Nothing answers at the store"),
        (url, "has no such database: create it"),
        (changed(cluster.url("postgres"), username="nobody", password="hush"), "knows no such user"),
        ("postgresql://u:hush@[::1/books", "is no address of a store"),
        (f"{cluster.url('postgres')}&colour=hush", "has an option that is none"),
    ):
        with pytest.raises(StoreProblem) as problem:
            SqlStore.open(wrong)
        assert says in str(problem.value)
        assert "hush" not in str(problem.value).replace("colour=hush", "")


def test_a_wrong_password_says_so(cluster: Cluster) -> None:
    """A user whom the server refuses is told to check user and password; the right one gets in."""
    shared = cluster.new_database()
    name = make_url(shared).database
    cluster.demand_password(str(name))
    run(cluster.url("postgres"), "alter user flopwatch password 'right'")
    with pytest.raises(StoreProblem, match="refuses the user or the password: check both") as problem:
        SqlStore.open(changed(shared, password="hush-hush"))
    assert "hush" not in str(problem.value)
    SqlStore.open(changed(shared, password="right")).close()


def test_a_missing_right_says_so(cluster: Cluster) -> None:
    """A user who may only read is refused with a sentence."""
    shared = cluster.new_database()
    SqlStore.open(shared).close()
    run(shared, "create user reader")
    run(shared, "grant usage on schema public to reader")
    run(shared, "grant select on all tables in schema public to reader")
    reader = SqlStore.open(changed(shared, username="reader"))
    with pytest.raises(StoreProblem, match=r"lacks a right .*permission denied"):
        reader.commit(commit_of(Book(), 1))
    reader.close()
    run(shared, "drop owned by reader")
    run(shared, "drop user reader")


def test_a_lost_connection_is_made_anew(shared: str) -> None:
    """A commit whose connection is cut is a sentence and changes nothing; the same commit then succeeds."""
    store = SqlStore.open(shared)
    book = loaded_book(store)
    take(book, store, [started("x")])
    store.commit(commit_of(book, 1))
    take(book, store, [seen("x", 60)])
    commit = commit_of(book, 2)
    run(
        shared,
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'flopwatch' "
        "and datname = current_database()",
    )
    with pytest.raises(StoreProblem, match=r"connection to the store .* was lost"):
        store.commit(commit)
    store.commit(commit)
    assert known_of(book) == known_of(loaded_book(store.beside(0)))
    store.close()


def test_a_server_that_restarts_is_met_again(cluster: Cluster) -> None:
    """While the server is down every try says so; once it is up the store goes on."""
    shared = cluster.new_database()
    store = SqlStore.open(shared)
    book = loaded_book(store)
    take(book, store, [started("x")])
    commit = commit_of(book, 1)
    cluster.stop()
    try:
        for _ in range(2):
            with pytest.raises(StoreProblem, match=r"was lost|Nothing answers|starting or stopping"):
                store.commit(commit)
    finally:
        cluster.start()
    for _ in range(2):
        try:
            store.commit(commit)
            break
        except StoreProblem:
            continue
    assert [started("x")] == list(store.beside(0).lines())
    store.close()


def test_a_peer_that_stands_still_blocks_nobody_for_ever(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is held for too long is a sentence, and whoever holds it idly is cut off by the server."""
    monkeypatch.setitem(SERVER_SETTINGS, "lock_timeout", 50)
    store = SqlStore.open(shared)
    book = loaded_book(store)
    store.commit(commit_of(book, 1))
    monkeypatch.undo()
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", 500)
    still = SqlStore.open(shared)

    def stand_still() -> None:
        with still._database.writing() as connection:
            connection.exec_driver_sql("update progress set clock = clock")
            with pytest.raises(StoreProblem, match="Another process holds the store"):
                store.commit(commit_of(book, 2))
            while run(shared, "select 1 from pg_stat_activity where state = 'idle in transaction'"):
                assert store.positions() == {("events.jsonl", 0): StoredPosition(1, 1, -1, "c0ffee")}
            connection.exec_driver_sql("select 1")

    with pytest.raises(StoreProblem, match="was lost"):
        stand_still()
    store.commit(commit_of(book, 2))
    still.close()
    store.close()


def test_books_take_as_long_to_load_as_they_take(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is slow to decode is not cut off meanwhile: it would begin again for ever."""
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", 100)
    store = SqlStore.open(shared)
    book = loaded_book(store)
    take(book, store, [started("x"), event("source.alive", 60, "//cloud", "alive", {"source": "//cloud"})])
    store.commit(commit_of(book, 1))

    def slowly(lines: Sequence[bytes]) -> list[Observation]:
        time.sleep(0.5)
        return decode_facts(lines)

    assert known_of(book) == known_of(store.load(slowly).book)
    store.close()


class Told(psycopg.Error):
    """What the server says, with its code."""

    def __init__(self, code: str | None, words: str) -> None:
        super().__init__(words)
        self.sqlstate = code


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        ("53100", "could not extend file", "The disk of the store pg is full: make room"),
        ("53300", "sorry, too many clients already", "has no connection left"),
        (None, "FATAL: sorry, too many clients already", "has no connection left"),
        ("40001", "could not serialize access", "could not keep two transactions apart"),
        ("40P01", "deadlock detected", "could not keep two transactions apart"),
        ("57014", "canceling statement due to statement timeout", "took too long to answer"),
        ("25006", "cannot execute UPDATE in a read-only transaction", "give the address of the primary server"),
        ("XX001", "invalid page in block 0", "is damaged"),
        (None, "FATAL: the database system is starting up", "is starting or stopping"),
        (None, 'no pg_hba.conf entry for host "10.0.0.1"', "lets nobody in from here"),
        (None, "SSL error: certificate verify failed", "No trusted connection to the store pg could be made"),
        (None, "connection timeout expired", "cannot be reached"),
        ("42P01", "it broke", "The store pg reports: it broke. What was committed before is safe"),
    ],
)
def test_every_trouble_of_the_server_has_a_sentence(code: str | None, words: str, says: str) -> None:
    """Troubles that a test cannot bring about have their sentences, and any other one has the server's own words."""
    assert says in sentence("pg", OperationalError("select 1", {}, Told(code, words)))


@pytest.mark.parametrize(
    ("url", "shows"),
    [
        ("postgresql://u:p:w@host/b", "postgresql://u:***@host/b"),
        ("postgresql://u:p@w@host/b", "postgresql://u:***@host/b"),
        ("postgresql://u:p/w@host", "postgresql://u:***@host"),
        ("postgresql://u@host/b?password=pw&sslmode=require", "postgresql://u@host/b?password=***&sslmode=require"),
        ("sqlite:///books.db", "sqlite:///books.db"),
    ],
)
def test_a_password_is_never_shown(url: str, shows: str) -> None:
    """Whatever somebody gave as an address is shown without its password."""
    assert shows == masked(url)


def test_what_a_tenant_has_held_is_found_without_reading_what_all_have_held(shared: str) -> None:
    """Groups are looked at tenant by tenant: each of them must not cost the whole table."""
    store = SqlStore.open(shared)
    run(
        shared,
        "insert into allocations (id, key64, tenant_id, name, head, last_time, shape_id, counted, prints) "
        "select n, n, n % 100, 'a', n, 0, 1, true, '' from generate_series(1, 100000) n",
    )
    run(
        shared,
        "insert into pieces (allocation_id, start_time, end_time, shape_id, held, certain) "
        "select n, 0, 1, 1, 1, true from generate_series(1, 100000) n",
    )
    run(shared, "analyze allocations, pieces")

    with store._database.reading() as connection:
        for query in (_PIECES, _TRAITS):
            asked = query.params(tenant=7).compile(connection.engine, compile_kwargs={"literal_binds": True})
            plan = connection.exec_driver_sql(f"explain {asked}").scalars().all()
            assert [] == [line for line in plan if "Seq Scan on pieces" in line]
    store.close()
