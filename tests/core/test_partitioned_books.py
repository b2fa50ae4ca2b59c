"""Books of one partition among several: whose tenants they count, and what they say of the others."""

from __future__ import annotations

import pytest

from monitor.core.book import Book, joined
from monitor.core.engine import hearing
from monitor.core.model import Observation
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.store.memory import MemoryArchive
from tests.core.table import BASE_MS, events


def taken(table: str, adopts: bool, elsewhere: frozenset[str] = frozenset()) -> Book:
    """Books that take in a table one fact at a time; `adopts`: the hash says that unknown tenants are theirs."""
    book, archive = Book(adopts=lambda _: adopts), MemoryArchive()
    book.elsewhere = set(elsewhere)
    for fact in decode_facts(events(table)):
        take_in(book, archive, [fact], [None])
        archive.commit(book.drain())
    return book


def held(book: Book) -> dict[str, int]:
    """What the allocations of tenant t hold, in thousandths."""
    return {} if "t" not in book.tenants else {name: one.units for name, one in book.tenants["t"].held()}


@pytest.mark.parametrize(
    ("table", "adopts", "elsewhere", "expected"),
    [
        pytest.param("0 report east x=2", True, (), {"x": 2000}, id="a tenant known from a report alone is adopted"),
        pytest.param("0 report east x=2", False, (), {}, id="or not, where the hash says otherwise"),
        pytest.param("0 report east x=2", True, ("t",), {}, id="nor where another partition has it"),
        pytest.param(
            "0 start x accelerator=H100 count=1 \n 9 report east x=2 y=3", False, (), {"x": 2000, "y": 3000},
            id="reports count for a tenant whose records come here",
        ),
        pytest.param(
            "0 report east x=2 y=3 \n 9 start z accelerator=H100 count=1", False, (), {"x": 2000, "y": 3000, "z": 1000},
            id="those before its first record, too",
        ),
        pytest.param(
            "0 report east y=5 tenant=u \n 9 start z accelerator=H100 count=1", False, (), {"z": 1000},
            id="those that name others say nothing of it",
        ),
        pytest.param(
            "0 report east x=2 \n 9 start x count=1", False, (), {"x": 1000}, id="and they come first in the fold"
        ),
    ],
)  # fmt: skip
def test_each_tenant_is_counted_where_it_belongs(
    table: str, adopts: bool, elsewhere: tuple[str, ...], expected: dict[str, int]
) -> None:
    """A tenant's own records decide where it belongs; before the first one the hash of its name does."""
    assert expected == held(taken(table, adopts, frozenset(elsewhere)))


def test_a_report_names_hardware_for_a_tenant_that_comes_later() -> None:
    """What a report said of an allocation before the tenant's first record is in its fold."""
    book = taken("0 report east x=2 \n 9 start x count=1", adopts=False)

    assert ["H100"] == [timeline.shape.hardware for _, timeline in book.tenants["t"].held()]
    assert [BASE_MS + 9_000] == [timeline.since for _, timeline in book.tenants["t"].held()]


def test_books_are_compared_with_their_part_of_a_report() -> None:
    """Of a report's allocations only those of our tenants are missing or surplus in these books."""
    table = (
        "0 start x accelerator=H100 count=2 region=east \n 9 report east x=2 \n 9 report east y=5 source=s2 tenant=u"
    )
    book, archive = Book(adopts=lambda _: False), MemoryArchive()
    checks = []
    for fact in decode_facts(events(table)):
        take_in(book, archive, [fact], [None])
        checks += book.drain().conservation

    assert [(2000, 0, 0), (2000, 0, 2000)] == [(one.attributed, one.unattributed, one.surplus) for one in checks]


def observation(line: str) -> Observation:
    return decode_facts(events(line))[0]


def test_the_tenants_that_a_fact_would_bring_are_named() -> None:
    """Only tenants that the books do not have, and would make theirs, need asking who owns them."""
    book = taken("0 start x accelerator=H100 count=1", adopts=True, elsewhere=frozenset({"u"}))

    assert set() == book.unclaimed(observation("1 seen x"))
    assert {"v"} == book.unclaimed(observation("1 seen x tenant=v"))
    assert {"v"} == book.unclaimed(observation("1 report east x=1 tenant=v"))
    assert set() == book.unclaimed(observation("1 report east x=1 tenant=u"))
    assert set() == book.unclaimed(observation("1 alive s"))


def test_joined_books_have_everybody_and_the_latest_word_of_each_source() -> None:
    """The books of all partitions read as one: tenants, parties, clock, and when sources were last heard of."""
    one = taken("0 start x accelerator=H100 count=1 \n 5 alive s", adopts=True)
    other = taken("9 start x accelerator=H100 count=1 tenant=u \n 9 party p", adopts=True)
    whole = joined([one, other])

    assert {"t", "u"} == set(whole.tenants)
    assert {"p"} == set(whole.parties)
    assert BASE_MS + 9_000 == whole.clock == hearing(whole, whole.clock)("s")


def test_a_source_is_heard_in_every_partition() -> None:
    """What other partitions heard of a source counts like what these books heard, up to the instant asked for."""
    book = taken("5 start x accelerator=H100 count=1", adopts=True)
    book.heard_elsewhere = {"s": BASE_MS + 60_000, "other": BASE_MS}

    assert BASE_MS + 60_000 == hearing(book, BASE_MS + 99_000)("s")
    assert BASE_MS + 30_000 == hearing(book, BASE_MS + 30_000)("s")
    assert BASE_MS == hearing(book, BASE_MS + 99_000)("other")
    assert -1 == hearing(book, BASE_MS)("nobody")
