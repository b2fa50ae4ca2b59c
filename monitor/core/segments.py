"""Segments out of allocations: what a gang holds while it holds at least 16 accelerators.

A *gang* is allocations of one tenant and accelerator family that name one job; or on one fabric one reservation; or
otherwise equal shapes started within ten minutes of each other. What is too small by itself is one gang by its image.
A *segment* is an interval in which a gang holds at least 16 accelerators. The rules and their sources: decision 33.

Gangs lie in blocks: tenures that nothing outside of the block touches. An allocation that changes moves its own blocks
only, and computing from scratch is the same with all allocations changed. Everything is a function of sets, so no order
can leak in. Units: milliseconds, thousandths of an accelerator, and their product, accelerator-microseconds.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from monitor.core.blocks import Block, BlockChange, Blocks
from monitor.core.bounds import Bounds
from monitor.core.bounds import total as sum_of
from monitor.core.catalogue import Hardware
from monitor.core.estimate import CLASSES, Estimator, HourUsage
from monitor.core.ledger import NOT_MEASURED, Measured, hours_of
from monitor.core.model import CERTAIN, HOUR_MS, OPEN, Traits
from monitor.core.timeline import Effects, Measurement, Shape, Timeline, tail

SEGMENT_MIN = 16_000  # thousandths of an accelerator
LAUNCH_MS = 10 * 60_000  # what starts within it of the first is one launch
NODES_SHARED_PERCENT = 30  # of the nodes of both
ID_LETTERS = 16


class Stay(NamedTuple):
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
    held: Sequence[Stay]
    measurements: Sequence[Measurement]


def holding(
    allocation: str, effects: Effects, timeline: Timeline | None, now: int, heard: Callable[[str], int]
) -> Holding:
    """The holding of an allocation: its finished pieces, and up to `now` what it holds still."""
    held = [
        Stay(piece.shape, piece.start, piece.end, piece.count, CERTAIN if piece.certain else OPEN, piece.traits)
        for piece in effects.pieces
    ]
    units = timeline.units if timeline is not None and timeline.counted else 0
    if timeline is not None and units:
        for usage_class, start, end in tail(timeline, now, heard):
            held.append(Stay(timeline.shape, start, end, units, usage_class, timeline.traits))
    if len(held) > 1:
        held.sort(key=lambda stay: stay.start)
    return Holding(allocation, held, effects.measurements)


class Evidence(NamedTuple):
    """What may tell that two segments are one run."""

    jobs: frozenset[str]
    reservations: frozenset[str]
    images: frozenset[str]
    nodes: frozenset[str]

    @property
    def kinds(self) -> int:
        """How many kinds of evidence there are."""
        return sum(map(bool, self))

    def shared(self, other: Evidence) -> tuple[str, ...]:
        """The kinds in which both agree."""
        kinds = []
        if not self.jobs.isdisjoint(other.jobs):
            kinds.append("job")
        if not self.reservations.isdisjoint(other.reservations):
            kinds.append("reservation")
        if not self.images.isdisjoint(other.images):
            kinds.append("image")
        common = len(self.nodes & other.nodes) if self.nodes else 0
        if common and common * 100 >= NODES_SHARED_PERCENT * len(self.nodes | other.nodes):
            kinds.append("nodes")
        return tuple(kinds)

    def contradicts(self, other: Evidence) -> bool:
        """Whether both name images and jobs, and neither is the same: programs that have nothing in common."""
        return bool(
            self.images
            and other.images
            and self.images.isdisjoint(other.images)
            and self.jobs
            and other.jobs
            and self.jobs.isdisjoint(other.jobs)
        )


class Part(NamedTuple):
    """What one allocation held over [start, end)."""

    allocation: str
    start: int
    end: int
    accelerators: int  # thousandths
    stay: Stay  # that it is a part of: as it was counted


class Segment(NamedTuple):
    """An interval in which a gang held at least 16 accelerators. Segments sort by start and id."""

    start: int
    id: str
    end: int
    family: str
    place: str  # of what started first: its fabric, or where that is not known its zone or region
    peak: int  # thousandths of an accelerator
    accelerator_us: int
    flop: Bounds  # times SCALE
    measured_us: int  # accelerator-microseconds that the provider measured
    active_us_ppm: int  # these times tensor activity in parts per million
    allocations: tuple[str, ...]  # sorted
    evidence: Evidence
    parts: tuple[Part, ...]  # what was held in it

    @property
    def scale(self) -> int:
        """Thousandths of an accelerator, the mean over its time."""
        return self.accelerator_us // (self.end - self.start)


def is_segment_id(text: str) -> bool:
    """Whether a text looks like the id of a segment, and so of a run."""
    return len(text) == ID_LETTERS and all(letter in "0123456789abcdef" for letter in text)


class Change(NamedTuple):
    """Segments that are no more, and those that are instead; one that is another now is in both."""

    gone: list[Segment]
    come: list[Segment]


class _Tenure(NamedTuple):
    """What one allocation held without a break under one job: the unit of which gangs are made."""

    start: int
    allocation: str
    end: int
    number: int  # among those of its allocation
    family: str
    parts: tuple[Part, ...]
    measurements: Sequence[Measurement]


_Gang = tuple[str | int, ...]  # what its tenures agree in: a kind of agreement, the family, and more
_Alike = tuple[str, frozenset[str], int]  # family, images and peak
_Gangs = Blocks[_Gang, _Tenure, Segment]


class Segments:
    """The segments of one tenant, kept up with its holdings."""

    def __init__(self, tenant: str, estimator: Estimator, now: int) -> None:
        """`now` is when hardware is looked up; what is asked of it here is the same at any time."""
        self._tenant = tenant
        self._kinds = _Kinds(estimator, now)
        self._tenures: dict[str, list[_Tenure]] = {}
        self._gangs: _Gangs = Blocks(_reach_of_gang)
        self._small: _Gangs = Blocks(_reach_of_gang)  # what is too small by itself: one program by its image
        self._alike: Blocks[_Alike, Segment, Segment] = Blocks(_reach_of_alike)

    def update(self, holdings: Iterable[Holding]) -> Change:
        """Each holding replaces what was known of its allocation; one without stays takes it away."""
        gone, come = list[_Tenure](), list[_Tenure]()
        for one in holdings:
            before, after = self._tenures.pop(one.allocation, None), _tenures(one, self._kinds)
            if after:
                self._tenures[one.allocation] = after
            if before is None:
                come += after
            else:
                gone += (tenure for tenure in before if tenure not in after)
                come += (tenure for tenure in after if tenure not in before)
        gangs = self._swept(self._gangs, map(_named, gone), map(_named, come))
        small = self._swept(self._small, _by_image(gangs.gone), _by_image(gangs.come))
        return self._together(
            [segment for block in (*gangs.gone, *small.gone) for segment in block.made],
            [segment for block in (*gangs.come, *small.come) for segment in block.made],
        )

    def _swept(
        self, gangs: _Gangs, gone: Iterable[tuple[_Gang, _Tenure]], come: Iterable[tuple[_Gang, _Tenure]]
    ) -> BlockChange[_Tenure, Segment]:
        change = gangs.update(gone, come)
        for block in change.come:
            block.made = list(_segments(self._tenant, block.items, self._kinds))
        return change

    def _together(self, gone: list[Segment], come: list[Segment]) -> Change:
        """Segments of one image, started and ended together at one scale on several fabrics, are one."""
        alike = self._alike.update(map(_alike, filter(_has_image, gone)), map(_alike, filter(_has_image, come)))
        for block in alike.come:
            block.made = list(_joined(block.items))
        change = Change(
            [segment for segment in gone if not segment.evidence.images],
            [segment for segment in come if not segment.evidence.images],
        )
        change.gone.extend(segment for block in alike.gone for segment in block.made)
        change.come.extend(segment for block in alike.come for segment in block.made)
        return change


# -- gangs -------------------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """What one shape is, and what a unit of its usage computes."""

    family: str
    per_unit: int  # thousandths of an accelerator
    weights: Bounds | None  # FLOP, times SCALE, of a unit of unmeasured usage; None: it depends on the hour


class _Kinds:
    """The shapes of one tenant and what is said of them, each looked up once."""

    def __init__(self, estimator: Estimator, now: int) -> None:
        self.estimator = estimator
        self._now = now
        self._known: dict[Shape, _Kind] = {}
        self._evidence: dict[Traits, Evidence] = {}

    def of(self, shape: Shape) -> _Kind:
        """What a shape is."""
        kind = self._known.get(shape)
        if kind is None:
            hardware = self.hardware(shape)
            weights = self.estimator.weights(hardware) if hardware.known else None
            family = hardware.chip.generation if hardware.known else hardware.name
            kind = self._known[shape] = _Kind(family, hardware.per_unit, weights)
        return kind

    def hardware(self, shape: Shape) -> Hardware:
        """The hardware of a shape."""
        return self.estimator.catalogue.resolve(shape.hardware, shape.unit, self._now)

    def evidence(self, traits: set[Traits]) -> Evidence:
        """What traits tell together."""
        return _evidence_of([self._evidence.get(one) or self._tell(one) for one in traits])

    def _tell(self, traits: Traits) -> Evidence:
        jobs, reservations, images = (
            frozenset(() if name is None else (name,)) for name in (traits.job, traits.reservation, traits.image)
        )
        found = self._evidence[traits] = Evidence(jobs, reservations, images, frozenset(traits.nodes or ()))
        return found


def _evidence_of(many: Sequence[Evidence]) -> Evidence:
    if len(many) == 1:
        return many[0]
    jobs, reservations, images, nodes = (frozenset().union(*kind) for kind in zip(*many, strict=True))
    return Evidence(jobs, reservations, images, nodes)


LAUNCH = "launch"


def _named(tenure: _Tenure) -> tuple[_Gang, _Tenure]:
    """A tenure with the gang that it is of; for a launch that is all of one shape, whenever they started."""
    stay = tenure.parts[0].stay
    traits, family = stay.traits, tenure.family
    if traits.job is not None:
        return ("job", family, traits.job), tenure
    if traits.reservation is not None:
        return ("reservation", family, traits.reservation, _place(stay)), tenure
    return (LAUNCH, family, _place(stay), stay.shape.hardware or "", stay.shape.unit or "", stay.count), tenure


def _reach_of_gang(gang: _Gang, tenure: _Tenure, so_far: int | None) -> int:
    """A launch is ten minutes from its first start; of other gangs what is held without a break is by itself."""
    if gang[0] == LAUNCH:
        return tenure.start + LAUNCH_MS if so_far is None else so_far
    return tenure.end if so_far is None else max(so_far, tenure.end)


def _by_image(blocks: Iterable[Block[_Tenure, Segment]]) -> Iterator[tuple[_Gang, _Tenure]]:
    """What is too small by itself, on whatever fabric, may be one program: it says so by its image."""
    for block in blocks:
        if not block.made:
            for tenure in block.items:
                image = tenure.parts[0].stay.traits.image
                if image is not None:
                    yield ("image", tenure.family, image), tenure


def _place(stay: Stay) -> str:
    """The fabric; where it is not known the zone, else the region."""
    shape = stay.shape
    if shape.fabric is not None:
        return "fabric " + shape.fabric
    if stay.traits.zone is not None:
        return "zone " + stay.traits.zone
    return "region " + (shape.region or "")


def _tenures(one: Holding, kinds: _Kinds) -> list[_Tenure]:
    """What a holding is, cut where nothing is held and where another job begins."""
    found: list[_Tenure] = []
    parts: list[Part] = []
    for stay in one.held:
        per_unit = kinds.of(stay.shape).per_unit
        if not per_unit:  # a machine without accelerators is of no gang, also where it is the first part of a stay
            continue
        if parts and (stay.start > parts[-1].end or stay.traits.job != parts[-1].stay.traits.job):
            found.append(_tenure(one, len(found), parts, kinds))
            parts = []
        accelerators = stay.count * per_unit // 1_000
        parts.append(Part(one.allocation, stay.start, stay.end, accelerators, stay))
    if parts:
        found.append(_tenure(one, len(found), parts, kinds))
    return found


def _tenure(one: Holding, number: int, parts: Sequence[Part], kinds: _Kinds) -> _Tenure:
    first = parts[0]
    family = kinds.of(first.stay.shape).family
    return _Tenure(first.start, one.allocation, parts[-1].end, number, family, tuple(parts), one.measurements)


# -- segments ----------------------------------------------------------------------------------------------------------


def _segments(tenant: str, gang: Sequence[_Tenure], kinds: _Kinds) -> Iterator[Segment]:
    """The segments of a block of a gang, by start."""
    if len(gang) == 1 and len(gang[0].parts) == 1:  # as most are
        (only,) = gang[0].parts
        if only.accelerators >= SEGMENT_MIN:
            yield _segment(tenant, gang[0], 0, gang, (only.start, only.end, only.accelerators), kinds)
        return
    busy = list(_busy(gang))
    begun: dict[tuple[str, int], int] = {}
    for interval, inside in zip(busy, _inside(gang, busy), strict=True):
        start = interval[0]
        first = min(inside, key=lambda tenure: (max(tenure.start, start), tenure.allocation))
        nth = begun[first.allocation, first.number] = begun.get((first.allocation, first.number), -1) + 1
        yield _segment(tenant, first, nth, inside, interval, kinds)


def _inside(gang: Sequence[_Tenure], busy: Sequence[tuple[int, int, int]]) -> list[list[_Tenure]]:
    """The tenures that hold something in each of some intervals, which are apart and in order."""
    inside: list[list[_Tenure]] = [[] for _ in busy]
    for tenure in gang:
        position = bisect_right(busy, tenure.start, key=_end)
        while position < len(busy) and busy[position][0] < tenure.end:
            inside[position].append(tenure)
            position += 1
    return inside


def _end(interval: tuple[int, int, int]) -> int:
    return interval[1]


def _busy(gang: Iterable[_Tenure]) -> Iterator[tuple[int, int, int]]:
    """The intervals in which a gang holds enough, as (start, end, peak)."""
    steps: dict[int, int] = {}
    for tenure in gang:
        for part in tenure.parts:
            steps[part.start] = steps.get(part.start, 0) + part.accelerators
            steps[part.end] = steps.get(part.end, 0) - part.accelerators
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
    tenant: str, first: _Tenure, nth: int, inside: Iterable[_Tenure], busy: tuple[int, int, int], kinds: _Kinds
) -> Segment:
    """A segment of what tenures hold in an interval: the `nth` that begins with its first one."""
    start, end, peak = busy
    parts: list[Part] = []
    measured: dict[Shape, Measured] = {}
    active = 0
    for tenure in inside:
        if start <= tenure.start and tenure.end <= end:
            parts += tenure.parts
        else:
            parts += (_clipped(part, start, end) for part in tenure.parts if part.start < end and part.end > start)
        if tenure.measurements:
            active += _add_measured(
                measured, tenure.measurements, max(start, tenure.start), min(end, tenure.end), kinds
            )
    leading = first.parts[bisect_right(first.parts, start, key=_end_of_part)]
    place = _place(leading.stay)
    area = 0
    for part in parts:
        area += part.accelerators * (part.end - part.start)
    return Segment(
        start,
        _segment_id((tenant, first.family, place, first.allocation), first.number, nth),
        end,
        first.family,
        place,
        peak,
        area,
        _flop(parts, measured, kinds),
        sum([one.usage * kinds.of(shape).per_unit // 1_000 for shape, one in measured.items()]),
        active,
        tuple(sorted({part.allocation for part in parts})),
        kinds.evidence({part.stay.traits for part in parts}),
        tuple(parts),
    )


def _end_of_part(part: Part) -> int:
    return part.end


def _clipped(part: Part, start: int, end: int) -> Part:
    return part._replace(start=max(part.start, start), end=min(part.end, end))


def _segment_id(names: Sequence[str], tenure: int, nth: int) -> str:
    """A hash of tenant, family, place and first allocation; where it is not the first of these, of which one it is."""
    text = "\0".join(names)
    if tenure or nth:
        text += f"\0{tenure + 1}"
    if nth:
        text += f"\0{nth + 1}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:ID_LETTERS]


def _add_measured(
    sums: dict[Shape, Measured], measurements: Iterable[Measurement], start: int, end: int, kinds: _Kinds
) -> int:
    """Add what was measured in [start, end) by shape; returns its accelerator-time times activity."""
    total = 0
    for one in measurements:
        if one.start < end and one.end > start:
            usage = one.count * (min(one.end, end) - max(one.start, start))
            active = usage * one.active_ppm
            clock = one.clock_khz
            more = Measured(usage, 0, active) if clock is None else Measured(usage, active * clock, 0)
            sums[one.shape] = sums.get(one.shape, NOT_MEASURED).plus(more)
            total += active * kinds.of(one.shape).per_unit // 1_000
    return total


def _flop(parts: Iterable[Part], measured: Mapping[Shape, Measured], kinds: _Kinds) -> Bounds:
    """FLOP, times SCALE, of what was held: no more, over all segments, than the tenant's."""
    low = central = high = ceiling = 0
    corrected: dict[Shape, list[int]] = {}
    shape, weights = None, None
    for _, start, end, _, stay in parts:
        amount = stay.count * (end - start)
        if stay.shape is not shape:
            shape, weights = stay.shape, kinds.of(stay.shape).weights
        if weights is None:
            unknown = sum_of(_unknown_flop(stay, start, end, kinds.estimator))
            low, central, high, ceiling = unknown.plus(Bounds(low, central, high, ceiling))
        elif measured and shape in measured:
            by_class = corrected.setdefault(shape, [0, 0, 0])
            by_class[CLASSES.index(stay.usage_class)] += amount
        else:
            if stay.usage_class == CERTAIN:
                low += amount * weights.low
            if stay.usage_class != OPEN:
                central += amount * weights.central
            high += amount * weights.high
            ceiling += amount * weights.ceiling
    total = Bounds(low, central, high, ceiling)
    for shape, (certain, presumed, open_time) in corrected.items():
        usage = HourUsage(certain, presumed, open_time, measured[shape])
        total = total.plus(kinds.estimator.flop(kinds.hardware(shape), usage))
    return total


def _unknown_flop(stay: Stay, start: int, end: int, estimator: Estimator) -> Iterator[Bounds]:
    """What hardware is that nobody knows depends on the hour: the fastest chip released by then."""
    for hour, begin, until in hours_of(start, end):
        hardware = estimator.catalogue.resolve(stay.shape.hardware, stay.shape.unit, hour * HOUR_MS)
        amount = stay.count * (until - begin)
        certain, presumed, open_time = (amount if stay.usage_class == one else 0 for one in CLASSES)
        yield estimator.flop(hardware, HourUsage(certain, presumed, open_time, NOT_MEASURED))


# -- programs over fabrics ---------------------------------------------------------------------------------------------


def _has_image(segment: Segment) -> bool:
    return bool(segment.evidence.images)


def _alike(segment: Segment) -> tuple[_Alike, Segment]:
    return (segment.family, segment.evidence.images, segment.peak), segment


def _reach_of_alike(alike: _Alike, segment: Segment, so_far: int | None) -> int:
    return segment.start + LAUNCH_MS


def _joined(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Of alike segments in order: those started and ended together on several fabrics, as one each."""
    begun: list[list[Segment]] = []
    oldest = 0  # that began within the last ten minutes
    for segment in segments:
        while oldest < len(begun) and segment.start - begun[oldest][0].start > LAUNCH_MS:
            oldest += 1
        fitting = (
            same
            for same in islice(begun, oldest, None)
            if abs(segment.end - same[0].end) <= LAUNCH_MS and segment.place not in {one.place for one in same}
        )
        found = next(fitting, None)
        if found is None:
            begun.append([segment])
        else:
            found.append(segment)
    return map(_as_one, begun)


def _as_one(segments: Sequence[Segment]) -> Segment:
    first = segments[0]
    if len(segments) == 1:
        return first
    return first._replace(
        end=max(one.end for one in segments),
        peak=sum(one.peak for one in segments),
        accelerator_us=sum(one.accelerator_us for one in segments),
        flop=sum_of(one.flop for one in segments),
        measured_us=sum(one.measured_us for one in segments),
        active_us_ppm=sum(one.active_us_ppm for one in segments),
        allocations=tuple(sorted({name for one in segments for name in one.allocations})),
        evidence=_evidence_of([one.evidence for one in segments]),
        parts=tuple(part for one in segments for part in one.parts),
    )
