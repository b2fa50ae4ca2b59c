"""The books of all partitions made anew for another number of partitions.

Books are a function of their facts, so every tenant's facts are taken in again by the books of the partition to which
producers now send them, and control facts by all books. It is one transaction: until its end nothing has changed.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import BinaryIO, NamedTuple, Protocol

import zstandard

from monitor.core.audit import Person
from monitor.core.book import Book, NewFact
from monitor.core.limits import Partition
from monitor.core.model import Key, Observation
from monitor.core.partitions import adopter, partition_of
from monitor.errors import SettingsProblem
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.run.task import JOURNAL
from monitor.settings import Kafka
from monitor.store import ACTIVATION, TICK, Commit, JournalEntry, Position, StoredFact, StoredPosition

FACTS_AT_ONCE = 5_000
COMMIT_FACTS = 50_000
_HEAD = struct.Struct("<qI")  # when it was received (UNKNOWN: not known), and how long the fact is
UNKNOWN = -1

Progress = Callable[[int, int | None], None]  # facts taken in, of how many


class Books(Protocol):
    """What is needed of a store: the books of one partition, and all of them in one transaction."""

    def alone(self) -> AbstractContextManager[None]:
        """One transaction for these books and those beside them; nobody else can commit any more."""
        ...

    def beside(self, partition: int) -> Books:
        """The books of another partition of the same store."""
        ...

    def partitions(self) -> list[int]:
        """The partitions that have books in this store."""
        ...

    def tenant_names(self) -> list[str]:
        """The tenants of these books."""
        ...

    def book_positions(self) -> dict[int, dict[Partition, StoredPosition]]:
        """How far the books of each partition have read."""
        ...

    def facts(self) -> Iterator[StoredFact]:
        """Every fact of these books in order of acceptance."""
        ...

    def forget_books(self) -> None:
        """Remove the facts and books of all partitions."""
        ...

    def last_tick(self) -> int | None:
        """The instant of the latest evaluation of these books that was committed."""
        ...

    def record(self, entries: Sequence[JournalEntry], at: int, by: Person | None = None) -> None:
        """Write journal entries that concern all books, and whose they are."""
        ...

    def commit(self, commit: Commit) -> None:
        """Write what these books have taken in."""
        ...

    # As of `monitor.run.apply.Archive`.

    def heads(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Of these allocations those that are known -> number of the latest fact."""
        ...

    def append(self, facts: Sequence[NewFact]) -> None:
        """Keep facts for the next commit."""
        ...

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains, as they came."""
        ...

    def marked(self, tenant: str, marks: Sequence[bytes]) -> dict[Key, int]:
        """Allocations of a tenant that may hold a fact with one of these fingerprints -> head."""
        ...

    def settled(self, region: str, since: int) -> dict[Key, int]:
        """Allocations of a region whose latest fact is at or after `since` -> head."""
        ...

    def inside(self, outers: Iterable[Key]) -> dict[Key, int]:
        """Allocations that lie within one of these -> head."""
        ...


class Repartitioned(NamedTuple):
    """What became of the books."""

    before: int
    partitions: int
    tenants: int
    moved: int  # tenants whose partition is another one now


class _New(NamedTuple):
    """The books of one partition while they are made."""

    book: Book
    store: Books
    facts: list[tuple[Observation, int | None]]


def repartition(
    store: Books,
    before: int,
    partitions: int,
    kafka: Kafka,
    lateness_ms: int,
    at: int,
    progress: Progress,
    by: Person | None = None,
) -> Repartitioned:
    """Make the books of `before` partitions those of `partitions`; the workers have stopped. `by`: who decided it.

    Raises:
        SettingsProblem: tenants are not where the producers' partitioner of the settings sends them.
        StoreProblem: the database cannot be read or written; nothing has changed.
    """
    with store.alone(), tempfile.TemporaryFile() as file:
        old = {number: store.beside(number) for number in store.partitions()}
        owners = {name: number for number, books in old.items() for name in books.tenant_names()}
        _refuse_other_partitioner(owners, before, kafka)
        places = store.book_positions()
        last_tick = max((tick for books in old.values() if (tick := books.last_tick()) is not None), default=None)
        count = _spool(file, (fact for books in old.values() for fact in books.facts()))
        store.forget_books()
        news = [
            _New(_book(number, partitions, kafka, lateness_ms), store.beside(number), [])
            for number in range(partitions)
        ]
        done = 0
        for facts in _batches(_unspool(file), FACTS_AT_ONCE):
            _hand_out(news, facts, kafka)
            before_done, done = done, done + len(facts)
            if done // COMMIT_FACTS > before_done // COMMIT_FACTS:
                _commit(news, at)
            progress(done, count)
        journal = [] if last_tick is None else [JournalEntry(TICK, {"as_of": last_tick})]
        _commit(news, at, journal, {number: _positions(number, places, kafka) for number in range(partitions)})
        store.record([JournalEntry(ACTIVATION, {"partitions": partitions})], at, by)
    moved = sum(partition_of(name, partitions, kafka.partitioner) != number for name, number in owners.items())
    return Repartitioned(before, partitions, len(owners), moved)


def _refuse_other_partitioner(owners: Mapping[str, int], before: int, kafka: Kafka) -> None:
    strays = [name for name, number in owners.items() if partition_of(name, before, kafka.partitioner) != number]
    if strays:
        raise SettingsProblem(
            f"{len(strays):,} of {len(owners):,} tenants are in another partition than {kafka.partitioner} gives for "
            f"{before}: set `kafka.partitioner` to the one that the producers use, then try again."
        )


def _spool(file: BinaryIO, facts: Iterable[StoredFact]) -> int:
    """Write facts to a file; how many there were."""
    count = 0
    with zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False) as packed:
        for fact in facts:
            packed.write(_HEAD.pack(UNKNOWN if fact.received is None else fact.received, len(fact.raw)) + fact.raw)
            count += 1
    return count


def _unspool(file: BinaryIO) -> Iterator[tuple[int | None, bytes]]:
    """The same facts from the file: when each was received, and as it came."""
    file.seek(0)
    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as unpacked:
        while head := unpacked.read(_HEAD.size):
            received, size = _HEAD.unpack(head)
            yield None if received == UNKNOWN else received, unpacked.read(size)


def _batches(facts: Iterator[tuple[int | None, bytes]], most: int) -> Iterator[list[tuple[int | None, bytes]]]:
    while batch := list(islice(facts, most)):
        yield batch


def _book(number: int, partitions: int, kafka: Kafka, lateness_ms: int) -> Book:
    book = Book(lateness_ms)
    book.adopts = adopter(number, partitions, kafka.partitioner)
    book.place = ""  # what sources said of how much they had sent was about other partitions
    return book


def _hand_out(news: Sequence[_New], facts: Sequence[tuple[int | None, bytes]], kafka: Kafka) -> None:
    """Each fact to the books that it is for."""
    for fact, (received, _) in zip(decode_facts([raw for _, raw in facts]), facts, strict=True):
        if fact.tenant:
            news[partition_of(fact.tenant, len(news), kafka.partitioner)].facts.append((fact, received))
        else:
            for new in news:
                new.facts.append((fact, received))
    for new in news:
        take_in(new.book, new.store, [fact for fact, _ in new.facts], [received for _, received in new.facts])
        new.facts.clear()


def _commit(
    news: Sequence[_New],
    at: int,
    journal: Sequence[JournalEntry] = (),
    positions: Mapping[int, Sequence[Position]] | None = None,
) -> None:
    """Write what the new books have taken in."""
    for number, new in enumerate(news):
        # What late facts changed, and how reports differed, was told when it happened.
        moved = new.book.drain()._replace(restatements=[], conservation=[])
        places = [] if positions is None else [one._replace(clock=new.book.clock) for one in positions[number]]
        new.store.commit(Commit(moved, new.book, places, [], [], journal, at))


def _positions(number: int, places: Mapping[int, Mapping[Partition, StoredPosition]], kafka: Kafka) -> list[Position]:
    """Where the new books go on: their own partition where it was read, and what is for all where the last one was."""
    positions = [
        Position(*where, place.next_offset, -1, place.check)
        for where, place in places.get(number, {}).items()
        if where != JOURNAL and where[0] != kafka.control_topic
    ]
    for where in sorted({where for of_one in places.values() for where in of_one}):
        if where == JOURNAL or where[0] == kafka.control_topic:
            found = [of_one[where] for of_one in places.values() if where in of_one]
            if len(found) == len(places):  # otherwise some books have read nothing of it yet
                least = min(found, key=lambda place: place.next_offset)
                positions.append(Position(*where, least.next_offset, -1, least.check))
    return positions
