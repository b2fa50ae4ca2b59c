"""Training runs out of allocations: gangs, their segments, the chains that segments make.

A *gang* is allocations of one tenant and accelerator family that name one job; or on one fabric one reservation; or
otherwise equal shapes started within ten minutes of each other. A *segment* is an interval in which a gang holds at
least 16 accelerators. A *chain* is segments one after the other, each joined to the free predecessor that it shares
most with. A *run* is the stretch of a chain over strong links. The rules and their sources: `DECISIONS.md` 31.

Everything is computed from sets, so no order can leak in. Units: milliseconds, thousandths of an accelerator, and
their product, accelerator-microseconds.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from itertools import accumulate, islice, pairwise
from typing import NamedTuple

from monitor.core.bounds import ZERO, Bounds
from monitor.core.bounds import total as sum_of
from monitor.core.estimate import CLASSES, PPM, SCALE, Estimator, HourUsage
from monitor.core.ledger import NOT_MEASURED, Measured, hours_of
from monitor.core.model import CERTAIN, DAY_MS, HOUR_MS, OPEN, Traits
from monitor.core.timeline import Effects, Measurement, Shape, Timeline, tail

SEGMENT_MIN = 16_000  # thousandths of an accelerator
LAUNCH_MS = 10 * 60_000  # what starts within it of the first is one launch
GAP_MS, GAP_SHARE, GAP_MAX_MS = 6 * HOUR_MS, 4, 72 * HOUR_MS  # of a strong link: the larger of 6 h and a quarter
WEAK_GAP_MS = 21 * DAY_MS
SCALE_MAX = 4  # how many times larger one of two linked scales may be
NODES_SHARED_PERCENT = 30  # of the nodes of both
ID_LETTERS = 16
CANDIDATES_MAX = 64  # predecessors looked at for each kind of evidence: the latest
SERIES_MIN = 3  # gaps alike that make a rhythm
ALIKE_PERCENT = 10
DAILY_MS, DAILY_SLACK_MS = DAY_MS, HOUR_MS


class Held(NamedTuple):
    """`count` units held over [start, end) under one evidence class and one set of traits."""

    shape: Shape
    start: int
    end: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    usage_class: str
    traits: Traits


class Holding(NamedTuple):
    """All that one allocation has held, in order, and where it was measured."""

    allocation: str
    held: Sequence[Held]
    measurements: Sequence[Measurement]


def holding(
    allocation: str, effects: Effects, timeline: Timeline | None, now: int, heard: Callable[[str], int]
) -> Holding:
    """The holding of an allocation: its finished pieces, and up to `now` what it holds still."""
    held = [
        Held(piece.shape, piece.start, piece.end, piece.count, CERTAIN if piece.certain else OPEN, piece.traits)
        for piece in effects.pieces
    ]
    if timeline is not None and timeline.counted:
        units = timeline.units
        for usage_class, start, end in tail(timeline, now, heard):
            held.append(Held(timeline.shape, start, end, units, usage_class, timeline.traits))
    if len(held) > 1:
        held.sort(key=_start)
    return Holding(allocation, held, effects.measurements)


def _start(held: Held) -> int:
    return held.start


class Evidence(NamedTuple):
    """What may tell that two segments are one run."""

    jobs: frozenset[str]
    reservations: frozenset[str]
    images: frozenset[str]
    nodes: frozenset[str]

    def shared(self, other: Evidence) -> tuple[str, ...]:
        """The kinds in which both agree."""
        kinds = []
        if self.jobs & other.jobs:
            kinds.append("job")
        if self.reservations & other.reservations:
            kinds.append("reservation")
        if self.images & other.images:
            kinds.append("image")
        common = len(self.nodes & other.nodes)
        if common and common * 100 >= NODES_SHARED_PERCENT * len(self.nodes | other.nodes):
            kinds.append("nodes")
        return tuple(kinds)


class Segment(NamedTuple):
    """An interval in which a gang held at least 16 accelerators."""

    id: str
    family: str
    start: int
    end: int
    peak: int  # thousandths of an accelerator
    accelerator_us: int
    flop: Bounds  # times SCALE
    measured: int  # usage (of counted units) that the provider measured
    active: int  # that usage times tensor activity in parts per million
    allocations: tuple[str, ...]  # sorted
    evidence: Evidence
    parts: tuple[tuple[str, Held], ...]  # what was held in it, by allocation

    @property
    def scale(self) -> int:
        """Thousandths of an accelerator, the mean over its time."""
        return self.accelerator_us // (self.end - self.start)


class Strength(IntEnum):
    """What holds two segments together."""

    STRONG = 1
    WEAK = 2
    NONE = 3  # only alike: it becomes strong if it recurs with a regular gap, else the chain ends here


class Link(NamedTuple):
    """How a segment follows another one."""

    strength: Strength
    gap: int
    shared: tuple[str, ...]
    reason: str


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
        return max(segment.end for segment in self.segments)

    @property
    def peak(self) -> int:
        """Thousandths of an accelerator."""
        return max(segment.peak for segment in self.segments)

    @property
    def accelerator_us(self) -> int:
        """Accelerator-microseconds of all its segments."""
        return sum(segment.accelerator_us for segment in self.segments)

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
    segments = segments_of(tenant, holdings, estimator, now)
    return _reported(chains(segments))


# -- gangs and segments ------------------------------------------------------------------------------------------------


class _Tenure(NamedTuple):
    """What one allocation held without a break under one job: the unit of which gangs are made."""

    allocation: str
    held: Sequence[Held]
    measurements: Sequence[Measurement]


def segments_of(tenant: str, holdings: Iterable[Holding], estimator: Estimator, now: int) -> list[Segment]:
    """The segments of a tenant, by start and id."""
    kinds: dict[Shape, tuple[str, int]] = {}

    def kind(shape: Shape) -> tuple[str, int]:
        found = kinds.get(shape)
        if found is None:
            hardware = estimator.catalogue.resolve(shape.hardware, shape.unit, now)
            family = hardware.chip.generation if hardware.known else hardware.name
            found = kinds[shape] = family, hardware.per_unit
        return found

    segments: list[Segment] = []
    taken: dict[str, int] = {}
    for family, gang in _gangs(holdings, kind):
        for start, end, peak in _busy(gang, kind):
            segments.append(_segment(tenant, family, gang, (start, end, peak), estimator, kind, taken))
    segments.sort(key=lambda segment: (segment.start, segment.id))
    return segments


Kind = Callable[[Shape], tuple[str, int]]  # family, and thousandths of an accelerator a unit


def _gangs(holdings: Iterable[Holding], kind: Kind) -> Iterator[tuple[str, list[_Tenure]]]:
    """Gangs by family, in an order that only depends on what they hold."""
    named: dict[tuple[str, ...], list[_Tenure]] = {}
    launched: dict[tuple[str, str, str, str, int], list[_Tenure]] = {}
    for one in holdings:
        for tenure in _tenures(one):
            first = tenure.held[0]
            shape, traits = first.shape, first.traits
            family = kind(shape)[0]
            if traits.job is not None:
                named.setdefault((family, "job", traits.job), []).append(tenure)
            elif traits.reservation is not None:
                named.setdefault((family, "reservation", traits.reservation, _place(first)), []).append(tenure)
            else:
                launch = family, _place(first), shape.hardware or "", shape.unit or "", first.count
                launched.setdefault(launch, []).append(tenure)
    for name in sorted(named):
        yield name[0], sorted(named[name], key=_order)
    for launch in sorted(launched):
        for gang in _launches(sorted(launched[launch], key=_order)):
            yield launch[0], gang


def _place(held: Held) -> str:
    """The fabric; where it is not known the zone, else the region."""
    shape = held.shape
    if shape.fabric is not None:
        return "fabric " + shape.fabric
    if held.traits.zone is not None:
        return "zone " + held.traits.zone
    return "region " + (shape.region or "")


def _order(tenure: _Tenure) -> tuple[int, str]:
    return tenure.held[0].start, tenure.allocation


def _tenures(one: Holding) -> Iterator[_Tenure]:
    held = one.held
    if len(held) == 1:
        yield _Tenure(*one)
        return
    begin = 0
    for position in range(1, len(held) + 1):
        if position == len(held) or (
            held[position].start > held[position - 1].end or held[position].traits.job != held[position - 1].traits.job
        ):
            if position > begin:
                yield _Tenure(one.allocation, held[begin:position], one.measurements)
            begin = position


def _launches(tenures: Sequence[_Tenure]) -> Iterator[list[_Tenure]]:
    gang: list[_Tenure] = []
    for tenure in tenures:
        if gang and tenure.held[0].start - gang[0].held[0].start > LAUNCH_MS:
            yield gang
            gang = []
        gang.append(tenure)
    if gang:
        yield gang


def _busy(gang: Sequence[_Tenure], kind: Kind) -> Iterator[tuple[int, int, int]]:
    """The intervals in which a gang holds enough, as (start, end, peak)."""
    steps: dict[int, int] = {}
    for tenure in gang:
        for held in tenure.held:
            accelerators = held.count * kind(held.shape)[1] // 1_000
            steps[held.start] = steps.get(held.start, 0) + accelerators
            steps[held.end] = steps.get(held.end, 0) - accelerators
    level, start, peak = 0, -1, 0
    for time in sorted(steps):
        level += steps[time]
        if level >= SEGMENT_MIN:
            if start < 0:
                start = time
            peak = max(peak, level)
        elif start >= 0:
            yield start, time, peak
            start, peak = -1, 0


def _segment(
    tenant: str,
    family: str,
    gang: Sequence[_Tenure],
    busy: tuple[int, int, int],
    estimator: Estimator,
    kind: Kind,
    taken: dict[str, int],
) -> Segment:
    start, end, peak = busy
    parts: list[tuple[str, Held]] = []
    measured: dict[Shape, Measured] = {}
    active = 0
    for tenure in gang:
        inside = [
            (tenure.allocation, held if start <= held.start and held.end <= end else _clipped(held, start, end))
            for held in tenure.held
            if held.start < end and held.end > start
        ]
        parts += inside
        if inside and tenure.measurements:
            active += _add_measured(
                measured, tenure.measurements, max(start, inside[0][1].start), min(end, inside[-1][1].end)
            )
    accelerator_us = sum(held.count * kind(held.shape)[1] * (held.end - held.start) // 1_000 for _, held in parts)
    first_name, first = min(parts, key=lambda part: (part[1].start, part[0]))
    return Segment(
        _segment_id((tenant, family, _place(first), first_name), taken),
        family,
        start,
        end,
        peak,
        accelerator_us,
        _flop(parts, measured, estimator),
        sum(one.usage for one in measured.values()),
        active,
        tuple(sorted({name for name, _ in parts})),
        _evidence(held.traits for _, held in parts),
        tuple(parts),
    )


def _clipped(held: Held, start: int, end: int) -> Held:
    return held._replace(start=max(held.start, start), end=min(held.end, end))


def _segment_id(names: Sequence[str], taken: dict[str, int]) -> str:
    """A hash of tenant, family, place and first allocation, and the how manieth segment of these it is."""
    text = "\0".join(names)
    number = taken[text] = taken.get(text, 0) + 1
    if number > 1:
        text += f"\0{number}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:ID_LETTERS]


def is_segment_id(text: str) -> bool:
    """Whether a text looks like the id of a segment, and so of a run."""
    return len(text) == ID_LETTERS and all(letter in "0123456789abcdef" for letter in text)


def _evidence(traits: Iterable[Traits]) -> Evidence:
    distinct = set(traits)
    return Evidence(
        frozenset(one.job for one in distinct if one.job is not None),
        frozenset(one.reservation for one in distinct if one.reservation is not None),
        frozenset(one.image for one in distinct if one.image is not None),
        frozenset(node for one in distinct if one.nodes is not None for node in one.nodes),
    )


def _add_measured(sums: dict[Shape, Measured], measurements: Iterable[Measurement], start: int, end: int) -> int:
    """Add what was measured in [start, end) by shape; returns its usage times activity."""
    total = 0
    for one in measurements:
        if one.start < end and one.end > start:
            usage = one.count * (min(one.end, end) - max(one.start, start))
            active = usage * one.active_ppm
            clock = one.clock_khz
            more = Measured(usage, 0, active) if clock is None else Measured(usage, active * clock, 0)
            sums[one.shape] = sums.get(one.shape, NOT_MEASURED).plus(more)
            total += active
    return total


def _flop(parts: Iterable[tuple[str, Held]], measured: Mapping[Shape, Measured], estimator: Estimator) -> Bounds:
    """FLOP, times SCALE, of a segment by itself."""
    usage: dict[Shape, dict[str, int]] = {}
    unknown: list[Bounds] = []
    known: dict[Shape, bool] = {}
    for _, held in parts:
        shape = held.shape
        if shape not in known:
            known[shape] = estimator.catalogue.resolve(shape.hardware, shape.unit, held.start).known
        if known[shape]:
            by_class = usage.setdefault(shape, {})
            by_class[held.usage_class] = by_class.get(held.usage_class, 0) + held.count * (held.end - held.start)
        else:
            unknown.extend(_unknown_flop(held, estimator))
    total = sum_of(unknown)
    for shape, by_class in usage.items():
        hardware = estimator.catalogue.resolve(shape.hardware, shape.unit, 0)
        certain, presumed, open_time = (by_class.get(one, 0) for one in CLASSES)
        hours = HourUsage(certain, presumed, open_time, measured.get(shape, NOT_MEASURED))
        total = total.plus(estimator.flop(hardware, hours))
    return total


def _unknown_flop(held: Held, estimator: Estimator) -> Iterator[Bounds]:
    """What hardware is that nobody knows depends on the hour: the fastest chip released by then."""
    for hour, start, end in hours_of(held.start, held.end):
        hardware = estimator.catalogue.resolve(held.shape.hardware, held.shape.unit, hour * HOUR_MS)
        amount = held.count * (end - start)
        certain, presumed, open_time = (amount if held.usage_class == one else 0 for one in CLASSES)
        yield estimator.flop(hardware, HourUsage(certain, presumed, open_time, NOT_MEASURED))


# -- chains ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Chain:
    """Segments one after the other; `links[n]` is between segments n and n + 1."""

    segments: list[Segment]
    links: list[Link] = field(default_factory=list)
    area: int = 0
    length: int = 0

    def add(self, segment: Segment) -> None:
        """The next segment counts for the chain's mean scale."""
        self.area += segment.accelerator_us
        self.length += segment.end - segment.start

    @property
    def scale(self) -> int:
        """Thousandths of an accelerator, the mean over the time of its segments."""
        return self.area // self.length


class _Free:
    """The chains whose last segment has ended, by what a successor may share with them; the latest last."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], dict[int, Chain]] = {}

    def add(self, number: int, chain: Chain) -> None:
        for key in _keys(chain.segments[-1], chain.scale):
            self._by_key.setdefault(key, {})[number] = chain

    def remove(self, number: int, chain: Chain) -> None:
        for key in _keys(chain.segments[-1], chain.scale):
            del self._by_key[key][number]

    def candidates(self, segment: Segment) -> dict[int, Chain]:
        """Chains that may go on with a segment: the latest few for each thing that they may have in common."""
        found: dict[int, Chain] = {}
        for key in _keys(segment, segment.scale, neighbours=2):
            chains = self._by_key.get(key)
            if chains:
                for number in islice(reversed(chains), CANDIDATES_MAX):
                    found[number] = chains[number]
        return found


def _keys(segment: Segment, scale: int, neighbours: int = 0) -> Iterator[tuple[str, str]]:
    evidence = segment.evidence
    for kind, names in zip(("job", "reservation", "image"), evidence, strict=False):
        for name in names:
            yield kind, name
    for node in islice(sorted(evidence.nodes), 4):
        yield "node", node
    octave = scale.bit_length()
    for near in range(octave - neighbours, octave + neighbours + 1):
        yield segment.family, str(near)


def chains(segments: Sequence[Segment]) -> list[Chain]:
    """Chains of segments, which come by start; each is joined to the eligible free predecessor that fits best."""
    free, busy = _Free(), list[tuple[int, int]]()
    made: list[Chain] = []
    for segment in segments:
        while busy and busy[0][0] <= segment.start:
            number = heappop(busy)[1]
            free.add(number, made[number])
        best = min(_eligible(segment, free.candidates(segment)), default=None, key=lambda one: one[0])
        if best is None:
            number = len(made)
            made.append(Chain([segment]))
        else:
            _, number, link = best
            free.remove(number, made[number])
            made[number].segments.append(segment)
            made[number].links.append(link)
        made[number].add(segment)
        heappush(busy, (segment.end, number))
    for chain in made:
        _weigh_rhythm(chain)
    return made


def _eligible(
    segment: Segment, candidates: Mapping[int, Chain]
) -> Iterator[tuple[tuple[int, int, int, int, str], int, Link]]:
    for number, chain in candidates.items():
        link = _link(chain, segment)
        if link is not None:
            last = chain.segments[-1]
            ratio = _ratio_ppm(chain.scale, segment.scale)
            yield (-len(link.shared), link.strength, ratio, link.gap, last.id), number, link


def _ratio_ppm(one: int, other: int) -> int:
    return max(one, other) * PPM // max(1, min(one, other))


def _link(chain: Chain, segment: Segment) -> Link | None:
    last = chain.segments[-1]
    gap = segment.start - last.end
    ratio = _ratio_ppm(chain.scale, segment.scale)
    if gap > WEAK_GAP_MS or ratio > SCALE_MAX * PPM:
        return None
    shared = last.evidence.shared(segment.evidence)
    same_family = last.family == segment.family
    allowed = min(GAP_MAX_MS, max(GAP_MS, (last.end - last.start) // GAP_SHARE))
    if same_family and gap <= allowed:
        return Link(Strength.STRONG, gap, shared, "the gap is short for what came before")
    if shared:
        return Link(Strength.WEAK, gap, shared, "after a long gap, the same " + " and ".join(shared))
    if same_family and gap <= GAP_MAX_MS and ratio * 100 <= (100 + ALIKE_PERCENT) * PPM:
        return Link(Strength.NONE, gap, shared, "the same scale after a gap")
    return None


def _weigh_rhythm(chain: Chain) -> None:
    """A daily rhythm lowers links; gaps that recur otherwise, at one scale, raise them."""
    links, segments = chain.links, chain.segments
    periods = [later.start - earlier.start for earlier, later in pairwise(segments)]
    daily = [link.gap >= DAILY_SLACK_MS and _is_daily(period) for link, period in zip(links, periods, strict=True)]
    for begin, end in _stretches(daily):
        for position in range(begin, end):
            if links[position].strength is Strength.STRONG:
                links[position] = links[position]._replace(
                    strength=Strength.WEAK, reason="the gap recurs with the hours of the day"
                )
    candidate = [link.strength is Strength.NONE and not is_daily for link, is_daily in zip(links, daily, strict=True)]
    for begin, end in _stretches(candidate):
        gaps = sorted(link.gap for link in links[begin:end])
        middle = gaps[len(gaps) // 2]
        alike = [
            candidate[position] and abs(links[position].gap - middle) * 100 <= ALIKE_PERCENT * middle
            for position in range(begin, end)
        ]
        for first, last in _stretches(alike):
            for position in range(begin + first, begin + last):
                links[position] = links[position]._replace(
                    strength=Strength.STRONG, reason="the same gap recurs at one scale, in no rhythm of days"
                )


def _is_daily(period: int) -> bool:
    return min(period % DAILY_MS, -period % DAILY_MS) <= DAILY_SLACK_MS


def _stretches(marks: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The stretches [begin, end) of at least `SERIES_MIN` marks in a row."""
    begin = 0
    for position in range(len(marks) + 1):
        if position == len(marks) or not marks[position]:
            if position - begin >= SERIES_MIN:
                yield begin, position
            begin = position + 1


# -- runs --------------------------------------------------------------------------------------------------------------


def _reported(made: Iterable[Chain]) -> tuple[Run, ...]:
    """Runs with their ranges: the run, its chain over weak links, and all chains of the same time."""
    whole = [part for chain in made for part in _split(chain, weakest=Strength.WEAK)]
    flop = [sum_of(segment.flop for segment in part.segments) for part in whole]
    spans = [(part.segments[0].start, max(segment.end for segment in part.segments)) for part in whole]
    starts = sorted((start, number) for number, (start, _) in enumerate(spans))
    ends = sorted((end, number) for number, (_, end) in enumerate(spans))
    begun = _Prefix([start for start, _ in starts], [flop[number] for _, number in starts])
    over = _Prefix([end for end, _ in ends], [flop[number] for _, number in ends])
    found: list[Run] = []
    for number, part in enumerate(whole):
        start, end = spans[number]
        # Chains that have begun before this one ends, less those that were over before it begins.
        before, after = begun.below(end), over.below(start + 1)
        concurrent = before[0] - after[0]
        together = Bounds(*(one - other for one, other in zip(before[1], after[1], strict=True)))
        strong = _split(part, weakest=Strength.STRONG)
        names = tuple(one.segments[0].id for one in strong)
        for one in strong:
            found.append(
                Run(
                    one.segments[0].id,
                    tuple(one.segments),
                    tuple(one.links),
                    sum_of(segment.flop for segment in one.segments).divided(SCALE),
                    names,
                    flop[number].divided(SCALE),
                    concurrent,
                    together.divided(SCALE),
                )
            )
    return tuple(sorted(found, key=lambda run: (run.start, run.id)))


class _Prefix:
    """Sums of bounds over sorted instants."""

    def __init__(self, instants: Sequence[int], bounds: Sequence[Bounds]) -> None:
        self._instants = instants
        self._sums = list(accumulate(bounds, Bounds.plus, initial=ZERO))

    def below(self, instant: int) -> tuple[int, Bounds]:
        """How many are before an instant, and their sum."""
        count = bisect_left(self._instants, instant)
        return count, self._sums[count]


def _split(chain: Chain, weakest: Strength) -> list[Chain]:
    """A chain cut where a link is weaker than this."""
    parts = [Chain([chain.segments[0]])]
    for link, segment in zip(chain.links, chain.segments[1:], strict=True):
        if link.strength <= weakest:
            parts[-1].segments.append(segment)
            parts[-1].links.append(link)
        else:
            parts.append(Chain([segment]))
    return parts
