"""Backups of a store: one state of it, for its owner alone, and refused with a sentence where they cannot be made."""

from __future__ import annotations

import ast
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import monitor.store
from monitor.errors import StoreProblem
from monitor.store import backup
from monitor.store.backup import back_up, restore
from monitor.store.database import migrate, revision_of
from monitor.store.schema import REVISION
from monitor.store.sql import SqlStore
from tests.store.test_opening import run, upgraded

VERSIONS = sorted((Path(monitor.store.__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
FIRST_ADDITIVE = "0015"  # workers of before go on beside these
ADDING = {"create_table", "add_column", "create_index", "execute", "get_bind"}


def quiet(_done: int, _total: int | None) -> None:
    """No bar."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store with nothing in it, of each kind."""
    address = f"sqlite:///{tmp_path / 'books.db'}"
    if request.param == "postgresql":
        address = str(request.getfixturevalue("shared"))
    migrate(address)
    return address


def test_a_backup_is_for_its_owner_alone_and_replaces_nothing(url: str, tmp_path: Path) -> None:
    """Nobody else may read the file; a second one under its name is refused; nothing half-made is left."""
    file = tmp_path / "saved"
    made = back_up(url, file, quiet)

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert (file, file.stat().st_size, REVISION) == (made.file, made.bytes, made.revision)
    with pytest.raises(StoreProblem, match="exists: give the name of a new file"):
        back_up(url, file, quiet)
    assert [] == [one.name for one in tmp_path.iterdir() if one.name.endswith(".part")]


def test_a_restore_replaces_nothing(url: str, tmp_path: Path) -> None:
    """Where a store is, none is put."""
    back_up(url, tmp_path / "saved", quiet)

    with pytest.raises(StoreProblem, match="already: restore into a new one"):
        restore(url, tmp_path / "saved")


def test_a_backup_of_one_database_is_none_of_the_other(shared: str, tmp_path: Path) -> None:
    """Each kind says what it is and what the store is."""
    here = f"sqlite:///{tmp_path / 'books.db'}"
    for address in (here, shared):
        migrate(address)
    back_up(here, tmp_path / "file", quiet)
    back_up(shared, tmp_path / "dump", quiet)

    with pytest.raises(StoreProblem, match="is a backup of SQLite and the store is PostgreSQL"):
        restore(shared, tmp_path / "file")
    with pytest.raises(StoreProblem, match="is a backup of PostgreSQL and the store is an SQLite file"):
        restore(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "dump")


def test_what_is_no_backup_is_said(tmp_path: Path) -> None:
    """Something else, half a file, a file that is not there, one of a newer program, and no store to copy."""
    here, new = f"sqlite:///{tmp_path / 'books.db'}", f"sqlite:///{tmp_path / 'new.db'}"
    migrate(here)
    whole, half, strange, newer = (tmp_path / name for name in ("whole", "half", "strange", "newer"))
    back_up(here, whole, quiet)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    strange.write_text("no backup", encoding="utf-8")
    newer.write_bytes(whole.read_bytes())
    run(newer, "update alembic_version set version_num = '9999'")
    cases = {
        half: "is not right|is damaged",
        strange: "is no backup",
        tmp_path / "none": "no such file",
        newer: "written by a newer flopwatch",
    }
    for file, sentence in cases.items():
        with pytest.raises(StoreProblem, match=sentence):
            restore(new, file)
    with pytest.raises(StoreProblem, match="There is no store at"):
        back_up(new, tmp_path / "nothing", quiet)
    with pytest.raises(StoreProblem, match="cannot be read or written: no such file"):
        back_up(here, tmp_path / "none" / "file", quiet)
    assert revision_of(new) is None


def test_a_page_that_was_overwritten_is_seen(tmp_path: Path) -> None:
    """A backup whose inside is not what SQLite wrote makes no store."""
    here = f"sqlite:///{tmp_path / 'books.db'}"
    migrate(here)
    made = back_up(here, tmp_path / "saved", quiet).file
    content = bytearray(made.read_bytes())
    content[4096 * 3 : 4096 * 5] = os.urandom(4096 * 2)
    made.write_bytes(content)

    with pytest.raises(StoreProblem, match=r"is damaged|is not right"):
        restore(f"sqlite:///{tmp_path / 'new.db'}", made)


def test_a_dump_of_something_else_is_said(shared: str, tmp_path: Path) -> None:
    """A dump without our tables is no backup of ours."""
    with psycopg.connect(shared) as connection:
        connection.execute("create table something (number bigint)")
    backup._run("pg_dump", shared, "--format=custom", f"--file={tmp_path / 'dump'}")

    with pytest.raises(StoreProblem, match="is a dump of something else"):
        restore(shared, tmp_path / "dump")


def test_programs_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch, shared: str, tmp_path: Path) -> None:
    """Without PostgreSQL's programs a sentence says what to install; one that fails says why."""
    migrate(shared)
    monkeypatch.setattr(backup, "DEBIAN_PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreProblem, match="pg_dump is not installed"):
        back_up(shared, tmp_path / "saved", quiet)
    assert not (tmp_path / "saved").exists()


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Path]:
    """A store to which somebody writes two rows in each transaction, without a pause."""
    path = tmp_path / "books.db"
    migrate(f"sqlite:///{path}")
    run(path, "create table pairs (number integer primary key)", "insert into pairs values (1), (2)")
    end = threading.Event()

    def write() -> None:
        connection = sqlite3.connect(path, timeout=30)
        number = 3
        while not end.is_set():
            connection.executemany("insert into pairs values (?)", [(number,), (number + 1,)])
            connection.commit()
            number += 2
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    yield path
    end.set()
    thread.join()


def test_a_backup_is_one_state_of_a_store_in_use(writing: Path, tmp_path: Path) -> None:
    """Whatever is committed meanwhile, a transaction is in it whole or not at all; and copying comes to an end."""
    for number in range(5):
        file = back_up(f"sqlite:///{writing}", tmp_path / f"saved-{number}", quiet).file
        connection = sqlite3.connect(file)
        (rows,) = connection.execute("select count(*) from pairs").fetchone()
        connection.close()

        assert 0 == rows % 2


def test_an_older_backup_is_brought_up_to_date(tmp_path: Path) -> None:
    """It says what it was, and the store that is made of it has all tables of today."""
    here, new = f"sqlite:///{tmp_path / 'books.db'}", f"sqlite:///{tmp_path / 'new.db'}"
    upgraded(tmp_path / "books.db", "0013")
    made = back_up(here, tmp_path / "saved", quiet)

    assert ("0013", "0013") == (made.revision, revision_of(here))
    restore(new, made.file)
    assert REVISION == revision_of(new)
    SqlStore.open(new).close()


# -- migrations beside old workers -------------------------------------------------------------------------------------


def takes_away(source: str) -> set[str]:
    """What a migration does, on the way up, that a worker of before might not survive."""
    (upgrade,) = (
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    done = {
        node.func.attr
        for node in ast.walk(upgrade)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "op"
    }
    return done - ADDING


def test_migrations_only_add() -> None:
    """From the first release on a migration adds tables, columns and indexes, since old workers run beside it."""
    assert {} == {
        file.name: found
        for file in VERSIONS
        if file.name[:4] >= FIRST_ADDITIVE and (found := takes_away(file.read_text(encoding="utf-8")))
    }


def test_a_migration_that_takes_away_is_seen() -> None:
    """A dropped column or another type is found."""
    source = "def upgrade():\n    op.add_column('a', b)\n    op.drop_column('a', 'c')\n    op.alter_column('a', 'd')\n"

    assert {"drop_column", "alter_column"} == takes_away(source)
