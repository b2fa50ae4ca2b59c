"""Who owns and controls whom, and what follows from it.

Statements (`Stake`) have a basis, a source and dates; what all of them say of two parties at an instant is an `Edge`.
Three questions are asked, each with its own rule: the ultimate parent by control (`parent`), by which the headquarters
test goes; the cascading 50 per cent test (`cascade`); economic interest (`interest`), which is shown and decides
nothing. Shares are integers in parts per million. A share that is not stated is unknown, never zero; owners that nobody
names are not guessed at. No question ends in an endless loop where owners own each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import NamedTuple

from monitor.core.profiles import DOCUMENTED, OWNERS, Profiled

WHOLE_PPM = 1_000_000
HALF_PPM = 500_000
INTEREST_UNITS = 10**12  # economic interest is in parts of this, rounded down at each step
ROUNDS_MAX = 100  # how often economic interest goes round owners that own each other

BEGINNING, END = -(1 << 62), 1 << 62  # of time: where nothing says when something began or ended


class Period(NamedTuple):
    """When something holds: in [start, end), milliseconds."""

    start: int = BEGINNING
    end: int = END

    def includes(self, at: int) -> bool:
        """Whether it holds at an instant."""
        return self.start <= at < self.end


ALWAYS = Period()


class Stake(NamedTuple):
    """What one source says of one owner of a party: a step of the evidence of every answer."""

    owner: str
    owned: str
    share_ppm: int | None  # None: not known
    control: bool | str | None  # a text says how; None: not said
    basis: str
    source: str  # what the statement rests on, as it names it, else who sent it
    since: int  # since when it is said to hold, else when it was said
    period: Period  # in which it counts
    said: int
    producer: str  # who sent it

    @property
    def documented(self) -> bool:
        """Whether more stands behind it than a claim."""
        return self.basis in DOCUMENTED


class Edge(NamedTuple):
    """What all sources say at an instant of one owner of a party."""

    owner: str
    owned: str
    stakes: tuple[Stake, ...]  # one for each source, or several where it contradicts itself
    least_ppm: int  # of the shares that are stated; 0 where none is
    most_ppm: int | None  # None: no share is stated
    controls: bool  # some source says so
    control_disputed: bool  # and some other that it does not

    @property
    def disputed(self) -> bool:
        """Whether sources disagree."""
        return self.control_disputed or self.most_ppm not in (None, self.least_ppm)


Owners = Callable[[str], Sequence[Edge]]  # party -> its owners, by name


def stakes_of(profiled: Profiled) -> list[Stake]:
    """Every stake in a party that its profiles ever stated.

    Each producer's latest list replaces its earlier ones from its own time on; lists of several producers stand beside
    each other. A stake holds from its `from`, else from the time of its list, until its `to` or the producer's next
    list; what held before the first list is what that one says, as with every field.
    """
    assert profiled.party is not None
    lists: dict[str, dict[int, tuple[list[Mapping[str, object]], str]]] = {}
    for version in profiled.statements(OWNERS):
        assert isinstance(version.value, list)
        lists.setdefault(version.source, {})[version.since] = version.value, version.basis
    found = []
    for producer, by_time in lists.items():
        times = list(by_time)
        for position, (time, until) in enumerate(zip(times, [*times[1:], END], strict=True)):
            owners, basis = by_time[time]
            first = time if position else BEGINNING
            found += [_stake(owner, profiled.party, Period(first, until), basis, time, producer) for owner in owners]
    return [stake for stake in found if stake.period.start < stake.period.end]


def _stake(owner: Mapping[str, object], owned: str, listed: Period, basis: str, said: int, producer: str) -> Stake:
    """A stake as a profile lists it; `listed`: while the list is its producer's latest."""
    share, control, start, end = owner["share_ppm"], owner["control"], owner["from"], owner["to"]
    assert share is None or isinstance(share, int)
    assert control is None or isinstance(control, bool | str)
    assert start is None or isinstance(start, int)
    assert end is None or isinstance(end, int)
    period = Period(
        listed.start if start is None else start,
        listed.end if end is None else min(end, listed.end),
    )
    since = said if start is None else start
    return Stake(
        str(owner["party"]),
        owned,
        share,
        control,
        basis,
        str(owner["source"] or producer),
        since,
        period,
        said,
        producer,
    )


def edges_at(stakes: Iterable[Stake], at: int) -> tuple[Edge, ...]:
    """The owners of a party at an instant, by name, from all stakes in it: of each source what it said last."""
    latest: dict[tuple[str, str, str], list[Stake]] = {}
    for stake in stakes:
        if stake.period.includes(at):
            voice = stake.owner, stake.producer, stake.source
            rivals = latest.setdefault(voice, [])
            if rivals and stake.said > rivals[0].said:
                rivals.clear()
            if not rivals or stake.said == rivals[0].said:
                rivals.append(stake)
    by_owner: dict[str, list[Stake]] = {}
    for voice in sorted(latest):
        by_owner.setdefault(voice[0], []).extend(latest[voice])
    return tuple(_edge(stakes) for stakes in by_owner.values())


def _edge(stakes: Sequence[Stake]) -> Edge:
    shares = [stake.share_ppm for stake in stakes if stake.share_ppm is not None]
    said = {bool(stake.control) for stake in stakes if stake.control is not None}
    return Edge(
        stakes[0].owner,
        stakes[0].owned,
        tuple(stakes),
        min(shares, default=0),
        max(shares, default=None),
        True in said,
        len(said) > 1,
    )


# -- the ultimate parent ---------------------------------------------------------------------------------------------


class Parent(NamedTuple):
    """Who is at the top of a party by control."""

    party: str
    tops: tuple[tuple[str, ...], ...]  # each one party, or all of those that control each other
    walked: tuple[str, ...]  # every party on the way, the first is the one asked about
    steps: tuple[Edge, ...]  # who controls whom, upwards
    unknown: tuple[Edge, ...]  # owners whose share is not known and may be a majority
    disputed: tuple[Edge, ...]  # steps that a source denies


def parent(party: str, owners: Owners) -> Parent:
    """The ultimate parent of a party by control.

    Rule: control is followed upwards. An owner controls if a source says so; if nobody else is said to, an owner of
    more than half does, whatever is said of its control. A step that a source denies is followed too, and told. Where
    no step is sure and an owner whose share is not known may hold more than half, who is above is unknown. Parties that
    control each other, and that nobody else controls, are the parent together. A party of which no owner is named is
    its own.

    Source: accounting rules, section 5 ("a majority owner is a path to the parent, not a test of its own"); BIS
    guidance of 2026-05-31 on entities whose ultimate parent is headquartered in a country of concern.
    """
    above: dict[str, list[str]] = {}
    steps: list[Edge] = []
    unknown: list[Edge] = []
    disputed: list[Edge] = []
    waiting = deque([party])
    while waiting:
        name = waiting.popleft()
        if name in above:
            continue
        paths, doubtful, open_ = _controlling(owners(name))
        above[name] = [edge.owner for edge in paths]
        steps += paths
        disputed += doubtful
        unknown += open_
        waiting.extend(above[name])
    tops = (part for part in components(above) if not {other for name in part for other in above[name]} - set(part))
    return Parent(party, tuple(sorted(tops)), tuple(above), tuple(steps), tuple(unknown), tuple(disputed))


def _controlling(edges: Sequence[Edge]) -> tuple[list[Edge], list[Edge], list[Edge]]:
    """The owners that control a party, those of them of whom that is disputed, and those of whom it is unknown."""
    others = [edge for edge in edges if edge.owner != edge.owned]
    stated = [edge for edge in others if edge.controls]
    if any(not edge.control_disputed for edge in stated):
        return stated, [edge for edge in stated if edge.control_disputed], []
    paths = [edge for edge in others if edge.controls or (edge.most_ppm or 0) > HALF_PPM]
    disputed = [edge for edge in paths if edge.least_ppm <= HALF_PPM or any(one is not edge for one in stated)]
    left = WHOLE_PPM - sum(edge.least_ppm for edge in edges)
    unknown = [edge for edge in others if edge.most_ppm is None and not edge.controls and left > HALF_PPM]
    return paths, disputed, unknown


def components(above: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """The strongly connected parts of a graph, each after all that it leads to (Tarjan's, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    done: set[str] = set()
    found = []
    for root in above:
        entered = [] if root in order else [root]
        ways = {}
        while entered:
            name = entered[-1]
            if name not in order:
                order[name] = low[name] = len(order)
                ways[name] = iter(above[name])
                path.append(name)
            other = next((one for one in ways[name] if one not in done), None)
            if other is None:
                entered.pop()
                if entered:
                    low[entered[-1]] = min(low[entered[-1]], low[name])
                if low[name] == order[name]:
                    part = _taken_down_to(path, name)
                    done.update(part)
                    found.append(tuple(sorted(part)))
            elif other in order:
                low[name] = min(low[name], order[other])
            else:
                entered.append(other)
    return found


def _taken_down_to(path: list[str], name: str) -> list[str]:
    taken = [path.pop()]
    while taken[-1] != name:
        taken.append(path.pop())
    return taken


# -- the 50 per cent test --------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """Whether a party is caught by the 50 per cent test."""

    CAUGHT = "caught"
    UNDECIDED = "undecided"  # it depends on shares that are unknown or disputed
    NOT_CAUGHT = "not caught"


class Cascade(NamedTuple):
    """Whom the 50 per cent test catches at an instant: party -> the owners through which it was."""

    caught: Mapping[str, tuple[Edge, ...]]
    possible: Mapping[str, tuple[Edge, ...]]  # if unknown and disputed shares are as large as they can be

    def verdict(self, party: str) -> Verdict:
        """Whether a party is caught by its owners; that it is listed itself is another matter."""
        if party in self.caught:
            return Verdict.CAUGHT
        return Verdict.UNDECIDED if party in self.possible else Verdict.NOT_CAUGHT

    def evidence(self, party: str) -> tuple[Edge, ...]:
        """Who owns how much of what, from a party that is caught, or may be, up to the listed owners."""
        reached = self.caught if party in self.caught else self.possible
        edges: list[Edge] = []
        seen, waiting = {party}, deque([party])
        while waiting:
            of_one = reached.get(waiting.popleft(), ())
            edges += of_one
            waiting.extend(edge.owner for edge in of_one if edge.owner not in seen)
            seen.update(edge.owner for edge in of_one)
        return tuple(edges)


def cascade(
    graph: Mapping[str, Sequence[Edge]], listed: AbstractSet[str], in_force: Period = ALWAYS, at: int = 0
) -> Cascade:
    """Whom the owners in a set of listed parties catch, at an instant; nobody while the instrument is not in force.

    Rule: a party is caught when listed and caught owners together hold half of it or more. A caught owner counts with
    its whole stake, so direct and indirect stakes add up, and 50 per cent of 50 per cent is caught; shares are never
    multiplied. Control without shares catches nobody. What depends on shares that are unknown, or on which sources
    disagree, is undecided: it would be caught if they were as large as they can be, together no more than what is left
    of 100 per cent. Owners that nobody names are no unknown shares.

    Source: 50 per cent rule of OFAC; Affiliates Rule, 90 FR 47201, in force from 2025-09-29, suspended from 2025-11-10
    to 2026-11-09; accounting rules, section 5.
    """
    if not in_force.includes(at):
        return Cascade({}, {})
    return Cascade(_spread(graph, listed, _at_least), _spread(graph, listed, _at_most))


class _Tally:
    """What blocked owners hold of one party, as they become known."""

    __slots__ = ("blocked", "least_ppm", "most_ppm", "others_ppm", "unknown")

    def __init__(self, edges: Sequence[Edge]) -> None:
        self.blocked: list[Edge] = []
        self.least_ppm = 0
        self.most_ppm = 0
        self.unknown = False
        self.others_ppm = sum(edge.least_ppm for edge in edges)

    def add(self, edge: Edge) -> None:
        """One more of the owners is blocked."""
        self.blocked.append(edge)
        self.least_ppm += edge.least_ppm
        self.most_ppm += edge.most_ppm or 0
        self.unknown |= edge.most_ppm is None
        self.others_ppm -= edge.least_ppm


def _at_least(tally: _Tally) -> int:
    return tally.least_ppm


def _at_most(tally: _Tally) -> int:
    """With unknown shares as large as what the other owners leave."""
    return max(tally.most_ppm, WHOLE_PPM - tally.others_ppm) if tally.unknown else tally.most_ppm


def _spread(
    graph: Mapping[str, Sequence[Edge]], listed: AbstractSet[str], held_ppm: Callable[[_Tally], int]
) -> dict[str, tuple[Edge, ...]]:
    """The least fixed point: each party that is reached, with the owners that were blocked before it."""
    stakes_in: dict[str, list[Edge]] = {}
    for owned in sorted(graph):
        for edge in graph[owned]:
            if edge.owner != owned:
                stakes_in.setdefault(edge.owner, []).append(edge)
    tallies: dict[str, _Tally] = {}
    reached: dict[str, tuple[Edge, ...]] = {}
    waiting = deque(sorted(listed))
    while waiting:
        for edge in stakes_in.get(waiting.popleft(), ()):
            owned = edge.owned
            tally = tallies.get(owned) or tallies.setdefault(owned, _Tally(graph[owned]))
            tally.add(edge)
            if owned not in reached and held_ppm(tally) >= HALF_PPM:
                reached[owned] = tuple(tally.blocked)
                if owned not in listed:
                    waiting.append(owned)
    return reached


# -- economic interest -----------------------------------------------------------------------------------------------


class Interest(NamedTuple):
    """What others hold of a party in economic terms: shown beside the tests, decides nothing."""

    units: Mapping[str, int]  # owner -> parts of `INTEREST_UNITS`, at least; those that come to nothing left out
    unknown: tuple[Edge, ...]  # shares that are not known and count as none
    circular: tuple[tuple[str, ...], ...]  # parties that own each other, or themselves


def interest(party: str, owners: Owners) -> Interest:
    """The economic interest of every owner in a party: the product of shares along each way, added up.

    Disputed shares count with the least that is said. Among parties that own each other, ways go round until less than
    one part of `INTEREST_UNITS` is left, `ROUNDS_MAX` times at most; where they hold all of each other there is no end.

    Source: accounting rules, section 5 (shown beside the 50 per cent test, unused).
    """
    edges: dict[str, Sequence[Edge]] = {}
    waiting = deque([party])
    while waiting:
        name = waiting.popleft()
        if name not in edges:
            edges[name] = owners(name)
            waiting.extend(edge.owner for edge in edges[name])
    parts = components({name: [edge.owner for edge in of_one] for name, of_one in edges.items()})
    circular = [part for part in parts if len(part) > 1 or any(edge.owner == part[0] for edge in edges[part[0]])]
    units = {party: INTEREST_UNITS}
    for part in reversed(parts):
        _go_round(part, edges, units)
    del units[party]
    unknown = tuple(edge for of_one in edges.values() for edge in of_one if edge.most_ppm is None)
    return Interest({owner: units[owner] for owner in sorted(units) if units[owner]}, unknown, tuple(sorted(circular)))


def _go_round(part: Sequence[str], edges: Mapping[str, Sequence[Edge]], units: dict[str, int]) -> None:
    """Hand what the members of one part hold on to their owners, the members among them included."""
    members = set(part)
    moving = {name: units[name] for name in part if name in units}
    for _ in range(ROUNDS_MAX):
        handed: dict[str, int] = {}
        for name in sorted(moving):
            for edge in edges[name]:
                handed[edge.owner] = handed.get(edge.owner, 0) + moving[name] * edge.least_ppm // WHOLE_PPM
        for owner, amount in handed.items():
            units[owner] = units.get(owner, 0) + amount
        moving = {owner: amount for owner, amount in handed.items() if owner in members and amount}
        if not moving:
            return


# -- sentences -------------------------------------------------------------------------------------------------------


def stake_sentence(stake: Stake) -> str:
    """One step of evidence: who holds how much of whom, by what basis and from whom."""
    share = "an unknown share" if stake.share_ppm is None else f"{_per_cent(stake.share_ppm)} per cent"
    return f"{stake.owner} holds {share} of {stake.owned}{_control(stake)} ({stake.basis}, from {stake.source})"


def _control(stake: Stake) -> str:
    if stake.control is None:
        return ""
    if isinstance(stake.control, str):
        return f" and controls it ({stake.control})"
    return " and controls it" if stake.control else " and does not control it"


def edge_sentences(edges: Iterable[Edge]) -> str:
    """Steps of evidence, one after the other."""
    return "; ".join(stake_sentence(stake) for edge in edges for stake in edge.stakes)


def interest_sentences(party: str, held: Interest) -> list[str]:
    """The economic interest of each owner, the greatest first, and what is not known of it."""
    ordered = sorted(held.units.items(), key=lambda one: (-one[1], one[0]))
    parts = [(owner, _per_cent(units * WHOLE_PPM // INTEREST_UNITS)) for owner, units in ordered]
    sentences = [f"{owner} has an economic interest of at least {part} per cent in {party}" for owner, part in parts]
    if held.unknown:
        sentences.append(f"Shares that are not known count as none: {edge_sentences(held.unknown)}")
    return sentences + [f"Parties that own each other: {', '.join(part)}" for part in held.circular]


def _per_cent(ppm: int) -> str:
    """Parts per million as per cent, exactly: 33.3333, 50."""
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0") if rest else str(whole)
