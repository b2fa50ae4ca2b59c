"""Chains of segments: each segment joined to the eligible free one before it that fits it best. Decision 33.

Segments are joined by start, so what a segment finds depends on those before it alone. A change takes the chains back
to when it first mattered and goes on from there; what is still held matters to others only when it has ended. Computing
from scratch is going on from the beginning.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush
from itertools import accumulate, islice, pairwise
from typing import NamedTuple

from monitor.core.bounds import ZERO, Bounds
from monitor.core.estimate import PPM
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.segments import Change, Segment

GAP_MS, GAP_SHARE, GAP_MAX_MS = 6 * HOUR_MS, 4, 72 * HOUR_MS  # of a strong link: the larger of 6 h and a quarter
WEAK_GAP_MS = 21 * DAY_MS
SCALE_MAX = 4  # how many times larger one of two linked scales may be
CANDIDATES_MAX = 8  # predecessors looked at for each thing in common: the latest
SERIES_MIN = 3  # gaps alike that make a rhythm
ALIKE_PERCENT = 10
ALIKE_MIN = 128_000  # thousandths of an accelerator: scales so large are seldom alike by chance
KINDS_MIN = 2  # kinds of evidence that make a link strong
NODE_KEYS = 4  # nodes by which a predecessor is looked for
DAILY_MS, DAILY_SLACK_MS = DAY_MS, HOUR_MS
FARTHEST = SCALE_MAX.bit_length() - 1  # powers of two that two linked scales may be apart


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


@dataclass(slots=True, eq=False)
class Chain:
    """Segments one after the other; link n is between segments n and n + 1."""

    name: str  # the id of its first segment
    segments: list[Segment] = field(default_factory=list)
    found: list[Link] = field(default_factory=list)  # as the two segments of each have it
    links: list[Link] = field(default_factory=list)  # as the rhythm of all has it
    daily: list[bool] = field(default_factory=list)  # the links that recur with the hours of the day
    alike: list[bool] = field(default_factory=list)  # those that a recurring gap would raise
    flop: list[Bounds] = field(default_factory=lambda: [ZERO])  # of the first n segments, times SCALE
    parts: list[Part] = field(default_factory=list)
    taken: list[tuple[Segment, Link | None]] = field(default_factory=list)  # in an update: from its end, latest first

    def add(self, segment: Segment, link: Link | None) -> None:
        """The next segment, and how it follows the last one."""
        self.segments.append(segment)
        if link is not None:
            self.found.append(link)

    def take(self) -> None:
        """The last segment is none of it any longer, or is another one."""
        self.taken.append((self.segments.pop(), self.found.pop() if self.segments else None))

    def unlike(self, length: int) -> int:
        """Where a chain of which `length` segments were left when all was taken begins to be another one."""
        position = length
        while self.taken and position < len(self.segments):
            segment, link = self.taken[-1]
            if self.segments[position] is not segment or (position and self.found[position - 1] != link):
                break
            self.taken.pop()
            position += 1
        return position


class Part(NamedTuple):
    """The stretch [begin, stop) of a chain that links hold together, weak ones too."""

    chain: Chain
    begin: int
    stop: int
    start: int
    end: int
    flop: Bounds  # times SCALE


class PartChange(NamedTuple):
    """Parts of chains that are no more, and those that are instead, with where in the chain something is new."""

    gone: list[Part]
    come: list[tuple[Part, int]]


@dataclass(slots=True, eq=False)
class _Node:
    """A segment, how it follows another one, and its chain up to it."""

    segment: Segment
    chain: Chain
    before: _Node | None
    link: Link | None
    area: int = 0
    length: int = 0
    scale: int = 0  # thousandths of an accelerator, the mean over the time of the segments so far
    strong_until: int = 0  # until when a successor follows closely
    after: _Node | None = None
    kin: list[_Kin] = field(default_factory=list)  # where it is found, once it has ended

    def stand(self) -> None:
        """Count the segment as the last of its chain."""
        start, end, before = self.segment.start, self.segment.end, self.before
        self.area = self.segment.accelerator_us + (before.area if before else 0)
        self.length = end - start + (before.length if before else 0)
        self.scale = self.area // self.length
        self.strong_until = end + min(GAP_MAX_MS, max(GAP_MS, (end - start) // GAP_SHARE))
        self.chain.add(self.segment, self.link)


@dataclass(slots=True, eq=False)
class _Kin:
    """Nodes that have ended and have one thing in common, by end and id."""

    ended: list[_Node] = field(default_factory=list)
    free: list[_Node] | None = None  # those that nothing follows, of three weeks at least; None: look anew

    def add(self, node: _Node) -> None:
        """It has ended, later than all others."""
        self.ended.append(node)
        if self.free is not None:
            self.free.append(node)

    def undo(self) -> None:
        """The latest has not ended yet."""
        node = self.ended.pop()
        if self.free and self.free[-1] is node:
            self.free.pop()

    def follow(self, node: _Node) -> None:
        """Something follows it now."""
        if self.free is not None:
            position = bisect_left(self.free, node.segment.end, key=_end)
            del self.free[self.free.index(node, position)]

    def free_for(self, segment: Segment) -> Iterator[_Node]:
        """What a segment may follow, the latest first: at its start it had ended, and nothing before it follows."""
        position = bisect_right(self.ended, segment.start, key=_end)
        while position and segment.start - self.ended[position - 1].segment.end <= WEAK_GAP_MS:
            position -= 1
            node = self.ended[position]
            if node.after is None or node.after.segment[:2] >= segment[:2]:
                yield node

    def free_now(self, segment: Segment) -> Iterator[_Node]:
        """The same for a segment that is later than all that has been joined."""
        if self.free is None:
            self.free = list(self.free_for(segment))[::-1]
        return reversed(self.free)


def _end(node: _Node) -> int:
    return node.segment.end


def _start(segment: Segment) -> int:
    return segment.start


_Key = tuple[str, object]  # of what nodes have in common


class Chains:
    """The chains of one tenant, kept up with its segments."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._order: list[Segment] = []  # all that have been joined
        self._busy: list[tuple[int, str]] = []  # a heap: when those end of which that is to come
        self._ended: list[_Node] = []  # by end and id
        self._kin: dict[_Key, _Kin] = {}
        self._chains: dict[str, Chain] = {}
        self._moved: dict[Chain, int] = {}  # in an update: how long each was when all was taken from it

    def parts(self) -> Iterator[Part]:
        """The parts of all chains."""
        return (part for chain in self._chains.values() for part in chain.parts)

    def update(self, change: Change) -> PartChange:
        """Segments that are no more, and those that are instead."""
        gone = {segment.id: segment for segment in change.gone}
        come = {segment.id: segment for segment in change.come}
        since = self._since(gone, come)
        waiting = [segment for segment in self._back_to(since) if segment.id not in gone]
        for segment in come.values():
            if segment.start < since:
                self._replace(segment)
            else:
                waiting.append(segment)
        self._busy = [(self._nodes[name].segment.end, name) for _, name in self._busy if name in self._nodes]
        heapify(self._busy)
        for segment in sorted(waiting):
            self._join(segment)
        return self._settled()

    # -- back and forth ------------------------------------------------------------------------------------------

    def _since(self, gone: dict[str, Segment], come: dict[str, Segment]) -> int:
        """The instant from which on anything may be joined otherwise.

        Of a segment that stays where it began, only its end matters to others, if it still follows the same one.
        """
        stayed = {name for name in gone if name in come and gone[name].start == come[name].start}
        instants = [segment.start for segment in (*gone.values(), *come.values()) if segment.id not in stayed]
        instants += [min(gone[name].end, come[name].end) for name in stayed]
        since = min(instants, default=0)
        for segment in sorted(come[name] for name in stayed):
            if segment.start >= since:
                break
            if self._follows_another(segment):
                return segment.start
        return since

    def _follows_another(self, segment: Segment) -> bool:
        node = self._nodes[segment.id]
        was = node.segment
        if (was.family, was.evidence, was.scale) == (segment.family, segment.evidence, segment.scale):
            return False
        return self._best(segment, _Kin.free_for) != (node.before, node.link)

    def _back_to(self, since: int) -> list[Segment]:
        """Undo what has ended or been joined since an instant; returns what is to be joined again."""
        while self._ended and self._ended[-1].segment.end >= since:
            node = self._ended.pop()
            self._busy.append((node.segment.end, node.segment.id))
            for kin in node.kin:
                kin.undo()
            node.kin = []
        position = bisect_left(self._order, since, key=_start)
        undone = self._order[position:]
        del self._order[position:]
        for segment in reversed(undone):
            node = self._nodes.pop(segment.id)
            self._take(node)
            if node.before is not None:
                node.before.after = None
                for kin in node.before.kin:
                    kin.free = None
        return undone

    def _take(self, node: _Node) -> None:
        node.chain.take()
        self._moved[node.chain] = len(node.chain.segments)

    def _replace(self, segment: Segment) -> None:
        """A segment that has not ended is another now, at the same place."""
        node = self._nodes[segment.id]
        self._order[bisect_left(self._order, node.segment)] = segment
        self._take(node)
        node.segment = segment
        node.stand()

    def _join(self, segment: Segment) -> None:
        """The next segment: it follows the one that fits it best, or begins a chain."""
        while self._busy and self._busy[0][0] <= segment.start:
            self._ends(self._nodes[heappop(self._busy)[1]])
        before, link = self._best(segment, _Kin.free_now)
        chain = self._chains.setdefault(segment.id, Chain(segment.id)) if before is None else before.chain
        node = self._nodes[segment.id] = _Node(segment, chain, before, link)
        if before is not None:
            before.after = node
            for kin in before.kin:
                kin.follow(before)
        self._moved.setdefault(chain, len(chain.segments))
        node.stand()
        self._order.append(segment)
        heappush(self._busy, (segment.end, segment.id))

    def _ends(self, node: _Node) -> None:
        """A chain has come to its end, or a pause."""
        keys = [*_evidence_keys(node.segment), (node.segment.family, node.scale.bit_length())]
        node.kin = [self._kin.setdefault(key, _Kin()) for key in keys]
        for kin in node.kin:
            kin.add(node)
        self._ended.append(node)

    # -- links ---------------------------------------------------------------------------------------------------

    def _best(
        self, segment: Segment, free: Callable[[_Kin, Segment], Iterator[_Node]]
    ) -> tuple[_Node | None, Link | None]:
        """What a segment follows: of the latest few for each thing in common that which shares most.

        Scales are looked at where nothing shares anything, and from near ones to far ones.
        """
        best: _Fit | None = None
        scale, kinds = segment.scale, segment.evidence.kinds
        for key in _evidence_keys(segment):
            best = self._look(key, segment, scale, kinds, free, WEAK_GAP_MS, best)
        octave = scale.bit_length()
        for distance in range(FARTHEST + 1):
            if best is not None and best.beats(distance):
                break
            for near in {octave - distance, octave + distance}:
                best = self._look((segment.family, near), segment, scale, kinds, free, GAP_MAX_MS, best)
        return (None, None) if best is None else (best.node, best.link)

    def _look(
        self,
        key: _Key,
        segment: Segment,
        scale: int,
        kinds: int,
        free: Callable[[_Kin, Segment], Iterator[_Node]],
        gap_max_ms: int,
        best: _Fit | None,
    ) -> _Fit | None:
        """The best of what has one thing in common with a segment, and of what was found before."""
        kin = self._kin.get(key)
        if kin is None:
            return best
        full = None if best is None else best.full(kinds)
        for node in islice(free(kin, segment), CANDIDATES_MAX):
            gap = segment.start - node.segment.end
            if gap > gap_max_ms:
                break
            ratio = _ratio_ppm(node.scale, scale)
            if ratio > SCALE_MAX * PPM or (full is not None and (ratio, gap) > full):
                continue
            fit = _fit(node, segment, scale, gap, ratio)
            if fit is not None and (best is None or fit < best):
                best, full = fit, fit.full(kinds)
        return best

    # -- what has changed ----------------------------------------------------------------------------------------

    def _settled(self) -> PartChange:
        """What became of the parts of all chains that were touched."""
        change = PartChange([], [])
        for chain, left in self._moved.items():
            touched = bool(chain.taken)
            position = chain.unlike(left)
            if touched and not chain.taken and position == len(chain.segments):
                continue  # all was joined again as it had been
            chain.taken.clear()
            since = _weigh_rhythm(chain, position)
            more = (segment.flop for segment in chain.segments[position:])
            chain.flop[position:] = accumulate(more, Bounds.plus, initial=chain.flop[position])
            while chain.parts and chain.parts[-1].stop > since:
                change.gone.append(chain.parts.pop())
            parts = list(_parts(chain, chain.parts[-1].stop if chain.parts else 0))
            chain.parts += parts
            change.come.extend((part, since) for part in parts)
            if not chain.segments:
                del self._chains[chain.name]
        self._moved.clear()
        return change


def _evidence_keys(segment: Segment) -> Iterator[_Key]:
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


class _Fit(NamedTuple):
    """How well a segment would follow a node: the least is the best."""

    unshared: int  # minus the kinds of evidence that both share
    strength: Strength
    ratio_ppm: int  # of the greater scale to the other one
    gap: int
    id: str
    node: _Node
    shared: tuple[str, ...]
    reason: str

    @property
    def link(self) -> Link:
        """The link that this would be."""
        return Link(self.strength, self.gap, self.shared, self.reason)

    def full(self, kinds: int) -> tuple[int, int] | None:
        """The ratio and gap that a better one must be under, if nothing shares more of so many kinds or is stronger."""
        full = self.strength is Strength.STRONG and -self.unshared == kinds
        return (self.ratio_ppm, self.gap) if full else None

    def beats(self, distance: int) -> bool:
        """Whether this is better than all that shares nothing at scales so many powers of two away, and further."""
        if self.shared:
            return True
        nearest_ppm = (PPM << distance) // 2 if distance else 0
        return self.strength is Strength.STRONG and self.ratio_ppm <= nearest_ppm


def _fit(node: _Node, segment: Segment, scale: int, gap: int, ratio: int) -> _Fit | None:
    """How a segment would follow a node whose scale is within `SCALE_MAX` of its own; None: it cannot."""
    last = node.segment
    shared = last.evidence.shared(segment.evidence)
    known = "job" in shared or len(shared) >= KINDS_MIN
    of_family = last.family == segment.family
    if of_family and segment.start <= node.strong_until and (known or not last.evidence.contradicts(segment.evidence)):
        strength, reason = Strength.STRONG, "the gap is short for what came before"
    elif of_family and known and gap <= GAP_MAX_MS:
        strength, reason = Strength.STRONG, "the gap is long, and both share what one program shares"
    elif shared:
        strength, reason = Strength.WEAK, "the gap is long"
    elif of_family and gap <= GAP_MAX_MS and _is_alike(ratio):
        strength, reason = Strength.WEAK if scale >= ALIKE_MIN else Strength.NONE, "the same scale after a gap"
    else:
        return None
    return _Fit(-len(shared), strength, ratio, gap, last.id, node, shared, reason)


def _ratio_ppm(one: int, other: int) -> int:
    return one * PPM // other if one > other else other * PPM // one


def _is_alike(ratio: int) -> bool:
    return ratio * 100 <= (100 + ALIKE_PERCENT) * PPM


# -- rhythm ------------------------------------------------------------------------------------------------------------


def _weigh_rhythm(chain: Chain, position: int) -> int:
    """A daily rhythm lowers links; gaps that recur otherwise, at one scale, raise them.

    The chain is another one from `position` on; returns the first of its links that may be another one.
    """
    first = max(position - 1, 0)
    del chain.daily[first:], chain.alike[first:]
    for link, (one, other) in zip(chain.found[first:], pairwise(chain.segments[first:]), strict=True):
        is_daily = link.gap >= DAILY_SLACK_MS and _is_daily(other.start - one.start)
        chain.daily.append(is_daily)
        chain.alike.append(
            link.strength is not Strength.STRONG and not is_daily and _is_alike(_ratio_ppm(one.scale, other.scale))
        )
    while first and (chain.daily[first - 1] or chain.alike[first - 1]):
        first -= 1
    links = chain.found[first:]
    _lower_daily(links, chain.daily[first:])
    _raise_regular(links, chain.alike[first:])
    chain.links[first:] = links
    return first


def _lower_daily(links: list[Link], daily: Sequence[bool]) -> None:
    for begin, end in _stretches(daily):
        for position in range(begin, end):
            if links[position].strength is Strength.STRONG:
                links[position] = links[position]._replace(
                    strength=Strength.WEAK, reason="the gap recurs with the hours of the day"
                )


def _raise_regular(links: list[Link], alike: Sequence[bool]) -> None:
    for begin, end in _stretches(alike):
        gaps = sorted(link.gap for link in links[begin:end])
        middle = gaps[len(gaps) // 2]
        regular = [abs(link.gap - middle) * 100 <= ALIKE_PERCENT * middle for link in links[begin:end]]
        for first, last in _stretches(regular):
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


def _parts(chain: Chain, begin: int) -> Iterator[Part]:
    """The parts of a chain from a segment on that begins one."""
    cuts = [n + 1 for n in range(begin, len(chain.links)) if chain.links[n].strength is Strength.NONE]
    for first, stop in pairwise([begin, *cuts, len(chain.segments)]):
        if first < stop:
            flop = chain.flop[stop].minus(chain.flop[first])
            yield Part(chain, first, stop, chain.segments[first].start, chain.segments[stop - 1].end, flop)
