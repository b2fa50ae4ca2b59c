"""The audit in a database of one kind: what SQLite's file holds, what a transaction of PostgreSQL has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.core.audit import NAMED, Fault, Person, personal_hash, verify
from monitor.errors import StoreProblem
from monitor.store.auditing import append, chain, remember
from monitor.store.database import PRAGMAS, connect
from monitor.store.sql import SqlStore
from tests.contract.test_auditing import add, without_triggers
from tests.store.taking import AT, url_of


def test_a_row_that_is_no_text_any_more_is_named(tmp_path: Path) -> None:
    """Bytes of SQLite's file that are no UTF-8, or no number, are a changed row, and no trouble of the database."""
    database = connect(url_of(tmp_path), create=True)
    for number, change in ((3, "subject = cast(x'ff41' as text)"), (2, "at = 'yesterday'"), (1, "body = x'00'")):
        add(database, 4)
        with database.writing() as connection:
            if number == 3:
                without_triggers(connection)
            connection.exec_driver_sql(f"update audit set {change} where number = {number}")
        with database.reading() as connection:
            broken = verify(chain(connection)).broken
        assert broken is not None
        assert (number, Fault.CHANGED) == (broken.first, broken.fault)
    database.engine.dispose()


def test_a_transaction_that_saw_the_store_before_must_begin_again(shared: str) -> None:
    """On PostgreSQL, where it may see one state throughout: a sentence, no fork of the chain."""
    database, other = connect(shared, create=True), connect(shared, create=True)

    def late() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("set transaction isolation level repeatable read")
            list(chain(connection))
            add(other, 1)
            append(connection, AT, "x", "test.late", "", {})

    add(database, 1)
    with pytest.raises(StoreProblem, match="Somebody else has added to the audit"):
        late()

    assert 3 == add(database, 1)[0].number
    other.engine.dispose()
    database.engine.dispose()


def test_two_stores_have_two_salts(tmp_path: Path) -> None:
    """The hash of a name in one says nothing about the other."""
    hashes = set()
    for name in ("one", "two"):
        database = connect(f"sqlite:///{tmp_path / name}", create=True)
        with database.writing() as connection:
            hashes.add(remember(connection, NAMED, "ana"))
        database.engine.dispose()

    assert 2 == len(hashes)
    assert personal_hash("", NAMED, "ana") not in hashes


def test_an_erased_name_is_no_longer_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an SQLite store that was closed: not in the page that held it either, however SQLite was built."""
    monkeypatch.setattr("monitor.store.database.PRAGMAS", (*PRAGMAS, "secure_delete = OFF"))
    store = SqlStore.open(url_of(tmp_path))
    added = store.audit.add(AT, Person(NAMED, "ana of a long name, " * 20), "evidence.read", "F-1", {})
    assert store.audit.erase(added.actor, AT)
    assert not store.audit.erase(added.actor, AT)
    store.close()

    assert [] == [path for path in tmp_path.iterdir() if b"ana of a long name" in path.read_bytes()]
    assert added.actor.encode() in (tmp_path / "books.db").read_bytes()
