"""Pages of facts: what goes in comes out, and what is damaged says so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import NewFact
from monitor.errors import StoreProblem
from monitor.store import pages
from monitor.store.commit import StoredFact
from monitor.store.pages import PAGE_FACTS, FactPages, StoredPage, pack, unpack


class Shelf:
    """Where the pages of a test are written to, and how often each is read."""

    def __init__(self) -> None:
        self.rows: dict[int, StoredPage] = {}
        self.reads: dict[int, int] = {}

    def fetch(self, numbers: Sequence[int]) -> list[StoredPage]:
        for number in numbers:
            self.reads[number] = self.reads.get(number, 0) + 1
        return [self.rows[number] for number in numbers if number in self.rows]

    def commit(self, facts: FactPages) -> int:
        """Write what is unwritten; returns how many pages that were."""
        rows = list(facts.unwritten())
        self.rows.update({row.page: row for row in rows})
        facts.written()
        return len(rows)

    def opened(self) -> FactPages:
        return FactPages(self.fetch, self.rows[max(self.rows)] if self.rows else None)


def chain(count: int, first: int = 1) -> list[NewFact]:
    """Facts of one chain, each after the one before."""
    return [NewFact(number, number - 1, number, b"fact %d" % number) for number in range(first, first + count)]


bodies = st.lists(
    st.tuples(st.integers(0, 2**63), st.none() | st.integers(0, 2**62), st.binary(max_size=80)),
    min_size=1,
    max_size=PAGE_FACTS,
)


@given(bodies)
def test_a_page_gives_back_its_facts(fields: list[tuple[int, int | None, bytes]]) -> None:
    """Packing and unpacking loses nothing, empty facts included."""
    facts = [NewFact(number, *rest) for number, rest in enumerate(fields, 1)]
    page = unpack(pack(facts), len(facts))
    assert [fact.previous for fact in facts] == list(page.previous)
    assert [-1 if fact.received is None else fact.received for fact in facts] == list(page.received)
    assert [fact.raw for fact in facts] == [page.raw(place) for place in range(len(facts))]


@given(st.lists(st.integers(1, 150), min_size=1, max_size=6), st.booleans())
def test_pages_do_not_depend_on_where_commits_fall(sizes: list[int], reopened: bool) -> None:
    """However facts are split into commits, the pages are the same, full but for the last."""
    shelf, number = Shelf(), 1
    facts = shelf.opened()
    for size in sizes:
        facts.append(chain(size, number))
        number += size
        shelf.commit(facts)
        if reopened:
            facts = shelf.opened()
    whole = Shelf()
    at_once = whole.opened()
    at_once.append(chain(number - 1))
    whole.commit(at_once)
    assert whole.rows == shelf.rows
    assert [StoredFact(fact.number, fact.received, fact.raw) for fact in chain(number - 1)] == list(facts.facts())


def test_nothing_new_writes_nothing() -> None:
    """A commit without facts writes no page."""
    shelf = Shelf()
    facts = shelf.opened()
    facts.append(chain(10))
    assert [1, 0] == [shelf.commit(facts), shelf.commit(facts)]


def test_a_failed_commit_loses_no_fact() -> None:
    """Pages that were made for a commit that failed are made again, with what came since."""
    shelf = Shelf()
    facts = shelf.opened()
    facts.append(chain(100))
    list(facts.unwritten())
    facts.append(chain(100, 101))
    shelf.commit(facts)
    assert 200 == sum(1 for _ in shelf.opened().facts())


def test_chains_read_each_page_once() -> None:
    """Many chains that lie in the same pages share one reading of each page."""
    shelf = Shelf()
    facts = shelf.opened()
    count = PAGE_FACTS * 200
    facts.append([NewFact(number, max(0, number - 100), None, b"%d" % number) for number in range(1, count + 1)])
    shelf.commit(facts)
    found = facts.chains({head: head for head in range(count - 99, count + 1)})
    assert {1} == set(shelf.reads.values())
    assert count == sum(len(lines) for lines in found.values())


def test_a_limit_takes_the_latest_facts() -> None:
    """Of a chain at most so many facts are read, the latest."""
    shelf = Shelf()
    facts = shelf.opened()
    facts.append(chain(1_000))
    shelf.commit(facts)
    assert {"chain": [b"fact 1000", b"fact 999", b"fact 998"]} == facts.chains({"chain": 1_000}, most=3)


def test_pages_are_cached_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that were read lately are not read again, within a limit of bytes; the oldest go first."""
    shelf = Shelf()
    facts = shelf.opened()
    facts.append(chain(PAGE_FACTS * 4))
    shelf.commit(facts)
    size = unpack(pack(chain(PAGE_FACTS)), PAGE_FACTS).size
    monkeypatch.setattr(pages, "CACHE_BYTES_MAX", 2 * size + size // 2)
    for _ in range(2):
        facts.chains({"first": 1, "third": PAGE_FACTS * 2 + 1}, most=1)
    assert {0: 1, 2: 1} == shelf.reads
    facts.chains({"second": PAGE_FACTS + 1}, most=1)
    facts.chains({"third": PAGE_FACTS * 2 + 1}, most=1)
    assert {0: 1, 1: 1, 2: 2} == shelf.reads


def test_a_page_may_leave_the_cache_while_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """New pages push an old one out that the same reading still needs."""
    shelf = Shelf()
    facts = shelf.opened()
    facts.append([NewFact(number, 0, None, b"%d" % number) for number in range(1, PAGE_FACTS * 4 + 1)])
    shelf.commit(facts)
    monkeypatch.setattr(pages, "CACHE_BYTES_MAX", 1)
    heads = {number: PAGE_FACTS * number + 1 for number in range(4)}
    facts.chains({0: heads[0]})
    assert {number: [b"%d" % head] for number, head in heads.items()} == facts.chains(heads)


@pytest.mark.parametrize("damage", [b"", b"no zstd at all", pack(chain(3))])
def test_a_damaged_page_says_so(damage: bytes) -> None:
    """A page that cannot be read is a sentence that says what to do."""
    shelf = Shelf()
    facts = shelf.opened()
    facts.append(chain(PAGE_FACTS))
    shelf.commit(facts)
    shelf.rows[0] = shelf.rows[0]._replace(body=damage)
    with pytest.raises(StoreProblem, match=r"Page 0 of the facts in the store is damaged .*: restore a backup"):
        facts.chains({"chain": 1})


@pytest.mark.parametrize("content", [b"", bytes(19), bytes(20) + b"x"])
def test_bytes_that_are_no_page(content: bytes) -> None:
    """Bytes of the wrong length are no page of one fact."""
    with pytest.raises(ValueError, match=r"too short|do not add up"):
        unpack(content, 1)


def test_a_missing_page_says_so() -> None:
    """A page that is not there is a sentence that says what to do."""
    shelf = Shelf()
    facts = shelf.opened()
    facts.append(chain(PAGE_FACTS))
    shelf.commit(facts)
    shelf.rows.clear()
    with pytest.raises(StoreProblem, match="Page 0 of the facts is missing from the store: restore a backup"):
        facts.chains({"chain": 1})
