"""The daemon's loop: follow what is assigned, read, decode, hand out, evaluate, commit; the only place that waits.

One pass (`step`) never waits, so tests turn the clock and call it. Each partition of the tenant topic has a task with
books of its own; the control topic is for all of them. Which partitions are ours may change with every poll: a task
that is no longer ours is dropped without a commit (its next owner reads again what was not committed), and one that
another process has overtaken likewise. While a store refuses commits nothing is delivered, but the membership in the
group is kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from monitor.clock import Clock
from monitor.core.blind import CAUSES
from monitor.core.bounds import greatest
from monitor.core.engine import Reference, joined_sizes
from monitor.core.limits import Partition
from monitor.core.model import SECOND_MS, Record
from monitor.core.notices import Telling
from monitor.errors import LimitReached, MonitorError, Overtaken, SourceProblem, StoreProblem
from monitor.intake.decode import Decoded, decode
from monitor.intake.translate import decode_foreign
from monitor.log import Log
from monitor.metrics import HIT_BANDS, BooksState, Metrics
from monitor.run.aside import Aside
from monitor.run.backlog import BacklogWatch
from monitor.run.checkpoints import Checkpoints
from monitor.run.control import ControlFacts
from monitor.run.delivery import Delivery
from monitor.run.letters import rules
from monitor.run.outbox import Outbox
from monitor.run.relisting import Relisting
from monitor.run.rollup import Rollup
from monitor.run.routing import Layout, parts, without_misrouted
from monitor.run.task import FILE_LABEL, Store, Task, Watch
from monitor.run.translating import options_of
from monitor.run.watching import Progress
from monitor.settings import Settings
from monitor.source import Position, Source
from monitor.store import Loaded

IDLE_SECONDS = 0.1  # between passes when there is nothing to read
REOPEN_SECONDS = 1.0  # after the store could not be read
STANDING_SECONDS = 5.0  # between two looks whether a person has answered for a partition
HEARD_SECONDS = 1.0  # between two looks at what other workers have written


class Stores(Protocol):
    """What the loop needs of a database: the books of its partitions."""

    def open(self, partition: int) -> tuple[Loaded, Store]:
        """The books of a partition, which from now on nobody else can commit.

        Raises:
            Overtaken: somebody else has opened them meanwhile.
            StoreProblem: they cannot be read.
        """
        ...

    def heard(self) -> Mapping[str, int]:
        """When any partition last heard of each source."""
        ...

    def letters_waiting(self) -> int:
        """How many dead letters of all books wait for a person."""
        ...


class Ends(NamedTuple):
    """What the loop is given beside the books: what it reads, where it writes, and how it is watched."""

    source: Source
    stores: Stores
    metrics: Metrics
    clock: Clock
    log: Log
    outbox: Outbox | None = None  # for dead letters, where there is a topic for them
    rollup: Rollup | Aside | None = None
    relisting: Relisting | None = None  # where there are lists to screen against
    telling: Telling | None = None  # who is told of flags; None: nobody
    delivery: Delivery | None = None  # of what they are told
    checkpoints: Checkpoints | None = None  # of the audit, where there is a place for them
    backlog: BacklogWatch | None = None  # of what waits for people


class Worker:
    """The loop over the partitions of one process."""

    def __init__(self, ends: Ends, reference: Reference, settings: Settings, layout: Layout | None = None) -> None:
        """Over a source; what is assigned from the start is opened at once.

        Raises:
            LimitReached: an earlier run stopped at the dead-letter limit, and nobody has decided to go past it.
            StoreProblem: the books cannot be read.
        """
        self._ends = ends
        self._reference = reference
        self._settings = settings
        self._layout = layout or Layout()
        self._watch = Watch(ends.metrics, ends.clock, ends.log)
        self._rules = rules(settings)
        self.tasks: dict[int, Task] = {}
        self._control = ControlFacts()
        self._standing: dict[int, str] = {}  # partitions that a person must answer for -> why
        self._control_halted = False
        self._reopen_at: dict[int, float] = {}  # books that could not be opened, or were overtaken
        self._unopened = ""  # why
        self._assigned: frozenset[Partition] = frozenset()
        self._paused_at: float | None = None  # since when nothing is delivered; None: it is
        self._unread: set[int | None] = set()  # the books that have more to read in this pass; None: all of them have
        self._stopping = False
        self._started = False
        now = ends.clock.monotonic()
        self._passed = self._heard_at = now
        self._progress = Progress(ends.source, settings.stalled_seconds, ends.clock, ends.metrics)
        self._remarks = 0  # how many of the source's remarks were logged
        self._told_trouble = ""  # with the source, as it was logged
        told = (rule.id for policy in reference.policies for rule in policy.rules if not rule.shadow)
        ends.metrics.expose(self._state, told)
        ends.metrics.initialise_topics(self._layout.topics or [FILE_LABEL])
        self._follow_assignment()

    # -- what others ask, from other threads ---------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the loop to finish its pass, commit and return. May be called from a signal handler."""
        self._stopping = True

    def healthy(self) -> tuple[bool, str]:
        """Whether there is progress, and a sentence that says what stands still if not."""
        now, limit = self._ends.clock.monotonic(), self._settings.stalled_seconds
        for task in list(self.tasks.values()):
            if task.problem:
                return False, f"The books cannot be committed, and nothing is read meanwhile. {task.problem}"
        if now - self._passed > limit:
            return False, f"The loop has not completed a pass for {now - self._passed:.0f} seconds."
        if self._unopened:
            return False, f"The books of a partition cannot be opened. {self._unopened}"
        for sentence in list(self._standing.values()):
            return False, sentence
        stalled = self._progress.stalled()
        if stalled:
            return False, stalled
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
            LimitReached: too many records of a file are unreadable; the position stays at the last commit.
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
        self._hold_back()
        busy = self._read()
        self._follow_assignment()
        positions = self._positions()
        self._progress.look(positions)
        self._unread = {self._layout.books(where) for where in self._behind(positions)}
        self._take_control()
        self._relist()
        self._hear()
        for task in list(self.tasks.values()):
            self._guarded(task, self._work)
            busy = busy or task.pending
        if self._ends.outbox is not None:
            self._ends.outbox.work(self.tasks.keys())
        if self._ends.rollup is not None:
            self._ends.rollup.work()
        if self._ends.delivery is not None:
            self._ends.delivery.work()
        if self._ends.checkpoints is not None:
            self._ends.checkpoints.work()
        if self._ends.backlog is not None:
            self._ends.backlog.work()
        self._beat()
        return busy

    def _relist(self) -> None:
        """Screen everybody against lists that have changed."""
        lists = self._ends.relisting.changed() if self._ends.relisting is not None else None
        if lists is None:
            return
        self._reference = replace(self._reference, lists=lists)
        for task in self.tasks.values():
            task.refer(self._reference)
        if self._ends.rollup is not None:
            self._ends.rollup.refer(self._reference)

    def finish(self) -> None:
        """Evaluate what facts changed and commit everything read.

        Raises:
            StoreProblem: the store refused; nothing is lost, since what is not committed is read again.
        """
        self._stopping = True
        problems = []
        for task in list(self.tasks.values()):
            try:
                self._guarded(task, Task.finish)
            except StoreProblem as problem:
                problems.append(problem)
        self._hint()
        if problems:
            raise problems[0]
        if self._ends.rollup is not None:
            self._ends.rollup.finish()
        if self._ends.delivery is not None:
            self._ends.delivery.finish()
        if self._ends.checkpoints is not None:
            self._ends.checkpoints.finish()
        clock = max((task.book.clock for task in self.tasks.values()), default=-1)
        self._ends.log.info("stopped", clock=clock)

    def _now(self) -> float:
        return self._ends.clock.monotonic()

    def _beat(self) -> None:
        self._started = True
        self._passed = self._now()
        metrics = self._ends.metrics
        metrics.set_time("flopwatch_heartbeat_timestamp_seconds", self._ends.clock.now_ms())
        metrics.set("flopwatch_caught_up", int(not self._unread))
        # A client may go on polling a broker that is gone, and say nothing: so its ends are asked for as well.
        trouble = self._ends.source.trouble or self._progress.trouble
        metrics.set("flopwatch_source_trouble", int(bool(trouble)))
        if trouble and trouble != self._told_trouble:
            self._ends.log.warning("source in trouble", problem=trouble)
        self._told_trouble = trouble
        lasting = Counter(blind.cause for task in self.tasks.values() for blind in task.blind)
        for cause in CAUSES:
            metrics.set("flopwatch_blind_intervals", lasting[cause], cause=cause)

    def _state(self) -> BooksState:
        """The numbers of all books here, for a scrape."""
        states = [task.state for task in list(self.tasks.values())]
        flags = dict(self._ends.rollup.flags) if self._ends.rollup is not None else {}
        hits = {(source, band): 0 for source in self._reference.lists.effects.of_source for band in HIT_BANDS}
        for state in states:
            for key, count in state.flags.items():
                flags[key] = flags.get(key, 0) + count
            for place, count in state.hits.items():
                hits[place] = hits.get(place, 0) + count
        return BooksState(
            sum(state.tenants for state in states),
            sum(state.open_allocations for state in states),
            flags,
            sum(state.unattributed for state in states),
            max((state.conservation_error for state in states), default=0.0),
            joined_sizes((state.sizes for state in states), self._settings.http.tenants_shown),
            hits,
            greatest(state.largest_run for state in states),
        )

    # -- what is assigned ----------------------------------------------------------------------------------------

    def _follow_assignment(self) -> None:
        """Open the books of what is ours now, and drop those of what is not."""
        assigned = self._ends.source.assigned()
        if assigned != self._assigned:
            for where in sorted(self._assigned - assigned):
                self._let_go(where)
            self._assigned = assigned
            self._ends.log.info("assigned", partitions=len(assigned))
            self._ends.metrics.add("flopwatch_rebalances_total", int(self._layout.shared))
        now = self._now()
        wanted = {number for where in assigned if (number := self._layout.books(where)) is not None}
        opened = [
            self._open(number)
            for number in sorted(wanted - self.tasks.keys())
            if now >= self._reopen_at.get(number, now)
        ]
        if any(opened):
            for where in self._of_all():
                self._begin_control(where)
        metrics = self._ends.metrics
        metrics.set("flopwatch_consumer_assigned_partitions", len(wanted))
        metrics.set("flopwatch_positions_lost", len(self._standing))

    def _of(self, number: int) -> list[Partition]:
        """The assigned partitions of these books."""
        return [where for where in sorted(self._assigned) if self._layout.books(where) == number]

    def _of_all(self) -> list[Partition]:
        """The assigned partitions that are for all books."""
        return [where for where in sorted(self._assigned) if self._layout.books(where) is None]

    def _let_go(self, where: Partition) -> None:
        """A partition is no longer ours."""
        self._progress.forget(where)
        number = self._layout.books(where)
        if number is not None:
            self._drop(number)
            self._reopen_at.pop(number, None)
            self._standing.pop(number, None)

    def _drop(self, number: int, reopen_after: float = 0.0) -> None:
        """Forget the books of a partition; what was not committed is read again by whoever owns it."""
        if self.tasks.pop(number, None) is not None:
            self._ends.log.info("partition left", partition=number)
        for where in self._of(number):
            self._ends.source.halt(where)
        self._reopen_at[number] = self._now() + reopen_after

    def _open(self, number: int) -> bool:
        """Load the books of a partition and begin to read where they stand; returns whether that went well."""
        mine = self._of(number)
        try:
            loaded, store = self._ends.stores.open(number)
            task = Task(
                number,
                self._layout.shared,
                loaded,
                store,
                self._watch,
                self._reference,
                self._settings,
                self._ends.telling,
            )
            task.answer_stops({*mine, *self._of_all()})
            for where in mine:
                self._begin(task, where)
        except (Overtaken, StoreProblem, SourceProblem) as problem:
            self._not_opened([number], problem)
            return False
        except LimitReached as stop:
            self._stand_still(number, stop)
            return False
        self._unopened = ""
        self._standing.pop(number, None)
        self.tasks[number] = task
        self._ends.log.info("partition opened", partition=number, clock=task.book.clock)
        return True

    def _not_opened(self, numbers: Iterable[int], problem: MonitorError) -> None:
        """A database or a broker is away while books are opened: they are tried again, where others read on."""
        if not self._layout.shared:
            raise problem
        self._unopened = str(problem)
        self._ends.log.warning("books not opened", problem=str(problem))
        for number in numbers:
            self._drop(number, REOPEN_SECONDS)

    def _begin(self, task: Task, where: Partition) -> None:
        """Deliver a partition from where the books of a task stand.

        Raises:
            LimitReached: the topic no longer has that place, and nobody has decided to go on after it.
            SourceProblem: nobody answers.
        """
        lost = self._ends.source.begin(where, task.positions.get(where))
        if lost is not None:
            if not task.lose(lost):
                raise LimitReached(lost.sentence)
            self._ends.source.begin(where, Position(lost.available, ""))
        self._progress.begin(where)

    def _begin_control(self, where: Partition) -> None:
        """Deliver a partition that is for all books from where the last of them stands."""
        self._control.restart(where)
        while self.tasks:
            last = min(self.tasks.values(), key=lambda task: _offset(task.positions.get(where)))
            try:
                self._begin(last, where)
                return
            except LimitReached as stop:
                self._stand_still(last.number, stop)
                self._drop(last.number, STANDING_SECONDS)
            except SourceProblem as problem:
                self._not_opened(list(self.tasks), problem)

    def _stand_still(self, number: int, why: LimitReached) -> None:
        """Nothing of a partition is read until a person decides; a process that reads files ends."""
        if not self._layout.shared:
            raise why
        if self._standing.get(number) != str(why):
            self._standing[number] = str(why)
            self._ends.log.error("partition stands still", partition=number, problem=str(why))
        self._reopen_at[number] = self._now() + STANDING_SECONDS

    # -- reading -------------------------------------------------------------------------------------------------

    def _hold_back(self) -> None:
        """Deliver nothing while a commit waits for the store, and no control facts far ahead of the books."""
        holding = any(task.holding for task in self.tasks.values())
        if holding and self._paused_at is None:
            self._paused_at = self._now()
            self._ends.source.pause()
        elif not holding and self._paused_at is not None:
            waited = round((self._now() - self._paused_at) * SECOND_MS)
            self._paused_at = None
            self._ends.source.resume()
            self._progress.resumed()
            for task in self.tasks.values():
                task.waited(waited)
        if self._control.full != self._control_halted:
            self._control_halted = self._control.full
            for where in self._of_all():
                if self._control_halted:
                    self._ends.source.halt(where)
                else:
                    self._ends.source.begin(where, self._ends.source.positions().get(where))
        if self._control_halted:
            for where in self._of_all():
                self._progress.moved(where)

    def _read(self) -> bool:
        """Take in one batch."""
        records = self._ends.source.poll(self._settings.batch_records_max)
        self._tell_remarks()
        if not records:
            return False
        decoded = without_misrouted(self._decoded(records), self._layout)
        self._count_ignored(records, decoded)
        for part in parts(records, decoded):
            number = self._layout.books(part.where)
            if number is None:
                self._control.add(part)
            elif number in self.tasks:
                self._guarded(self.tasks[number], partial(Task.take, part=part))
            self._progress.moved(part.where)
        self._follow_positions()
        return True

    def _decoded(self, records: Sequence[Record]) -> Decoded:
        """Files may hold records of another format; what is in topics is canonical."""
        foreign = self._settings.files.foreign
        if self._layout.shared or foreign is None:
            return decode(records, self._rules)
        limit = self._settings.intake.record_bytes_max
        return decode_foreign(records, foreign.dialect, options_of(foreign), self._rules, limit)

    def _follow_positions(self) -> None:
        for where, position in self._ends.source.positions().items():
            number = self._layout.books(where)
            if number is not None and number in self.tasks:
                self.tasks[number].moved_to(where, position)

    def _take_control(self) -> None:
        """Hand out the control facts whose time the books have reached."""
        for where in self._of_all():
            for task in list(self.tasks.values()):
                if not task.holding:
                    self._guarded(task, partial(self._take_due, where=where))
            self._control.taken(
                where, (task.positions.get(where, Position(0, "")).next_offset for task in self.tasks.values())
            )

    def _take_due(self, task: Task, where: Partition) -> None:
        at = task.positions.get(where, Position(0, "")).next_offset
        part = self._control.due(where, at, None if self._own_read(task) else task.book.clock)
        if part is not None:
            # Each partition takes every control fact in; the first one answers for what cannot be read.
            task.take(part, counted=task.number == 0)
            here = self._ends.source.positions().get(where)
            task.moved_to(where, Position(part.all[-1].next_offset, "" if here is None else here.check))

    def _own_read(self, task: Task) -> bool:
        """Whether a task's own partitions were read to their end."""
        return task.number not in self._unread

    def _behind(self, positions: Mapping[Partition, int]) -> frozenset[Partition]:
        """The partitions with more to read, or of which that is not known, as while nothing is delivered.

        What the client knows of ends is as old as its latest fetch, so the brokers' word counts as well.
        """
        if self._paused_at is not None:
            return self._assigned
        return self._ends.source.behind() | self._progress.behind(positions)

    def _count_ignored(self, records: Sequence[Record], decoded: Decoded) -> None:
        ignored = sum(decoded.ignored.values())
        if ignored:
            topic = records[0].topic if self._layout.shared else FILE_LABEL
            self._ends.metrics.add("flopwatch_events_consumed_total", ignored, topic=topic, outcome="ignored")

    def _tell_remarks(self) -> None:
        remarks = self._ends.source.restarted
        for sentence in remarks[self._remarks :]:
            self._ends.log.warning("source restarted", problem=sentence)
        self._remarks = len(remarks)

    def _hear(self) -> None:
        """Learn what other workers have written: what they heard of sources, which dead letters wait."""
        if self._now() - self._heard_at < HEARD_SECONDS:
            return
        self._heard_at = self._now()
        try:
            self._ends.metrics.set("flopwatch_dead_letters_waiting", self._ends.stores.letters_waiting())
            heard = self._ends.stores.heard() if self._layout.shared else {}
        except StoreProblem as problem:  # the next pass asks again
            self._ends.log.warning("sources not read", problem=str(problem))
            return
        if self._layout.shared:
            for task in self.tasks.values():
                task.book.heard_elsewhere = heard
        for source, at in heard.items():
            self._ends.metrics.heard(source, at)

    # -- working on tasks ----------------------------------------------------------------------------------------

    def _work(self, task: Task) -> None:
        """Evaluate and commit what is due."""
        if task.holding:
            committed = task.retry()
        else:
            task.evaluate(not self._unread & {None, task.number})
            committed = task.commit_is_due() and task.commit()
        if committed:
            self._hint()

    def _guarded(self, task: Task, work: Callable[[Task], object]) -> None:
        """Work on a task; what makes its books unusable drops them, and the rest goes on."""
        try:
            work(task)
            return
        except (Overtaken, LimitReached, StoreProblem) as problem:
            if not self._layout.shared:
                raise
            trouble = problem
        if isinstance(trouble, LimitReached):
            self._drop(task.number)
            self._stand_still(task.number, trouble)
        elif isinstance(trouble, Overtaken):
            self._ends.metrics.add("flopwatch_overtaken_total")
            self._ends.log.warning("partition overtaken", partition=task.number, problem=str(trouble))
            # Kafka will soon say whose it is; if it stays ours, it is opened again after a session's length.
            self._drop(task.number, self._settings.kafka.session_seconds)
        else:
            self._ends.log.error("books dropped", partition=task.number, problem=str(trouble))
            self._unopened = str(trouble)
            self._drop(task.number, REOPEN_SECONDS)

    def _positions(self) -> dict[Partition, int]:
        """Where reading goes on, of everything assigned."""
        return {where: position.next_offset for where, position in self._ends.source.positions().items()}

    def _hint(self) -> None:
        """Tell Kafka how far the books are, for tools that show lag."""
        if self._layout.shared:
            self._ends.source.committed(
                {
                    where: offset
                    for task in self.tasks.values()
                    for where, offset in task.committed.items()
                    if self._layout.books(where) == task.number
                }
            )


def _offset(position: Position | None) -> int:
    return -1 if position is None else position.next_offset
