"""From observations into the book, and settling what needs the archive.

One batch: look up which of its allocations the archive knows, observe each fact, hand the accepted ones to the
archive, then restate whatever waits for history until nothing does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from monitor.core.book import Book, NewFact
from monitor.core.model import Claim, Key, Kind, Observation
from monitor.core.timeline import fingerprint
from monitor.intake.decode import decode_facts


class Archive(Protocol):
    """Every accepted fact, and the heads of the chains that link the facts of one allocation."""

    def heads(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Of these allocations those that are known -> number of the latest fact (0: known from a report only)."""

    def append(self, facts: Sequence[NewFact]) -> None:
        """Keep facts."""

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first."""

    def marked(self, tenant: str, marks: Sequence[bytes]) -> dict[Key, int]:
        """Allocations of a tenant that may hold a fact with one of these fingerprints -> head."""

    def settled(self, region: str, since: int) -> dict[Key, int]:
        """Allocations of a region whose latest fact is at or after `since` -> head."""

    def inside(self, outers: Iterable[Key]) -> dict[Key, int]:
        """Allocations that lie within one of these -> head."""


def take_in(book: Book, archive: Archive, observations: Sequence[Observation], receipts: Sequence[int | None]) -> None:
    """Take a batch of facts into the book and settle it."""
    book.begin(archive.heads(book.unknown(observations)))
    for position, fact in enumerate(observations):
        # A report is compared with the books of its instant: what came before it must be in them.
        if fact.kind is Kind.INVENTORY and book.has_unsettled and not book.is_late(fact):
            settle(book, archive)
            book.begin(archive.heads(book.unknown(observations[position:])))
        book.observe(fact, receipts[position])
    settle(book, archive)


def settle(book: Book, archive: Archive) -> None:
    """Put retractions in force and restate what waits, until nothing does."""
    archive.append(book.take_facts())
    for name, identities in book.take_retractions().items():
        marks = [fingerprint(*identity) for identity in sorted(identities)]
        heads = archive.marked(name, marks)
        book.learn(_absent_only(book, heads))
        book.retract(name, {*book.marked(name, marks), *heads})
    for region, since in book.take_late_reports().items():
        absent = _absent_only(book, archive.settled(region, since))
        book.learn(absent)
        book.wait_for(absent)
    while keys := _unsettled(book, archive):
        _restate(book, archive, keys)
    book.settled()


def _unsettled(book: Book, archive: Archive) -> set[Key]:
    """What must be folded again: facts wait for its history, or something changed about what it lies within."""
    outers = book.take_changed_outers()
    if outers:
        inside = archive.inside(outers)
        book.learn(_absent_only(book, inside))
        book.recount(outers, inside)
    return book.unsettled()


def _absent_only(book: Book, heads: Mapping[Key, int]) -> dict[Key, int]:
    missing = book.missing(heads)
    return {key: head for key, head in heads.items() if key in missing}


def _restate(book: Book, archive: Archive, keys: set[Key]) -> None:
    """Fold these allocations again from their whole history."""
    book.learn(archive.heads(book.missing(keys)))
    histories = {
        key: decode_facts(lines) for key, lines in archive.histories({key: book.head(key) for key in keys}).items()
    }
    outers = {
        (key[0], fact.body.within)
        for key in keys
        for fact in [*histories.get(key, []), *(arrival.fact for arrival in book.waiting.get(key, []))]
        if isinstance(fact.body, Claim) and fact.body.within is not None
    }
    _look_at(book, archive, outers)
    book.restate({key: histories.get(key, []) for key in sorted(keys)})
    archive.append(book.take_facts())


def _look_at(book: Book, archive: Archive, outers: set[Key]) -> None:
    """Let the book know what these are like, and what they lie within themselves, where it has them not in memory."""
    passed: set[Key] = set()
    while outers:
        passed |= outers
        if unseen := book.unseen(outers):
            heads = archive.heads(unseen)
            book.learn(heads)
            for key, lines in archive.histories(heads).items():
                book.look_at(key, decode_facts(lines))
        outers = book.around(outers) - passed
