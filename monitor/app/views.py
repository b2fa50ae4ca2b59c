"""What a store says, as commands and pages show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.app.references import load_reference, policies_of, screened_reference
from monitor.app.stores import existing, load_all, still, working_archive
from monitor.clock import SystemClock
from monitor.core.book import Book
from monitor.core.catalogue import Catalogue
from monitor.core.engine import Reference
from monitor.core.exports import Export
from monitor.core.flags import Entry, Flag
from monitor.core.notices import terms_of
from monitor.core.runs import is_segment_id
from monitor.core.structuring import Trigger
from monitor.errors import LetterProblem
from monitor.intake.decode import decode_facts
from monitor.reference.catalogue import load_catalogue
from monitor.reference.root import config_root
from monitor.run.documents import FlagTimes, times_of_flags
from monitor.run.explain import AllocationStory, TenantStory, explain_allocation
from monitor.run.reports import Report, report_of
from monitor.run.run_story import RunStory
from monitor.run.snapshot import KnownHits, KnownRuns, KnownTenants, Snapshot, Triggers
from monitor.run.task import JOURNAL
from monitor.run.verify import Verified, verify
from monitor.settings import Settings
from monitor.store import WAITING, DeadLetter, Sent, StoredPosition

if TYPE_CHECKING:
    from monitor.store.sql import SqlStore


def snapshot_of(store: SqlStore, reference: Reference, settings: Settings) -> Snapshot:
    """What the books of all partitions say."""
    return Snapshot(load_all(store), reference, _triggers(settings))


def stored_tenants(settings: Settings, state: Path | None) -> KnownTenants:
    """What a store knows of every tenant, as of its latest fact."""
    with still(settings, state) as store:
        return snapshot_of(store, screened_reference(settings, store), settings).tenants()


def stored_runs(settings: Settings, state: Path | None, who: str | None = None) -> KnownRuns:
    """The runs of all tenants of a store, or of the tenant, or with the run, that has this name."""
    with still(settings, state) as store:
        return snapshot_of(store, load_reference(config_root()), settings).runs(who)


def stored_flags(settings: Settings, state: Path | None) -> list[Flag]:
    """All flags of a store."""
    with existing(settings, state) as store:
        return store.flags()


def report(settings: Settings, state: Path | None) -> Report:
    """How the work on cases goes."""
    with existing(settings, state) as store:
        return report_of(store.casework, store.blind(), SystemClock().now_ms())


def verify_store(settings: Settings, state: Path | None, as_of: int | None) -> Verified:
    """Count everything again from the stored facts."""
    with still(settings, state) as store:
        reference = screened_reference(settings, store)
        return verify(load_all(store), store.group_flags(), working_archive, reference, as_of)


def stored_positions(settings: Settings, state: Path | None) -> dict[tuple[str, int], StoredPosition]:
    """How far each topic partition has been read."""
    with existing(settings, state) as store:
        return {where: position for where, position in store.positions().items() if where != JOURNAL}


def dead_letters(settings: Settings, state: Path | None, reason: str | None, settled: bool) -> Iterator[DeadLetter]:
    """The dead letters of a store, oldest first: those that wait, or all; for any reason, or for one."""
    with existing(settings, state) as store:
        for letter in store.dead_letters():
            if (settled or letter.state == WAITING) and reason in (None, letter.reason):
                yield letter


def dead_letter(settings: Settings, state: Path | None, number: int) -> DeadLetter:
    """One dead letter.

    Raises:
        LetterProblem: there is none with that number.
    """
    with existing(settings, state) as store:
        return letter_of(store, number)


def letter_of(store: SqlStore, number: int) -> DeadLetter:
    """A dead letter by its number.

    Raises:
        LetterProblem: there is none of this number.
    """
    letter = store.dead_letter(number)
    if letter is None:
        raise LetterProblem(f"There is no dead letter {number}; `flopwatch dead-letters list` lists them.")
    return letter


def explain(
    settings: Settings, state: Path | None, what: str
) -> TenantStory | RunStory | AllocationStory | tuple[Flag, list[Entry]] | None:
    """The story of a tenant, a run, a flag or an event; None if the store knows nothing of that name."""
    with still(settings, state) as store:
        kept = load_all(store)
        if any(what in one.book.tenants for one in kept):
            return Snapshot(kept, screened_reference(settings, store), _triggers(settings)).tenant(what)
        flag = next((flag for flag in store.flags() if flag.id == what), None)
        if flag is not None:
            return flag, store.flag_history(what)
        if is_segment_id(what):  # no run asks lists, which take a while to read
            run = Snapshot(kept, load_reference(config_root()), _triggers(settings)).runs(what).story
            if run is not None:
                return run
        catalogue = load_catalogue(config_root())
        stories = (
            _explain_event(store.beside(partition), one.book, catalogue, what)
            for partition, one in zip(store.partitions(), kept, strict=True)
        )
        return next((story for story in stories if story is not None), None)


def _triggers(settings: Settings) -> Triggers:
    """The triggers of the settings, in thousandths."""
    counts = ((one.name, one.accelerators) for one in settings.triggers)
    hours = ((one.name, one.accelerator_hours) for one in settings.triggers)
    return Triggers(*([Trigger(name, 1_000 * most) for name, most in one if most] for one in (counts, hours)))


def _explain_event(store: SqlStore, book: Book, catalogue: Catalogue, what: str) -> AllocationStory | None:
    wanted = what.encode("utf-8", "surrogateescape")
    for line in store.lines():
        if wanted in line or b"\\" in line:  # JSON may write any letter as an escape
            fact = decode_facts([line])[0]
            if fact.id == what and fact.subject and fact.tenant:
                key = (fact.tenant, fact.subject)
                head = book.head(key) or store.heads([key]).get(key, 0)
                return explain_allocation(book, catalogue, key, decode_facts(store.histories({key: head})[key]))
    return None


def stored_exports(settings: Settings, state: Path | None, limit: int) -> list[Export]:
    """What was exported, or waits to be."""
    with existing(settings, state) as store:
        return store.exports.latest(limit)


def told(settings: Settings, state: Path | None, flag: str | None) -> list[Sent]:
    """What was told to whom, of all flags or of one, the latest first."""
    with existing(settings, state) as store:
        return store.outgoing.sent(flag)


def flag_times(settings: Settings, state: Path | None, flags: Iterable[Flag]) -> dict[str, FlagTimes]:
    """The clocks of flags, by id."""
    with existing(settings, state) as store:
        return times_of_flags(flags, terms_of(policies_of(settings, store)), store.seen())


def stored_hits(settings: Settings, state: Path | None) -> KnownHits:
    """The hits of everybody in a store, the weightiest first."""
    with still(settings, state) as store:
        return snapshot_of(store, screened_reference(settings, store), settings).hits()
