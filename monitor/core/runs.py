"""Training runs out of allocations, and the range of what may belong to each.

`core/segments.py` makes segments of what allocations held, `core/chains.py` joins them. A *run* is the stretch of a
chain over strong links. The rules and their sources: decision 33.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

from monitor.core.bounds import ZERO, Bounds
from monitor.core.chains import Chains, Link, Part, Strength
from monitor.core.estimate import SCALE, Estimator
from monitor.core.model import DAY_MS
from monitor.core.segments import Holding as Holding
from monitor.core.segments import Segment, Segments
from monitor.core.segments import holding as holding
from monitor.core.segments import is_segment_id as is_segment_id


class Run(NamedTuple):
    """One probable training run, and the range of what may belong to it."""

    id: str  # of its earliest segment
    segments: tuple[Segment, ...]
    links: tuple[Link, ...]  # between them
    flop: Bounds
    chain: tuple[str, ...]  # runs that weak links join to this one, itself included
    flop_chain: Bounds
    concurrent: int  # chains held at the same time, its own included
    flop_concurrent: Bounds

    @property
    def start(self) -> int:
        """When its first segment began."""
        return self.segments[0].start

    @property
    def end(self) -> int:
        """When the last of its segments ended, or now."""
        return self.segments[-1].end

    @property
    def peak(self) -> int:
        """Thousandths of an accelerator."""
        return max(segment.peak for segment in self.segments)

    @property
    def accelerator_us(self) -> int:
        """Accelerator-microseconds of all its segments."""
        return sum(segment.accelerator_us for segment in self.segments)

    @property
    def measured_us(self) -> int:
        """Accelerator-microseconds of it that the provider measured."""
        return sum(segment.measured_us for segment in self.segments)

    @property
    def links_by_reason(self) -> dict[str, int]:
        """Why its segments are one run, and how often."""
        counts: dict[str, int] = {}
        for link in self.links:
            counts[link.reason] = counts.get(link.reason, 0) + 1
        return counts

    @property
    def allocations(self) -> tuple[str, ...]:
        """The allocations of all its segments, sorted."""
        return tuple(sorted({name for segment in self.segments for name in segment.allocations}))


def runs(tenant: str, holdings: Iterable[Holding], estimator: Estimator, now: int) -> tuple[Run, ...]:
    """The runs of a tenant, by start."""
    kept = TenantRuns(tenant, estimator, now)
    kept.update(holdings)
    return kept.runs()


class TenantRuns:
    """The runs of one tenant, kept up with its holdings: always what `runs` makes of them all."""

    def __init__(self, tenant: str, estimator: Estimator, now: int) -> None:
        self._segments = Segments(tenant, estimator, now)
        self._chains = Chains()
        self._begun, self._over = _Sums(), _Sums()  # parts of chains by their starts, and by their ends
        self._changed: list[tuple[Part, int]] = []

    def update(self, holdings: Iterable[Holding]) -> None:
        """Each holding replaces what was known of its allocation; one without stays takes it away.

        Give whatever changed, and what is held still up to now.
        """
        change = self._chains.update(self._segments.update(holdings))
        for part in change.gone:
            self._begun.remove(part.start, part.flop)
            self._over.remove(part.end, part.flop)
        for part, _ in change.come:
            self._begun.add(part.start, part.flop)
            self._over.add(part.end, part.flop)
        self._changed = change.come

    def runs(self) -> tuple[Run, ...]:
        """All runs, by start."""
        return self._told((part, part.begin) for part in self._chains.parts())

    def changed(self) -> tuple[Run, ...]:
        """The runs whose own segments or links the latest update changed, by start.

        Wider ranges, of weak links and of the same time, may have changed for others too.
        """
        return self._told(self._changed)

    def _told(self, parts: Iterable[tuple[Part, int]]) -> tuple[Run, ...]:
        found = [run for part, since in parts for run in self._runs(part, since)]
        return tuple(sorted(found, key=lambda run: (run.start, run.id)))

    def _runs(self, part: Part, since: int) -> Iterator[Run]:
        """The runs of a part that reach beyond a position in its chain."""
        segments, links, flop = part.chain.segments, part.chain.links, part.chain.flop
        cuts = [n + 1 for n in range(part.begin, part.stop - 1) if links[n].strength is not Strength.STRONG]
        cuts = [part.begin, *cuts, part.stop]
        names = tuple(segments[begin].id for begin in cuts[:-1])
        # Parts that have begun before this one ends, less those that were over before it begins.
        count, together = self._begun.before(part.end)
        count_over, over = self._over.before(part.start + 1)
        flop_concurrent = together.minus(over).divided(SCALE)
        flop_chain = part.flop.divided(SCALE)
        for begin, stop in pairwise(cuts):
            if stop > since:
                yield Run(
                    segments[begin].id,
                    tuple(segments[begin:stop]),
                    tuple(links[begin : stop - 1]),
                    flop[stop].minus(flop[begin]).divided(SCALE),
                    names,
                    flop_chain,
                    count - count_over,
                    flop_concurrent,
                )


class _Sums:
    """Bounds by instant, and the sum of all before one; by days, so that a change is a matter of one of them."""

    def __init__(self) -> None:
        self._by_day: dict[int, list[tuple[int, Bounds]]] = {}  # sorted
        self._in_day: dict[int, list[Bounds]] = {}  # the sum of the first n of a day; a day not in here has changed
        self._days: list[int] = []  # those with anything
        self._earlier: list[tuple[int, Bounds]] = []  # of all days before the nth: how many, and their sum

    def add(self, instant: int, bounds: Bounds) -> None:
        """Count something from an instant on."""
        day = instant // DAY_MS
        insort(self._by_day.setdefault(day, []), (instant, bounds))
        self._in_day.pop(day, None)

    def remove(self, instant: int, bounds: Bounds) -> None:
        """Take back what was added."""
        day = instant // DAY_MS
        held = self._by_day[day]
        del held[bisect_left(held, (instant, bounds))]
        self._in_day.pop(day, None)

    def before(self, instant: int) -> tuple[int, Bounds]:
        """How many are before an instant, and their sum."""
        if len(self._in_day) < len(self._by_day):
            self._sum_up()
        day = instant // DAY_MS
        position = bisect_left(self._days, day)
        count, whole = self._earlier[position]
        if day not in self._by_day:
            return count, whole
        in_day = bisect_left(self._by_day[day], (instant,))
        return count + in_day, whole.plus(self._in_day[day][in_day])

    def _sum_up(self) -> None:
        for day in self._by_day.keys() - self._in_day.keys():
            self._in_day[day] = list(accumulate((bounds for _, bounds in self._by_day[day]), Bounds.plus, initial=ZERO))
        self._days = sorted(self._by_day)
        sums = accumulate((self._in_day[day][-1] for day in self._days), Bounds.plus, initial=ZERO)
        counts = accumulate((len(self._by_day[day]) for day in self._days), initial=0)
        self._earlier = list(zip(counts, sums, strict=True))
