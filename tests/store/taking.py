"""Short ways to take events into a book and a store, and to write down what a book knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.core.book import Book
from monitor.core.facts import Identity
from monitor.core.flags import Change
from monitor.core.inventory import Region
from monitor.core.model import Observation, Rejected
from monitor.core.timeline import FINGERPRINT_BYTES, Effects, Measurement, Piece, Timeline
from monitor.intake.decode import decode_facts
from monitor.run.apply import Archive, take_in
from monitor.store.commit import Commit, JournalEntry, Position
from monitor.store.sql import SqlStore
from tests.core.facts_strategy import event

AT = 1_700_000_000_000


def started(allocation: str, seconds: int = 0, id: str = "", tenant: str = "amber", **more: object) -> bytes:
    """A start of eight H100 in the region east."""
    data = {"tenant": tenant, "allocation": allocation, "accelerator": "H100", "count": 8, "region": "east", **more}
    return event("allocation.started", seconds, "//cloud", id or f"start {allocation}", data)


def seen(allocation: str, seconds: int, id: str = "", tenant: str = "amber") -> bytes:
    """A heartbeat."""
    data = {"tenant": tenant, "allocation": allocation}
    return event("allocation.seen", seconds, "//cloud", id or f"seen {allocation} {seconds}", data)


def stopped(allocation: str, seconds: int, tenant: str = "amber") -> bytes:
    """A stop."""
    data = {"tenant": tenant, "allocation": allocation}
    return event("allocation.stopped", seconds, "//cloud", f"stop {allocation} {seconds}", data)


def take(book: Book, archive: Archive, lines: Sequence[bytes]) -> None:
    """Take events in, one batch."""
    take_in(book, archive, decode_facts(lines), [AT + number for number in range(len(lines))])


def commit_of(
    book: Book,
    offset: int = 0,
    changes: Sequence[Change] = (),
    rejected: Sequence[Rejected] = (),
    journal: Sequence[JournalEntry] = (),
) -> Commit:
    """A commit of all that the book moved, at an offset of the file events.jsonl."""
    return Commit(
        book.drain(), book, [Position("events.jsonl", 0, offset, book.clock, "c0ffee")], changes, rejected, journal, AT
    )


def url_of(folder: Path) -> str:
    """The address of the store of a folder."""
    return f"sqlite:///{folder / 'books.db'}"


def loaded_book(store: SqlStore, resident_hours: int | None = None) -> Book:
    """The book as the store has it."""
    return store.load(decode_facts, resident_hours=resident_hours).book


def all_lines(archive: Archive, heads: dict[Any, int]) -> dict[Any, set[bytes]]:
    """The facts of chains, in no order."""
    return {key: set(lines) for key, lines in archive.histories(heads).items()}


def known_of(book: Book) -> dict[str, Any]:
    """All that a book knows, whatever happens to be in memory: no numbers of facts, no closed allocations."""
    return {
        "clock": book.clock,
        "next_fact": book.next_fact,
        "sources": {name: source.heard for name, source in book.sources.items()},
        "parties": {name: _facts(party.facts) for name, party in book.parties.items()},
        "regions": {
            name: (_digests(region), region.in_effect, region.last_time) for name, region in book.regions.items()
        },
        "tenants": {
            name: {
                "open": {key: timeline_of(one) for key, one in tenant.timelines.items() if one.since is not None},
                "usage": {key: value for key, value in tenant.ledger.changes.items() if any(value)},
                "measured": {key: value for key, value in tenant.ledger.measured.items() if any(value)},
                "measured_totals": tenant.ledger.measured_totals,
                "totals": {key: value for key, value in tenant.ledger.totals.items() if value},
                "facts": _facts(tenant.facts),
                "retracted": tenant.retracted,
            }
            for name, tenant in book.tenants.items()
        },
    }


def filled(found: Mapping[str, Effects]) -> dict[str, tuple[list[Piece], list[Measurement]]]:
    """Pieces and measurements of the allocations that have some."""
    return {name: (one.pieces, one.measurements) for name, one in found.items() if one.pieces or one.measurements}


def timeline_of(timeline: Timeline) -> dict[str, Any]:
    """The fields of an open timeline, its fingerprints as a set; not what only spares work."""
    left_out = ("head", "prints", "first_time", "lasting")
    fields = {name: getattr(timeline, name) for name in Timeline.__slots__ if name not in left_out}
    steps = range(0, len(timeline.prints), FINGERPRINT_BYTES)
    return {**fields, "prints": {timeline.prints[step : step + FINGERPRINT_BYTES] for step in steps}}


def _digests(region: Region) -> dict[Identity, set[bytes]]:
    return {identity: {part.digest for part in rivals} for identity, rivals in region.parts.items()}


def _facts(facts: dict[Identity, list[Observation]]) -> dict[Identity, set[bytes]]:
    return {identity: {fact.raw for fact in rivals} for identity, rivals in facts.items()}
