"""Which tenants are evaluated when: those whose facts changed at every tick, those that time changes in rounds.

One tenant can take long, and a round over many of them longer than a process may take to stop; so the work is done in
slices between which the loop reads, commits, and answers whether it is well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from monitor.clock import Clock
from monitor.core.book import Book
from monitor.core.bounds import Bounds, greatest
from monitor.core.engine import (
    Past,
    Reference,
    by_the_hour,
    follow,
    hearing,
    hourly_look,
    note_retractions,
    with_late,
)
from monitor.core.estimate import totals
from monitor.core.findings import Finding
from monitor.core.flags import Change, Flag, State, decided, numbers
from monitor.core.ledger import Measured, MeasuredKey, UsageKey
from monitor.core.lists import Band
from monitor.core.parties import Parties
from monitor.store import DECISION, JournalRow

# Tenants that hold something, or have a flag, change with time alone: once a minute of the books' clock at most.
ROUND_MS = 60_000
TOTALS, HOURS = "totals", "hours"  # how closely a tenant is looked at
SLICE_SECONDS = 0.5
REST = 4  # a round, and a slice while there is more to read, is followed by so many times its duration without one

Hours = tuple[Iterable[tuple[UsageKey, tuple[int, int]]], Iterable[tuple[MeasuredKey, Measured]]]


class Looks(NamedTuple):
    """How often tenants were looked at."""

    tenants: Counter[str]  # by how closely: TOTALS or HOURS
    held: Counter[str]  # rule -> looks at a tenant in which it held


class Evaluation:
    """The flags of one book, and which tenants are due."""

    def __init__(
        self,
        book: Book,
        flags: dict[str, dict[str, Flag]],
        reference: Reference,
        clock: Clock,
        tick_seconds: float,
        old_hours: Callable[[str, int], Hours],
        past: Past,
    ) -> None:
        """`old_hours(tenant, before)`: what the store has of its hours before one; `past`: of its allocations."""
        self.open_allocations = 0  # as of the latest round
        self._looks = Looks(Counter(), Counter())
        # Of tenants that were looked at by the hour when they were looked at last; nothing of others.
        self._largest_runs: dict[str, Bounds] = {}
        self._hits: dict[str, Mapping[str, Band]] = {}
        self._book = book
        self._flags = flags
        self._reference = reference
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._old_hours = old_hours
        self._past = past
        # Tenants that are due, in order. At first all: policies may have changed, and a process may have died between
        # committing facts and evaluating them.
        self._changed: dict[str, None] = {}
        self._round: dict[str, None] = dict.fromkeys(sorted(book.tenants))
        self._round_as_of: int | None = None
        self._round_seconds = 0.0
        self._next_tick = self._next_round = self._rest_until = clock.monotonic()
        self._retracted: set[str] = set()

    @property
    def pending(self) -> bool:
        """Whether tenants are due that were not evaluated yet."""
        return bool(self._changed or self._round)

    def refer(self, reference: Reference) -> None:
        """From now on everything is read with another reference; all tenants are due."""
        self._reference = reference
        self._round.update(dict.fromkeys(sorted(self._book.tenants)))

    def note_retracted(self, names: Iterable[str]) -> None:
        """Some facts of these tenants were just retracted."""
        self._retracted.update(names)

    def close(self, rows: Iterable[JournalRow]) -> list[Change]:
        """Flags that a person closed, as the journal says; their line of history is written already."""
        decisions = [row for row in rows if row.entry.kind == DECISION]
        changes = [change for row in decisions if (change := decided(self._flags, row.entry.body, row.at)) is not None]
        return self._applied([change._replace(entry=change.entry._replace(act="")) for change in changes])

    def tick_is_due(self) -> bool:
        """Whether it is time to look which tenants are due."""
        return self._clock.monotonic() >= self._next_tick

    def tick(self, as_of: int) -> None:
        """Put on the list whoever is due at `as_of`."""
        now = self._clock.monotonic()
        self._next_tick = now + self._tick_seconds
        self.take_changed()
        if self._round_as_of is None or (
            not self._round and as_of - self._round_as_of >= ROUND_MS and now >= self._next_round
        ):
            self._round.update(dict.fromkeys(sorted(self._changing_with_time())))
            self._round_as_of, self._round_seconds = as_of, 0.0

    def take_changed(self) -> None:
        """Put on the list those whose facts changed."""
        names, self._book.dirty_tenants = self._book.dirty_tenants, set()
        self._changed.update(dict.fromkeys(sorted(names)))

    def take_looks(self) -> Looks:
        """What was looked at since this was asked last."""
        looks, self._looks = self._looks, Looks(Counter(), Counter())
        return looks

    def _changing_with_time(self) -> set[str]:
        """Tenants that hold something or have an open flag."""
        names: set[str] = set()
        self.open_allocations = 0
        for name, tenant in self._book.tenants.items():
            held = tenant.open_allocations
            self.open_allocations += held
            if held or any(flag.state is State.OPEN for flag in self._flags.get(name, {}).values()):
                names.add(name)
        return names

    def work(self, as_of: int, unhurried: bool) -> list[Change]:
        """Evaluate tenants that are due, for one slice of time; with more to read (not `unhurried`), rest after it.

        Raises:
            StoreProblem: the old hours of a tenant cannot be read.
        """
        started = self._clock.monotonic()
        if not unhurried and started < self._rest_until:
            return []
        noted, self._retracted = self._retracted, set()
        changes = self._applied(note_retractions(noted, self._flags, as_of))
        parties = self._reference.parties(self._book, as_of)
        while self.pending:
            in_round = not self._changed
            queue = self._round if in_round else self._changed
            name = next(iter(queue))
            del queue[name]
            before = self._clock.monotonic()
            changes += self._applied(self._evaluate(name, parties))
            now = self._clock.monotonic()
            if in_round:
                self._round_seconds += now - before
                self._next_round = now + REST * self._round_seconds
            if now - started >= SLICE_SECONDS:
                self._rest_until = now + REST * (now - started)
                break
        return changes

    def _evaluate(self, name: str, parties: Parties) -> list[Change]:
        tenant, as_of = self._book.tenants[name], parties.now
        by_shape = totals(tenant, as_of, hearing(self._book, as_of))
        findings: list[Finding] = []
        closely = by_the_hour(self._book, self._reference, name, by_shape, parties)
        if closely:
            ledger = tenant.ledger
            if ledger.resident_from:
                ledger.recall(*self._old_hours(name, ledger.resident_from))
            look = hourly_look(self._book, self._reference, name, parties, self._past)
            findings, self._hits[name], self._largest_runs[name] = look
        else:
            self._hits.pop(name, None)
            self._largest_runs.pop(name, None)
        self._looks.tenants[HOURS if closely else TOTALS] += 1
        self._looks.held.update({finding.rule for finding in findings})
        late = {name: self._book.came_late.pop(name, 0)}
        return with_late(follow({name: findings}, self._flags, as_of), late)

    def _applied(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            self._flags.setdefault(change.flag.tenant, {})[change.flag.id] = change.flag
        return changes

    def flag_numbers(self) -> dict[tuple[str, str, str], int]:
        """How many flags there are by (state, level, rule)."""
        return numbers(flag for flags in self._flags.values() for flag in flags.values())

    def hit_numbers(self) -> Counter[tuple[str, str]]:
        """How many tenants have a hit that nobody has cleared, by (source list, band of the best there)."""
        return Counter((source, str(band)) for hits in self._hits.values() for source, band in hits.items())

    def largest_run(self) -> Bounds:
        """The largest run of all tenants whose runs a rule asked for, on each bound by itself; zero: there is none."""
        return greatest(self._largest_runs.values())
