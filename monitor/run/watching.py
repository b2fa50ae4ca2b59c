"""Whether every partition of ours makes progress, measured against what Kafka has and not against what the client says.

A client that has stopped fetching after a rebalance reports no lag. So the ends of the partitions are asked for anew
every few seconds: a partition that has more records than were taken in, and gave none for a while, stands still.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.clock import Clock
from monitor.core.limits import Partition
from monitor.errors import SourceProblem
from monitor.metrics import Metrics
from monitor.source import Source

LOOK_SECONDS = 5.0


class Progress:
    """When each partition last made progress."""

    def __init__(self, source: Source, stalled_seconds: float, clock: Clock, metrics: Metrics) -> None:
        self._source = source
        # The sentence must be there before the stated time is over, whenever within a look's interval it began.
        self._limit = max(1.0, stalled_seconds - 2 * LOOK_SECONDS)
        self._clock = clock
        self._metrics = metrics
        self._progressed: dict[Partition, float] = {}
        self._ends: Mapping[Partition, int] | None = None  # None: nobody has said so since delivery went on last
        self._left: dict[Partition, int] = {}  # how many records more there are than were taken in
        self._answered = self._next_look = clock.monotonic()
        self.trouble = ""  # why the source did not answer when it was asked last

    def begin(self, where: Partition) -> None:
        """A partition is ours from now on, or is read again from elsewhere."""
        self._progressed[where] = self._clock.monotonic()

    def forget(self, where: Partition) -> None:
        """A partition is no longer ours."""
        self._progressed.pop(where, None)
        self._left.pop(where, None)
        self._metrics.forget_partition(where[0], str(where[1]))

    def moved(self, where: Partition) -> None:
        """Records of a partition were taken in."""
        self._progressed[where] = self._clock.monotonic()

    def resumed(self) -> None:
        """Delivery goes on after a pause, in which the client heard of no end: the next look is now."""
        self._ends, self._next_look = None, self._clock.monotonic()

    def behind(self, positions: Mapping[Partition, int]) -> frozenset[Partition]:
        """The partitions that have more after these positions; after a pause all of them, until ends are told again."""
        ends = self._ends
        return frozenset(where for where, at in positions.items() if ends is None or at < ends.get(where, at))

    def look(self, positions: Mapping[Partition, int]) -> None:
        """Compare where reading has come with what there is, once in a few seconds."""
        now = self._clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        try:
            ends = self._source.ends()
        except SourceProblem as problem:
            self.trouble = str(problem)
            return
        self.trouble, self._answered = "", now
        self._ends = ends
        for where, end in ends.items():
            if where not in self._progressed:
                self._progressed[where] = now
            left = self._left[where] = max(0, end - positions.get(where, 0))
            if not left:
                self._progressed[where] = now
            self._show(where, left, now)

    def _show(self, where: Partition, left: int, now: float) -> None:
        labels = {"topic": where[0], "partition": str(where[1])}
        metrics, standing = self._metrics, now - self._progressed[where]
        metrics.set("flopwatch_consumer_lag_records", left, **labels)
        metrics.set("flopwatch_partition_stalled", int(standing > self._limit), **labels)
        at = self._clock.now_ms() - round(standing * 1_000)
        metrics.set_time("flopwatch_partition_progress_timestamp_seconds", at, **labels)

    def stalled(self) -> str:
        """A sentence about a partition that stands still, or about a source that does not answer; "" if all is well."""
        now = self._clock.monotonic()
        if self.trouble and now - self._answered > self._limit:
            return f"The source has not answered for {now - self._answered:.0f} seconds. {self.trouble}"
        for where, since in sorted(self._progressed.items()):
            left = self._left.get(where, 0)
            if left and now - since > self._limit:
                return (
                    f"Partition {where[1]} of {where[0]} stands still: it has {left:,} records more, and none was "
                    f"taken in for {now - since:.0f} seconds."
                )
        return ""
