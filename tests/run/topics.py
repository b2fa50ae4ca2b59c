"""Topics in memory, and a source that reads them: what Kafka does to a worker, at the instant that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.errors import SourceProblem
from monitor.source import LostPosition, Position

TENANTS, CONTROL = "tenants", "control"


class Topics:
    """Partitions with their records, and where each of them begins."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.records: dict[Partition, list[Record]] = {(CONTROL, 0): []}
        self.records |= {(TENANTS, number): [] for number in range(partitions)}
        self.first: dict[Partition, int] = dict.fromkeys(self.records, 0)

    def write(self, where: Partition, value: bytes, key: bytes | None = None) -> None:
        log = self.records[where]
        log.append(Record(*where, len(log), len(log) + 1, value, None, key))


class Member:
    """A source over topics whose assignment a test sets."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self.given: frozenset[Partition] = frozenset()
        self.restarted: list[str] = []
        self.trouble = ""
        self.hints: dict[Partition, int] = {}
        self.deaf: set[Partition] = set()  # partitions that deliver nothing, for no reason that the client knows
        self.away = False  # nothing answers
        self.closed = self.paused = False
        self._assigned: frozenset[Partition] = frozenset()
        self._next: dict[Partition, int] = {}
        self._halted: set[Partition] = set()

    def give(self, *numbers: int) -> None:
        """These tenant partitions are ours from the next poll on, and the control topic."""
        self.given = frozenset({(TENANTS, number) for number in numbers} | {(CONTROL, 0)})

    def poll(self, records_max: int) -> list[Record]:
        for where in self._assigned - self.given:
            self._next.pop(where, None)
        self._assigned = self.given
        records: list[Record] = []
        if self.paused or self.away:
            return records
        for where in sorted(self._next):
            if where not in self._halted | self.deaf:
                start = self._next[where]
                taken = self.topics.records[where][start : start + records_max - len(records)]
                self._next[where] = start + len(taken)
                records += taken
        return records

    def assigned(self) -> frozenset[Partition]:
        return self._assigned

    def begin(self, where: Partition, position: Position | None) -> LostPosition | None:
        if self.away:
            raise SourceProblem("The broker does not answer.")
        wanted = self.topics.first[where] if position is None else position.next_offset
        self._halted.discard(where)
        if not self.topics.first[where] <= wanted <= len(self.topics.records[where]):
            return LostPosition(where, wanted, self.topics.first[where], f"{where[0]} no longer has offset {wanted}.")
        self._next[where] = wanted
        return None

    def halt(self, where: Partition) -> None:
        self._halted.add(where)

    def positions(self) -> Mapping[Partition, Position]:
        return {where: Position(offset, "") for where, offset in self._next.items()}

    def behind(self) -> frozenset[Partition]:
        return frozenset(
            where for where, offset in self._next.items() if where not in self.deaf and offset < self._end(where)
        )

    def _end(self, where: Partition) -> int:
        return len(self.topics.records[where])

    def ends(self) -> Mapping[Partition, int]:
        if self.away:
            raise SourceProblem("The broker does not answer.")
        return {where: self._end(where) for where in self._assigned}

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def committed(self, positions: Mapping[Partition, int]) -> None:
        self.hints.update(positions)

    def close(self) -> None:
        self.closed = True
