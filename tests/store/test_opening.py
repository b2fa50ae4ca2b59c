"""Opening a store: made, brought up to date, or refused with a sentence that says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import zstandard
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import monitor.store
from monitor.core.book import Book, NewFact
from monitor.core.model import Record, Rejected
from monitor.errors import StoreProblem
from monitor.run.holdings import make_pieces
from monitor.store import DECISION, TICK, JournalEntry, StoredPosition
from monitor.store.database import migrate, run_migrations, sentence
from monitor.store.pages import pack, unpack
from monitor.store.schema import METADATA, REVISION
from monitor.store.sql import SqlStore
from tests.store.taking import commit_of, event, known_of, loaded_book, seen, started, stopped, take, url_of

MIGRATIONS = Path(monitor.store.__file__).parent / "migrations"


def run(path: Path, *statements: str) -> None:
    """Do something to a database behind the program's back."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def upgraded(path: Path, revision: str) -> None:
    """A store that the migrations made up to one of them."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        run_migrations(connection, revision)
    engine.dispose()


def tables_of(path: Path) -> list[tuple[str, ...]]:
    """Tables, columns, references and indexes of a database, as SQLite lists them."""
    connection = sqlite3.connect(path)
    ours = "name not like 'sqlite_%' and tbl_name <> 'alembic_version'"
    names = connection.execute(f"select type, name from sqlite_master where {ours}").fetchall()
    found: list[tuple[object, ...]] = [("options", *row[1:]) for row in connection.execute("pragma table_list")]
    for kind, name in names:
        found.append((kind, name))
        if kind == "table":
            found += [(name, *row) for row in connection.execute(f"pragma table_xinfo('{name}')")]
            found += [(name, *row[2:]) for row in connection.execute(f"pragma foreign_key_list('{name}')")]
            found += [(name, *row[2:]) for row in connection.execute(f"pragma index_list('{name}')")]
        else:
            found += [(name, *row) for row in connection.execute(f"pragma index_xinfo('{name}')")]
            found += connection.execute(f"select sql from sqlite_master where name = '{name}'").fetchall()
    connection.close()
    rows = [tuple(map(str, row)) for row in found]
    return sorted(row for row in rows if not row[1:] or not row[1].startswith(("sqlite_", "alembic_")))


# -- migrations ------------------------------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    """A new store, made at once, is what the migrations make one after the other, to the index and the trigger."""
    migrate(url_of(tmp_path))
    upgraded(tmp_path / "upgraded.db", REVISION)
    new, old = (rows_of(tmp_path / name) for name in ("books.db", "upgraded.db"))
    assert tables_of(tmp_path / "upgraded.db") == tables_of(tmp_path / "books.db")
    assert [(REVISION,)] == new.pop("alembic_version") == old.pop("alembic_version")
    (((new_salt,),), ((old_salt,),)) = (found.pop("personal_salt") for found in (new, old))
    assert (len(old_salt), True) == (len(new_salt), new_salt != old_salt)
    assert old == new
    assert [] == [name for name, rows in new.items() if rows]


def rows_of(path: Path) -> dict[str, list[tuple[str, ...]]]:
    """What the tables of a database have, by name."""
    connection = sqlite3.connect(path)
    names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    found = {name: connection.execute(f"select * from {name}").fetchall() for name in names}
    connection.close()
    return found


def test_alembic_finds_nothing_to_migrate(tmp_path: Path) -> None:
    """The schema has no change that no migration makes."""
    upgraded(tmp_path / "books.db", REVISION)
    engine = create_engine(url_of(tmp_path))
    with engine.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()


def test_the_schema_names_the_latest_migration() -> None:
    """The revision that stores are compared with is the head of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert [REVISION] == ScriptDirectory.from_config(config).get_heads()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    """A store that is up to date is opened as it is, and migrating it again is harmless."""
    store = SqlStore.open(url_of(tmp_path))
    book = Book()
    take(book, store, [started("x")])
    store.commit(commit_of(book))
    store.close()
    migrate(url_of(tmp_path))
    again = SqlStore.open(url_of(tmp_path), create=False)
    assert [started("x")] == list(again.lines())
    again.close()


def before_partitions(path: Path, made: Path, lines: Sequence[bytes]) -> None:
    """A store as the first migration made it, with the rows of a newer one, whose facts stand there as they came."""
    upgraded(path, "0001")
    store = sqlite3.connect(path)
    store.execute(f"attach '{made}' as made")
    for (table,) in store.execute("select name from sqlite_master where type = 'table'").fetchall():
        if table != "alembic_version":
            columns = ", ".join(f'"{row[1]}"' for row in store.execute(f"pragma table_info('{table}')"))
            store.execute(f"insert into {table} ({columns}) select {columns} from made.{table}")
    store.execute("delete from tenants where id not in (select tenant_id from allocations)")
    ((count, body),) = store.execute("select facts, body from fact_pages").fetchall()
    page = unpack(zstandard.decompress(body), count)
    facts = [NewFact(0, *fact) for fact in zip(page.previous, page.received, lines, strict=True)]
    store.execute("update fact_pages set body = ?", [zstandard.compress(pack(facts))])
    store.commit()
    store.close()


def kept_in(path: Path) -> list[bytes]:
    """The pages of facts of a store."""
    connection = sqlite3.connect(path)
    bodies = [zstandard.decompress(body) for (body,) in connection.execute("select body from fact_pages")]
    connection.close()
    return bodies


def test_a_store_of_before_partitions_becomes_partition_0(tmp_path: Path) -> None:
    """Everything that was in it is there, tenants with nothing but a profile own their row, and it goes on."""
    (tmp_path / "made").mkdir()
    made = SqlStore.open(url_of(tmp_path / "made"))
    book = Book()
    profile = event("tenant.profiled", 3, "//cloud", "profile", {"tenant": "basalt", "legal_name": "Basalt Ltd"})
    lines = [started("x"), profile, seen("x", 60), started("y", 61), stopped("y", 70)]
    take(book, made, lines)
    letter = Rejected(Record("events.jsonl", 0, 1, 2, b"{", None), "json", "Not JSON.")
    entries = [JournalEntry(TICK, {"as_of": 5})]
    made.commit(commit_of(book, 400, rejected=[letter], journal=entries))
    made.record([JournalEntry(DECISION, {"accept": "events.jsonl"})], 9)
    made.close()
    before_partitions(tmp_path / "books.db", tmp_path / "made" / "books.db", lines)
    store = SqlStore.open(url_of(tmp_path), create=False)
    assert known_of(book) == known_of(loaded_book(store))
    assert lines == list(store.lines())
    assert b"Basalt Ltd" not in b"".join(kept_in(tmp_path / "books.db"))
    assert {("events.jsonl", 0): StoredPosition(1, 400, book.clock, "c0ffee")} == store.positions()
    assert {"amber": 0, "basalt": 0} == store.owners(["amber", "basalt"])
    assert ([0], 5) == (store.partitions(), store.last_tick())
    assert [0, None] == [row.partition for row in store.journal()]
    assert [("waiting", False, None)] == [(one.state, one.published, one.key) for one in store.dead_letters()]
    take(book, store, [stopped("x", 120), started("z", 130, tenant="cobalt")])
    store.commit(commit_of(book, 500))
    assert known_of(book) == known_of(loaded_book(store.beside(0)))
    assert not store.has_pieces()
    make_pieces(loaded_book(store), store, 0)
    assert store.has_pieces()
    assert ["x", "y"] == sorted(store.finished("amber"))
    store.close()
    (tmp_path / "new").mkdir()
    migrate(url_of(tmp_path / "new"))
    assert tables_of(tmp_path / "new" / "books.db") == tables_of(tmp_path / "books.db")


def test_an_interrupted_migration_leaves_an_empty_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrations are one transaction: if one fails, the next opening starts from where the store was."""
    path = tmp_path / "books.db"
    run(path, "pragma max_page_count = 1000")
    monkeypatch.setattr("monitor.store.database.PRAGMAS", ("max_page_count = 8",))
    with pytest.raises(StoreProblem, match="is full"):
        SqlStore.open(url_of(tmp_path))
    monkeypatch.undo()
    assert [] == tables_of(path)
    SqlStore.open(url_of(tmp_path)).close()


# -- refusals --------------------------------------------------------------------------------------------------------


def no_database(path: Path) -> None:
    path.write_text("This is a letter to a friend, and no database of anything at all. " * 40)


def other_database(path: Path) -> None:
    run(path, "create table cookbook (recipe text)")


def newer_store(path: Path) -> None:
    migrate(f"sqlite:///{path}")
    run(path, "update alembic_version set version_num = '9999'")


def damaged_store(path: Path) -> None:
    migrate(f"sqlite:///{path}")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 8)


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("no database", no_database, "is not a store but some other file: give the path of a store, or of a new file"),
    ("another database", other_database, "is the database of something else: give the path of a store"),
    ("a newer store", newer_store, "was written by a newer flopwatch .*9999.*: install that version"),
    ("a damaged store", damaged_store, "is damaged: restore a backup, or replay the event files into a new store"),
    ("a folder", Path.mkdir, "cannot be opened: give a file in a folder that this user can write to"),
]


@pytest.mark.parametrize(("prepare", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
@pytest.mark.parametrize("create", [True, False])
def test_what_is_no_store_of_ours_is_refused(
    tmp_path: Path, prepare: Callable[[Path], object], says: str, create: bool
) -> None:
    """Each kind of wrong file gives its own sentence, which names the file and says what to do."""
    path = tmp_path / "books.db"
    prepare(path)
    with pytest.raises(StoreProblem, match=says) as refused:
        SqlStore.open(url_of(tmp_path), create)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "url", ["books.db", "nonsense://books", "mysql://host/books", "sqlite://", "sqlite:///:memory:"]
)
def test_a_wrong_address_is_refused(url: str) -> None:
    """What is no address of an embedded store is refused with an example of one."""
    with pytest.raises(StoreProblem, match=r"sqlite:///books\.db"):
        SqlStore.open(url)


def test_a_store_that_is_not_there_is_only_made_if_asked_for(tmp_path: Path) -> None:
    """A question about a store that does not exist says so, and makes no file."""
    with pytest.raises(StoreProblem, match=r"There is no store at .*books.db"):
        SqlStore.open(url_of(tmp_path), create=False)
    assert [] == list(tmp_path.iterdir())


def test_an_empty_file_is_no_store_yet(tmp_path: Path) -> None:
    """An empty file is refused where a store is expected, and made into one where that is asked for."""
    (tmp_path / "books.db").touch()
    with pytest.raises(StoreProblem, match="is an empty file, not a store"):
        SqlStore.open(url_of(tmp_path), create=False)
    SqlStore.open(url_of(tmp_path)).close()


def test_a_store_in_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A path that cannot be made says so."""
    with pytest.raises(StoreProblem, match="cannot be opened: give a file in a folder that this user can write to"):
        SqlStore.open(f"sqlite:///{tmp_path}/none/books.db")


def test_a_damaged_page_of_facts_is_found_when_it_is_read(tmp_path: Path) -> None:
    """Facts that were changed behind the program's back are a sentence, never a traceback."""
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    take(book, store, [started(f"a {number}") for number in range(100)])
    store.commit(commit_of(book))
    run(tmp_path / "books.db", "update fact_pages set body = x'00' where page = 0")
    with pytest.raises(StoreProblem, match="Page 0 of the facts in the store is damaged"):
        list(store.lines())
    store.close()


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("SQLITE_IOERR_WRITE", "Reading or writing the store books.db failed: check its disk"),
        ("SQLITE_LOCKED", "The store books.db is in use by another process"),
        ("SQLITE_PERM", "The store books.db cannot be written"),
        ("SQLITE_SCHEMA", "The store books.db reports: it broke. What was committed before is safe"),
    ],
)
def test_every_trouble_of_the_database_has_a_sentence(cause: str, says: str) -> None:
    """Troubles that a test cannot bring about have their sentences, and any other one has the database's own words."""
    error = sqlite3.OperationalError("it broke")
    error.sqlite_errorname = cause
    assert sentence("books.db", error).startswith(says)
