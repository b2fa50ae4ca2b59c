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
from monitor.core.catalogue import Hardware
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
CANDIDATES_MAX = 8  # predecessors looked at for each kind of evidence: the latest
SERIES_MIN = 3  # gaps alike that make a rhythm
ALIKE_PERCENT = 10
ALIKE_MIN = 128_000  # thousandths of an accelerator: scales so large are seldom alike by chance
KINDS_MIN = 2  # kinds of evidence that make a link strong
NODE_KEYS = 4  # nodes by which a predecessor is looked for
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
    units = timeline.units if timeline is not None and timeline.counted else 0
    if timeline is not None and units:
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


class Segment(NamedTuple):
    """An interval in which a gang held at least 16 accelerators."""

    id: str
    family: str
    place: str  # of what started first: its fabric, or where that is not known its zone or region
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
    return _reported(chains(segments_of(tenant, holdings, _Kinds(estimator, now))))


# -- gangs and segments ------------------------------------------------------------------------------------------------


class _Tenure(NamedTuple):
    """What one allocation held without a break under one job: the unit of which gangs are made."""

    allocation: str
    held: Sequence[Held]
    measurements: Sequence[Measurement]


class _Kind(NamedTuple):
    """What one shape is, and what a unit of its usage computes."""

    family: str
    per_unit: int  # thousandths of an accelerator
    weights: Bounds | None  # FLOP, times SCALE, of a unit of unmeasured usage; None: it depends on the hour


class _Kinds:
    """The shapes of one tenant, each looked up once."""

    def __init__(self, estimator: Estimator, now: int) -> None:
        self.estimator = estimator
        self._now = now
        self._known: dict[Shape, _Kind] = {}

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
        """The hardware of a shape, as of now."""
        return self.estimator.catalogue.resolve(shape.hardware, shape.unit, self._now)


def segments_of(tenant: str, holdings: Iterable[Holding], kinds: _Kinds) -> list[Segment]:
    """The segments of a tenant, by start and id."""
    found: list[Segment] = []
    small: dict[tuple[str, str], list[_Tenure]] = {}
    taken: dict[str, int] = {}
    for family, gang in _gangs(holdings, kinds):
        before = len(found)
        for busy in _busy(gang, kinds):
            found.append(_segment(tenant, family, gang, busy, kinds, taken))
        if before == len(found):
            for tenure in gang:
                image = tenure.held[0].traits.image
                if image is not None:
                    small.setdefault((family, image), []).append(tenure)
    # What is too small by itself, on whatever fabric, may be one program: it says so by its image.
    for (family, _), gang in sorted(small.items(), key=lambda one: one[0]):
        gang.sort(key=_order)
        for busy in _busy(gang, kinds):
            found.append(_segment(tenant, family, gang, busy, kinds, taken))
    return sorted(_together(found), key=lambda segment: (segment.start, segment.id))


def _together(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Segments of one image, started and ended together at one scale on several fabrics, are one."""
    alike: dict[tuple[str, frozenset[str], int], list[Segment]] = {}
    for segment in segments:
        if segment.evidence.images:
            alike.setdefault((segment.family, segment.evidence.images, segment.peak), []).append(segment)
        else:
            yield segment
    for group in alike.values():
        group.sort(key=lambda segment: (segment.start, segment.id))
        begun: list[list[Segment]] = []  # of the latest ten minutes
        for segment in group:
            for same in begun:
                if segment.start - same[0].start > LAUNCH_MS:
                    yield _joined(same)
            begun = [same for same in begun if segment.start - same[0].start <= LAUNCH_MS]
            fitting = (
                same
                for same in begun
                if abs(segment.end - same[0].end) <= LAUNCH_MS and segment.place not in {one.place for one in same}
            )
            found = next(fitting, None)
            if found is None:
                begun.append([segment])
            else:
                found.append(segment)
        yield from map(_joined, begun)


def _joined(segments: Sequence[Segment]) -> Segment:
    first = segments[0]
    if len(segments) == 1:
        return first
    return first._replace(
        end=max(one.end for one in segments),
        peak=sum(one.peak for one in segments),
        accelerator_us=sum(one.accelerator_us for one in segments),
        flop=sum_of(one.flop for one in segments),
        measured=sum(one.measured for one in segments),
        active=sum(one.active for one in segments),
        allocations=tuple(sorted({name for one in segments for name in one.allocations})),
        evidence=_evidence({held.traits for one in segments for _, held in one.parts}),
        parts=tuple(part for one in segments for part in one.parts),
    )


def _gangs(holdings: Iterable[Holding], kinds: _Kinds) -> Iterator[tuple[str, list[_Tenure]]]:
    """Gangs by family, in an order that only depends on what they hold."""
    named: dict[tuple[str, ...], list[_Tenure]] = {}
    launched: dict[tuple[str, str, str, str, int], list[_Tenure]] = {}
    for one in holdings:
        for tenure in _tenures(one):
            first = tenure.held[0]
            shape, traits = first.shape, first.traits
            family = kinds.of(shape).family
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
            yield _Tenure(one.allocation, held[begin:position], one.measurements)
            begin = position


def _launches(tenures: Sequence[_Tenure]) -> Iterator[list[_Tenure]]:
    gang: list[_Tenure] = [tenures[0]]
    for tenure in tenures[1:]:
        if tenure.held[0].start - gang[0].held[0].start > LAUNCH_MS:
            yield gang
            gang = []
        gang.append(tenure)
    yield gang


def _busy(gang: Sequence[_Tenure], kinds: _Kinds) -> Iterator[tuple[int, int, int]]:
    """The intervals in which a gang holds enough, as (start, end, peak)."""
    if len(gang) == 1 and len(gang[0].held) == 1:
        only = gang[0].held[0]
        accelerators = only.count * kinds.of(only.shape).per_unit // 1_000
        if accelerators >= SEGMENT_MIN:
            yield only.start, only.end, accelerators
        return
    steps: dict[int, int] = {}
    for tenure in gang:
        for held in tenure.held:
            accelerators = held.count * kinds.of(held.shape).per_unit // 1_000
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
    kinds: _Kinds,
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
    area = 0
    for _, held in parts:
        area += held.count * kinds.of(held.shape).per_unit * (held.end - held.start)
    first_name, first = min(parts, key=lambda part: (part[1].start, part[0])) if len(parts) > 1 else parts[0]
    place = _place(first)
    return Segment(
        _segment_id((tenant, family, place, first_name), taken),
        family,
        place,
        start,
        end,
        peak,
        area // 1_000,
        _flop(parts, measured, kinds),
        sum(one.usage for one in measured.values()),
        active,
        (first_name,) if len(parts) == 1 else tuple(sorted({name for name, _ in parts})),
        _evidence({held.traits for _, held in parts}),
        tuple(parts),
    )


def _clipped(held: Held, start: int, end: int) -> Held:
    return held._replace(start=max(held.start, start), end=min(held.end, end))


def _segment_id(names: Sequence[str], taken: dict[str, int]) -> str:
    """A hash of tenant, family, place and first allocation, and which segment of these it is."""
    text = "\0".join(names)
    number = taken[text] = taken.get(text, 0) + 1
    if number > 1:
        text += f"\0{number}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:ID_LETTERS]


def is_segment_id(text: str) -> bool:
    """Whether a text looks like the id of a segment, and so of a run."""
    return len(text) == ID_LETTERS and all(letter in "0123456789abcdef" for letter in text)


def _evidence(traits: set[Traits]) -> Evidence:
    return Evidence(
        frozenset(one.job for one in traits if one.job is not None),
        frozenset(one.reservation for one in traits if one.reservation is not None),
        frozenset(one.image for one in traits if one.image is not None),
        frozenset(node for one in traits if one.nodes is not None for node in one.nodes),
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


def _flop(parts: Iterable[tuple[str, Held]], measured: Mapping[Shape, Measured], kinds: _Kinds) -> Bounds:
    """FLOP, times SCALE, of what was held: no more, over all segments, than the tenant's."""
    low = central = high = ceiling = 0
    corrected: dict[Shape, list[int]] = {}
    for _, held in parts:
        amount = held.count * (held.end - held.start)
        weights = kinds.of(held.shape).weights
        if weights is None:
            unknown = sum_of(_unknown_flop(held, kinds.estimator))
            low, central, high, ceiling = unknown.plus(Bounds(low, central, high, ceiling))
        elif held.shape in measured:
            by_class = corrected.setdefault(held.shape, [0, 0, 0])
            by_class[CLASSES.index(held.usage_class)] += amount
        else:
            if held.usage_class == CERTAIN:
                low += amount * weights.low
            if held.usage_class != OPEN:
                central += amount * weights.central
            high += amount * weights.high
            ceiling += amount * weights.ceiling
    total = Bounds(low, central, high, ceiling)
    for shape, (certain, presumed, open_time) in corrected.items():
        usage = HourUsage(certain, presumed, open_time, measured[shape])
        total = total.plus(kinds.estimator.flop(kinds.hardware(shape), usage))
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
    scale: int = 0  # thousandths of an accelerator, the mean over the time of its segments
    end: int = 0  # of the last segment
    strong_until: int = 0  # until when a successor follows closely

    def add(self, segment: Segment) -> None:
        """The next segment is the last, and counts for the mean scale."""
        self.area += segment.accelerator_us
        self.length += segment.end - segment.start
        self.scale = self.area // self.length
        self.end = segment.end
        self.strong_until = segment.end + min(GAP_MAX_MS, max(GAP_MS, (segment.end - segment.start) // GAP_SHARE))


Key = tuple[str, object]


class _Free:
    """The chains whose last segment has ended, by what a successor may share with them; the latest last."""

    def __init__(self) -> None:
        self._by_key: dict[Key, dict[int, Chain]] = {}

    def add(self, number: int, chain: Chain) -> None:
        """A chain has come to its end, or a pause."""
        for key in _keys(chain.segments[-1], chain.scale):
            self._by_key.setdefault(key, {})[number] = chain

    def remove(self, number: int, chain: Chain) -> None:
        """A chain goes on."""
        for key in _keys(chain.segments[-1], chain.scale):
            del self._by_key[key][number]

    def best(self, segment: Segment) -> tuple[int, Link] | None:
        """The chain that a segment goes on with: of the latest few for each thing that both may have in common."""
        best: tuple[tuple[int, int, int, int, str], int, Link] | None = None
        seen: set[int] = set()
        start, scale = segment.start, segment.scale
        for key in _keys(segment, scale, neighbours=SCALE_MAX.bit_length() - 1):
            chains = self._by_key.get(key)
            if not chains:
                continue
            longest = WEAK_GAP_MS if key[0] in EVIDENCE_KINDS else GAP_MAX_MS
            for number in islice(reversed(chains), CANDIDATES_MAX):
                chain = chains[number]
                if start - chain.end > longest:
                    break
                if number in seen:
                    continue
                seen.add(number)
                ratio = _ratio_ppm(chain.scale, scale)
                link = None if ratio > SCALE_MAX * PPM else _link(chain, segment, ratio)
                if link is not None:
                    rank = -len(link.shared), link.strength, ratio, link.gap, chain.segments[-1].id
                    if best is None or rank < best[0]:
                        best = rank, number, link
        return None if best is None else best[1:]


EVIDENCE_KINDS = ("job", "reservation", "image", "node")


def _keys(segment: Segment, scale: int, neighbours: int = 0) -> Iterator[Key]:
    jobs, reservations, images, nodes = segment.evidence
    for name in jobs:
        yield "job", name
    for name in reservations:
        yield "reservation", name
    for name in images:
        yield "image", name
    if nodes:
        for name in sorted(nodes)[:NODE_KEYS]:
            yield "node", name
    octave = scale.bit_length()
    for near in range(octave - neighbours, octave + neighbours + 1):
        yield segment.family, near


def chains(segments: Sequence[Segment]) -> list[Chain]:
    """Chains of segments, which come by start; each is joined to the eligible free predecessor that fits best."""
    free, busy = _Free(), list[tuple[int, int]]()
    made: list[Chain] = []
    for segment in segments:
        while busy and busy[0][0] <= segment.start:
            number = heappop(busy)[1]
            free.add(number, made[number])
        best = free.best(segment)
        if best is None:
            number = len(made)
            made.append(Chain([segment]))
        else:
            number, link = best
            free.remove(number, made[number])
            made[number].segments.append(segment)
            made[number].links.append(link)
        made[number].add(segment)
        heappush(busy, (segment.end, number))
    for chain in made:
        if len(chain.links) >= SERIES_MIN:
            _weigh_rhythm(chain)
    return made


def _ratio_ppm(one: int, other: int) -> int:
    return one * PPM // other if one > other else other * PPM // one


def _link(chain: Chain, segment: Segment, ratio: int) -> Link | None:
    """How a segment would follow a chain whose scale is within `SCALE_MAX` of it."""
    last = chain.segments[-1]
    gap = segment.start - chain.end
    shared = last.evidence.shared(segment.evidence)
    known = "job" in shared or len(shared) >= KINDS_MIN
    if last.family == segment.family:
        if segment.start <= chain.strong_until and (known or not last.evidence.contradicts(segment.evidence)):
            return Link(Strength.STRONG, gap, shared, "the gap is short for what came before")
        if known and gap <= GAP_MAX_MS:
            return Link(Strength.STRONG, gap, shared, "the gap is long, and both share what one program shares")
    if shared:
        return Link(Strength.WEAK, gap, shared, "the gap is long")
    if last.family == segment.family and gap <= GAP_MAX_MS and _is_alike(ratio):
        strength = Strength.WEAK if segment.scale >= ALIKE_MIN else Strength.NONE
        return Link(strength, gap, shared, "the same scale after a gap")
    return None


def _is_alike(ratio: int) -> bool:
    return ratio * 100 <= (100 + ALIKE_PERCENT) * PPM


def _weigh_rhythm(chain: Chain) -> None:
    """A daily rhythm lowers links; gaps that recur otherwise, at one scale, raise them."""
    links, segments = chain.links, chain.segments
    scales = [_ratio_ppm(one.scale, other.scale) for one, other in pairwise(segments)]
    periods = [later.start - earlier.start for earlier, later in pairwise(segments)]
    daily = [link.gap >= DAILY_SLACK_MS and _is_daily(period) for link, period in zip(links, periods, strict=True)]
    for begin, end in _stretches(daily):
        for position in range(begin, end):
            if links[position].strength is Strength.STRONG:
                links[position] = links[position]._replace(
                    strength=Strength.WEAK, reason="the gap recurs with the hours of the day"
                )
    candidate = [
        link.strength is not Strength.STRONG and not is_daily and _is_alike(ratio)
        for link, is_daily, ratio in zip(links, daily, scales, strict=True)
    ]
    for begin, end in _stretches(candidate):
        gaps = sorted(link.gap for link in links[begin:end])
        middle = gaps[len(gaps) // 2]
        alike = [abs(links[position].gap - middle) * 100 <= ALIKE_PERCENT * middle for position in range(begin, end)]
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
