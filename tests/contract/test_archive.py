"""What every archive does, whatever it keeps its facts in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.core.book import Book
from monitor.core.timeline import fingerprint
from monitor.run.apply import Archive
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore
from tests.store.cluster import new_store
from tests.store.taking import commit_of, seen, started, stopped, take, url_of


class Kept(NamedTuple):
    """An archive, how its facts are committed, and how all of them are read."""

    archive: Archive
    commit: Callable[[Book], None]
    lines: Callable[[], Iterable[bytes]]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """Each archive in turn, empty."""
    if request.param == "memory":
        memory = MemoryArchive()
        yield Kept(memory, lambda book: memory.commit(book.drain()), memory.lines)
    else:
        url = url_of(tmp_path) if request.param == "sqlite" else new_store(request.getfixturevalue("postgres"))
        store = SqlStore.open(url)
        yield Kept(store, lambda book: store.commit(commit_of(book)), store.lines)
        store.close()


KEY = ("amber", "x")
FACTS = [started("x"), *[seen("x", seconds) for seconds in range(10, 2_000, 10)], stopped("x", 2_000)]


def test_nothing_is_known_at_first(kept: Kept) -> None:
    """An empty archive knows no allocation, and says so of any question."""
    assert {} == kept.archive.heads([KEY])
    assert {} == kept.archive.marked("amber", [b"abc"])
    assert {} == kept.archive.settled("east", -1)
    assert [] == list(kept.lines())


def test_a_commit_makes_allocations_known(kept: Kept) -> None:
    """The head of an allocation is the number of its latest fact as of the last commit."""
    book = Book()
    take(book, kept.archive, FACTS[:3])
    assert {} == kept.archive.heads([KEY])
    kept.commit(book)
    assert {KEY: 3} == kept.archive.heads([KEY, ("amber", "y"), ("basalt", "x")])


def test_a_name_in_two_tenants_is_two_allocations(kept: Kept) -> None:
    """The same name in another tenant has facts of its own."""
    book = Book()
    take(book, kept.archive, [started("x"), started("x", tenant="basalt")])
    kept.commit(book)
    assert {KEY: 1, ("basalt", "x"): 2} == kept.archive.heads([KEY, ("basalt", "x")])


@pytest.mark.parametrize("commits", [(), (1,), (64,), (63, 64, 65), (1, 100, 200), tuple(range(1, 201, 7))])
def test_a_history_is_the_whole_chain_latest_first(kept: Kept, commits: tuple[int, ...]) -> None:
    """A chain is read across commits and pages, with what awaits a commit."""
    book = Book()
    done = 0
    for end in (*commits, len(FACTS)):
        lines = [line for fact in FACTS[done:end] for line in (fact, fact.replace(b'"x"', b'"other"'))]
        take(book, kept.archive, lines)
        if end in commits:
            kept.commit(book)
        done = end
    histories = kept.archive.histories({KEY: book.head(KEY), ("amber", "nothing"): 0})
    assert {KEY: FACTS[::-1], ("amber", "nothing"): []} == histories


def test_facts_come_back_in_the_order_of_acceptance(kept: Kept) -> None:
    """Every fact that was accepted is there, byte for byte, in order."""
    book = Book()
    take(book, kept.archive, FACTS[:70])
    kept.commit(book)
    take(book, kept.archive, [FACTS[5], *FACTS[70:]])
    kept.commit(book)
    assert FACTS == list(kept.lines())


def test_marked_finds_every_allocation_with_a_fingerprint(kept: Kept) -> None:
    """Whatever holds a fact with a given identity is among the marked ones of its tenant."""
    book = Book()
    take(book, kept.archive, [started("x", id="one"), started("y", id="two"), started("z", id="one", tenant="basalt")])
    kept.commit(book)
    assert {KEY: 1} == kept.archive.marked("amber", [fingerprint("//cloud", "one")])


def test_an_allocation_of_very_many_facts_may_hold_anything(kept: Kept) -> None:
    """Of an allocation whose oldest fingerprints may have been dropped nothing can be ruled out."""
    book = Book()
    take(book, kept.archive, [started("x"), *[seen("x", seconds) for seconds in range(1, 600)]])
    kept.commit(book)
    assert {KEY: 600} == kept.archive.marked("amber", [fingerprint("//cloud", "never sent")])


def test_inside_finds_what_lies_within(kept: Kept) -> None:
    """Whatever names an outer allocation of its tenant is found by that, whether it is held or not."""
    book = Book()
    inner = [started(name).replace(b'"region"', b'"within": "node", "region"') for name in ("x", "y")]
    other = started("z", tenant="basalt").replace(b'"region"', b'"within": "node", "region"')
    take(book, kept.archive, [started("node"), *inner, stopped("y", 60), other])
    kept.commit(book)
    assert {("amber", "x"): 2, ("amber", "y"): 4} == kept.archive.inside([("amber", "node"), ("amber", "x")])
    assert {("basalt", "z"): 5} == kept.archive.inside([("basalt", "node"), ("nobody", "node")])


def test_settled_finds_closed_allocations_of_a_region_from_an_instant_on(kept: Kept) -> None:
    """A closed allocation whose latest fact is at or after an instant is found by its region, no other is."""
    book = Book()
    west = started("west").replace(b'"east"', b'"west"')
    take(book, kept.archive, [started("x"), started("y"), west])
    take(book, kept.archive, [stopped("x", 60), stopped("y", 120), stopped("west", 120)])
    kept.commit(book)
    since = book.tenants["amber"].timelines["y"].last_time
    assert {("amber", "y"): 5} == kept.archive.settled("east", since)
    assert {("amber", "x"): 4, ("amber", "y"): 5} == kept.archive.settled("east", -1)
