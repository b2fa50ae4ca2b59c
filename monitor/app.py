"""The one place that builds everything: settings and files in, working parts out."""

from __future__ import annotations

import gc
import hashlib
import os
import pwd
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry

from monitor.alert import CheckpointPlace, Sink
from monitor.clock import Clock, SystemClock, new_secret
from monitor.core.audit import OPERATOR, Checkpoint, Person, Row, Verdict, checkpoint_from, checkpoint_line
from monitor.core.audit import verify as verify_chain
from monitor.core.book import Book, Counts, Moved
from monitor.core.cases import GRAVE, Case
from monitor.core.catalogue import Catalogue
from monitor.core.clearances import AUTHORS, REOPEN
from monitor.core.clocks import (
    AUTHORS as KNOWLEDGE_AUTHORS,
)
from monitor.core.clocks import (
    UNSEEN,
    instant,
    knowledge_decision,
    moves_later,
    viewed_decision,
)
from monitor.core.engine import (
    Answer,
    Reference,
    TenantMatch,
    answer,
    evaluate,
    evaluate_groups,
    follow,
    note_retractions,
    with_late,
)
from monitor.core.estimate import Estimator
from monitor.core.exports import Export, Handover, handover, not_ready
from monitor.core.flags import Act, Change, Entry, Flag, act, closing
from monitor.core.limits import DeadLetterLimits
from monitor.core.lists import Lists
from monitor.core.manifest import NAME as MANIFEST
from monitor.core.manifest import content_of
from monitor.core.model import HOUR_MS, Observation, Rejected
from monitor.core.notices import (
    Recipient,
    Telling,
    terms_of,
    trial_message,
)
from monitor.core.partitions import adopter
from monitor.core.policy import Policy
from monitor.core.retention import Kind, Stock
from monitor.core.retention import needed as needed_of
from monitor.core.retention import until as retained_until
from monitor.core.roles import Role
from monitor.core.runs import is_segment_id
from monitor.core.sight import FIELD as SIGHT
from monitor.core.structuring import Trigger
from monitor.core.suppression import Standing as FlagStanding
from monitor.core.tables import Table
from monitor.core.units import unit_slips
from monitor.errors import (
    BacktestProblem,
    CheckpointProblem,
    EvidenceProblem,
    ExportProblem,
    FlagProblem,
    HitProblem,
    LetterProblem,
    LimitReached,
    MonitorError,
    ProfileProblem,
    SettingsProblem,
    SourceProblem,
)
from monitor.intake.decode import decode_facts
from monitor.intake.dialect import Options
from monitor.intake.profiles import ProfileEvent, profile_events
from monitor.intake.samples import Sampled, sampled
from monitor.log import Log, build_log
from monitor.metrics import IntakeMetrics, Metrics, program_version
from monitor.reference.calibrations import load_calibrations
from monitor.reference.catalogue import check_catalogue, load_catalogue
from monitor.reference.countries import load_countries
from monitor.reference.durations import load_durations
from monitor.reference.lists.effects import Sources, load_effects
from monitor.reference.lists.shelf import ListShelf, Standing
from monitor.reference.policies import (
    SHIPPED_ALONE,
    check_policies,
    load_policies,
    publish,
    texts_of,
    with_policy,
)
from monitor.reference.policies import files_of as policy_files
from monitor.reference.policy_schema import schema_text
from monitor.reference.priors import load_priors
from monitor.reference.reading import milliseconds
from monitor.reference.root import config_root
from monitor.reference.training_score import load_weights
from monitor.run.apply import Archive, take_in
from monitor.run.aside import Aside
from monitor.run.backlog import BacklogWatch
from monitor.run.backtest import BACKTEST_PACE, Outcome, Question, facts_of, in_its_own_period, shadows
from monitor.run.backtest import play as run_backtest
from monitor.run.casework import Cases, Desk, Gatherer
from monitor.run.checkpoints import Checkpoints
from monitor.run.condition import AuditSight, Condition, condition_of
from monitor.run.decisions import as_decided
from monitor.run.delivery import Delivery
from monitor.run.delivery import Rules as DeliveryRules
from monitor.run.demo import Moment, Stage, play
from monitor.run.detection import Detection, detect
from monitor.run.documents import (
    FlagTimes,
    audit_document,
    flag_document,
    most_serious_first,
    row_document,
    tenant_document,
    tenant_run_document,
    times_of_flags,
)
from monitor.run.evidence_check import Checked as PackChecked
from monitor.run.evidence_check import check_pack
from monitor.run.evidence_pack import TENANTS_TOLD_MAX, Contents, pack
from monitor.run.explain import AllocationStory, TenantStory, explain_allocation
from monitor.run.holdings import make_pieces, past_of
from monitor.run.letters import REPLAY, Again, asked_again, check_replayable, check_waiting, read_again, rules
from monitor.run.listing import ScreeningLists
from monitor.run.outbox import Outbox
from monitor.run.proposals import Panel
from monitor.run.relisting import Relisting
from monitor.run.repartition import Repartitioned, repartition
from monitor.run.replay import Pace, Tally, Working, evaluated, event_counts, read_all
from monitor.run.reports import Report, report_of
from monitor.run.retention import Erased, Keeping, by_name, quiet, refuse_needed
from monitor.run.rollup import Rollup
from monitor.run.routing import Layout
from monitor.run.run_story import RunStory
from monitor.run.single import Estimate, Single
from monitor.run.single import estimate as estimate_single
from monitor.run.snapshot import KnownHits, KnownRuns, KnownTenants, Snapshot, Triggers
from monitor.run.survey import Surveys
from monitor.run.table_files import ROWS_AT_MOST, every_case, table_file
from monitor.run.table_files import Known as KnownRows
from monitor.run.task import JOURNAL, Store, Watch, blind_of
from monitor.run.verify import Kept, Verified, verify
from monitor.run.walk import DAILY, arrivals, decoded, in_order
from monitor.run.worker import Ends, Worker
from monitor.settings import Console, Kafka, NoticeSink, Settings, load_settings
from monitor.settings import Policies as OwnPolicies
from monitor.simulate.scenarios import DETECTABLE, simulate
from monitor.source import Position
from monitor.source.files import FileSource
from monitor.store import (
    ACTIVATION,
    DECISION,
    DISMISSED,
    NO_LETTERS,
    REPLAYED,
    TICK,
    WAITING,
    AuditWanted,
    Backup,
    Commit,
    DeadLetter,
    JournalEntry,
    Loaded,
    Sent,
    StoredPosition,
    Wanted,
)
from monitor.store import Position as BookedPosition
from monitor.store.memory import MemoryArchive
from monitor.web.health import HealthServer, Pages
from monitor.web.health import Question as HealthQuestion

if TYPE_CHECKING:
    from monitor.source.confluent import ConfluentSource
    from monitor.source.kafka import KafkaSource
    from monitor.store.exports import Exports
    from monitor.store.retention import Value as PersonalValue
    from monitor.store.sql import SqlStore
    from monitor.web.accounts import Accounts
    from monitor.web.records import Records
    from monitor.web.server import ConsoleServer

RESIDENT_HOURS = 48  # of usage that a worker keeps in memory; older ones are read from the store where they matter
COLLECT_AFTER = 200_000  # new objects between two looks of the garbage collector

Progress = Callable[[int, int | None], None]  # done, and in all if known: bytes, facts, or what is removed


class Replayed(NamedTuple):
    """What a replay answers, what became of its records, and sentences about anything that needs saying."""

    answer: Answer
    events: dict[str, int]
    remarks: list[str]


def load_reference(root: Path, own: OwnPolicies = SHIPPED_ALONE) -> Reference:
    """Catalogue, priors, calibrations, country groups, policies and weights of a configuration folder.

    `own`: the operator's policies; where those need the word of two people, they wait for it.

    Raises:
        ReferenceProblem: a file is missing or contradicts itself, with the file, the place and what to do.
    """
    catalogue, priors = load_catalogue(root), load_priors(root)
    generations = frozenset(named.chip.generation for named in catalogue.names.values())
    estimator = Estimator(catalogue, priors, load_calibrations(root, priors, generations))
    policies = load_policies(root, own)
    return Reference(estimator, load_countries(root), policies, load_weights(root), load_durations(root))


@contextmanager
def opened_store(url: str, create: bool = True, read_only: bool = False) -> Iterator[SqlStore]:
    """The store at a URL, closed at the end."""
    # Only here, as the client of Kafka below: reading it takes longer than most commands that need no store.
    from monitor.store.sql import SqlStore

    store = SqlStore.open(url, create=create, read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def store_url(settings: Settings, state: Path | None) -> str:
    """Where the books live: the file that the command names, else the store of the settings."""
    return settings.store_url if state is None else f"sqlite:///{state}"


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
    return Replayed(answer, event_counts(book, tally), _remarks(source, tally) + _doubts(book, reference))


def working_archive() -> Working:
    """An archive for the length of one computation."""
    archive = MemoryArchive()
    return Working(archive, archive.commit, archive)


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
    loaded = _load_own(store, settings.lateness_ms)
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
    return Replayed(answer, event_counts(book, tally), _remarks(source, tally) + _doubts(book, reference))


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
            *(timeline.shape for timeline in tenant.timelines.values() if timeline.since is not None),
        )
    }
    resolved = [catalogue.resolve(shape.hardware, shape.unit, book.clock) for shape in shapes]
    names = sorted({hardware.name for hardware in resolved if not hardware.known})
    if not names:
        return []
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return [f"The catalogue knows no 16-bit rate of {shown}: add rows to accelerators.csv or aliases.csv."]


def _remarks(source: FileSource, tally: Tally) -> list[str]:
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


# -- what the commands ask of a store ------------------------------------------------------------------------------


def load(store: SqlStore, lateness_ms: int = HOUR_MS, resident_hours: int | None = None) -> Loaded:
    """The books of one partition as the latest commit left them."""
    return store.load(decode_facts, lateness_ms, resident_hours)


def _load_own(store: SqlStore, lateness_ms: int = HOUR_MS, resident_hours: int | None = None) -> Loaded:
    """The same for whoever will commit to them: they get the pieces that they lack.

    Raises:
        Overtaken: another process has committed to them meanwhile.
    """
    loaded = load(store, lateness_ms, resident_hours)
    make_pieces(loaded.book, store, SystemClock().now_ms())
    return loaded


def load_all(store: SqlStore) -> list[Kept]:
    """The books of all partitions."""
    kept = []
    for partition in store.partitions():
        bound = store.beside(partition)
        loaded = load(bound)
        past = past_of(loaded.book, bound)
        blind = [blind_of(row) for row in store.blind(partition)]
        kept.append(Kept(loaded.book, loaded.flags, bound.last_tick(), bound.lines, past, blind))
    books = [one.book for one in kept]
    for book in books:
        book.heard_elsewhere = store.heard()
    return kept


@contextmanager
def _existing(settings: Settings, state: Path | None) -> Iterator[SqlStore]:
    with opened_store(store_url(settings, state), create=False) as store:
        yield store


@contextmanager
def _still(settings: Settings, state: Path | None) -> Iterator[SqlStore]:
    """A store that stays as it is for us, whatever a worker commits meanwhile."""
    with _existing(settings, state) as store, store.still():
        yield store


def _snapshot(store: SqlStore, reference: Reference, settings: Settings) -> Snapshot:
    """What the books of all partitions say."""
    return Snapshot(load_all(store), reference, _triggers(settings))


def stored_tenants(settings: Settings, state: Path | None) -> KnownTenants:
    """What a store knows of every tenant, as of its latest fact."""
    with _still(settings, state) as store:
        return _snapshot(store, screened_reference(settings, store), settings).tenants()


def stored_runs(settings: Settings, state: Path | None, who: str | None = None) -> KnownRuns:
    """The runs of all tenants of a store, or of the tenant, or with the run, that has this name."""
    with _still(settings, state) as store:
        return _snapshot(store, load_reference(config_root()), settings).runs(who)


def stored_flags(settings: Settings, state: Path | None) -> list[Flag]:
    """All flags of a store."""
    with _existing(settings, state) as store:
        return store.flags()


def close_flag(settings: Settings, state: Path | None, name: str, reason: str) -> Flag:
    """Close a flag: the decision goes into the journal, the flag and its history, in one transaction.

    Raises:
        MonitorError: there is no such flag, or it is closed already.
    """
    with _existing(settings, state) as store:
        flag, now = _flag(store, name), SystemClock().now_ms()
        try:
            change = act(flag, Act.CLOSED, now, reason)
        except ValueError as refused:
            raise FlagProblem(f"{name}: {refused}") from None
        case = store.casework.home_of(name)
        if flag.level in GRAVE or (case is not None and case.live and case.two_people):
            where = "its case" if case is None else case.id
            raise FlagProblem(f"To close {name} takes two people: decide {where} with `flopwatch cases decide`.")
        _decide(settings, state, store, closing(flag, reason), now, [change])
        return change.flag


# -- cases -------------------------------------------------------------------------------------------------------------


@contextmanager
def desk(settings: Settings, state: Path | None) -> Iterator[Desk]:
    """Where people work on the cases of a store."""
    with _existing(settings, state) as store:
        yield Desk(store.casework, _policies_of(settings, store), SystemClock())


def suppress_rule(
    settings: Settings, state: Path | None, name: str, person: str, rule: str, until: int, reason: str
) -> Case:
    """Propose that people are not told of a rule on a case for a while, as the rule and the party stand now.

    Raises:
        CaseProblem: there is no such case, no flag of the rule stands on it, or it is not possible now.
    """

    def standing(flags: Sequence[Flag]) -> FlagStanding:
        with _still(settings, state) as store:
            return _snapshot(store, screened_reference(settings, store), settings).standing(flags)

    with desk(settings, state) as at:
        return at.suppress(name, person, rule, until, reason, standing)


def report(settings: Settings, state: Path | None) -> Report:
    """How the work on cases goes."""
    with _existing(settings, state) as store:
        return report_of(store.casework, store.blind(), SystemClock().now_ms())


def verify_store(settings: Settings, state: Path | None, as_of: int | None) -> Verified:
    """Count everything again from the stored facts."""
    with _still(settings, state) as store:
        reference = screened_reference(settings, store)
        return verify(load_all(store), store.group_flags(), working_archive, reference, as_of)


class Checked(NamedTuple):
    """What a check found, as sentences."""

    problems: list[str]
    remarks: list[str]  # what the operator is asked, and is no contradiction


def check(config: Path | None, root: Path | None) -> Checked:
    """Everything that contradicts itself in settings and reference files, and what the operator should decide."""
    settings, now = load_settings(config), SystemClock().now_ms()
    folder = config_root() if root is None else root
    problems = check_catalogue(folder)
    if not problems:
        problems.extend(check_policies(folder, load_reference(folder, settings.policies).policies, settings.policies))
        sources = load_effects(folder, settings.affiliates_rule_returns)
        standings = _shelf(settings, sources).look(now)
        problems.extend(standing.problem for standing in standings if standing.problem)
    problems.extend(_check_sinks(settings))
    return Checked(problems, list(unanswered(settings, now)))


def samples(file: Path, dialect: str) -> Iterator[Sampled]:
    """What each record of a file of foreign records would become, as of now for those that tell no time.

    Raises:
        SourceProblem: it cannot be read.
    """
    try:
        content = file.read_bytes()
    except OSError as wrong:
        raise SourceProblem(f"{file} cannot be read: {(wrong.strerror or 'no reason given').lower()}.") from None
    return sampled(content, dialect, Options("samples", received=instant(SystemClock().now_ms())))


def unanswered(settings: Settings, now: int) -> Iterator[str]:
    """What only the operator can know and has not said, and by whose word policies count."""
    folder = settings.policies.folder
    if folder is not None and settings.policies.approval == "console":
        yield (
            f"The policies of {folder} count once two people have approved them (policies.approval: console): until "
            "then nobody is told of what they find. `flopwatch policies` says which do."
        )
    elif folder is not None:
        yield f"The policies of {folder} count as they are there: whoever may write there decides."
    returns = settings.affiliates_rule_returns
    if settings.bis_affiliates_suspended_until is None and now >= milliseconds(returns):
        yield (
            f"Nobody set bis_affiliates_suspended_until: the affiliates rule counts as holding again since {returns}. "
            "Look up whether its suspension was extended, and write into the settings the first day on which the rule "
            "holds again, also if it is this one."
        )


# -- policies --------------------------------------------------------------------------------------------------------


class KnownPolicies(NamedTuple):
    """All policies as they count, and the time that it is."""

    policies: tuple[Policy, ...]
    now: int  # milliseconds


def policies(settings: Settings, state: Path | None, root: Path | None) -> KnownPolicies:
    """All policies of a configuration folder (None: the packaged one) and of the settings.

    The store is asked only where two people must have approved some of them.

    Raises:
        MonitorError: a file contradicts another one, or the store cannot be read.
    """
    loaded = load_policies(config_root() if root is None else root, settings.policies)
    if not all(one.tells for one in loaded):
        with opened_store(store_url(settings, state), create=False, read_only=True) as store:
            loaded = Panel(store, loaded, SystemClock()).policies()
    return KnownPolicies(loaded, SystemClock().now_ms())


@contextmanager
def panel(settings: Settings, state: Path | None) -> Iterator[Panel]:
    """Where two people decide of policies and hits; what they did is in the next checkpoint of the audit."""
    with _existing(settings, state) as store:
        yield Panel(store, load_policies(config_root(), settings.policies), SystemClock())
        _checkpoint(settings, state, store)


def _policies_of(settings: Settings, store: SqlStore) -> tuple[Policy, ...]:
    """The policies as they count in a store."""
    return Panel(store, load_policies(config_root(), settings.policies), SystemClock()).policies()


def publish_policies(settings: Settings, root: Path | None) -> list[str]:
    """Guard the policies that were not published yet against edits; returns their names."""
    return publish(config_root() if root is None else root, settings.policies)


def policy_schema() -> str:
    """The JSON schema of policy files, as text."""
    return schema_text()


# -- lists and profiles ----------------------------------------------------------------------------------------------


def screening_lists(settings: Settings) -> ScreeningLists:
    """The lists as they are now; nothing is written.

    Raises:
        MonitorError: the effects cannot be read, or nobody said where last good lists are.
    """
    sources, now = load_effects(config_root(), settings.affiliates_rule_returns), SystemClock().now_ms()
    return ScreeningLists(sources.effects, _shelf(settings, sources).look(now), now)


def take_lists(settings: Settings) -> ScreeningLists:
    """The same, and new versions that are good count from now on, also after their files are damaged.

    Raises:
        MonitorError: the effects cannot be read, or last good lists cannot be kept.
    """
    sources, now = load_effects(config_root(), settings.affiliates_rule_returns), SystemClock().now_ms()
    return ScreeningLists(sources.effects, _shelf(settings, sources).take(now), now)


def screened_reference(settings: Settings, store: SqlStore | None = None) -> Reference:
    """The reference files, the lists of the settings as they are now, and the hits that a store says are cleared.

    Raises:
        MonitorError: a file contradicts itself, or nobody said where last good lists are.
    """
    reference = load_reference(config_root(), settings.policies)
    return _screened(reference, screening_lists(settings), store)


def _screened(reference: Reference, known: ScreeningLists, store: SqlStore | None) -> Reference:
    if known.standings:
        reference = replace(reference, lists=lists_that_count(known))
    return reference if store is None else as_decided(reference, store.journal(0, (DECISION,)))


def lists_that_count(known: ScreeningLists, before: Lists | None = None) -> Lists:
    """The lists to be asked; `before` has answers that stand where nothing that changed touches them."""
    # Only here: the distances of words take a while to read, and most commands ask no list.
    from monitor.screening.remembered import Remembering
    from monitor.screening.screen import Screen

    kept = [standing.kept.list for standing in known.standings if standing.kept is not None]
    screen, versions = Screen([(one.version, one.parties) for one in kept]), tuple(one.version for one in kept)
    if before is None or not isinstance(before.screener, Remembering):
        return Lists(Remembering(screen), known.effects, versions)
    return Lists(before.screener.renewed(screen), known.effects, versions)


def accept_list(settings: Settings, name: str, reason: str) -> Standing:
    """Let the file of a list count although too much has gone from it.

    Raises:
        ListProblem: there is no such list, its file cannot be read, or nothing holds it back.
    """
    sources = load_effects(config_root(), settings.affiliates_rule_returns)
    return _shelf(settings, sources).accept(name, reason, SystemClock().now_ms())


def _shelf(settings: Settings, sources: Sources) -> ListShelf:
    return ListShelf(settings.lists, _lists_folder(settings), sources)


def _lists_folder(settings: Settings) -> Path:
    """Where last good versions of lists are kept.

    Raises:
        SettingsProblem: the store is no file that the folder could lie beside.
    """
    if settings.lists_state is not None:
        return settings.lists_state
    beside = settings.store_url.removeprefix("sqlite:///")
    if beside == settings.store_url and settings.lists:
        raise SettingsProblem(
            "The settings name `lists` and the store is no file: set `lists_state` to a folder in which the last good "
            "versions are kept."
        )
    return Path(f"{beside}.lists")


def profiles(files: Sequence[Path], at: int | None, source: str) -> list[ProfileEvent]:
    """The profiles of files as canonical events; `at`: milliseconds since 1970, for those that state no time.

    Raises:
        ProfileProblem: a file cannot be read, or something in it is not as it must be.
    """
    events = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as wrong:
            raise ProfileProblem(f"{file} cannot be read: {(wrong.strerror or 'no reason given').lower()}.") from None
        events.extend(profile_events(content, str(file), at, source))
    return events


def send_profiles(settings: Settings, events: Sequence[ProfileEvent]) -> int:
    """Send profiles to the topics of the settings; the number of them.

    Raises:
        MonitorError: the settings name no Kafka, or it does not take all of them.
    """
    if not settings.kafka.bootstrap_servers:
        raise SettingsProblem("The settings name no Kafka to send to: set `kafka.bootstrap_servers`.")
    # Only here: the client takes a third of a second to read.
    from monitor.source import Outgoing
    from monitor.source.kafka_sending import send

    return send(settings.kafka, [Outgoing(one.of_tenant, one.key, one.line.rstrip(b"\n")) for one in events])


def estimate(single: Single) -> Estimate:
    """What one allocation that nobody holds would be counted as. EstimateProblem: the catalogue has no rate of it."""
    return estimate_single(load_reference(config_root()).estimator, single)


def stored_positions(settings: Settings, state: Path | None) -> dict[tuple[str, int], StoredPosition]:
    """How far each topic partition has been read."""
    with _existing(settings, state) as store:
        return {where: position for where, position in store.positions().items() if where != JOURNAL}


def accept_position(settings: Settings, state: Path | None, topic: str, partition: int | None, reason: str) -> None:
    """Record that a person wants to go past the stops of a topic, or of one of its partitions."""
    body = {"accept": topic, "reason": reason} | ({} if partition is None else {"partition": partition})
    with _existing(settings, state) as store:
        _decide(settings, state, store, body, SystemClock().now_ms())


def repartition_books(settings: Settings, state: Path | None, partitions: int, progress: Progress) -> Repartitioned:
    """Make the books of a store those of another number of partitions of the tenant topic.

    Raises:
        SettingsProblem: there is nothing to be done, or tenants are not where the settings' partitioner sends them.
    """
    with _existing(settings, state) as store:
        known = known_partitions(store)
        if known is None:
            raise SettingsProblem(
                "These books were not read from Kafka: there are no partitions to move tenants between."
            )
        if known == partitions:
            raise SettingsProblem(f"The books are kept for {known} partitions already.")
        now = SystemClock().now_ms()
        done = repartition(store, known, partitions, settings.kafka, settings.lateness_ms, now, progress, operator())
        _checkpoint(settings, state, store)
        return done


# -- dead letters ----------------------------------------------------------------------------------------------------


def dead_letters(settings: Settings, state: Path | None, reason: str | None, settled: bool) -> Iterator[DeadLetter]:
    """The dead letters of a store, oldest first: those that wait, or all; for any reason, or for one."""
    with _existing(settings, state) as store:
        for letter in store.dead_letters():
            if (settled or letter.state == WAITING) and reason in (None, letter.reason):
                yield letter


def dead_letter(settings: Settings, state: Path | None, number: int) -> DeadLetter:
    """One dead letter.

    Raises:
        LetterProblem: there is none with that number.
    """
    with _existing(settings, state) as store:
        return _letter(store, number)


def _letter(store: SqlStore, number: int) -> DeadLetter:
    letter = store.dead_letter(number)
    if letter is None:
        raise LetterProblem(f"There is no dead letter {number}; `flopwatch dead-letters list` lists them.")
    return letter


def replay_letters(settings: Settings, state: Path | None, numbers: Sequence[int], reason: str) -> None:
    """Ask whoever keeps the books to take these dead letters in now.

    Raises:
        LetterProblem: one of them does not wait, or still cannot be taken in; nothing is asked.
    """
    with _existing(settings, state) as store:
        check_replayable((_letter(store, number) for number in numbers), rules(settings))
        _decide(settings, state, store, {REPLAY: sorted(numbers), "reason": reason}, SystemClock().now_ms())


def dismiss_letters(settings: Settings, state: Path | None, numbers: Sequence[int], reason: str) -> None:
    """Record that nobody needs to look at these dead letters any more; they stay in the store.

    Raises:
        LetterProblem: one of them does not wait; nothing is changed.
    """
    with _existing(settings, state) as store:
        for number in numbers:
            check_waiting(_letter(store, number))
        body = {"dismiss_dead_letters": sorted(numbers), "reason": reason}
        _decide(settings, state, store, body, SystemClock().now_ms(), letters=dict.fromkeys(numbers, DISMISSED))


def explain(
    settings: Settings, state: Path | None, what: str
) -> TenantStory | RunStory | AllocationStory | tuple[Flag, list[Entry]] | None:
    """The story of a tenant, a run, a flag or an event; None if the store knows nothing of that name."""
    with _still(settings, state) as store:
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


# -- evidence ----------------------------------------------------------------------------------------------------------

REFERENCE_FILES = (
    "catalogue/*",
    "lists/effects.yaml",
    "calibrations.yaml",
    "countries.yaml",
    "durations.yaml",
    "priors.yaml",
    "published.yaml",
    "training_score.yaml",
)
EVIDENCE_AUDIT_MAX = 10_000  # rows of the audit about one case


@contextmanager
def exports(settings: Settings, state: Path | None) -> Iterator[Exports]:
    """What leaves a store as a file; each step is in the next checkpoint of the audit."""
    with _existing(settings, state) as store:
        yield store.exports
        _checkpoint(settings, state, store)


def stored_exports(settings: Settings, state: Path | None, limit: int) -> list[Export]:
    """What was exported, or waits to be."""
    with _existing(settings, state) as store:
        return store.exports.latest(limit)


def handover_of_case(case: str, template: str, recipient_kind: str, recipient: str, legal_basis: str) -> Handover:
    """The evidence pack of a case for somebody.

    Raises:
        ValueError: something is missing or not permitted; a sentence.
    """
    return handover("case", case, "pack", template, recipient_kind, recipient, legal_basis)


def propose_evidence(settings: Settings, state: Path | None, asked: Handover, by: Person) -> Export:
    """Write down that somebody wants the evidence pack of a case; where it takes nobody else, it is released with that.

    Raises:
        MonitorError: there is no such case, or the store cannot be written.
    """
    with desk(settings, state) as at:
        at.case(asked.what)
    with exports(settings, state) as known:
        return known.propose(asked, by, SystemClock().now_ms())


def proposed_export(settings: Settings, state: Path | None, kind: str, what: str, number: int) -> Export:
    """An export of a case or a table that was proposed before.

    Raises:
        ExportProblem: there is none of that number, it is of something else, was refused, or released too long ago.
    """
    with _existing(settings, state) as store:
        export = store.exports.export(number)
    if (export.handover.kind, export.handover.what) != (kind, what):
        raise ExportProblem(f"Export {number} is of {export.handover.kind} {export.handover.what}.")
    wrong = not_ready(export, SystemClock().now_ms())
    if wrong is not None and export.verdict is not None:
        raise ExportProblem(wrong)
    return export


def write_evidence(settings: Settings, state: Path | None, export: Export, folder: Path, by: Person) -> int:
    """Write the pack of a released export into a folder, once the audit has it; returns how many files.

    Raises:
        MonitorError: the folder is not empty or cannot be written, or the store cannot.
    """
    now = SystemClock().now_ms()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise EvidenceProblem(f"{folder} is not empty: give a new folder.")
        files = evidence_pack(settings, state, export, by.value, now)
        with exports(settings, state) as known:
            known.hand_over(export.number, by, now, content_of(files[MANIFEST]).sha256)
        for name, content in sorted(files.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as problem:
        raise EvidenceProblem(
            f"The pack cannot be written to {folder}: {(problem.strerror or 'no reason given').lower()}."
        ) from None
    return len(files)


def propose_table(settings: Settings, state: Path | None, asked: Handover, by: Person) -> Export:
    """Write down that somebody wants a table; where it takes nobody else, it is released with that."""
    with exports(settings, state) as known:
        return known.propose(asked, by, SystemClock().now_ms())


def write_table(settings: Settings, state: Path | None, export: Export, file: Path, by: Person) -> int:
    """Write the table of a released export into a file, once the audit has it; returns how many rows.

    Raises:
        MonitorError: there is such a file already, it cannot be written, or the store cannot.
    """
    now, known = SystemClock().now_ms(), known_rows(settings, state, Table(export.handover.what))
    content = table_file(export, known, by.value, now).content
    try:
        with file.open("xb") as out:
            with exports(settings, state) as recorded:
                recorded.hand_over(export.number, by, now, hashlib.sha256(content).hexdigest())
            out.write(content)
    except FileExistsError:
        raise ExportProblem(f"{file} is there already: give a new file.") from None
    except OSError as problem:
        reason = (problem.strerror or "no reason given").lower()
        raise ExportProblem(f"The table cannot be written to {file}: {reason}.") from None
    return len(known.rows)


def known_rows(settings: Settings, state: Path | None, table: Table) -> KnownRows:
    """What a store knows for a table: the documents that the commands print."""
    now = SystemClock().now_ms()
    if table is Table.TENANTS:
        known = stored_tenants(settings, state)
        return KnownRows(known.as_of, [tenant_document(one) for one in known.tenants])
    if table is Table.RUNS:
        runs = stored_runs(settings, state)
        return KnownRows(runs.as_of, [tenant_run_document(one) for one in runs.runs])
    if table is Table.FLAGS:
        flags = most_serious_first(stored_flags(settings, state))
        times = flag_times(settings, state, flags)
        return KnownRows(now, [flag_document(one, times[one.id]) for one in flags])
    if table is Table.CASES:
        with desk(settings, state) as at:
            return KnownRows(now, [row_document(one, now) for one in every_case(at.cases, now)])
    rows = audit_rows(settings, state, AuditWanted(), ROWS_AT_MOST)
    return KnownRows(now, [audit_document(*one) for one in rows])


def evidence_pack(settings: Settings, state: Path | None, export: Export, by: str, now: int) -> dict[str, bytes]:
    """The files of the evidence pack of a case, from one state of a store; nothing is written.

    Raises:
        MonitorError: there is no such case, or the store cannot be read.
    """
    with _still(settings, state) as store:
        return pack_in(store, settings, export, by, now)


def pack_in(store: SqlStore, settings: Settings, export: Export, by: str, now: int) -> dict[str, bytes]:
    """The same of a store that stays as it is meanwhile."""
    known = screened_reference(settings, store)
    # What waits for two people finds nothing that people are told of: a pack is without it.
    reference = replace(known, policies=tuple(one for one in known.policies if one.tells))
    snapshot = _snapshot(store, reference, settings)
    at, case = Desk(store.casework, reference.policies, SystemClock()), export.handover.what
    story = at.story(case)
    names = sorted({name for flag in story.flags for name in flag.tenants})
    told = ((name, snapshot.tenant(name)) for name in names[:TENANTS_TOLD_MAX])
    chains = [store.beside(partition) for partition in store.partitions()]
    contents = Contents(
        story,
        {flag.id: store.flag_history(flag.id) for flag in story.flags},
        [at.as_it_was(case, event.number) for event in story.events if SIGHT in event.body],
        snapshot.evidence(story.flags, chains, working_archive),
        {name: of_tenant for name, of_tenant in told if of_tenant is not None},
        store.audit.latest(AuditWanted(subject=case), EVIDENCE_AUDIT_MAX)[::-1],
        _reference_files(config_root(), settings.policies, reference.policies),
        settings.affiliates_rule_returns.isoformat(),
        program_version(),
    )
    return pack(contents, export, by, now)


def _reference_files(root: Path, own: OwnPolicies, policies: Iterable[Policy]) -> dict[str, bytes]:
    """The files that numbers are made with, by name, of policies those of these."""
    found = {
        path.relative_to(root).as_posix(): path
        for pattern in REFERENCE_FILES
        for path in sorted(root.glob(pattern))
        if path.is_file()
    }
    of_policies = policy_files(root, own)
    found |= {f"policies/{policy.name}.yaml": of_policies[policy.name] for policy in policies}
    return {name: path.read_bytes() for name, path in found.items()}


def verify_pack(folder: Path) -> PackChecked:
    """Check an evidence pack from its own files alone.

    Raises:
        EvidenceProblem: it is none.
    """

    def reference(root: Path, affiliates_rule_returns: date) -> Reference:
        effects = load_effects(root, affiliates_rule_returns).effects
        loaded = load_reference(root)
        return replace(loaded, lists=loaded.lists._replace(effects=effects))

    return check_pack(folder, reference, working_archive)


# -- what people are told ----------------------------------------------------------------------------------------------


def told(settings: Settings, state: Path | None, flag: str | None) -> list[Sent]:
    """What was told to whom, of all flags or of one, the latest first."""
    with _existing(settings, state) as store:
        return store.outgoing.sent(flag)


class Tried(NamedTuple):
    """What became of a test message."""

    sink: str
    message: str
    problem: str  # "": its receiver has confirmed it


def try_sinks(settings: Settings, name: str | None) -> list[Tried]:
    """Send a message that says that it is a test to every sink, or to one.

    Raises:
        SettingsProblem: the settings name no sink, or not that one.
    """
    chosen = [one for one in settings.notices.sinks if name in (None, one.name)]
    if not chosen:
        which = "no sink" if name is None else f"no sink {name}"
        raise SettingsProblem(f"The settings name {which}: add it to `notices.sinks`.")
    clock, tried = SystemClock(), []
    for one in chosen:
        sink, message = sink_of(one, settings, clock), trial_message(one.name, clock.now_ms())
        try:
            problem = sink.send(message).problem
        except MonitorError as refused:
            problem = str(refused)
        finally:
            sink.close()
        tried.append(Tried(one.name, message.id, problem))
    return tried


def _check_sinks(settings: Settings) -> Iterator[str]:
    """What is wrong with the files of the sinks; nothing is sent."""
    for one in settings.notices.sinks:
        try:
            sink_of(one, settings, SystemClock()).check()
        except MonitorError as problem:
            yield f"The sink {one.name}: {problem}"


def flag_times(settings: Settings, state: Path | None, flags: Iterable[Flag]) -> dict[str, FlagTimes]:
    """The clocks of flags, by id."""
    with _existing(settings, state) as store:
        return times_of_flags(flags, terms_of(_policies_of(settings, store)), store.seen())


def view_flag(settings: Settings, state: Path | None, name: str, by: str) -> Flag:
    """Record that a person looked at a flag now.

    Raises:
        FlagProblem: there is no such flag, or nobody is named.
    """
    (person,) = _people([by])
    with _existing(settings, state) as store:
        flag, now = _flag(store, name), SystemClock().now_ms()
        _decide(settings, state, store, viewed_decision(name, person, now), now)
        return flag


def know_flag(settings: Settings, state: Path | None, name: str, at: int, authors: Sequence[str], reason: str) -> Flag:
    """Record from when on what a flag says was known; the earliest counts, unless two people say so together.

    Raises:
        FlagProblem: there is no such flag, nobody is named, it lies in the future, or one person alone would move it to
            a later time.
    """
    people = _people(authors)
    with _existing(settings, state) as store:
        flag, now = _flag(store, name), SystemClock().now_ms()
        if at > now:
            raise FlagProblem("Nobody knows now what they will know later: give a time that has passed with --at.")
        if len(people) < KNOWLEDGE_AUTHORS and moves_later(store.seen().get(name, UNSEEN), at):
            raise FlagProblem(
                f"{name}: it was known earlier than that, as the journal says; moving it to a later time takes two "
                "people: name each of them with --by."
            )
        _decide(settings, state, store, knowledge_decision(name, people, at, reason), now)
        Desk(store.casework, _policies_of(settings, store), SystemClock()).known(flag, people[0])
        return flag


def _people(names: Sequence[str]) -> list[str]:
    people = sorted({name.strip() for name in names} - {""})
    if not people:
        raise FlagProblem("Somebody says so: name the person with --by.")
    return people


def _flag(store: SqlStore, name: str) -> Flag:
    for flag in store.flags():
        if flag.id == name:
            return flag
    raise FlagProblem(f"There is no flag {name}; `flopwatch flags` lists them.")


# -- hits on lists -----------------------------------------------------------------------------------------------------


def stored_hits(settings: Settings, state: Path | None) -> KnownHits:
    """The hits of everybody in a store, the weightiest first."""
    with _still(settings, state) as store:
        return _snapshot(store, screened_reference(settings, store), settings).hits()


def clear_hit(
    settings: Settings, state: Path | None, name: str, authors: Sequence[str], reason: str, until: int
) -> TenantMatch:
    """Record that a hit was found to be somebody else, until an instant or until a record changes.

    One person proposes it, for another one to approve; two decide it.

    Raises:
        HitProblem: there is no such hit, or more than two people are named.
        ProposalProblem: it is not possible: see `Panel.propose_clearance`.
    """
    people = sorted({" ".join(author.split()) for author in authors} - {""})
    if not 1 <= len(people) <= AUTHORS or len(authors) != len(people):
        raise HitProblem("A hit is cleared by two people: name each of them with --by, or one of them to propose it.")
    known = stored_hits(settings, state)
    found = _named(known.hits, name)
    with panel(settings, state) as at:
        at.propose_clearance(found, known.as_of, until, reason, people, operator())
    return found


def reopen_hit(settings: Settings, state: Path | None, name: str, reason: str) -> TenantMatch:
    """Take a clearance back.

    Raises:
        HitProblem: there is no such hit, or nobody has cleared it.
    """
    found = _named(stored_hits(settings, state).hits, name)
    if found.match.clearance is None:
        raise HitProblem(f"{name} is open.")
    subject, source, entry = found.match.place
    body = {REOPEN: {"subject": subject, "source": source, "entry": entry}, "reason": reason}
    with _existing(settings, state) as store:
        _decide(settings, state, store, body, SystemClock().now_ms())
    return found


def _named(hits: Iterable[TenantMatch], name: str) -> TenantMatch:
    for found in hits:
        if found.match.id == name:
            return found
    raise HitProblem(f"There is no hit {name}; `flopwatch hits` lists them.")


# -- the audit ---------------------------------------------------------------------------------------------------------


def operator() -> Person:
    """Who runs this process, as the operating system has it."""
    number = os.getuid()
    try:
        return Person(OPERATOR, pwd.getpwuid(number).pw_name)
    except KeyError:  # in a container, whose users may have no names
        return Person(OPERATOR, f"uid {number}")


def _decide(
    settings: Settings,
    state: Path | None,
    store: SqlStore,
    body: Mapping[str, object],
    now: int,
    changes: Sequence[Change] = (),
    letters: Mapping[int, str] = NO_LETTERS,
) -> None:
    """Write what a person decides at the command line, with its row of the audit; then a checkpoint of that."""
    store.decide(JournalEntry(DECISION, body), changes, now, letters, by=operator())
    _checkpoint(settings, state, store)


def _checkpoint(settings: Settings, state: Path | None, store: SqlStore) -> None:
    """Add a checkpoint to the file of the settings, which is of their store and of no other; the daemon serves topics.

    What was decided stands whether that works or not.
    """
    path, clock = settings.audit.checkpoint_file, SystemClock()
    if path is None or state is not None:
        return
    from monitor.alert.checkpoints import CheckpointFile

    try:
        CheckpointFile(path).put(checkpoint_line(store.audit.head(clock.now_ms())))
    except MonitorError as problem:
        build_log(settings.log_level, clock).warning("checkpoint not written", problem=str(problem))


def audit_rows(settings: Settings, state: Path | None, wanted: AuditWanted, limit: int) -> list[tuple[Row, str]]:
    """The latest rows of the audit, each with its actor for people to read."""
    with _existing(settings, state) as store:
        return store.audit.latest(wanted, limit)


class AuditVerified(NamedTuple):
    """What a walk over the audit found."""

    verdict: Verdict
    checkpoints: int
    remarks: list[str]  # about lines that are no checkpoints


def verify_audit(settings: Settings, state: Path | None, lines: Iterable[bytes] | None) -> AuditVerified:
    """Walk over the audit of a store, against checkpoints: these lines, else those of the settings for their store.

    Raises:
        CheckpointProblem: the file of the settings cannot be read.
    """
    if lines is None and state is None and settings.audit.checkpoint_file is not None:
        lines = _checkpoint_lines(settings.audit.checkpoint_file)
    checkpoints, remarks = list[Checkpoint](), list[str]()
    for number, line in enumerate(lines or (), 1):
        try:
            checkpoints.append(checkpoint_from(line))
        except (ValueError, RecursionError):
            remarks.append(f"Line {number} of the checkpoints is none, and was left out.")
    with _existing(settings, state) as store:
        return AuditVerified(verify_chain(store.audit.chain(), checkpoints), len(checkpoints), remarks)


def _checkpoint_lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as problem:
        raise CheckpointProblem(
            f"The checkpoints in {path} cannot be read: {(problem.strerror or 'no reason given').lower()}. `flopwatch "
            "run` writes them; --checkpoints names another file."
        ) from None


# -- backtests -----------------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """What a backtest is asked."""

    policy: str | None = None  # a file; of shadow rules a policy that is there, as ID or ID@VERSION
    shadow: bool = False
    below: int = 0
    since: int | None = None  # milliseconds; the instants of the first and the last look
    until: int | None = None


class Backtested(NamedTuple):
    """What a backtest says, of what, and sentences about anything that needs saying."""

    outcome: Outcome
    title: str
    asked: Asked
    remarks: list[str]


def backtest(
    settings: Settings, asked: Asked, paths: Sequence[str], state: Path | None, progress: Progress
) -> Backtested:
    """Play event files, or the facts of a store, under other policies. Nothing is written.

    Raises:
        MonitorError: with one sentence that says what to do.
    """
    tune_collector()
    if paths:
        return _backtest_files(settings, asked, paths, progress)
    with opened_store(store_url(settings, state), create=False, read_only=True) as store, store.still():
        reference = screened_reference(settings, store)
        question = _question(reference, asked)
        lines = in_order(
            arrival
            for partition in store.partitions()
            for arrival in arrivals((fact.received, fact.raw) for fact in store.beside(partition).facts())
        )
    lines = list(dict.fromkeys(lines))  # a fact that is about no tenant is in the books of every partition
    return _played(decoded(lines), reference, asked, question, lambda done: progress(done, len(lines)), "the store")


def _backtest_files(settings: Settings, asked: Asked, paths: Sequence[str], progress: Progress) -> Backtested:
    reference = screened_reference(settings)
    question = _question(reference, asked)
    source, tally = FileSource(paths, record_bytes_max=settings.record_bytes_max), Tally()
    source.begin_all({})
    try:
        facts = facts_of(source, rules(settings), tally, lambda: progress(source.bytes_done // 2, source.bytes_total))
        played = _played(facts, reference, asked, question, lambda _: None, "these files")
        return played._replace(remarks=_remarks(source, tally))
    finally:
        source.close()


class _Question(NamedTuple):
    """What is compared with what, and what that is called."""

    title: str
    question: Question


def _question(reference: Reference, asked: Asked) -> _Question:
    """What is asked for.

    Raises:
        BacktestProblem: there is nothing to compare.
        ReferenceProblem: the file of the policy is not as it must be.
    """
    pace = BACKTEST_PACE._replace(since=asked.since or 0, until=asked.until)
    present = reference.policies
    if asked.shadow:
        title, other = _shadows(present, asked.policy)
        return _Question(title, Question((), other, other, asked.below, pace))
    if asked.policy is None:
        return _Question("Just under the thresholds in force", Question(present, present, present, asked.below, pace))
    path = Path(asked.policy)
    added, known = with_policy(config_root(), present, path), {one.digest for one in present}
    new = [one for one in added if one.digest not in known]
    if not new:
        raise BacktestProblem(f"{path.name} says what the policy that is loaded says: there is nothing to compare.")
    title = f"{new[0].id} version {new[0].version}, from {path.name}, against the policies in force"
    return _Question(title, Question(present, added, new, asked.below, pace))


def _shadows(present: Sequence[Policy], named: str | None) -> tuple[str, tuple[Policy, ...]]:
    """The policies whose shadow rules are asked for, as if people were told, with a title."""
    if named is not None:
        policy = _loaded(present, named)
        title = f"What {policy.id} version {policy.version} would have said in its own period"
        return title, (in_its_own_period(policy),)
    found = shadows(present)
    if not found:
        raise BacktestProblem(
            "No rule of the policies is in the shadow; `shadow: true` in a policy file puts one there."
        )
    return "What the shadow rules would have said", found


def _loaded(present: Sequence[Policy], named: str) -> Policy:
    """The policy ID or ID@VERSION; without a version the latest.

    Raises:
        BacktestProblem: there is none.
    """
    found = [one for one in present if named in (one.id, f"{one.id}@{one.version}")]
    if not found:
        known = ", ".join(f"{one.id}@{one.version}" for one in present)
        raise BacktestProblem(f"There is no policy {named} among those that are loaded: name one of {known}.")
    return max(found, key=lambda one: one.version)


def _played(
    facts: Iterable[Observation],
    reference: Reference,
    asked: Asked,
    named: _Question,
    progress: Callable[[int], None],
    where: str,
) -> Backtested:
    outcome = run_backtest(facts, working_archive(), reference, named.question, lambda step: progress(step.facts))
    if outcome is None:
        days = "" if asked.since is None else " on or after the first day that you ask for"
        raise BacktestProblem(f"There is no fact in {where}{days}, so there is nothing to play.")
    return Backtested(outcome, named.title, asked, [])


class Scenarios(NamedTuple):
    """What simulated fleets with known truth show of some policies."""

    title: str
    found: Mapping[str, Detection]  # by scenario


def backtest_scenarios(
    settings: Settings, policy: str | None, progress: Callable[[str], None], names: Sequence[str] = DETECTABLE
) -> Scenarios:
    """Play scenarios in the order of arrival, under the policies in force or with one more.

    Raises:
        MonitorError: with one sentence that says what to do.
    """
    tune_collector()
    reference, title = screened_reference(settings), "The policies in force"
    if policy is not None:
        reference = replace(reference, policies=tuple(with_policy(config_root(), reference.policies, Path(policy))))
        title = f"The policies in force, with {Path(policy).name}"
    found = {}
    for name in names:
        progress(name)
        played = simulate(name)
        facts = decoded(played.events())
        found[name] = detect(facts, working_archive(), reference, DAILY, partial(getattr, played, "truth"))
    return Scenarios(title, found)


# -- the demo and the benchmarks -----------------------------------------------------------------------------------


@contextmanager
def demo_stage() -> Iterator[tuple[Stage, Path]]:
    """An empty store in a folder of its own, which stays for whoever wants to look."""
    path = Path(tempfile.mkdtemp(prefix="flopwatch-demo-")) / "demo.db"
    clock = SystemClock()
    tune_collector()
    with opened_store(f"sqlite:///{path}") as store:
        book = load(store).book

        def keep(moved: Moved, changes: Sequence[Change]) -> None:
            tick = [JournalEntry(TICK, {"as_of": book.clock})]
            store.commit(Commit(moved, book, [], changes, [], tick, clock.now_ms()))

        yield Stage(book, store, load_reference(config_root()), keep, store), path


def demo(stage: Stage, seed: int, days_a_second: float | None) -> Iterator[Moment]:
    """Play the scenario `demo` on a stage."""
    return play(simulate("demo", seed=seed).events(), stage, days_a_second, SystemClock())


class DemoConsole(NamedTuple):
    """Where the console over what was played answers, and who may sign in."""

    address: str  # of the most serious case
    passwords: Mapping[str, str]  # by name


@contextmanager
def demo_console(stage: Stage, path: Path) -> Iterator[DemoConsole]:
    """The console over the store of a play, on a free port of the loopback address, until the end."""
    settings = Settings(store_url=f"sqlite:///{path}", console=Console(port=0))
    clock, registry = SystemClock(), CollectorRegistry()
    log = build_log("error", clock)
    with (
        accounts(settings) as known,
        records(settings, None, clock, log) as shown,
        served_console(settings, known, shown, registry, clock, log) as serving,
    ):
        cases = shown.desk.cases
        gather_all(cases, stage.reference, stage.book, clock)
        first = cases.queue(Wanted(limit=1), clock.now_ms()).rows
        roles = (Role.REVIEWER, Role.SENIOR_REVIEWER)
        passwords = {role.value: known.add_with_new_password(role.value, role, operator()) for role in roles}
        page = f"cases/{first[0].id}" if first else "queue"
        yield DemoConsole(f"http://127.0.0.1:{serving.port}/{page}", passwords)


def gather_all(cases: Cases, reference: Reference, book: Book, clock: Clock) -> None:
    """Put all flags of a book on cases."""
    gatherer, parties = Gatherer(cases, reference.policies, clock), reference.parties(book, book.clock)
    while gatherer.work(book.tenants, parties):
        pass


def demo_answer(stage: Stage) -> tuple[Answer, dict[str, int]]:
    """What the stage knows at the end, as `replay` says it."""
    book = stage.book
    tally = Tally()
    tally.read = book.counts.accepted + book.counts.duplicate
    told = answer(book, stage.reference, book.clock, stage.past)
    return told, event_counts(book, tally)


def hold(store: SqlStore, batches: Iterable[Sequence[Observation]]) -> int:
    """Take facts into a store, committing after each batch; the number of open allocations that the book then holds."""
    book = load(store).book
    for facts in batches:
        take_in(book, store, facts, [None] * len(facts))
        store.commit(Commit(book.drain(), book, [], [], [], [], 0))
    return sum(tenant.open_allocations for tenant in book.tenants.values())


def tune_collector() -> None:
    """Keep the garbage collector from walking live books: they have no cycles, and most of its time went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 50, 1_000)


# -- the daemon ----------------------------------------------------------------------------------------------------


class _Books:
    """The books of the partitions in one database."""

    def __init__(
        self, store: SqlStore, settings: Settings, partitions: Callable[[], int] | None, metrics: Metrics
    ) -> None:
        """`partitions` counts those of the tenant topic; None where files are read."""
        self._store = store
        self._metrics = metrics
        self._settings = settings
        self._partitions = partitions

    def open(self, partition: int) -> tuple[Loaded, Store]:
        """The books of a partition; those of a topic can from now on be committed by nobody else.

        Raises:
            LimitReached: the topic has another number of partitions than the books.
            StoreProblem: the books cannot be read.
        """
        if self._partitions is None:
            return _load_own(self._store, self._settings.lateness_ms, RESIDENT_HOURS), self._store
        now = self._partitions()
        self._metrics.set("flopwatch_topic_partitions", now, topic=self._settings.kafka.tenant_topic)
        known = self._known(now)
        store = self._store.beside(partition)
        store.claim()
        loaded = _load_own(store, self._settings.lateness_ms, RESIDENT_HOURS)
        kafka = self._settings.kafka
        loaded.book.adopts = adopter(partition, known, kafka.partitioner)
        loaded.book.place = f"{kafka.tenant_topic}-{partition}"
        return loaded, store

    def _known(self, now: int) -> int:
        """How many partitions the books have; the number at their start, until a person moves tenants."""
        known = known_partitions(self._store)
        if known is None:
            entry = JournalEntry(ACTIVATION, {"partitions": now})
            self._store.record([entry], SystemClock().now_ms())
            return now
        if now != known:
            raise LimitReached(
                f"{self._settings.kafka.tenant_topic} has {now} partitions, and the books were kept for {known}: stop "
                "the workers once they have read the old partitions to their end, then move tenants with "
                "`flopwatch positions repartition`."
            )
        return known

    def heard(self) -> dict[str, int]:
        """When any partition last heard of each source."""
        return self._store.heard()

    def letters_waiting(self) -> int:
        """How many dead letters of all books wait for a person."""
        return self._store.letters_waiting()


def known_partitions(store: SqlStore) -> int | None:
    """For how many partitions of the tenant topic the books of a store are kept; None before the first."""
    for row in reversed(store.journal(0, (ACTIVATION,))):
        if "partitions" in row.entry.body:
            return int(str(row.entry.body["partitions"]))
    return None


def run_daemon(settings: Settings, console: bool = False) -> None:
    """Read Kafka or follow files, keep the books, serve metrics and health, until SIGTERM or SIGINT.

    With `console` it serves that, too.

    Raises:
        MonitorError: it cannot start, or had to stop; everything committed stands.
    """
    reference, clock = load_reference(config_root(), settings.policies), SystemClock()
    layout = _layout(settings)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.describe(settings.digest, reference)
    log = build_log(settings.log_level, clock)
    watch = Watch(metrics, clock, log)
    relisting = _relisting(settings, watch)
    if relisting is not None:
        reference = replace(reference, lists=relisting.lists)
    with ExitStack() as stack:
        store = stack.enter_context(opened_store(settings.store_url))
        if layout.shared:  # brokers may take a while to answer, or not to
            log.info("connecting to Kafka", seconds=settings.kafka.request_seconds)
        source = stack.enter_context(_source(settings))
        partitions = None if isinstance(source, FileSource) else source.tenant_partitions
        metrics.set("flopwatch_insecure_connection", int(layout.shared and settings.kafka.allow_insecure))
        outbox = stack.enter_context(_outbox(settings, store, metrics, clock, log))
        decided = as_decided(reference, store.journal(0, (DECISION,)))
        telling = _telling(settings, decided) if settings.notices.sinks else None
        rollup = _rollup(settings, store, reference, watch, telling, stack)
        books = _Books(store, settings, partitions, metrics)
        delivery = None if telling is None else stack.enter_context(_delivery(settings, store, telling, watch, layout))
        checkpoints = stack.enter_context(_checkpoints(settings, store, watch))
        backlog = BacklogWatch(store.casework, watch)
        ends = Ends(
            source, books, metrics, clock, log, outbox, rollup, relisting, telling, delivery, checkpoints, backlog
        )
        worker = Worker(ends, reference, settings, layout)
        healthy = worker.healthy
        if console:
            known = stack.enter_context(accounts(settings))
            shown = stack.enter_context(records(settings, None, clock, log))
            serving = stack.enter_context(served_console(settings, known, shown, registry, clock, log))
            healthy = _both(serving.answers, worker.healthy)
            log.info("console serves", host=settings.console.host, port=serving.port)
        server = HealthServer(settings.http.host, settings.http.port, Pages(registry, healthy, worker.ready))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        tune_collector()
        server.start()
        try:
            worker.run()
        finally:
            server.close()


def run_translator(settings: Settings) -> None:
    """Translate foreign topics into the two that workers read, until SIGTERM or SIGINT.

    Raises:
        MonitorError: it cannot start, or cannot read on.
    """
    topics = {str(one.topic): one for one in settings.intake.topics}
    if not topics or not settings.kafka.bootstrap_servers:
        raise SettingsProblem(
            "The settings name nothing to translate: set `kafka.bootstrap_servers` and `intake.topics`, each with its "
            "`topic` and `source`."
        )
    # Only here, as the client of Kafka below.
    from monitor.run.translating import Translator
    from monitor.source.kafka_group import GroupSource
    from monitor.source.kafka_sending import Sender

    clock, registry = SystemClock(), CollectorRegistry()
    log, metrics = build_log(settings.log_level, clock), IntakeMetrics(registry, topics)
    with ExitStack() as stack:
        log.info("connecting to Kafka", seconds=settings.kafka.request_seconds)
        source = GroupSource(settings.kafka, settings.intake.group, list(topics))
        stack.callback(source.close)
        sender = Sender(settings.kafka)
        stack.callback(sender.close)
        translator = Translator(source, sender, topics, settings.intake.record_bytes_max, metrics, clock, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: translator.stop())

        def ready() -> tuple[bool, str]:
            return translator.began, "The translator is in its group." if translator.began else "It joins its group."

        limit = settings.stalled_seconds
        server = HealthServer(
            settings.http.host, settings.http.port, Pages(registry, lambda: translator.healthy(limit), ready)
        )
        server.start()
        stack.callback(server.close)
        translator.run()


def _rollup(
    settings: Settings,
    store: SqlStore,
    reference: Reference,
    watch: Watch,
    telling: Telling | None,
    stack: ExitStack,
) -> Rollup | Aside:
    """What looks at groups: beside the loop, except where a store has one writer at a time."""
    if not store.shared:
        return Rollup(store, reference, watch, telling)
    own = stack.enter_context(opened_store(settings.store_url))
    aside = Aside(Rollup(own, reference, watch, telling))
    stack.callback(aside.close)
    return aside


def _both(first: HealthQuestion, second: HealthQuestion) -> HealthQuestion:
    """Whether both are so; the second one says it."""

    def ask() -> tuple[bool, str]:
        yes, sentence = first()
        return second() if yes else (False, sentence)

    return ask


def _relisting(settings: Settings, watch: Watch) -> Relisting | None:
    """What reads the lists of the settings again when they change; None: they name none."""
    if not settings.lists:
        return None

    def read(before: Lists | None) -> tuple[Lists, list[Standing]]:
        known = take_lists(settings)
        return lists_that_count(known, before), known.standings

    return Relisting([one.path for one in settings.lists], read, watch)


def _layout(settings: Settings) -> Layout:
    """What the settings say is read.

    Raises:
        SettingsProblem: nothing, or both kinds of source at once.
    """
    kafka = settings.kafka
    if kafka.bootstrap_servers and settings.files.paths:
        raise SettingsProblem(
            "The settings name both `kafka.bootstrap_servers` and `files.paths`: a daemon reads one of them; event "
            "files can be taken in with `flopwatch replay --state` before."
        )
    if kafka.bootstrap_servers:
        return Layout(kafka.tenant_topic, kafka.control_topic)
    if settings.files.paths:
        return Layout()
    raise SettingsProblem(
        "The settings name nothing to read: set `kafka.bootstrap_servers`, or `files.paths` in the settings file, or "
        'FLOPWATCH_FILES__PATHS to a JSON list such as ["/var/lib/flopwatch/events.jsonl"].'
    )


def _kafka(kafka: Kafka) -> KafkaSource | ConfluentSource:
    """The client of Kafka that the settings name.

    Raises:
        SettingsProblem: its package is not installed, or a file with a secret or a certificate cannot be used.
        SourceProblem: Kafka does not answer, or does not let us read.
    """
    if kafka.client == "kafka-python":
        from monitor.source.kafka import KafkaSource

        return KafkaSource(kafka)
    # Only here: the package is an extra, `flopwatch[fast]`.
    from monitor.source.confluent import ConfluentSource

    return ConfluentSource(kafka)


@contextmanager
def _outbox(settings: Settings, store: SqlStore, metrics: Metrics, clock: Clock, log: Log) -> Iterator[Outbox | None]:
    """What sends dead letters to their topic, if there is one."""
    kafka = settings.kafka
    if not kafka.bootstrap_servers or kafka.dead_letter_topic is None:
        yield None
        return
    from monitor.alert.kafka import KafkaLetters
    from monitor.source.kafka import connection

    sink = KafkaLetters(kafka.dead_letter_topic, lambda: connection(kafka))
    try:
        yield Outbox(sink, store, metrics, clock, log)
    finally:
        sink.close()


@contextmanager
def _delivery(
    settings: Settings, store: SqlStore, telling: Telling, watch: Watch, layout: Layout
) -> Iterator[Delivery]:
    """What sends notices to the sinks of the settings, whose connections are closed at the end."""
    notices = settings.notices
    sinks = {one.name: sink_of(one, settings, watch.clock) for one in notices.sinks}
    try:
        rules = DeliveryRules(telling, notices.reminding, notices.limits)
        yield Delivery(sinks, store.outgoing, rules, watch, layout.shared)
    finally:
        for sink in sinks.values():
            sink.close()


@contextmanager
def _checkpoints(settings: Settings, store: SqlStore, watch: Watch) -> Iterator[Checkpoints | None]:
    """What takes checkpoints of the audit to the places of the settings, if they name any."""
    places = list(_checkpoint_places(settings))
    try:
        yield Checkpoints(store.audit, places, settings.audit.checkpoint_minutes, watch) if places else None
    finally:
        for one in places:
            one.close()


def _checkpoint_places(settings: Settings) -> Iterator[CheckpointPlace]:
    audit, kafka = settings.audit, settings.kafka
    # Only here, as the clients above.
    if audit.checkpoint_file is not None:
        from monitor.alert.checkpoints import CheckpointFile

        yield CheckpointFile(audit.checkpoint_file)
    if audit.checkpoint_topic is not None:
        from monitor.alert.checkpoints import CheckpointTopic
        from monitor.source.kafka import connection

        yield CheckpointTopic(audit.checkpoint_topic, kafka.request_seconds, lambda: connection(kafka))


def _telling(settings: Settings, reference: Reference) -> Telling:
    """Who is told of flags, and what the rules say beside."""
    recipients = tuple(Recipient(one.name, frozenset(one.takes)) for one in settings.notices.sinks)
    return Telling(terms_of(reference.policies), recipients)


def sink_of(sink: NoticeSink, settings: Settings, clock: Clock) -> Sink:
    """What takes notices, as the settings name it."""
    # Only here, as the clients above.
    if sink.kind == "webhook":
        from monitor.alert.webhook import Webhook

        return Webhook(sink, clock)
    if sink.kind == "email":
        from monitor.alert.email import Email

        return Email(sink)
    if sink.kind == "alertmanager":
        from monitor.alert.alertmanager import Alertmanager

        return Alertmanager(sink, clock)
    from monitor.alert.topic import Topic
    from monitor.source.kafka import connection

    return Topic(sink, lambda: connection(settings.kafka))


@contextmanager
def _source(settings: Settings) -> Iterator[FileSource | KafkaSource | ConfluentSource]:
    """Where records come from, closed at the end."""
    files = settings.files
    source = (
        _kafka(settings.kafka)
        if settings.kafka.bootstrap_servers
        else FileSource(files.paths, follow=files.follow, record_bytes_max=settings.record_bytes_max)
    )
    try:
        yield source
    finally:
        source.close()


# -- retention -------------------------------------------------------------------------------------------------------


class _Looked(NamedTuple):
    """What people still look at, of one state of the store, and since when nothing is heard of others."""

    needed: dict[str, str]
    quiet_since: dict[str, int]


def _looked_at(settings: Settings, store: SqlStore) -> _Looked:
    with store.still():
        snapshot = _snapshot(store, load_reference(config_root()), settings)
        needed = needed_of(store.casework.unfinished(), store.flags(), snapshot.tied)
        return _Looked(needed, snapshot.quiet_since(store.retaining.latest()))


def retention(settings: Settings, state: Path | None) -> list[Keeping]:
    """How much of each kind is kept, how much of it may go by its period, and what stays all the same."""
    with _existing(settings, state) as store:
        return _kept(settings, store, None, list(Kind))


def _kept(settings: Settings, store: SqlStore, before: int | None, kinds: Sequence[Kind]) -> list[Keeping]:
    now, found = SystemClock().now_ms(), []
    for kind in kinds:
        days = settings.retention.days[kind]
        until = retained_until(days, now, before)
        if until is None:
            stock = Stock(0, 0)
        elif kind is Kind.PERSONAL:
            may_go, stays = _quiet_values(settings, store, until)
            stock = Stock(sum(map(len, may_go.values())), stays)
        else:
            stock = store.retaining.stock(kind, until)
        found.append(Keeping(kind, days, until, stock))
    return found


def _quiet_values(settings: Settings, store: SqlStore, until: int) -> tuple[Mapping[str, Sequence[PersonalValue]], int]:
    looked = _looked_at(settings, store)
    return quiet(store.retaining.values(), until, looked.quiet_since, looked.needed)


def apply_retention(
    settings: Settings, state: Path | None, before: int, kinds: Sequence[Kind], dry: bool, progress: Progress
) -> list[Keeping]:
    """Remove what may go of these kinds from before an instant; what was removed stands where stocks say `may_go`.

    Raises:
        StoreProblem: the store cannot be written; what was removed before is gone, the rest is as it was.
    """
    with _existing(settings, state) as store:
        planned = _kept(settings, store, before, kinds)
        if dry:
            return planned
        total, done = sum(one.stock.may_go for one in planned), 0
        applied = []
        for one in planned:
            removed = 0
            for part in _removed(settings, store, one):
                removed, done = removed + part, done + part
                progress(done, total)
            applied.append(one._replace(stock=one.stock._replace(may_go=removed)))
        _checkpoint(settings, state, store)
        return applied


def _removed(settings: Settings, store: SqlStore, kept: Keeping) -> Iterator[int]:
    """Remove what may go of a kind, in parts."""
    if kept.until is None:
        return
    at, by = SystemClock().now_ms(), operator()
    if kept.kind is not Kind.PERSONAL:
        yield from store.retaining.remove(kept.kind, kept.until, at, by)
        return
    may_go, _ = _quiet_values(settings, store, kept.until)
    for whom, values in may_go.items():
        yield store.retaining.forget(values, at, by, whom, {"before": kept.until})


def erase_personal(
    settings: Settings, state: Path | None, text: str | None, whom: str | None, reason: str, person: str
) -> Erased:
    """Erase a text wherever it is a personal value of a customer, or all such values of somebody.

    Raises:
        RetentionProblem: nothing of that is known, or somebody still looks at it.
    """
    by, at = by_name(person), SystemClock().now_ms()
    with _existing(settings, state) as store:
        values = refuse_needed(
            store.retaining.values(text, whom), _looked_at(settings, store).needed, whom or "that text"
        )
        quoted = store.retaining.quoting({one.text for one in values})
        known = store.retaining.forget(values, at, by, whom or "text", {"reason": reason})
        _checkpoint(settings, state, store)
    return Erased(tuple(sorted({one.whom for one in values})), known, quoted)


# -- the store as a whole ------------------------------------------------------------------------------------------


def migrate_store(settings: Settings, state: Path | None) -> tuple[str | None, str]:
    """Bring a store up to date: the migrations that its tables stood at (None: there were none) and stand at."""
    from monitor.store.database import migrate

    return migrate(store_url(settings, state))


def back_up(settings: Settings, state: Path | None, out: Path, progress: Progress) -> Backup:
    """Copy a store into a new file while it is in use."""
    from monitor.store.backup import back_up

    return back_up(store_url(settings, state), out, progress)


def restore(settings: Settings, state: Path | None, file: Path, person: str, reason: str) -> Backup:
    """Make a new store of a backup, whose audit says so: who did it, of which file, and where the chain stood.

    Raises:
        StoreProblem: there is a store already, or the file is no backup of such a store.
    """
    from monitor.store.backup import restore

    found, clock = restore(store_url(settings, state), file), SystemClock()
    with _existing(settings, state) as store:
        head = store.audit.head(clock.now_ms())
        told = {"sha256": found.sha256, "rows": head.rows, "head": head.head, "reason": reason}
        store.audit.add(clock.now_ms(), by_name(person), "store.restored", "", told)
    return found


# -- people and the console ----------------------------------------------------------------------------------------


@contextmanager
def accounts(settings: Settings, state: Path | None = None, create: bool = False) -> Iterator[Accounts]:
    """Who may use the console of a store.

    Raises:
        StoreProblem: it cannot be opened, or there is none and `create` is false.
    """
    from monitor.store.people import People
    from monitor.web.accounts import Accounts
    from monitor.web.passwords import Passwords

    people = People.open(store_url(settings, state), create)
    try:
        yield Accounts(people, Passwords(), SystemClock(), new_secret, settings.console.limits)
    finally:
        people.close()


@contextmanager
def records(settings: Settings, state: Path | None, clock: Clock, log: Log) -> Iterator[Records]:
    """What the pages of the console show of a store.

    Raises:
        StoreProblem: it cannot be opened.
    """
    from monitor.web.records import Records

    reference, sight = load_reference(config_root(), settings.policies), AuditSight()

    @contextmanager
    def look() -> Iterator[tuple[Snapshot, Condition]]:
        with _still(settings, state) as store:
            lists = screening_lists(settings)
            screened = _screened(reference, lists, store)
            yield _snapshot(store, screened, settings), condition_of(store, lists, sight, clock.now_ms())

    surveys, policies = Surveys(look, clock, log, settings.console.survey_seconds), reference.policies
    texts, reports = texts_of(config_root(), settings.policies), settings.console.reports
    with opened_store(store_url(settings, state)) as store:
        try:
            desk, panel = Desk(store.casework, _policies_of(settings, store), clock), Panel(store, policies, clock)
            make = partial(evidence_pack, settings, state)
            yield Records(desk, surveys, store, policies, panel, texts, make, reports)
        finally:
            surveys.close()


@contextmanager
def served_console(
    settings: Settings, known: Accounts, shown: Records, registry: CollectorRegistry, clock: Clock, log: Log
) -> Iterator[ConsoleServer]:
    """The console for these people, which answers until the end.

    Raises:
        SettingsProblem: its address cannot be had.
    """
    from monitor.web.console import build, make_console
    from monitor.web.server import ConsoleServer

    console = make_console(known, shown, settings.console, clock, registry, log)
    server = ConsoleServer(settings.console.host, settings.console.port, build(console, new_secret))
    server.start()
    try:
        yield server
    finally:
        server.close()


def run_console(settings: Settings) -> None:
    """Serve the console, its metrics and health, until SIGTERM or SIGINT.

    Raises:
        MonitorError: it cannot start.
    """
    clock, registry, stopping = SystemClock(), CollectorRegistry(), threading.Event()
    log = build_log(settings.log_level, clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with (
        accounts(settings, create=True) as known,
        records(settings, None, clock, log) as shown,
        served_console(settings, known, shown, registry, clock, log) as serving,
    ):

        def ready() -> tuple[bool, str]:
            try:
                known.users(limit=1)
            except MonitorError as problem:
                return False, str(problem)
            return not stopping.is_set(), "The console is stopping." if stopping.is_set() else "The store answers."

        server = HealthServer(settings.http.host, settings.http.port, Pages(registry, serving.answers, ready))
        server.start()
        log.info("console serves", host=settings.console.host, port=serving.port)
        try:
            stopping.wait()
        finally:
            server.close()
