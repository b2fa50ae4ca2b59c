"""The daemon's loop: read, decode, take in, evaluate on ticks, commit; the only place that waits.

One pass (`step`) never waits, so tests turn the clock and call it. Everything between two commits is one transaction
of the store, the position included: a crash at any point reads again what was not committed, and nothing twice. While
the store refuses a commit, that commit is kept as it is, nothing more is read, and it is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from monitor.clock import Clock
from monitor.core.book import Book, NewFact
from monitor.core.engine import Reference
from monitor.core.flags import Change
from monitor.core.inventory import Conservation
from monitor.core.limits import DeadLetterLimits
from monitor.core.model import Key, Kind, Record, Rejected
from monitor.errors import LimitReached, SourceProblem, StoreProblem
from monitor.intake.decode import Decoded, Rules, decode
from monitor.log import Log
from monitor.metrics import BooksState, Metrics, conservation_figures
from monitor.run.apply import take_in
from monitor.run.evaluation import Evaluation
from monitor.run.stops import lifted, stop_entry
from monitor.settings import Settings
from monitor.source import Source
from monitor.store import TICK, Commit, JournalEntry, JournalRow, Loaded, Position

IDLE_SECONDS = 0.1  # between passes when there is nothing to read
UNCOMMITTED_RECORDS_MAX = 50_000
UNCOMMITTED_REJECTED_MAX = 200  # a dead letter keeps its bytes, so that few of them may be large
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 1.0, 30.0
TOPIC_LABEL = "file"  # a path is no label: anybody can choose one


class Store(Protocol):
    """What the loop needs of a store: the archive of facts, and one transaction for everything else."""

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

    def commit(self, commit: Commit) -> None:
        """Write everything or nothing."""
        ...

    def record(self, entries: Sequence[JournalEntry], at: int) -> None:
        """Write journal entries alone, beside what awaits a commit."""
        ...

    def journal(self, after: int = 0) -> list[JournalRow]:
        """Journal entries with numbers above `after`, in order."""
        ...

    def last_tick(self) -> int | None:
        """The instant of the latest evaluation that was committed."""
        ...


class Ends(NamedTuple):
    """What the loop is given beside the books: what it reads, where it writes, and how it is watched."""

    source: Source
    store: Store
    metrics: Metrics
    clock: Clock
    log: Log


def positions_of(source: Source, clock: int) -> list[Position]:
    """Where a commit puts each topic of a source."""
    return [
        Position(topic, 0, position.next_offset, clock, position.check)
        for topic, position in source.positions().items()
    ]


class Worker:
    """The loop over one book."""

    def __init__(self, loaded: Loaded, ends: Ends, reference: Reference, settings: Settings) -> None:
        """Over what a store has loaded.

        Raises:
            LimitReached: an earlier run stopped at the dead-letter limit, and nobody has decided to go past it.
        """
        self._book: Book = loaded.book
        self._evaluation = Evaluation(self._book, loaded.flags, reference, ends.clock, settings.tick_seconds)
        self._ends = ends
        self._settings = settings
        self._rules = Rules(record_bytes_max=settings.record_bytes_max, sources=settings.allowed_sources)
        self._limits = DeadLetterLimits(settings.dead_letters.limits)
        last_tick = ends.store.last_tick()
        self._as_of = -1 if last_tick is None else last_tick  # evaluation never goes back before it
        self._stopping = False
        self._started = False

        # What the next commit takes.
        self._records = 0
        self._rejected: list[Rejected] = []
        self._changes: list[Change] = []
        self._journal: list[JournalEntry] = []

        # A commit that the store refused, and when to try again.
        self._held: Commit | None = None
        self._problem = ""
        self._retry_seconds = RETRY_SECONDS_MIN
        self._retry_at = 0.0

        now = ends.clock.monotonic()
        self._passed = self._committed = now
        self._remarks = 0  # how many of the source's remarks were logged
        self._conservation: dict[tuple[str, str], Conservation] = {}
        self._state = BooksState()
        self._offsets = {where: position.next_offset for where, position in loaded.positions.items()}
        journal = ends.store.journal()
        self._journal_read: int = journal[-1].number if journal else 0
        for topic, partition in lifted(
            journal, self._offsets, {one.topic for one in positions_of(self._ends.source, self._book.clock)}
        ):
            self._limits.lift(topic, partition)
        ends.metrics.expose(lambda: self._state, [rule.id for policy in reference.policies for rule in policy.rules])

    # -- what others ask, from other threads ---------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the loop to finish its pass, commit and return. May be called from a signal handler."""
        self._stopping = True

    def healthy(self) -> tuple[bool, str]:
        """Whether there is progress, and a sentence that says what stands still if not."""
        now, limit = self._ends.clock.monotonic(), self._settings.stalled_seconds
        if self._problem:
            return False, f"The books cannot be committed, and nothing is read meanwhile. {self._problem}"
        if now - self._passed > limit:
            return False, f"The loop has not completed a pass for {now - self._passed:.0f} seconds."
        return True, "The loop makes progress, and the store takes what it read."

    def ready(self) -> tuple[bool, str]:
        """Whether the books are loaded and nothing is stopping."""
        if not self._started:
            return False, "The books are being loaded."
        if self._stopping:
            return False, "The daemon is stopping."
        return True, "The books are loaded."

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Make passes until `stop`, then commit what is left.

        Raises:
            LimitReached: too many records are unreadable; the position stays at the last commit.
            SourceProblem: a source cannot be read on; what came before is committed.
            StoreProblem: the store refused the last commit when stopping, or could not be read; nothing is lost.
            Overtaken: another process has committed to this store.
        """
        try:
            while not self._stopping:
                if not self.step():
                    time.sleep(IDLE_SECONDS)
        except SourceProblem:
            self.finish()
            raise
        self.finish()

    def step(self) -> bool:
        """One pass; returns whether there was anything to read, or is more to evaluate."""
        busy = False
        if self._held is None:
            busy = self._read()
            self._evaluate()
            busy = busy or self._evaluation.pending
            if self._commit_is_due():
                self._commit()
        elif self._now() >= self._retry_at:
            self._try_commit(self._held)
        self._beat()
        return busy

    def finish(self) -> None:
        """Evaluate what facts changed and commit everything read.

        Raises:
            StoreProblem: the store refused; nothing is lost, since what is not committed is read again.
        """
        self._stopping = True
        if self._held is not None:
            self._try_commit(self._held)
        if self._held is None:
            # One slice of what facts changed; whoever is left is evaluated at the next start, like everybody.
            self._evaluation.take_changed()
            self._evaluate()
            if self._has_uncommitted():
                self._commit()
        if self._held is not None:
            raise StoreProblem(f"{self._problem} What is not committed is read again at the next start.")
        self._ends.log.info("stopped", clock=self._book.clock)

    def _now(self) -> float:
        return self._ends.clock.monotonic()

    def _beat(self) -> None:
        self._started = True
        self._passed = self._now()
        metrics = self._ends.metrics
        metrics.set_time("flopwatch_heartbeat_timestamp_seconds", self._ends.clock.now_ms())
        metrics.set("flopwatch_caught_up", int(self._ends.source.caught_up))

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self) -> bool:
        """Take in one batch."""
        records = self._ends.source.poll(self._settings.batch_records_max)
        self._tell_remarks()
        if not records:
            return False
        started = self._now()
        decoded = decode(records, self._rules)
        over = self._limits.add_batch(records, decoded.rejected)
        if over is not None:
            self._stop_at_limit(over)
        self._take_in(decoded)
        self._records += len(records)
        self._rejected.extend(decoded.rejected)
        self._count_batch(records, decoded)
        self._ends.metrics.observe("flopwatch_batch_seconds", self._now() - started)
        return True

    def _stop_at_limit(self, sentence: str) -> None:
        """Record the stop, so that a supervisor's restart does not read on, and commit nothing."""
        assert self._limits.stopped_at is not None
        where, ends = self._limits.stopped_at, self._ends
        self._stopping = True
        ends.metrics.add("flopwatch_limit_stops_total")
        ends.log.error("stopped at the dead-letter limit", problem=sentence)
        try:
            ends.store.record([stop_entry(where, self._offsets.get(where, 0), sentence)], ends.clock.now_ms())
        except StoreProblem as problem:
            ends.log.error("stop not recorded", problem=str(problem))
        raise LimitReached(sentence)

    def _take_in(self, decoded: Decoded) -> None:
        counts = self._book.counts
        before = (counts.accepted, counts.duplicate, counts.late, dict(counts.anomalies))
        retracting = {fact.tenant for fact in decoded.observations if fact.kind is Kind.RETRACTED}
        in_force = self._retractions(retracting)
        take_in(self._book, self._ends.store, decoded.observations, [record.received for record in decoded.records])
        self._evaluation.note_retracted(
            name for name, identities in self._retractions(retracting).items() if identities != in_force.get(name)
        )
        metrics = self._ends.metrics
        self._count_outcome("accepted", counts.accepted - before[0])
        self._count_outcome("duplicate", counts.duplicate - before[1])
        metrics.add("flopwatch_duplicate_events_total", counts.duplicate - before[1])
        metrics.add("flopwatch_late_events_total", counts.late - before[2])
        for kind, count in counts.anomalies.items():
            if count > before[3].get(kind, 0):
                metrics.add("flopwatch_anomalies_total", count - before[3].get(kind, 0), kind=kind)

    def _retractions(self, names: Iterable[str]) -> dict[str, frozenset[tuple[str, str]]]:
        """What is retracted of these tenants, as far as they are known."""
        return {name: self._book.tenants[name].retracted for name in names if name in self._book.tenants}

    def _count_outcome(self, outcome: str, count: int) -> None:
        self._ends.metrics.add("flopwatch_events_consumed_total", count, topic=TOPIC_LABEL, outcome=outcome)

    def _count_batch(self, records: Sequence[Record], decoded: Decoded) -> None:
        metrics, clock = self._ends.metrics, self._ends.clock
        self._count_outcome("ignored", sum(decoded.ignored.values()))
        self._count_outcome("rejected", len(decoded.rejected))
        for one in decoded.rejected:
            metrics.add("flopwatch_dead_letters_total", reason=one.reason)
        if decoded.rejected:
            # One line a batch. The sentence quotes what was sent, so it stays with the dead letter and out of the log.
            first, count = decoded.rejected[0], len(decoded.rejected)
            self._ends.log.warning(
                "dead letters",
                rejected=count,
                reason=first.reason,
                topic=first.record.topic,
                offset=first.record.offset,
            )
        where = {"topic": TOPIC_LABEL, "partition": "0"}
        metrics.set_time("flopwatch_event_last_processed_timestamp_seconds", clock.now_ms(), **where)
        if self._book.clock >= 0:
            metrics.set_time("flopwatch_event_time_watermark_timestamp_seconds", self._book.clock, **where)

    def _tell_remarks(self) -> None:
        remarks = self._ends.source.restarted
        for sentence in remarks[self._remarks :]:
            self._ends.log.warning("source restarted", problem=sentence)
        self._remarks = len(remarks)

    # -- evaluating ----------------------------------------------------------------------------------------------

    def _instant(self) -> int:
        """What "now" is: the books' clock while there is more to read, else the wall clock less a slack; never back."""
        now = self._book.clock
        if self._ends.source.caught_up:
            now = max(now, self._ends.clock.now_ms() - self._settings.clock_slack_ms)
        self._as_of = max(self._as_of, now)
        return self._as_of

    def _evaluate(self) -> None:
        """Do what is due of the evaluation."""
        evaluation, metrics = self._evaluation, self._ends.metrics
        if evaluation.tick_is_due():
            self._keep(evaluation.close(self._new_decisions()))
            evaluation.tick(self._instant())
        as_of, started, before = self._instant(), self._now(), evaluation.evaluated
        self._keep(evaluation.work(as_of, self._ends.source.caught_up))
        if evaluation.evaluated > before:
            metrics.observe("flopwatch_evaluation_seconds", self._now() - started)
            self._show_flags()
        if not evaluation.pending:
            metrics.set_time("flopwatch_evaluated_timestamp_seconds", as_of)

    def _keep(self, changes: list[Change]) -> None:
        """Changes for the next commit, with the tick that made them."""
        if changes:
            self._changes.extend(changes)
            self._journal.append(JournalEntry(TICK, {"as_of": self._as_of}))

    def _new_decisions(self) -> list[JournalRow]:
        """What was written into the journal since the last look."""
        try:
            rows = self._ends.store.journal(self._journal_read)
        except StoreProblem as problem:  # the next tick asks again
            self._ends.log.warning("journal not read", problem=str(problem))
            return []
        if rows:
            self._journal_read = rows[-1].number
        return rows

    def _show_flags(self) -> None:
        self._state = self._state._replace(
            tenants=len(self._book.tenants),
            open_allocations=self._evaluation.open_allocations,
            flags=self._evaluation.flag_numbers(),
        )

    # -- committing ----------------------------------------------------------------------------------------------

    def _has_uncommitted(self) -> bool:
        return bool(self._records or self._changes or self._rejected or self._journal)

    def _commit_is_due(self) -> bool:
        if not self._has_uncommitted():
            return False
        full = self._records >= UNCOMMITTED_RECORDS_MAX or len(self._rejected) >= UNCOMMITTED_REJECTED_MAX
        return full or self._now() - self._committed >= self._settings.commit_seconds

    def _commit(self) -> None:
        moved = self._book.drain()
        for one in moved.conservation:
            self._conservation[one.region, one.hardware] = one
        unattributed, error = conservation_figures(self._conservation.values())
        self._state = self._state._replace(unattributed=unattributed, conservation_error=error)
        self._ends.metrics.add("flopwatch_restatements_total", len(moved.restatements))
        held = Commit(
            moved,
            self._book,
            positions_of(self._ends.source, self._book.clock),
            self._changes,
            self._rejected,
            self._journal,
            self._ends.clock.now_ms(),
        )
        self._rejected, self._changes, self._journal = [], [], []
        self._held = held
        self._try_commit(held)

    def _try_commit(self, held: Commit) -> None:
        """Commit, or keep the commit for later."""
        ends, started = self._ends, self._now()
        try:
            ends.store.commit(held)
        except StoreProblem as problem:
            self._problem = str(problem)
            self._retry_at = self._now() + self._retry_seconds
            ends.metrics.add("flopwatch_store_failures_total")
            ends.log.error("commit refused", problem=self._problem, seconds=self._retry_seconds)
            self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS_MAX)
            return
        if self._problem:
            ends.log.info("commits again")
        self._held, self._problem, self._retry_seconds = None, "", RETRY_SECONDS_MIN
        self._records, self._committed = 0, self._now()
        self._offsets.update({(one.topic, one.partition): one.next_offset for one in held.positions})
        ends.metrics.observe("flopwatch_store_transaction_seconds", self._committed - started)
        ends.metrics.set_time("flopwatch_last_commit_timestamp_seconds", ends.clock.now_ms())
        self._tell_flags(held.flag_changes)

    def _tell_flags(self, changes: Sequence[Change]) -> None:
        """Log what people are told, once it is committed."""
        for flag, entry in changes:
            if entry.act:
                self._ends.log.info(
                    "flag",
                    flag=flag.id,
                    rule=flag.rule,
                    tenant=flag.tenant,
                    severity=str(entry.level),
                    act=str(entry.act),
                    as_of=entry.at,
                )
