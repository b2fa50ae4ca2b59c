"""A simulated fleet played through the real line: decode, book, evaluate, commit, at the pace of a viewer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from monitor.clock import Clock
from monitor.core.book import Book, Moved
from monitor.core.engine import Past, Reference, evaluate, evaluate_groups
from monitor.core.flags import Change, Flag
from monitor.core.model import DAY_MS, Observation
from monitor.intake.decode import decode_facts
from monitor.run.apply import Archive, take_in
from monitor.run.replay import batches

LINES_A_BATCH = 500
PASS_SECONDS = 0.25

Keep = Callable[[Moved, Sequence[Change]], None]


class Moment(NamedTuple):
    """Where the play is, for whoever shows it."""

    now: int
    events: int
    changes: list[Change]  # of flags, at this moment


class Stage:
    """What a play needs: a book with its archive, the reference, the flags, how to commit, and how to ask for runs."""

    __slots__ = ("archive", "book", "flags", "group_flags", "keep", "past", "reference")

    def __init__(self, book: Book, archive: Archive, reference: Reference, keep: Keep, past: Past) -> None:
        self.past = past
        self.book = book
        self.archive = archive
        self.reference = reference
        self.keep = keep
        self.flags: dict[str, dict[str, Flag]] = {}
        self.group_flags: dict[str, Flag] = {}

    def take(self, facts: Sequence[Observation]) -> list[Change]:
        """Take in facts, evaluate every tenant that changed or holds something, commit."""
        take_in(self.book, self.archive, facts, [None] * len(facts))
        self.book.dirty_tenants.clear()
        now = self.book.clock
        changes = evaluate(self.book, self.reference, list(self.book.tenants), self.flags, now, self.past)
        for change in changes:
            self.flags.setdefault(change.flag.tenant, {})[change.flag.id] = change.flag
        of_groups = evaluate_groups(self.book, self.reference, self.past, self.group_flags, now)
        self.group_flags |= {change.flag.id: change.flag for change in of_groups}
        changes += of_groups
        self.keep(self.book.drain(), changes)
        return changes


def play(lines: Iterable[bytes], stage: Stage, days_a_second: float | None, clock: Clock) -> Iterator[Moment]:
    """Play events at so many simulated days a second; None: a day at a time, as fast as it goes."""
    facts = _facts(lines)
    waiting = next(facts, None)
    if waiting is None:
        return
    started, zero, events = clock.monotonic(), waiting.time, 0
    horizon = zero
    while waiting is not None:
        if days_a_second is None:
            horizon += DAY_MS
        else:
            time.sleep(PASS_SECONDS)
            horizon = zero + round((clock.monotonic() - started) * days_a_second * DAY_MS)
        due: list[Observation] = []
        while waiting is not None and waiting.time <= horizon:
            due.append(waiting)
            waiting = next(facts, None)
        events += len(due)
        if due:
            yield Moment(due[-1].time, events, stage.take(due))


def _facts(lines: Iterable[bytes]) -> Iterator[Observation]:
    for batch in batches(lines, LINES_A_BATCH):
        yield from decode_facts(batch)
