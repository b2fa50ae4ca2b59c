"""What allocations held, from the facts of a store: exactly what the commits moved, in each kind of database."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from monitor.core.book import Book
from monitor.core.model import Traits
from monitor.core.timeline import Effects
from monitor.intake.decode import decode_facts
from monitor.run import holdings
from monitor.run.holdings import finished
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore
from tests.core.facts_strategy import event_sets, in_batches
from tests.core.table import events
from tests.core.test_books_property import PHASES, seeds
from tests.store.taking import commit_of, loaded_book, take, url_of

TABLES = {
    "pieces and measurements": """
        0   start x accelerator=H100 count=8 job=a tenant=amber
        50  telemetry x window=40 observer=provider active=0.5 tenant=amber
        60  resize x count=4 job=b tenant=amber
        90  stop x tenant=amber
        95  start x tenant=amber
        """,
    "an inner layer": """
        0   start node accelerator=H100 count=8 tenant=amber
        5   start pod accelerator=H100 count=2 within=node job=a tenant=amber
        6   start alone accelerator=H100 count=2 within=nobody tenant=amber
        60  stop pod tenant=amber
        60  stop alone tenant=amber
        90  stop node tenant=amber
        """,
    "an outer layer that only a report names": """
        0   start pod accelerator=H100 count=2 within=node region=east tenant=amber
        30  stop pod tenant=amber
        50  report east node=8 tenant=amber
        80  report east node=6 tenant=amber
        90  report east other=1 tenant=amber
        """,
    "retractions": """
        0   start x accelerator=H100 count=8 id=a tenant=amber
        40  stop x tenant=amber
        50  start x accelerator=A100 count=8 tenant=amber
        60  seen x job=j id=wrong tenant=amber
        90  stop x tenant=amber
        99  retract a tenant=amber
        99  retract wrong tenant=amber
        """,
    "inventory reports": """
        0   start x accelerator=H100 count=8 region=east tenant=amber
        30  report east x=4 tenant=amber
        60  report east y=2 tenant=amber
        90  report east y=2 tenant=amber
        95  stop y tenant=amber
        """,
    "a tenant that holds all still": "0 start x accelerator=H100 count=8 job=a tenant=amber",
    "facts of a tenant that hold nothing": "0 profile p tenant=amber",
}


def filled(found: Mapping[str, Effects]) -> dict[str, tuple[list[object], list[object]]]:
    """Pieces and measurements of the allocations that have some."""
    return {name: (list(one.pieces), list(one.measurements)) for name, one in found.items() if any(one[:2])}


def in_memory(lines: list[bytes]) -> tuple[Book, MemoryArchive]:
    """A book of everything, and what its commits moved."""
    book, archive = Book(), MemoryArchive()
    take(book, archive, lines)
    archive.commit(book.drain())
    return book, archive


def same_as_memory(store: SqlStore, lines: list[bytes]) -> None:
    """A book loaded from the store has what memory has, and its open timelines the traits."""
    kept, archive = in_memory(lines)
    for name in kept.tenants:
        book = loaded_book(store)
        assert filled(archive.finished(name)) == filled(finished(book, store, name))
        assert {key: one.traits for key, one in kept.tenants[name].held()} == {
            key: one.traits for key, one in book.tenants[name].held()
        }


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_store_gives_what_memory_gives(url: str, case: str, batch: int) -> None:
    """The same pieces and measurements, with the same traits, however many facts a commit has."""
    lines = events(TABLES[case])
    store = SqlStore.open(url)
    book = Book()
    for start in range(0, len(lines), batch):
        take(book, store, lines[start : start + batch])
        store.commit(commit_of(book))

    same_as_memory(store, lines)
    store.close()


def test_nobody_knows_a_tenant_that_never_came(url: str) -> None:
    """A store that has no fact of a tenant has none of its allocations either."""
    store = SqlStore.open(url)

    assert {} == store.heads_of("amber")
    assert {} == finished(Book(), store, "amber")
    store.close()


def test_more_allocations_than_are_read_at_once(url: str) -> None:
    """All of many allocations are there, each with its own job."""
    number = holdings.ALLOCATIONS_AT_ONCE + 1
    lines = events(
        "\n".join(
            f"0 start x{n} accelerator=H100 count=1 job=j{n} tenant=amber \n 9 stop x{n} tenant=amber"
            for n in range(number)
        )
    )
    store = SqlStore.open(url)
    book = Book()
    take(book, store, lines)
    store.commit(commit_of(book))

    found = finished(loaded_book(store), store, "amber")

    assert {f"x{n}": [Traits(job=f"j{n}")] for n in range(number)} == {
        name: [piece.traits for piece in one.pieces] for name, one in found.items()
    }
    store.close()


TWO = """
    0   start x accelerator=H100 count=8 region=east job=a tenant=amber
    0   start x accelerator=A100 count=4 region=east tenant=basalt
    20  resize x count=2 job=b tenant=basalt
    30  report east x=4 tenant=amber
    60  report east x=1 tenant=basalt
    70  start pod accelerator=H100 count=1 within=x tenant=amber
    80  stop x tenant=basalt
    90  stop pod tenant=amber
    """


def test_each_partition_has_the_holdings_of_its_tenants(url: str) -> None:
    """Books of several partitions, each with all reports: every tenant has there what one book has of it."""
    lines = events(TWO)
    kept, archive = in_memory(lines)
    store = SqlStore.open(url)
    for number, name in enumerate(["amber", "basalt"]):
        beside = store.beside(number)
        beside.claim()
        book = Book(adopts=lambda tenant, own=name: tenant == own)
        book.elsewhere = {"amber", "basalt"} - {name}
        take(
            book,
            beside,
            [line for line, fact in zip(lines, decode_facts(lines), strict=True) if fact.tenant in ("", name)],
        )
        beside.commit(commit_of(book))

        assert filled(archive.finished(name)) == filled(finished(loaded_book(beside), beside, name))
    assert {"amber", "basalt"} == set(kept.tenants)
    store.close()


@settings(
    max_examples=25,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(event_sets(), seeds)
def test_random_facts_of_a_store_give_what_memory_gives(tmp_path: Path, lines: list[bytes], seed: int) -> None:
    """Random facts in random order, some twice, in batches: the store and memory agree."""
    folder = tmp_path / str(next(NUMBERS))
    folder.mkdir()
    store = SqlStore.open(url_of(folder))
    book = Book()
    for batch in in_batches(lines, random.Random(seed)):
        take(book, store, batch)
        store.commit(commit_of(book))

    same_as_memory(store, lines)
    store.close()


NUMBERS = count()
