"""Replay: read everything first, then evaluate once, in memory or into a store that goes on after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from monitor.clock import Clock
from monitor.core.book import Book, Moved
from monitor.core.engine import Answer, Past, Reference, answer
from monitor.core.limits import DeadLetterLimits
from monitor.core.model import Kind, Rejected
from monitor.errors import LimitReached, SourceProblem
from monitor.intake.decode import Decoded, Rules, count_name, decode, decode_facts
from monitor.run.apply import Archive, take_in
from monitor.source import Source

BATCH_RECORDS = 5_000
SAMPLES_MAX = 5


Keep = Callable[[Moved, list[Rejected]], None]  # commit what a stretch of records moved


class Working(NamedTuple):
    """An archive for the length of one computation, how it is told what moved, and what was held by then."""

    archive: Archive
    commit: Callable[[Moved], None]
    past: Past


MakeArchive = Callable[[], Working]


class Pace(NamedTuple):
    """How much is read at once, and how often it is committed."""

    batch_records: int
    commit_seconds: float
    clock: Clock


class Tally:
    """What became of the records of a replay: read = accepted + duplicate + ignored + rejected."""

    __slots__ = ("ignored", "read", "rejected", "samples", "unknown_fields")

    def __init__(self) -> None:
        self.read = 0
        self.ignored: dict[str, int] = {}
        self.rejected: dict[str, int] = {}
        self.samples: list[str] = []  # the first few rejections, as sentences
        self.unknown_fields: dict[str, int] = {}

    def add(self, decoded: Decoded) -> None:
        """Count one batch."""
        self.read += len(decoded.observations) + len(decoded.rejected) + sum(decoded.ignored.values())
        for name, count in decoded.ignored.items():
            count_name(self.ignored, name, count)
        for one in decoded.rejected:
            self.rejected[one.reason] = self.rejected.get(one.reason, 0) + 1
            if len(self.samples) < SAMPLES_MAX:
                self.samples.append(f"{one.record.topic}, byte {one.record.offset}: {one.sentence}")
        for name, count in decoded.unknown_fields.items():
            count_name(self.unknown_fields, name, count)


def read_all(
    source: Source,
    book: Book,
    archive: Archive,
    keep: Keep,
    rules: Rules,
    limits: DeadLetterLimits,
    pace: Pace,
    progress: Callable[[], None],
) -> Tally:
    """Read a source to its end into the book.

    Raises:
        LimitReached: too many records are dead letters; everything up to the last commit is kept.
    """
    tally = Tally()
    committed = pace.clock.monotonic()
    rejected: list[Rejected] = []
    while True:
        try:
            records = source.poll(pace.batch_records)
        except SourceProblem:  # before it is given up, what it delivered is committed
            keep(book.drain(), rejected)
            raise
        if not records:
            break
        decoded = decode(records, rules)
        stop = limits.add_batch(records, decoded.rejected)
        if stop is not None:
            raise LimitReached(stop)
        tally.add(decoded)
        rejected.extend(decoded.rejected)
        take_in(book, archive, decoded.observations, [record.received for record in decoded.records])
        if pace.clock.monotonic() - committed >= pace.commit_seconds:
            keep(book.drain(), rejected)
            rejected, committed = [], pace.clock.monotonic()
        progress()
    keep(book.drain(), rejected)
    return tally


def evaluated(
    book: Book,
    past: Past,
    lines: Callable[[], Iterable[bytes]],
    make_archive: MakeArchive,
    reference: Reference,
    as_of: int | None,
) -> Answer:
    """The answer at `as_of`, by default the latest event time read; an earlier one is read again from the facts."""
    now = book.clock if as_of is None else as_of
    if now < book.clock:
        working = make_archive()
        book, past = rebuild(lines(), working, now), working.past
    return answer(book, reference, now, past)


def rebuild(lines: Iterable[bytes], working: Working, as_of: int) -> Book:
    """A book of the facts up to an instant, and of all retractions, which apply whatever their time."""
    book = Book()
    for batch in batches(lines, BATCH_RECORDS):
        facts = [fact for fact in decode_facts(batch) if fact.time <= as_of or fact.kind is Kind.RETRACTED]
        take_in(book, working.archive, facts, [None] * len(facts))
        working.commit(book.drain())
    return book


def batches(lines: Iterable[bytes], lines_max: int) -> Iterator[list[bytes]]:
    """Lines in batches of at most so many."""
    iterator = iter(lines)
    while batch := list(islice(iterator, lines_max)):
        yield batch


def event_counts(book: Book, tally: Tally) -> dict[str, int]:
    """The counts of the command line contract."""
    return {
        "read": tally.read,
        "accepted": book.counts.accepted,
        "late": book.counts.late,
        "duplicate": book.counts.duplicate,
        "ignored": sum(tally.ignored.values()),
        "rejected": sum(tally.rejected.values()),
    }
