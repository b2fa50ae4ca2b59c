"""Tenants that move between partitions, in each kind of database: the same books, each tenant where its records go."""

from __future__ import annotations

from itertools import islice

import pytest

from monitor.app import decisions, stores, views
from monitor.core.book import Book
from monitor.core.partitions import adopter, partition_of
from monitor.errors import Overtaken, SettingsProblem
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.run.task import JOURNAL
from monitor.settings import Settings
from monitor.simulate.scenarios import simulate
from monitor.store import ACTIVATION, Commit, JournalEntry, Position
from monitor.store.sql import SqlStore

TENANTS, CONTROL = "flopwatch.tenants", "flopwatch.control"
BEFORE, AFTER = 2, 5


@pytest.fixture
def settings(url: str) -> Settings:
    """A store with the books of two partitions."""
    settings = Settings(store_url=url)
    facts = decode_facts([line.rstrip(b"\n") for line in islice(simulate("demo").events(), 1_500)])
    with stores.opened_store(url) as store:
        store.record([JournalEntry(ACTIVATION, {"partitions": BEFORE})], 0)
        for number in range(BEFORE):
            books = store.beside(number)
            book = Book(settings.lateness_ms)
            book.adopts = adopter(number, BEFORE, "murmur2")
            ours = [fact for fact in facts if not fact.tenant or partition_of(fact.tenant, BEFORE) == number]
            take_in(book, books, ours, [7] * len(ours))
            places = [(TENANTS, number, 100 + number), (CONTROL, 0, 30 + number), (*JOURNAL, 1)]
            positions = [Position(*place, book.clock, "id") for place in places]
            books.commit(Commit(book.drain(), book, positions, [], [], [], 0))
    return settings


def opened(settings: Settings) -> SqlStore:
    """The store of some settings, which the test closes."""
    return SqlStore.open(settings.store_url, create=False)


def quiet(done: int, total: int | None) -> None:
    """Nobody looks how far it is."""


def test_the_books_are_the_same_and_each_tenant_is_where_it_belongs(settings: Settings) -> None:
    """Two partitions become five: the same digests, tenants moved by name, positions as far as all had read."""
    before = views.verify_store(settings, None, None)

    done = decisions.repartition_books(settings, None, AFTER, quiet)
    after = views.verify_store(settings, None, None)

    assert [] == before.problems == after.problems
    assert before.answer == after.answer
    assert (BEFORE, AFTER, len(before.answer.tenants)) == done[:3]
    assert 0 < done.moved < done.tenants
    store = opened(settings)
    try:
        names = [tenant.tenant for tenant in before.answer.tenants]
        assert {name: partition_of(name, AFTER) for name in names} == store.owners(names)
        places = {
            number: {where: (one.next_offset, one.check) for where, one in found.items()}
            for number, found in store.book_positions().items()
        }
        shared = {(CONTROL, 0): (30, "id"), JOURNAL: (1, "id")}
        assert {
            0: {(TENANTS, 0): (100, "id"), **shared},
            1: {(TENANTS, 1): (101, "id"), **shared},
            **dict.fromkeys(range(BEFORE, AFTER), shared),
        } == places
        assert {7} == {fact.received for number in range(AFTER) for fact in store.beside(number).facts()}
    finally:
        store.close()


def test_fewer_partitions_and_back(settings: Settings) -> None:
    """Two become one and one becomes two: nothing is lost on the way."""
    before = views.verify_store(settings, None, None)
    decisions.repartition_books(settings, None, 1, quiet)
    decisions.repartition_books(settings, None, BEFORE, quiet)

    assert before == views.verify_store(settings, None, None)


def test_a_worker_that_still_runs_cannot_commit(settings: Settings) -> None:
    """Its books are of another number of partitions: its commit is refused, and nothing counts twice."""
    store = opened(settings)
    try:
        books = store.beside(0)
        book = stores.load(books).book
        decisions.repartition_books(settings, None, AFTER, quiet)
        with pytest.raises(Overtaken):
            books.commit(Commit(book.drain(), book, [], [], [], [], 0))
    finally:
        store.close()


def test_a_crash_in_the_middle_changes_nothing(settings: Settings) -> None:
    """It is one transaction."""
    before = views.verify_store(settings, None, None)

    def crash(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decisions.repartition_books(settings, None, AFTER, crash)

    assert before == views.verify_store(settings, None, None)
    assert BEFORE == decisions.repartition_books(settings, None, AFTER, quiet).before


def test_what_cannot_be_right_is_refused(settings: Settings, tmp_path: object) -> None:
    """The same number, another partitioner than that of the producers, books of files: each a sentence."""
    with pytest.raises(SettingsProblem, match="kept for 2 partitions already"):
        decisions.repartition_books(settings, None, BEFORE, quiet)
    other = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"partitioner": "crc32"})})
    with pytest.raises(SettingsProblem, match=r"set `kafka\.partitioner` to the one that the producers use"):
        decisions.repartition_books(other, None, AFTER, quiet)
    files = Settings(store_url=f"sqlite:///{tmp_path}/files.db")
    SqlStore.open(files.store_url).close()
    with pytest.raises(SettingsProblem, match="were not read from Kafka"):
        decisions.repartition_books(files, None, AFTER, quiet)
