"""What a region's control plane says that it holds: reports in effect, and whether the books agree (ruling 5)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import NamedTuple

from monitor.core.facts import Identity, content_hash
from monitor.core.model import Claim, Key, Kind, Observation, Report

GroupKey = tuple[str, int, int]  # (source, time, parts): the parts of one report


class Inventory(NamedTuple):
    """A report with all its parts: in effect."""

    source: str
    time: int
    id: str  # the least id of its parts
    complete: bool
    held: Mapping[Key, Claim]
    capacity: Mapping[str, int]  # hardware as named -> thousandths


class Conservation(NamedTuple):
    """The books against one report, for one kind of hardware, in thousandths.

    attributed + unattributed + idle = capacity, unless the books hold something that the report does not (surplus).
    """

    region: str
    time: int
    hardware: str
    capacity: int
    attributed: int
    unattributed: int
    idle: int
    surplus: int
    allocations: tuple[Key, ...]  # where books and report differ, the first few

    @property
    def holds(self) -> bool:
        """Whether the equation holds to 0.5 per cent of the capacity."""
        allowed = self.capacity // 200
        return self.surplus <= allowed and self.idle >= -allowed


DIFFERENCES_MAX = 20


class Part(NamedTuple):
    """What is remembered of a part of a report: the fact itself is in the archive."""

    source: str
    id: str
    time: int
    digest: bytes  # the hash of its content
    report: Report


class Region:
    """The inventory facts of one region and the reports that they make."""

    __slots__ = ("_latest", "groups", "head", "in_effect", "last_time", "ordered", "parts")

    def __init__(self) -> None:
        self.parts: dict[Identity, list[Part]] = {}
        self.groups: dict[GroupKey, list[Part]] = {}
        # Of each part by its number what it held last: reports repeat each other, and share what they repeat.
        self._latest: dict[int, dict[Key, tuple[Key, Claim]]] = {}
        self.in_effect: dict[GroupKey, Inventory] = {}
        self.ordered: list[Inventory] = []  # those in effect, by instant
        self.last_time = -1  # of the latest report in effect
        self.head = 0

    def copy(self) -> Region:
        """The region with the reports that are in effect now, whatever is put in effect later."""
        same = Region()
        same.parts, same.groups, same.in_effect = self.parts, self.groups, self.in_effect
        same.ordered, same.last_time, same.head = self.ordered, self.last_time, self.head
        return same

    def knows(self, fact: Observation) -> bool:
        """Whether this very part has been seen before."""
        rivals = self.parts.get((fact.source, fact.id))
        return rivals is not None and content_hash(fact.raw) in {rival.digest for rival in rivals}

    def add(self, fact: Observation) -> set[GroupKey]:
        """Keep a part; says which reports it bears on: its own, and those of other contents of its identity."""
        assert isinstance(fact.body, Report)
        part = Part(fact.source, fact.id, fact.time, content_hash(fact.raw), self._shared(fact.body))
        rivals = self.parts.setdefault((fact.source, fact.id), [])
        rivals.append(part)
        self.groups.setdefault(_group(part), []).append(part)
        return {_group(rival) for rival in rivals}

    def _shared(self, report: Report) -> Report:
        """The same report, with the names and claims of the one before it where they are equal."""
        before = self._latest.get(report.part, {})
        latest: dict[Key, tuple[Key, Claim]] = {}
        for key, claim in report.held.items():
            known = before.get(key)
            latest[key] = known if known is not None and known[1] == claim else (key, claim)
        self._latest[report.part] = latest
        return report._replace(held=dict(latest.values()))

    def assembled(self, group: GroupKey) -> Inventory | None:
        """The report of a group if all its parts are there."""
        chosen: dict[int, Part] = {}
        for part in self._counting(self.groups.get(group, [])):
            rival = chosen.get(part.report.part)
            if rival is None or part.digest > rival.digest:
                chosen[part.report.part] = part
        if len(chosen) < group[2]:
            return None
        return _joined([chosen[part] for part in sorted(chosen)])

    def _counting(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Of several contents of one identity only the one with the greatest hash."""
        for part in parts:
            rivals = self.parts[part.source, part.id]
            if len(rivals) == 1 or part is max(rivals, key=attrgetter("digest")):
                yield part

    def put_in_effect(self, group: GroupKey, inventory: Inventory | None) -> None:
        """Replace what a group says; None takes it out of effect."""
        others = {name: report for name, report in self.in_effect.items() if name != group}
        self.in_effect = others if inventory is None else {**others, group: inventory}
        self.ordered = sorted(self.in_effect.values(), key=attrgetter("time"))
        self.last_time = self.ordered[-1].time if self.ordered else -1


def _group(part: Part) -> GroupKey:
    return part.source, part.time, part.report.parts


def _joined(parts: list[Part]) -> Inventory:
    first = parts[0].report
    held, capacity = first.held, first.capacity
    if len(parts) > 1:  # a report of one part shares what it holds with it
        held = {key: claim for part in parts for key, claim in part.report.held.items()}
        capacity = {name: count for part in parts for name, count in part.report.capacity.items()}
    complete = all(part.report.complete for part in parts)
    return Inventory(parts[0].source, parts[0].time, min(part.id for part in parts), complete, held, capacity)


def presence(region: str, report: Inventory, key: Key) -> Observation:
    """What a report in effect says of an allocation that it names."""
    claim = report.held[key]._replace(region=region)
    return Observation(Kind.PRESENT, key[0], key[1], report.time, report.source, report.id, claim, b"")


def absence(region: str, report: Inventory, key: Key) -> Observation:
    """What a complete report in effect says of an allocation of its region that it does not name."""
    return Observation(Kind.ABSENT, key[0], key[1], report.time, report.source, report.id, Claim(region=region), b"")


def statements(regions: Mapping[str, Region], key: Key, facts: Iterable[Observation]) -> list[Observation]:
    """What the reports in effect say of one allocation, given its own facts: whatever can change its fold."""
    times: list[int] = []
    named: set[str] = set()
    for fact in facts:
        times.append(fact.time)
        if isinstance(fact.body, Claim) and fact.body.region is not None:
            named.add(fact.body.region)
    present = {name: [one for one in region.ordered if key in one.held] for name, region in regions.items()}
    times.extend(report.time for reports in present.values() for report in reports)
    said: list[Observation] = []
    for name in sorted(regions):
        said.extend(presence(name, report, key) for report in present[name])
        if name in named or present[name]:
            said.extend(_absences(name, regions[name], key, present[name], min(times), max(times)))
    return said


def _absences(
    name: str, region: Region, key: Key, present: list[Inventory], first: int, last: int
) -> Iterator[Observation]:
    """Absences from complete reports, unless another report of that instant has it; after all else one is enough."""
    present_at = {report.time for report in present}
    for report in region.ordered[bisect_left(region.ordered, first, key=attrgetter("time")) :]:
        if report.complete and report.time not in present_at:
            yield absence(name, report, key)
            if report.time > last:
                return


def conservation(region: str, report: Inventory, books: Mapping[Key, tuple[str, int]]) -> list[Conservation]:
    """The books of a region, {allocation: (hardware as named, thousandths)}, against a complete report, by hardware.

    A report that states no capacity at all cannot be checked; hardware that it leaves out has none.
    """
    if not report.capacity:
        return []
    attributed: dict[str, int] = dict.fromkeys(report.capacity, 0)
    reported = dict(attributed)
    unattributed = dict(attributed)
    surplus = dict(attributed)
    differing: dict[str, list[Key]] = {}
    for key in sorted({*report.held, *books}):
        hardware, held = books.get(key, ("", 0))
        claim = report.held.get(key)
        said = 0 if claim is None or claim.count is None else claim.count
        name = claim.hardware if claim is not None and claim.hardware is not None else hardware
        attributed[name] = attributed.get(name, 0) + held
        reported[name] = reported.get(name, 0) + said
        unattributed[name] = unattributed.get(name, 0) + max(0, said - held)
        surplus[name] = surplus.get(name, 0) + max(0, held - said)
        if said != held:
            differing.setdefault(name, []).append(key)
    return [
        Conservation(
            region,
            report.time,
            name,
            report.capacity.get(name, 0),
            attributed[name],
            unattributed[name],
            report.capacity.get(name, 0) - reported[name],
            surplus[name],
            tuple(differing.get(name, [])[:DIFFERENCES_MAX]),
        )
        for name in sorted(attributed)
    ]
