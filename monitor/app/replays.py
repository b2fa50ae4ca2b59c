"""Replays: event files into books, in memory or in a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitor.app.decisions import operator
from monitor.app.references import screened_reference
from monitor.app.stores import Progress, load_own, opened_store, working_archive
from monitor.clock import Clock, SystemClock
from monitor.core.book import Book, Counts, Moved
from monitor.core.engine import (
    Answer,
    Reference,
    evaluate,
    evaluate_groups,
    follow,
    note_retractions,
    with_late,
)
from monitor.core.flags import Change
from monitor.core.limits import DeadLetterLimits
from monitor.core.model import Rejected
from monitor.core.units import unit_slips
from monitor.errors import LimitReached
from monitor.run.apply import Archive, take_in
from monitor.run.casework import Cases, Gatherer
from monitor.run.letters import Again, asked_again, read_again, rules
from monitor.run.replay import Pace, Tally, evaluated, event_counts, read_all
from monitor.run.task import JOURNAL
from monitor.settings import Settings
from monitor.source import Position
from monitor.source.files import FileSource
from monitor.store import DECISION, REPLAYED, TICK, Commit, JournalEntry, Loaded
from monitor.store import Position as BookedPosition
from monitor.store.memory import MemoryArchive

if TYPE_CHECKING:
    from monitor.store.sql import SqlStore


class Replayed(NamedTuple):
    """What a replay answers, what became of its records, and sentences about anything that needs saying."""

    answer: Answer
    events: dict[str, int]
    remarks: list[str]


def replay(
    settings: Settings,
    paths: Sequence[str],
    state: Path | None,
    as_of: int | None,
    past_limit: str | None,
    progress: Progress,
) -> Replayed:
    """Read event files and evaluate once, in memory or into the store at `state`.

    Raises:
        MonitorError: with one sentence that says what to do.
    """
    if state is None:
        return _replay_in_memory(settings, screened_reference(settings), paths, as_of, past_limit, progress)
    with opened_store(f"sqlite:///{state}") as store:
        return _replay_into(store, settings, screened_reference(settings, store), paths, as_of, past_limit, progress)


def _limits(settings: Settings, past_limit: str | None) -> DeadLetterLimits:
    return DeadLetterLimits(settings.dead_letters.limits, lifted=past_limit is not None)


def _replay_in_memory(
    settings: Settings,
    reference: Reference,
    paths: Sequence[str],
    as_of: int | None,
    past_limit: str | None,
    progress: Progress,
) -> Replayed:
    source = FileSource(paths, record_bytes_max=settings.record_bytes_max)
    source.begin_all({})
    book, archive = Book(settings.lateness_ms), MemoryArchive()

    def keep(moved: Moved, rejected: list[Rejected]) -> None:
        archive.commit(moved)

    tally = _read(source, book, archive, keep, settings, past_limit, progress)
    answer = evaluated(book, archive, archive.lines, working_archive, reference, as_of)
    return Replayed(answer, event_counts(book, tally), remarks_on(source, tally) + _doubts(book, reference))


def _read(
    source: FileSource,
    book: Book,
    archive: Archive,
    keep: Callable[[Moved, list[Rejected]], None],
    settings: Settings,
    past_limit: str | None,
    progress: Progress,
) -> Tally:
    try:
        return read_all(
            source,
            book,
            archive,
            keep,
            rules(settings),
            _limits(settings, past_limit),
            Pace(settings.batch_records_max, settings.commit_seconds, SystemClock()),
            lambda: progress(source.bytes_done, source.bytes_total),
        )
    except LimitReached as stop:
        raise LimitReached(f"{stop} A replay goes past them with --past-limit REASON.") from None
    finally:
        source.close()


def _replay_into(
    store: SqlStore,
    settings: Settings,
    reference: Reference,
    paths: Sequence[str],
    as_of: int | None,
    past_limit: str | None,
    progress: Progress,
) -> Replayed:
    clock = SystemClock()
    loaded = load_own(store, settings.lateness_ms)
    book, last_tick = loaded.book, store.last_tick()
    book.looked_at = -1 if last_tick is None else last_tick
    retracted = {name: one.retracted for name, one in book.tenants.items()}
    heard, again = _letters_again(store, loaded, settings)
    settled = {one.number: REPLAYED for one in again}
    source = FileSource(paths, record_bytes_max=settings.record_bytes_max)
    source.begin_all({where: Position(one.next_offset, one.check) for where, one in loaded.positions.items()})

    def commit(moved: Moved, rejected: list[Rejected], changes: Sequence[Change], journal: list[JournalEntry]) -> None:
        positions = [
            BookedPosition(*where, position.next_offset, book.clock, position.check)
            for where, position in source.positions().items()
        ]
        positions.append(BookedPosition(*JOURNAL, heard, book.clock, ""))
        now = clock.now_ms()
        store.commit(
            Commit(moved, book, positions, changes, rejected, journal, now, settled_letters=settled, by=operator())
        )

    tally = _read(
        source, book, store, lambda moved, rejected: commit(moved, rejected, [], []), settings, past_limit, progress
    )
    answer = evaluated(book, store, store.lines, working_archive, reference, as_of)
    if answer.as_of == book.clock:
        changes = follow({tenant.tenant: tenant.findings for tenant in answer.tenants}, loaded.flags, book.clock)
    else:  # the answer is of another instant; flags are what people are told now
        changes = evaluate(book, reference, book.tenants, loaded.flags, book.clock, store)
    changes += evaluate_groups(book, reference, store, store.group_flags(), book.clock)
    noted = [name for name, before in retracted.items() if book.tenants[name].retracted != before]
    changes = note_retractions(noted, loaded.flags, book.clock) + with_late(changes, book.came_late)
    journal = [JournalEntry(TICK, {"as_of": book.clock})]
    if past_limit is not None:
        journal.append(JournalEntry(DECISION, {"past_limit": list(paths), "reason": past_limit}))
    commit(book.drain(), [], changes, journal)
    if len(store.partitions()) == 1:  # else parties of other tenants are not known here: the daemon gathers those
        gather_all(store.casework, reference, book, clock)
    return Replayed(answer, event_counts(book, tally), remarks_on(source, tally) + _doubts(book, reference))


def _letters_again(store: SqlStore, loaded: Loaded, settings: Settings) -> tuple[int, list[Again]]:
    """Take in the dead letters that a person wants tried again; also the last decision that was heard."""
    since = loaded.positions[JOURNAL].next_offset if JOURNAL in loaded.positions else 0
    decisions = store.journal(since, (DECISION,))
    again = read_again(asked_again(store, decisions), rules(settings))
    take_in(loaded.book, store, [one.fact for one in again], [one.received for one in again])
    loaded.book.counts = Counts()  # of what is read now, from files
    return decisions[-1].number if decisions else since, again


def _doubts(book: Book, reference: Reference) -> list[str]:
    """What the catalogue says of the hardware in the books that a person should look at."""
    return _unknown_hardware(book, reference) + _unit_slips(book, reference)


def _unit_slips(book: Book, reference: Reference) -> list[str]:
    """Allocations that the books and a report count in different units."""
    slips = unit_slips(book, reference.estimator.catalogue, book.clock)
    sentences = [
        f"Allocation {one.allocation} of tenant {one.tenant}: events count {one.books_hardware} "
        f"({one.books_thousandths / 1_000:g} accelerators each), the report of region {one.region} counts "
        f"{one.report_hardware} ({one.report_thousandths / 1_000:g} each): are these accelerators or instances?"
        for one in slips[:10]
    ]
    return sentences + ([f"So do {len(slips) - 10:,} more allocations."] if len(slips) > 10 else [])


def _unknown_hardware(book: Book, reference: Reference) -> list[str]:
    """Hardware in the books that the catalogue does not know: its range is wide, and a row would narrow it."""
    catalogue = reference.estimator.catalogue
    shapes = {
        shape
        for tenant in book.tenants.values()
        for shape in (
            *(shape for shape, _ in tenant.ledger.totals),
            *(timeline.shape for timeline in tenant.timelines.values() if timeline.units),
        )
    }
    resolved = [catalogue.resolve(shape.hardware, shape.unit, book.clock) for shape in shapes]
    names = sorted({hardware.name for hardware in resolved if not hardware.known})
    if not names:
        return []
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return [
        f"The catalogue knows no 16-bit rate of {shown}: add rows to accelerators.csv or aliases.csv, for instance "
        "types to instances.csv, or to without.csv if they have no accelerators."
    ]


def remarks_on(source: FileSource, tally: Tally) -> list[str]:
    """What an operator should know of files that were read, as sentences."""
    remarks = list(source.restarted)
    if tally.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(tally.rejected.items()))
        count = sum(tally.rejected.values())
        remarks.append(f"{count:,} record{'s' * (count > 1)} could not be read as events: {reasons}.")
        remarks.extend(f"  {sentence}" for sentence in tally.samples)
    if tally.ignored:
        types = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.ignored.items())[:10])
        remarks.append(f"Events of types that are not read here were ignored: {types}.")
    if tally.unknown_fields:
        names = ", ".join(sorted(tally.unknown_fields)[:10])
        remarks.append(f"Fields that the contract does not know were kept and not used: {names}.")
    return remarks


def gather_all(cases: Cases, reference: Reference, book: Book, clock: Clock) -> None:
    """Put all flags of a book on cases."""
    gatherer, parties = Gatherer(cases, reference.policies, clock), reference.parties(book, book.clock)
    while gatherer.work(book.tenants, parties):
        pass
