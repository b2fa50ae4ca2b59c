"""The work on one partition of the tenant topic: its books, its flags, its commits.

Everything between two commits is one transaction of the store, the positions included: a crash at any point reads again
what was not committed, and nothing twice. While the store refuses a commit, that commit is kept as it is, nothing more
is taken in, and it is tried again. Nothing here waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from monitor.clock import Clock
from monitor.core.blind import DEAD_LETTERS, GAP, HOLE, Blind, Rhythm, Sight
from monitor.core.book import Book, NewFact
from monitor.core.engine import Reference, largest
from monitor.core.flags import Change
from monitor.core.inventory import Conservation
from monitor.core.limits import DeadLetterLimits, Partition
from monitor.core.model import SECOND_MS, Key, Kind, Rejected, Traits
from monitor.core.notices import Telling
from monitor.core.timeline import Effects
from monitor.errors import LimitReached, StoreProblem
from monitor.log import Log
from monitor.metrics import BooksState, Metrics, conservation_figures
from monitor.run.apply import take_in
from monitor.run.decisions import as_decided
from monitor.run.evaluation import Evaluation, Hours, Looks
from monitor.run.letters import Again, asked_again, read_again, rules
from monitor.run.routing import Part, whose
from monitor.run.stops import lifted, stop_entry
from monitor.settings import Settings
from monitor.source import LostPosition, Position
from monitor.store import (
    ACTIVATION,
    DECISION,
    REPLAYED,
    STOP,
    TICK,
    BlindRow,
    Commit,
    DeadLetter,
    JournalEntry,
    JournalRow,
    Loaded,
)
from monitor.store import Position as BookedPosition

UNCOMMITTED_RECORDS_MAX = 50_000
UNCOMMITTED_REJECTED_MAX = 200  # a dead letter keeps its bytes, so that few of them may be large
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 1.0, 30.0
SIZES_SECONDS = 60.0  # between two looks at which tenants are the largest
SIZES_REST = 50  # and at least so many times as long as a look takes
FILE_LABEL = "file"  # a path is no label: anybody can choose one
JOURNAL = ("journal", 0)  # decisions are read like a topic: which of them these books have heard is a position, too


class Store(Protocol):
    """What a task needs of a store: the archive of facts, and one transaction for everything else."""

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

    def commit(self, commit: Commit) -> None:
        """Write everything or nothing."""
        ...

    def record(self, entries: Sequence[JournalEntry], at: int) -> None:
        """Write journal entries alone, beside what awaits a commit."""
        ...

    def journal(self, after: int = 0, kinds: Collection[str] | None = None) -> list[JournalRow]:
        """Journal entries with numbers above `after`, in order, of all kinds or of these."""
        ...

    def last_tick(self) -> int | None:
        """The instant of the latest evaluation that was committed."""
        ...

    def blind(self, partition: int | None = None) -> list[BlindRow]:
        """What the books of all partitions, or of one, could not see."""
        ...

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """Of each allocation of a tenant what it has held, as far as it was committed."""
        ...

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of it, as far as it may link tenants; no allocation is named."""
        ...

    def old_hours(self, tenant: str, before: int) -> Hours:
        """What was committed of a tenant's usage and measurements of the hours before one."""
        ...

    def dead_letter(self, number: int) -> DeadLetter | None:
        """The dead letter with this number, if there is one."""
        ...

    def owners(self, names: Collection[str]) -> dict[str, int]:
        """Of these tenants those that some partition owns -> that partition."""
        ...


class Watch(NamedTuple):
    """How a task is watched, and what time it is."""

    metrics: Metrics
    clock: Clock
    log: Log


class Task:
    """The work on the books of one partition."""

    def __init__(
        self,
        number: int,
        shared: bool,
        loaded: Loaded,
        store: Store,
        watch: Watch,
        reference: Reference,
        settings: Settings,
        telling: Telling | None = None,
    ) -> None:
        """Over what a store has loaded; `shared`: other partitions may own tenants; `telling`: who is told of flags.

        Raises:
            StoreProblem: the store cannot be read.
        """
        self.number = number
        self.book: Book = loaded.book
        self.positions: dict[Partition, Position] = {
            where: Position(one.next_offset, one.check) for where, one in loaded.positions.items()
        }
        self.committed: dict[Partition, int] = {where: one.next_offset for where, one in loaded.positions.items()}
        self.problem = ""  # why the store refused the last commit
        self._shared = shared
        self._store = store
        self._watch = watch
        self._settings = settings
        self._telling = telling
        self._limits = DeadLetterLimits(settings.dead_letters.limits)
        last_tick = store.last_tick()
        self._as_of = -1 if last_tick is None else last_tick  # evaluation never goes back before it
        self.book.looked_at = self._as_of

        # What the next commit takes.
        self._records = 0
        self._rejected: list[Rejected] = []
        self._changes: list[Change] = []
        self._journal: list[JournalEntry] = []
        self._settled: dict[int, str] = {}  # dead letters

        # A commit that the store refused, and when to try again.
        self._held: Commit | None = None
        self._retry_seconds = RETRY_SECONDS_MIN
        self._retry_at = 0.0

        self._committed_at = watch.clock.monotonic()
        self._conservation: dict[tuple[str, str], Conservation] = {}
        self.state = BooksState()
        self._next_sizes = watch.clock.monotonic()
        journal = store.journal(0, (STOP, DECISION))
        self._decisions = [row for row in journal if row.entry.kind == DECISION]
        self._reference = as_decided(reference, self._decisions)
        self._evaluation = Evaluation(
            self.book, loaded.flags, self._reference, watch.clock, settings.tick_seconds, store.old_hours, store
        )
        if JOURNAL not in self.positions:  # decisions before these books began are not theirs
            self.positions[JOURNAL] = Position(journal[-1].number if journal else 0, "")
            self.committed[JOURNAL] = self.positions[JOURNAL].next_offset
        self._stops = journal
        self._accepted: dict[Partition, str] = {}  # stops that a person has answered -> cause
        self._sight = Sight(map(blind_of, store.blind(number)), settings.silence_ms)

    def refer(self, reference: Reference) -> None:
        """Read everything with another reference from now on; the next commit says so in the journal."""
        self._reference = as_decided(reference, self._decisions)
        self._evaluation.refer(self._reference)
        digests = {one.name: one.digest for one in reference.lists.versions}
        self._journal.append(JournalEntry(ACTIVATION, {"lists": digests}))

    def answer_stops(self, mine: Collection[Partition]) -> None:
        """Look whether an earlier run stopped before records of these partitions.

        Raises:
            LimitReached: it did, and nobody has decided to go past them.
        """
        self._accepted = lifted(self._stops, self.committed, mine)
        for (topic, partition), cause in self._accepted.items():
            if cause != DEAD_LETTERS:
                continue  # whether records are gone is told when reading begins
            self._limits.lift(topic, partition)
            what = f"A person went past unreadable records of {topic}, partition {partition}."
            self._cannot_see(DEAD_LETTERS, (topic, partition), what)
        self._stops = []

    def lose(self, lost: LostPosition) -> bool:
        """Records that these books have not read are gone; returns whether a person accepted that.

        Raises:
            StoreProblem: the question to a person cannot be recorded.
        """
        at = self.committed.get(lost.where, 0)
        if self._accepted.get(lost.where) == HOLE:
            self.moved_to(lost.where, Position(lost.available, ""))
            self._cannot_see(HOLE, lost.where, lost.sentence)
            return True
        self._store.record([stop_entry(lost.where, at, HOLE, lost.sentence)], self._watch.clock.now_ms())
        return False

    def waited(self, milliseconds: int) -> None:
        """Nothing was delivered for so long, since books of this process waited for the store."""
        self._sight.waited(milliseconds)

    def _cannot_see(self, cause: str, where: Partition, sentence: str) -> None:
        """From the clock of the books on facts of a partition may be missing."""
        self._sight.note(Blind(cause, "", *where, self.book.clock, None, sentence))

    @property
    def blind(self) -> list[Blind]:
        """What these books cannot see now."""
        return self._sight.lasting

    @property
    def holding(self) -> bool:
        """Whether a commit waits for the store; nothing may be taken in meanwhile."""
        return self._held is not None

    @property
    def pending(self) -> bool:
        """Whether tenants are due to be evaluated."""
        return self._evaluation.pending

    def _now(self) -> float:
        return self._watch.clock.monotonic()

    # -- taking in -----------------------------------------------------------------------------------------------

    def take(self, part: Part, counted: bool = True) -> None:
        """Take in what one partition brought; `counted`: these books answer for its dead letters and its numbers.

        Raises:
            LimitReached: too many of its records are unreadable; the books must not be used any more.
            StoreProblem: the archive cannot be read; the books must not be used any more.
        """
        started = self._now()
        if self._shared:
            part = self._ours(part)
        if counted:
            over = self._limits.add_batch(part.all, part.rejected)
            if over is not None:
                self._stop_at_limit(over)
            self._rejected.extend(part.rejected)
        self._take_in(part, counted)
        if not part.rejected:
            for cause in (HOLE, DEAD_LETTERS):
                self._sight.end(cause, *part.where, self.book.clock)
        self._records += len(part.all)
        self._watch.metrics.observe("flopwatch_batch_seconds", self._now() - started)

    def _ours(self, part: Part) -> Part:
        """The facts of tenants that no other partition owns; the others are dead letters."""
        unclaimed: set[str] = set()
        for fact in part.observations:
            if fact.tenant not in self.book.tenants:
                unclaimed |= self.book.unclaimed(fact)
        if not unclaimed:
            return part
        foreign = whose(self._store.owners(unclaimed), self.number)
        self.book.elsewhere |= foreign
        if not any(fact.tenant in foreign for fact in part.observations):
            return part
        ours = Part(part.where, [], [], list(part.rejected), part.all)
        for fact, record in zip(part.observations, part.records, strict=True):
            if fact.tenant in foreign:
                why = "Another partition has the books of this tenant; `flopwatch positions repartition` moves tenants."
                ours.rejected.append(Rejected(record, "other_partition", why))
            else:
                ours.observations.append(fact)
                ours.records.append(record)
        return ours

    def _stop_at_limit(self, sentence: str) -> None:
        """Record the stop, so that a supervisor's restart does not read on, and commit nothing."""
        assert self._limits.stopped_at is not None
        where, watch = self._limits.stopped_at, self._watch
        watch.metrics.add("flopwatch_limit_stops_total")
        watch.log.error("stopped at the dead-letter limit", problem=sentence)
        try:
            entry = stop_entry(where, self.committed.get(where, 0), DEAD_LETTERS, sentence)
            self._store.record([entry], watch.clock.now_ms())
        except StoreProblem as problem:
            watch.log.error("stop not recorded", problem=str(problem))
        raise LimitReached(sentence)

    def _take_in(self, part: Part, counted: bool) -> None:
        counts = self.book.counts
        before = (counts.accepted, counts.duplicate, counts.late, dict(counts.anomalies))
        retracting = {fact.tenant for fact in part.observations if fact.kind is Kind.RETRACTED}
        in_force = self._retractions(retracting)
        take_in(self.book, self._store, part.observations, [record.received for record in part.records])
        self._tell_gaps()
        self._evaluation.note_retracted(
            name for name, identities in self._retractions(retracting).items() if identities != in_force.get(name)
        )
        if not counted:
            return
        metrics = self._watch.metrics
        label = self.label(part.where)
        outcomes = {
            "accepted": counts.accepted - before[0],
            "duplicate": counts.duplicate - before[1],
            "rejected": len(part.rejected),
        }
        for outcome, count in outcomes.items():
            metrics.add("flopwatch_events_consumed_total", count, topic=label, outcome=outcome)
        metrics.add("flopwatch_duplicate_events_total", outcomes["duplicate"])
        metrics.add("flopwatch_late_events_total", counts.late - before[2])
        for kind, count in counts.anomalies.items():
            if count > before[3].get(kind, 0):
                metrics.add("flopwatch_anomalies_total", count - before[3].get(kind, 0), kind=kind)
        self._tell_dead_letters(part.rejected)
        self._tell_progress(part.where)

    def _tell_gaps(self) -> None:
        for gap in self.book.take_gaps():
            what = f"{gap.source} says that it has sent {gap.missing:,} events more than came."
            self._sight.note(Blind(GAP, gap.source, "", 0, gap.start, gap.end, what))

    def label(self, where: Partition) -> str:
        """How metrics name a topic."""
        return where[0] if self._shared else FILE_LABEL

    def _retractions(self, names: Iterable[str]) -> dict[str, frozenset[tuple[str, str]]]:
        """What is retracted of these tenants, as far as they are known."""
        return {name: self.book.tenants[name].retracted for name in names if name in self.book.tenants}

    def _tell_dead_letters(self, rejected: Sequence[Rejected]) -> None:
        for one in rejected:
            self._watch.metrics.add("flopwatch_dead_letters_total", reason=one.reason)
        if rejected:
            # One line a batch. The sentence quotes what was sent, so it stays with the dead letter and out of the log.
            record = rejected[0].record
            self._watch.log.warning(
                "dead letters",
                rejected=len(rejected),
                reason=rejected[0].reason,
                topic=record.topic,
                offset=record.offset,
            )

    def _tell_progress(self, where: Partition) -> None:
        metrics = self._watch.metrics
        labels = {"topic": self.label(where), "partition": str(where[1])}
        metrics.set_time("flopwatch_event_last_processed_timestamp_seconds", self._watch.clock.now_ms(), **labels)
        if self.book.clock >= 0:
            metrics.set_time("flopwatch_event_time_watermark_timestamp_seconds", self.book.clock, **labels)

    def moved_to(self, where: Partition, position: Position) -> None:
        """Reading has come to a position; the next commit keeps it."""
        if self.positions.get(where) != position:
            self.positions[where] = position

    # -- evaluating ----------------------------------------------------------------------------------------------

    def _instant(self, caught_up: bool) -> int:
        """What "now" is: the books' clock while there is more to read, else the wall clock less a slack; never back."""
        now = self.book.clock
        if caught_up:
            now = max(now, self._watch.clock.now_ms() - self._settings.clock_slack_ms)
        self._as_of = max(self._as_of, now)
        return self._as_of

    def tick_is_due(self) -> bool:
        """Whether it is time to look which tenants are due."""
        return self._evaluation.tick_is_due()

    def evaluate(self, caught_up: bool) -> None:
        """Do what is due of the evaluation."""
        evaluation, metrics = self._evaluation, self._watch.metrics
        if evaluation.tick_is_due():
            self._keep(evaluation.close(self._hear_decisions()))
            evaluation.tick(self._instant(caught_up))
            if caught_up:
                self._sight.listen(self._rhythms(), self._as_of)
        as_of, started = self._instant(caught_up), self._now()
        self._keep(evaluation.work(as_of, caught_up))
        self.book.looked_at = as_of
        looks = evaluation.take_looks()
        if looks.tenants:
            metrics.observe("flopwatch_evaluation_seconds", self._now() - started)
            self._show_looks(looks)
            self._show_flags()
        if self._settings.http.tenants_shown and self._now() >= self._next_sizes:
            self._show_sizes(as_of, caught_up)
        if not evaluation.pending:
            metrics.set_time("flopwatch_evaluated_timestamp_seconds", as_of)

    def _rhythms(self) -> Iterator[tuple[str, Rhythm]]:
        """How the sources of these books have been heard of, here or elsewhere."""
        elsewhere = self.book.heard_elsewhere
        for name, source in self.book.sources.items():
            yield name, Rhythm(max(source.heard, elsewhere.get(name, -1)), source.pause)

    def _keep(self, changes: list[Change]) -> None:
        """Changes for the next commit, with the tick that made them."""
        if changes:
            self._changes.extend(changes)
            self._journal.append(JournalEntry(TICK, {"as_of": self._as_of}))

    def _hear_decisions(self) -> list[JournalRow]:
        """What people decided since the last look; dead letters that they want tried again are taken in.

        Raises:
            StoreProblem: the archive cannot be read; the books must not be used any more.
        """
        try:
            rows = self._store.journal(self.positions[JOURNAL].next_offset, (DECISION,))
            letters = asked_again(self._store, rows)
            again = self._for_us(read_again(letters, rules(self._settings)))
        except StoreProblem as problem:  # the next tick asks again
            self._watch.log.warning("journal not read", problem=str(problem))
            return []
        if rows:
            self.positions[JOURNAL] = Position(rows[-1].number, "")
            self._decisions += rows
            before, self._reference = self._reference, as_decided(self._reference, self._decisions)
            if (before.cleared, before.policies) != (self._reference.cleared, self._reference.policies):
                self._evaluation.refer(self._reference)
        self._take_again(again)
        return rows

    def _for_us(self, again: Sequence[Again]) -> list[Again]:
        """Those of some letters that are for these books: facts of our tenants, and all control facts."""
        strangers = {one.fact.tenant for one in again} - self.book.tenants.keys() - {""}
        self.book.elsewhere |= whose(self._store.owners(strangers), self.number) if strangers else set()
        return [one for one in again if not one.fact.tenant or self.book.owns(one.fact.tenant)]

    def _take_again(self, again: Sequence[Again]) -> None:
        """Take letters in, and settle those that these books answer for in the same commit."""
        if not again:
            return
        take_in(self.book, self._store, [one.fact for one in again], [one.received for one in again])
        self._settled |= {one.number: REPLAYED for one in again if one.fact.tenant or self.number == 0}
        self._evaluation.note_retracted({one.fact.tenant for one in again if one.fact.kind is Kind.RETRACTED})
        self._watch.log.info("dead letters taken in", accepted=len(again))

    def _show_looks(self, looks: Looks) -> None:
        for depth, count in looks.tenants.items():
            self._watch.metrics.add("flopwatch_evaluations_total", count, depth=depth)
        for rule, count in looks.held.items():
            self._watch.metrics.add("flopwatch_findings_total", count, rule=rule)

    def _show_sizes(self, as_of: int, caught_up: bool) -> None:
        started = self._now()
        sizes = largest(self.book, self._reference, self._settings.http.tenants_shown, as_of)
        self.state = self.state._replace(sizes=sizes)
        after = self._now()
        pause = SIZES_SECONDS if sizes.shown and caught_up else self._settings.tick_seconds
        self._next_sizes = after + max(pause, SIZES_REST * (after - started))

    def _show_flags(self) -> None:
        self.state = self.state._replace(
            tenants=len(self.book.tenants),
            open_allocations=self._evaluation.open_allocations,
            flags=self._evaluation.flag_numbers(),
            hits=self._evaluation.hit_numbers(),
            largest_run=self._evaluation.largest_run(),
        )

    # -- committing ----------------------------------------------------------------------------------------------

    def _has_uncommitted(self) -> bool:
        moved = any(self.committed.get(where) != position.next_offset for where, position in self.positions.items())
        waiting = self._records or self._changes or self._rejected or self._journal or self._settled
        return bool(moved or waiting or self._sight.changed)

    def commit_is_due(self) -> bool:
        """Whether there is something to commit, and the time has come, it has become much, or people must be told."""
        if not self._has_uncommitted():
            return False
        if self._changes:
            return True
        full = self._records >= UNCOMMITTED_RECORDS_MAX or len(self._rejected) >= UNCOMMITTED_REJECTED_MAX
        return full or self._now() - self._committed_at >= self._settings.commit_seconds

    def commit(self) -> bool:
        """Commit what there is; returns whether the store took it.

        Raises:
            Overtaken: the partition has another owner; the books must not be used any more.
        """
        moved = self.book.drain()
        for one in moved.conservation:
            self._conservation[one.region, one.hardware] = one
        unattributed, error = conservation_figures(self._conservation.values())
        self.state = self.state._replace(unattributed=unattributed, conservation_error=error)
        self._watch.metrics.add("flopwatch_restatements_total", len(moved.restatements))
        positions = [
            BookedPosition(*where, position.next_offset, self.book.clock, position.check)
            for where, position in self.positions.items()
        ]
        at = self._watch.clock.now_ms()
        blind = [_row_of(one, at) for one in self._sight.take_changed()]
        self._tell_blind(blind)
        self._held = Commit(
            moved,
            self.book,
            positions,
            self._changes,
            self._rejected,
            self._journal,
            at,
            blind,
            self._settled,
            self._telling,
        )
        self._rejected, self._changes, self._journal, self._settled = [], [], [], {}
        return self._try_commit(self._held)

    def retry(self) -> bool:
        """Try again the commit that the store refused, if it is time to; returns whether the store took it."""
        return self._held is not None and self._now() >= self._retry_at and self._try_commit(self._held)

    def _try_commit(self, held: Commit) -> bool:
        watch, started = self._watch, self._now()
        try:
            self._store.commit(held)
        except StoreProblem as problem:
            self.problem = str(problem)
            self._retry_at = self._now() + self._retry_seconds
            watch.metrics.add("flopwatch_store_failures_total")
            watch.log.error("commit refused", problem=self.problem, seconds=self._retry_seconds)
            self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS_MAX)
            return False
        if self.problem:
            watch.log.info("commits again")
        self._held, self.problem, self._retry_seconds = None, "", RETRY_SECONDS_MIN
        self._records, self._committed_at = 0, self._now()
        self.committed = {(one.topic, one.partition): one.next_offset for one in held.positions}
        watch.metrics.add("flopwatch_commits_total")
        watch.metrics.observe("flopwatch_store_transaction_seconds", self._committed_at - started)
        watch.metrics.set_time("flopwatch_last_commit_timestamp_seconds", watch.clock.now_ms())
        tell_flags(watch.log, held.flag_changes)
        return True

    def finish(self) -> None:
        """Evaluate a slice of what facts changed and commit everything taken in.

        Raises:
            StoreProblem: the store refused; nothing is lost, since what is not committed is read again.
            Overtaken: the partition has another owner.
        """
        if self._held is not None:
            self._try_commit(self._held)
        if self._held is None:
            # Whoever is left is evaluated at the next start, like everybody.
            self._evaluation.take_changed()
            self.evaluate(caught_up=False)
            if self._has_uncommitted():
                self.commit()
        if self._held is not None:
            raise StoreProblem(f"{self.problem} What is not committed is read again at the next start.")

    def _tell_blind(self, blind: Sequence[BlindRow]) -> None:
        """Log and count what cannot be seen, or can be seen again; the sentences quote names, and stay in the store."""
        for one in blind:
            if one.end is not None:
                seconds = (one.end - one.start) / SECOND_MS
                self._watch.metrics.add("flopwatch_blind_seconds_total", seconds, cause=one.cause)
        begun = Counter(one.cause for one in blind if one.end is None)
        ended = Counter(one.cause for one in blind if one.end is not None)
        for cause, count in begun.items():
            self._watch.log.warning("blind", reason=cause, partition=self.number, intervals=count)
        for cause, count in ended.items():
            self._watch.log.info("sees again", reason=cause, partition=self.number, intervals=count)


def tell_flags(log: Log, changes: Sequence[Change]) -> None:
    """Log what people are told, once it is committed."""
    for flag, entry in changes:
        if entry.act:
            log.info(
                "flag",
                flag=flag.id,
                rule=flag.rule,
                tenant=flag.tenant,
                severity=str(entry.level),
                act=str(entry.act),
                as_of=entry.at,
            )


def _row_of(blind: Blind, found_at: int) -> BlindRow:
    return BlindRow(blind.name, *blind[:4], blind.start, blind.end, blind.sentence, found_at)


def blind_of(row: BlindRow) -> Blind:
    """What a store says could not be seen."""
    where = row.topic or "", row.topic_partition or 0
    return Blind(row.cause, row.source or "", *where, row.start, row.end, row.sentence)
