"""Control facts that were read and wait for the books to reach their time.

The control topic is short and read quickly, the tenant topic long. A report of today in books that are still at last
week would make every fact between them late; so a partition's books take a control fact in once their clock has
reached it, or once they have read their own topic to its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.limits import Partition
from monitor.core.model import Observation, Record, Rejected
from monitor.run.routing import Part

RECORDS_MAX = 2_000
BYTES_MAX = 64 * 1024 * 1024


class _Waiting(NamedTuple):
    record: Record
    fact: Observation | None  # None: the record is a dead letter
    rejected: Rejected | None


class ControlFacts:
    """What was read of the control topic and not yet taken in by all books of this worker."""

    def __init__(self) -> None:
        self._waiting: dict[Partition, deque[_Waiting]] = {}
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether no more should be read for now."""
        return self._bytes >= BYTES_MAX or sum(map(len, self._waiting.values())) >= RECORDS_MAX

    def add(self, part: Part) -> None:
        """Keep what was read of one partition, in its order."""
        waiting = self._waiting.setdefault(part.where, deque())
        facts = {record.offset: fact for fact, record in zip(part.observations, part.records, strict=True)}
        rejected = {one.record.offset: one for one in part.rejected}
        for record in part.all:
            if record.offset in facts or record.offset in rejected:
                waiting.append(_Waiting(record, facts.get(record.offset), rejected.get(record.offset)))
                self._bytes += len(record.value)

    def restart(self, where: Partition) -> None:
        """A partition is going to be read again from an earlier place."""
        for one in self._waiting.pop(where, ()):
            self._bytes -= len(one.record.value)

    def due(self, where: Partition, position: int, clock: int | None) -> Part | None:
        """What is waiting at or after a position, up to the first fact later than the clock (None: all of it)."""
        part = Part(where, [], [], [], [])
        for record, fact, rejected in self._waiting.get(where, ()):
            if fact is not None and clock is not None and fact.time > clock:
                break
            if record.offset < position:
                continue
            part.all.append(record)
            if fact is not None:
                part.observations.append(fact)
                part.records.append(record)
            if rejected is not None:
                part.rejected.append(rejected)
        return part if part.all else None

    def taken(self, where: Partition, positions: Iterable[int]) -> None:
        """The books of this worker have come so far in a partition: what all of them have taken in is let go."""
        least, waiting = min(positions, default=0), self._waiting.get(where, deque())
        while waiting and waiting[0].record.offset < least:
            self._bytes -= len(waiting.popleft().record.value)
