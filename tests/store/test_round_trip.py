"""What a store gives back is what was committed, whenever a process ended in between."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from monitor.core.book import Book
from monitor.core.engine import books_digest
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.run.holdings import folded
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore
from tests.core.facts_strategy import LATEST_MS, event_sets, in_batches
from tests.store.taking import commit_of, event, filled, known_of, loaded_book, seen, started, stopped, take, url_of

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


def recall(book: Book, store: SqlStore) -> None:
    """Bring all hours back into memory."""
    for name, tenant in book.tenants.items():
        if tenant.ledger.resident_from:
            tenant.ledger.recall(*store.old_hours(name, tenant.ledger.resident_from))


def check(folder: Path, lines: Sequence[bytes], seed: int) -> None:
    """A store that is opened anew at random commits knows what a book in memory knows, at every commit: its books, and
    what allocations have held.

    Its own book lets go of old hours, and recalls them at random.
    """
    chance = random.Random(seed)
    memory, archive = Book(), MemoryArchive()
    store = SqlStore.open(url_of(folder))
    book = loaded_book(store, resident_hours=1)
    try:
        for number, batch in enumerate(in_batches(lines, chance)):
            facts, received = decode_facts(batch), [None] * len(batch)
            take_in(memory, archive, facts, received)
            archive.commit(memory.drain())
            if chance.random() < 0.3:  # a crash: what was taken in since the last commit is lost, and read again
                lost = chance.randint(0, len(facts))
                take_in(book, store, facts[:lost], received[:lost])
                store.close()
                store = SqlStore.open(url_of(folder))
                book = loaded_book(store, resident_hours=1)
            take_in(book, store, facts, received)
            if chance.random() < 0.2:
                recall(book, store)
            store.commit(commit_of(book, number))
            if chance.random() < 0.5:
                store.close()
                store = SqlStore.open(url_of(folder))
                book = loaded_book(store, resident_hours=1)
            assert books_digest(memory, LATEST_MS) == books_digest(book, LATEST_MS)
            if chance.random() < 0.2:
                recall(book, store)
                assert known_of(memory) == known_of(book)
            assert known_of(memory) == known_of(loaded_book(store))
            assert sorted(archive.lines()) == sorted(store.lines())
            assert [] == allocations_twice(folder)
            for name in memory.tenants:
                assert filled(archive.finished(name)) == filled(store.finished(name))
        for name in memory.tenants:
            assert filled(archive.finished(name)) == filled(folded(loaded_book(store), store, name))
    finally:
        store.close()


def allocations_twice(folder: Path) -> list[tuple[int, str]]:
    """Allocations that have more than one row, as (tenant, name)."""
    connection = sqlite3.connect(folder / "books.db")
    rows = connection.execute("select tenant_id, name from allocations group by 1, 2 having count(*) > 1").fetchall()
    connection.close()
    return rows


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with nothing in it, to copy."""
    folder = tmp_path_factory.mktemp("empty")
    SqlStore.open(url_of(folder)).close()
    return folder / "books.db"


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(event_sets(), st.integers(0, 2**32 - 1))
def test_a_store_knows_what_memory_knows(empty: Path, lines: list[bytes], seed: int) -> None:
    """Any facts in any batches, with a new process after any of them, give the same books."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, folder)
        check(Path(folder), lines, seed)


@pytest.mark.torture
@settings(max_examples=5_000, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(event_sets(40), st.integers(0, 2**32 - 1))
def test_many_more_round_trips(empty: Path, lines: list[bytes], seed: int) -> None:
    """The same over many more and larger sets."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, folder)
        check(Path(folder), lines, seed)


def test_an_inner_layer_waits_for_its_outer_one_across_a_restart(tmp_path: Path) -> None:
    """A layer that counted for want of its outer one stops counting when that appears after a restart."""
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    take(book, store, [started("pod", within="node"), stopped("pod", 3_600)])
    store.commit(commit_of(book))
    store.close()
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    assert 8_000 * 3_600_000 == sum(book.tenants["amber"].ledger.totals.values())
    take(book, store, [started("node", 1)])
    assert 0 == sum(book.tenants["amber"].ledger.totals.values())
    store.close()


def test_a_late_report_reaches_allocations_that_are_only_in_the_store(tmp_path: Path) -> None:
    """An inventory report older than a closed allocation's last fact restates it after a restart."""
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    take(book, store, [started("x"), seen("x", 600), stopped("x", 3_600)])
    store.commit(commit_of(book))
    store.close()
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    report = {"region": "east", "allocations": [], "complete": True, "capacity": {}, "part": 1, "parts": 1}
    take(book, store, [event("inventory.reported", 1_200, "//cloud", "report", report)])
    totals = {key[1]: total for key, total in book.tenants["amber"].ledger.totals.items()}
    assert {"certain": 8_000 * 600_000, "open": 8_000 * 600_000} == totals
    store.close()


def test_a_retraction_reaches_allocations_that_are_only_in_the_store(tmp_path: Path) -> None:
    """A fact of a closed allocation is retracted after a restart."""
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    take(book, store, [started("x"), stopped("x", 3_600)])
    store.commit(commit_of(book))
    store.close()
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    data = {"tenant": "amber", "retracts": {"source": "//cloud", "id": "start x"}, "reason": "a test"}
    take(book, store, [event("fact.retracted", 7_200, "//cloud", "retraction", data)])
    assert 0 == sum(book.tenants["amber"].ledger.totals.values())
    store.close()


def test_every_tenant_is_evaluated_after_a_restart(tmp_path: Path) -> None:
    """Nobody knows which tenants were evaluated since their last commit, so all are dirty."""
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    take(book, store, [started("x"), started("y", tenant="basalt")])
    store.commit(commit_of(book))
    assert {"amber", "basalt"} == loaded_book(store).dirty_tenants
    store.close()


def test_alive_facts_are_remembered_up_to_a_limit(tmp_path: Path) -> None:
    """An `alive` fact that was in the store is a duplicate after a restart."""
    store = SqlStore.open(url_of(tmp_path))
    book = loaded_book(store)
    alive = [
        event("source.alive", second, "//cloud", f"alive {second}", {"source": "//cloud", "sent": {}})
        for second in (0, 9)
    ]
    take(book, store, alive)
    store.commit(commit_of(book))
    book = loaded_book(store)
    take(book, store, alive)
    assert (0, 2) == (book.counts.accepted, book.counts.duplicate)
    store.close()
