"""The facts of a store: numbered from 1 in order of acceptance, 64 to a page, each linked to the one before it.

Page p holds the facts 64 p + 1 to 64 p + 64. A page is zstd over the fields of its facts, field by field, and then
their raw bytes. Only the last page is ever written again, while it is filling up; full pages never change.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import accumulate
from typing import NamedTuple, TypeVar

import zstandard

from monitor.core.book import NewFact
from monitor.errors import StoreProblem
from monitor.store.commit import StoredFact

PAGE_FACTS = 64
COMPRESSION_LEVEL = 3
CACHE_BYTES_MAX = 32 * 1024 * 1024
PAGES_AT_ONCE = 64  # pages that one query fetches
FIELDS_BYTES = 100  # what the fields of a fact take in memory beside its raw bytes
UNKNOWN = -1  # when a fact was received

Name = TypeVar("Name", bound=Hashable)


class StoredPage(NamedTuple):
    """One row of `fact_pages`."""

    page: int
    facts: int
    body: bytes  # compressed


class Page(NamedTuple):
    """A page, readable. The raw bytes of its n-th fact are `content[starts[n] : starts[n + 1]]`."""

    previous: tuple[int, ...]
    received: tuple[int, ...]
    starts: tuple[int, ...]
    content: bytes

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        return len(self.content) + FIELDS_BYTES * len(self.previous)

    def raw(self, place: int) -> bytes:
        """The fact at a place, as it came."""
        return self.content[self.starts[place] : self.starts[place + 1]]


def pack(facts: Sequence[NewFact]) -> bytes:
    """The bytes of a page before compression."""
    count = len(facts)
    return b"".join(
        [
            struct.pack(f"<{count}Q", *[fact.previous for fact in facts]),
            struct.pack(f"<{count}q", *[UNKNOWN if fact.received is None else fact.received for fact in facts]),
            struct.pack(f"<{count}I", *[len(fact.raw) for fact in facts]),
            *[fact.raw for fact in facts],
        ]
    )


def unpack(content: bytes, count: int) -> Page:
    """A page of `count` facts from the bytes that `pack` made.

    Raises:
        ValueError: the bytes are no such page.
    """
    head = struct.Struct(f"<{count}Q{count}q{count}I")
    if len(content) < head.size:
        raise ValueError("too short")
    fields = head.unpack_from(content)
    starts = tuple(accumulate(fields[2 * count :], initial=head.size))
    if starts[-1] != len(content):
        raise ValueError("lengths do not add up")
    return Page(fields[:count], fields[count : 2 * count], starts, content)


def page_of(number: int) -> int:
    """The page of a fact."""
    return (number - 1) // PAGE_FACTS


class FactPages:
    """Facts that no commit has written yet, and those of the database, which `fetch` reads.

    `fetch(pages)` returns the rows of these pages; the argument has at most `PAGES_AT_ONCE` numbers.
    """

    __slots__ = ("_cache", "_cached_bytes", "_compressor", "_decompressor", "_fetch", "_first", "_recent", "_written")

    def __init__(self, fetch: Callable[[Sequence[int]], Sequence[StoredPage]], last: StoredPage | None) -> None:
        self._fetch = fetch
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
        self._decompressor = zstandard.ZstdDecompressor()
        self._cache: OrderedDict[int, Page] = OrderedDict()
        self._cached_bytes = 0
        # Everything from the last page that is not full on: `_first` is the number of its first fact, and the first
        # `_written` of them are in the database.
        self._recent: list[NewFact] = []
        self._first = 1
        if last is not None:
            self._resume(last)
        self._written = len(self._recent)

    def _resume(self, last: StoredPage) -> None:
        self._first = (last.page + 1) * PAGE_FACTS + 1
        if last.facts < PAGE_FACTS:
            self._first -= PAGE_FACTS
            page = self._read(last)
            for place in range(last.facts):
                received = page.received[place]
                self._recent.append(
                    NewFact(
                        self._first + place,
                        page.previous[place],
                        None if received == UNKNOWN else received,
                        page.raw(place),
                    )
                )

    @property
    def next_number(self) -> int:
        """The number of the next fact."""
        return self._first + len(self._recent)

    @property
    def last_written(self) -> int:
        """The number of the latest fact that is in the database, 0 before the first."""
        return self._first + self._written - 1

    # -- writing -------------------------------------------------------------------------------------------------

    def append(self, facts: Sequence[NewFact]) -> None:
        """Keep facts for the next commit; their numbers go on where the last ones ended."""
        assert not facts or facts[0].number == self.next_number
        self._recent.extend(facts)

    def unwritten(self) -> Iterator[StoredPage]:
        """The pages that a commit must write: new ones, and the last one again if it was not full."""
        if self._written == len(self._recent):
            return
        for place in range(self._written // PAGE_FACTS * PAGE_FACTS, len(self._recent), PAGE_FACTS):
            facts = self._recent[place : place + PAGE_FACTS]
            body = self._compressor.compress(pack(facts))
            yield StoredPage(page_of(facts[0].number), len(facts), body)

    def written(self) -> None:
        """A commit has succeeded: full pages leave memory."""
        full = len(self._recent) // PAGE_FACTS * PAGE_FACTS
        del self._recent[:full]
        self._first += full
        self._written = len(self._recent)

    # -- reading -------------------------------------------------------------------------------------------------

    def chains(self, heads: Mapping[Name, int], most: int | None = None) -> dict[Name, list[bytes]]:
        """The facts of these chains as they came, latest first; of each chain at most the latest `most`.

        A chain leads to ever smaller numbers, so pages are read from the last one back, each once for all chains.
        """
        found: dict[Name, list[bytes]] = {name: [] for name in heads}
        waiting: dict[int, list[tuple[list[bytes], int]]] = {}
        for name, head in heads.items():
            self._follow(head, found[name], most, None, waiting)
        while waiting:
            numbers = nlargest(PAGES_AT_ONCE, waiting)
            for number, page in self._pages(numbers):
                for lines, fact in waiting.pop(number):
                    self._follow(fact, lines, most, (number, page), waiting)
        return found

    def _follow(
        self,
        number: int,
        lines: list[bytes],
        most: int | None,
        at_hand: tuple[int, Page] | None,
        waiting: dict[int, list[tuple[list[bytes], int]]],
    ) -> None:
        """Follow a chain as far as memory and the page at hand go; what lies beyond waits for its page."""
        while number and (most is None or len(lines) < most):
            if number >= self._first:
                fact = self._recent[number - self._first]
                lines.append(fact.raw)
                number = fact.previous
                continue
            where, place = divmod(number - 1, PAGE_FACTS)
            if at_hand is None or where != at_hand[0]:
                waiting.setdefault(where, []).append((lines, number))
                return
            page = at_hand[1]
            lines.append(page.raw(place))
            number = page.previous[place]

    def facts(self) -> Iterator[StoredFact]:
        """Every fact in order of acceptance, a few pages in memory at a time."""
        after = page_of(self._first)
        recent, first = list(self._recent), self._first
        for start in range(0, after, PAGES_AT_ONCE):
            wanted = range(start, min(start + PAGES_AT_ONCE, after))
            for number, page in self._stored(wanted):
                for place, received in enumerate(page.received):
                    yield StoredFact(
                        number * PAGE_FACTS + place + 1, None if received == UNKNOWN else received, page.raw(place)
                    )
        for place, fact in enumerate(recent):
            yield StoredFact(first + place, fact.received, fact.raw)

    def _pages(self, numbers: Sequence[int]) -> Iterator[tuple[int, Page]]:
        """These full pages in this order, from the cache where it has them."""
        cached = {number: self._cache[number] for number in numbers if number in self._cache}
        for number in cached:  # now: those that are read below may push them out of the cache
            self._cache.move_to_end(number)
        missing = [number for number in numbers if number not in cached]
        stored = self._stored(missing)
        for number in numbers:
            page = cached.get(number)
            if page is None:
                _, page = next(stored)
                self._remember(number, page)
            yield number, page

    def _stored(self, numbers: Sequence[int]) -> Iterator[tuple[int, Page]]:
        """These full pages in this order, from the database; one at a time is decompressed."""
        rows = {row.page: row for row in self._fetch(numbers)} if numbers else {}
        for number in numbers:
            if number not in rows:
                raise StoreProblem(
                    f"Page {number} of the facts is missing from the store: restore a backup, or replay the event "
                    "files into a new store."
                )
            yield number, self._read(rows[number])

    def _read(self, row: StoredPage) -> Page:
        try:
            return unpack(self._decompressor.decompress(row.body), row.facts)
        except (zstandard.ZstdError, ValueError, struct.error) as error:
            raise StoreProblem(
                f"Page {row.page} of the facts in the store is damaged ({error}): restore a backup, or replay the "
                "event files into a new store."
            ) from error

    def _remember(self, number: int, page: Page) -> None:
        self._cache[number] = page
        self._cached_bytes += page.size
        while self._cached_bytes > CACHE_BYTES_MAX and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.size
