"""How many records of a partition may be dead letters before the worker stops (ruling 8).

A few bad records are normal; a deploy that breaks a producer is not, and must stop the reader rather than empty the
topic into the dead letters. What has been seen is counted from the start of the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from monitor.core.model import Record, Rejected

PPM = 1_000_000
Partition = tuple[str, int]  # (topic, partition)


class Limits(NamedTuple):
    """The numbers of ruling 8."""

    ratio_ppm: int = 10_000  # of the last `window` records of a partition
    window: int = 10_000
    seen_min: int = 1_000  # the ratio says nothing before so many records
    run_max: int = 1_000  # in a row


class _Seen:
    """What has been seen of one partition."""

    __slots__ = ("bad", "excused_at", "lifted", "records", "run")

    def __init__(self) -> None:
        self.records = 0
        self.run = 0  # dead letters since the last good record
        self.bad: deque[int] = deque()  # the dead letters of the last `window` records, as numbers of records
        self.lifted = False
        self.excused_at: int | None = None  # the latest record at which a lifted limit was exceeded


class DeadLetterLimits:
    """Counts records and dead letters by partition, and says when they are too many.

    With `lifted` no limit holds in any partition. `lift` lifts those of one partition for one incident: once it has
    been gone past and a whole window within the limits has followed, they hold again.
    """

    __slots__ = ("_lifted", "_limits", "_seen", "stopped_at")

    def __init__(self, limits: Limits, lifted: bool = False) -> None:
        self.stopped_at: Partition | None = None  # the partition of the latest sentence
        self._limits = limits
        self._lifted = lifted
        self._seen: dict[Partition, _Seen] = {}

    def lift(self, topic: str, partition: int) -> None:
        """A person decided to go past the limit in this partition."""
        self._of((topic, partition)).lifted = True

    def add(self, topic: str, partition: int, bad: bool) -> str | None:
        """Count one record. Returns a sentence if its partition is over a limit."""
        seen = self._of((topic, partition))
        if bad:
            return self._add_bad(topic, partition, seen)
        return self._add_good(topic, partition, seen, 1)

    def add_batch(self, records: Sequence[Record], rejected: Iterable[Rejected]) -> str | None:
        """Count a batch in its order. Returns a sentence for the first partition that is over a limit."""
        bad = {one.record[:3] for one in rejected}
        if not bad:
            return self._add_all_good(records)
        for record in records:
            sentence = self.add(record.topic, record.partition, record[:3] in bad)
            if sentence is not None:
                return sentence
        return None

    def _add_all_good(self, records: Sequence[Record]) -> str | None:
        for (topic, partition), group in groupby(records, key=lambda record: record[:2]):
            seen = self._of((topic, partition))
            sentence = self._add_good(topic, partition, seen, sum(1 for _ in group))
            if sentence is not None:
                return sentence
        return None

    def _of(self, key: Partition) -> _Seen:
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen()
        return seen

    def _add_good(self, topic: str, partition: int, seen: _Seen, count: int) -> str | None:
        seen.run = 0
        least = self._limits.seen_min
        # Among good records the share of dead letters only falls, but it is looked at first when `seen_min` is reached.
        if seen.records < least <= seen.records + count:
            count -= least - seen.records
            seen.records = least
            sentence = self._judge(topic, partition, seen)
            if sentence is not None:
                return sentence
        seen.records += count
        self._forget(seen)
        return None

    def _add_bad(self, topic: str, partition: int, seen: _Seen) -> str | None:
        seen.records += 1
        seen.run += 1
        seen.bad.append(seen.records)
        self._forget(seen)
        return self._judge(topic, partition, seen)

    def _forget(self, seen: _Seen) -> None:
        oldest = seen.records - self._limits.window
        while seen.bad and seen.bad[0] <= oldest:
            seen.bad.popleft()
        if seen.excused_at is not None and seen.excused_at <= oldest:
            seen.lifted, seen.excused_at = False, None

    def _over(self, seen: _Seen) -> bool:
        limits = self._limits
        looked_at = min(seen.records, limits.window)
        too_many = looked_at >= limits.seen_min and len(seen.bad) * PPM > limits.ratio_ppm * looked_at
        return too_many or seen.run >= limits.run_max

    def _judge(self, topic: str, partition: int, seen: _Seen) -> str | None:
        if self._lifted or not self._over(seen):
            return None
        if seen.lifted:
            seen.excused_at = seen.records
            return None
        self.stopped_at = (topic, partition)
        if seen.run >= self._limits.run_max:
            what = f"The last {seen.run:,} records of {topic}, partition {partition}, are all unreadable"
        else:
            looked_at = min(seen.records, self._limits.window)
            what = (
                f"{len(seen.bad):,} of the last {looked_at:,} records of {topic}, partition {partition}, are unreadable"
            )
        return (
            f"{what}: reading stopped at the last commit. Mend the producer, or go past them with "
            f"`flopwatch positions accept {topic} --reason TEXT`."
        )
