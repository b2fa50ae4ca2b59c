"""How the monitor itself is, as its store tells it: how far it has read, what it cannot see, what waits or is broken.

It is read with each survey, so that every page can say at once what no page should leave out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from monitor.core.audit import Checkpoint, Row, verify
from monitor.core.blind import unseen_ms
from monitor.core.clocks import instant
from monitor.core.limits import Partition
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.reference.lists.shelf import Standing
from monitor.run.casework import Cases
from monitor.run.listing import ScreeningLists
from monitor.run.reports import Report, report_of, spans_of
from monitor.run.stops import unanswered_stops
from monitor.run.task import JOURNAL
from monitor.store import DECISION, STOP, BlindRow, JournalRow, StoredPosition

WALK_EVERY_MS = HOUR_MS  # over the whole chain of the audit


class Chain(Protocol):
    """What is needed of the audit of a store."""

    def agrees(self, checkpoint: Checkpoint) -> bool:
        """Whether it still holds what a checkpoint says."""
        ...

    def chain(self) -> Iterator[Row]:
        """All rows in order."""
        ...


class Stored(Protocol):
    """What is needed of a store."""

    def positions(self) -> Mapping[Partition, StoredPosition]:
        """How far each partition has been read."""
        ...

    def blind(self) -> Sequence[BlindRow]:
        """What the books of all partitions could not see."""
        ...

    def letters_by_reason(self) -> Mapping[str, int]:
        """How many dead letters wait for a person, by why they were refused."""
        ...

    def journal(self, after: int = 0, kinds: Collection[str] | None = None) -> Sequence[JournalRow]:
        """Journal entries in order."""
        ...

    @property
    def casework(self) -> Cases:
        """Its cases."""
        ...

    @property
    def audit(self) -> Chain:
        """What people did."""
        ...


class Condition(NamedTuple):
    """How the monitor is, at an instant."""

    at: int  # the wall clock, in milliseconds
    positions: Mapping[Partition, StoredPosition]
    stops: Mapping[Partition, str]  # that nobody has answered -> a sentence
    blind: Sequence[BlindRow]  # the latest first, what lasts before all others
    letters: Mapping[str, int]  # that wait, by reason
    lists: ScreeningLists
    report: Report  # of the work on cases
    audit: str  # what is wrong with the chain; "": nothing that is known
    audit_walked_at: int  # over all of it; 0: never

    @property
    def lasting(self) -> list[BlindRow]:
        """What cannot be seen now."""
        return [one for one in self.blind if one.end is None]

    @property
    def unseen_today(self) -> int:
        """How much of this day in UTC something could not be seen, in milliseconds."""
        return unseen_ms(spans_of(self.blind), self.at - self.at % DAY_MS, self.at)

    @property
    def doubtful_lists(self) -> list[Standing]:
        """Lists that were refused or have grown old."""
        return [one for one in self.lists.standings if one.problem or one.is_stale(self.lists.now)]


class AuditSight:
    """Whether the audit still holds what it held: its end at each look, all of it once an hour."""

    def __init__(self) -> None:
        self._known: Checkpoint | None = None  # what the latest walk found, when
        self._trouble = ""

    @property
    def walked_at(self) -> int:
        """When all of it was looked at last; 0: never."""
        return 0 if self._known is None else self._known.at

    def trouble(self, audit: Chain, now: int) -> str:
        """What is wrong with it; "": nothing that is known. Once something is wrong, it stays so.

        Raises:
            StoreProblem: it cannot be read.
        """
        if self._trouble:
            return self._trouble
        known = self._known
        if known is None or now - known.at >= WALK_EVERY_MS:
            verdict = verify(audit.chain(), () if known is None else (known,))
            self._known = Checkpoint(now, verdict.rows, verdict.head)
            self._trouble = verdict.broken.why if verdict.broken else ""
        elif not audit.agrees(known):
            self._trouble = f"The audit no longer holds what it held at {instant(known.at)}."
        return self._trouble


def condition_of(store: Stored, lists: ScreeningLists, audit: AuditSight, now: int) -> Condition:
    """How the monitor is; `now`: the wall clock, in milliseconds.

    Raises:
        StoreProblem: the store cannot be read.
    """
    positions = {where: position for where, position in store.positions().items() if where != JOURNAL}
    offsets = {where: position.next_offset for where, position in positions.items()}
    blind = sorted(store.blind(), key=lambda one: (one.end is not None, -one.start, one.name))
    return Condition(
        at=now,
        positions=positions,
        stops=unanswered_stops(store.journal(0, (STOP, DECISION)), offsets),
        blind=blind,
        letters=store.letters_by_reason(),
        lists=lists,
        report=report_of(store.casework, blind, now),
        audit=audit.trouble(store.audit, now),
        audit_walked_at=audit.walked_at,
    )
