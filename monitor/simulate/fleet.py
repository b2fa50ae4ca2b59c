"""The simulated control plane: what every tenant holds, the lines that say so, and the exact truth about them.

A tenant is a set of *processes*: generators of `Event` in the order of their times. The fleet merges them lazily, so
millions of events pass without ever being in memory together, keeps what is held at each instant, and makes the
inventory reports and signs of life from that.

Units: milliseconds since 1970; thousandths of a unit (an accelerator or an instance), their products as exact integers.
Reports and signs of life fall on whole seconds; no tenant acts on one (`odd`), so no report is ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import count
from operator import itemgetter
from random import Random
from typing import NamedTuple

from monitor.core.model import HOUR_MS, SECOND_MS, Kind
from monitor.simulate.hardware import Hardware, number
from monitor.simulate.wire import instant, line, random_id

REPORT_EVERY_MS = 6 * HOUR_MS
PARTS = 2  # of an inventory report
SPARE_PERCENT = 10  # of what can be held at most, on top as capacity
ONBOARDING = "/onboarding"
TOPIC = "events-0"
PPM = 10**6
MINUTE_MS = 60 * SECOND_MS
WHOLE = 1000  # thousandths of a unit
MICROSECONDS = 10**6


class Place(NamedTuple):
    """Where an allocation runs."""

    region: str
    zone: str
    fabric: str

    @property
    def source(self) -> str:
        """The control plane that speaks for it."""
        return f"/regions/{self.region}/control-plane"

    @property
    def telemetry_source(self) -> str:
        """The provider's own measuring of it."""
        return f"/regions/{self.region}/telemetry"


PLACES = (
    Place("eu-north", "eu-north-a", "fjord"),
    Place("eu-west", "eu-west-b", "moor"),
    Place("us-east", "us-east-c", "delta"),
    Place("ap-south", "ap-south-a", "reef"),
)
EU_NORTH, EU_WEST, US_EAST, AP_SOUTH = PLACES


class Member:
    """One tenant of the fleet.

    `of_concern` is the truth: whether whoever stands behind it is headquartered in a country of concern, which its
    profile need not say.
    """

    __slots__ = ("area", "kind", "name", "of_concern", "place", "rng", "runs")

    def __init__(self, name: str, kind: str, of_concern: bool, place: Place, rng: Random) -> None:
        self.name = name
        self.kind = kind
        self.of_concern = of_concern
        self.place = place
        self.rng = rng
        self.runs: list[Run] = []
        self.area: dict[str, int] = {}  # accelerator -> accelerator-microseconds of what has stopped


class Run:
    """One training run, or the part of it that one tenant holds: what was truly trained."""

    __slots__ = ("allocations", "area", "end", "grown", "hardware", "name", "peak", "start", "units", "utilisation_ppm")

    def __init__(self, name: str, hardware: Hardware, utilisation_ppm: int) -> None:
        self.name = name
        self.hardware = hardware
        self.utilisation_ppm = utilisation_ppm  # realised share of the dense 16-bit peak over all held time
        self.allocations: list[str] = []
        self.start = -1
        self.end = -1
        self.units = 0  # held now
        self.peak = 0
        self.area = 0  # thousandths of a unit times milliseconds, of what has changed since
        self.grown: list[tuple[int, int]] = []  # (instant, sum over its allocations until then of the same)


@dataclass(slots=True, eq=False)
class Allocation:
    """What one tenant holds under one name, and what it has held so far."""

    member: Member
    name: str
    hardware: Hardware
    place: Place
    run: Run | None = None
    stated: dict[str, object] = field(default_factory=dict)  # further fields of its start
    units: int = 0
    since: int = 0
    area: int = 0


class Event(NamedTuple):
    """Something that happens: a fact with its payload, and what the allocation holds from then on."""

    time: int
    kind: Kind
    source: str
    subject: str
    data: dict[str, object]
    allocation: Allocation | None = None
    units: int = 0


class Expected(NamedTuple):
    """What somebody who sees every event should say of who is who.

    `kind`: group (linked, though they declare nothing in common), organisation (declared), weak link, reseller book,
    unresolved, signal. `by`: the kinds of evidence, or the signal.
    """

    kind: str
    tenants: tuple[str, ...]
    by: tuple[str, ...] = ()


class Programme(NamedTuple):
    """What somebody trains who should be found: runs of this name, of these tenants, for a party of concern."""

    name: str
    kind: str
    tenants: tuple[str, ...]
    threshold: int  # FLOP: the rung that it crosses
    evidence: str  # what there is to be seen of it; "": nothing


def odd(rng: Random, time: int) -> int:
    """The instant with its milliseconds drawn from 1 to 999: never on a whole second."""
    return time // SECOND_MS * SECOND_MS + 1 + int(rng.random() * (SECOND_MS - 1))


def started(time: int, allocation: Allocation, units: int) -> Event:
    """The tenant holds so many units from now on."""
    place = allocation.place
    data: dict[str, object] = {
        "tenant": allocation.member.name,
        "allocation": allocation.name,
        **allocation.hardware.fields(units),
        "region": place.region,
        "zone": place.zone,
        "fabric": place.fabric,
        **allocation.stated,
    }
    return Event(time, Kind.STARTED, place.source, allocation.name, data, allocation, units)


def resized(time: int, allocation: Allocation, units: int) -> Event:
    """The count is this from now on."""
    data = {
        "tenant": allocation.member.name,
        "allocation": allocation.name,
        **allocation.hardware.count_fields(units),
    }
    return Event(time, Kind.RESIZED, allocation.place.source, allocation.name, data, allocation, units)


def stopped(time: int, allocation: Allocation, reason: str) -> Event:
    """Nothing is held from now on."""
    data: dict[str, object] = {"tenant": allocation.member.name, "allocation": allocation.name, "reason": reason}
    return Event(time, Kind.STOPPED, allocation.place.source, allocation.name, data, allocation, 0)


def seen(time: int, allocation: Allocation, lease_seconds: int | None = None) -> Event:
    """Still held."""
    data: dict[str, object] = {"tenant": allocation.member.name, "allocation": allocation.name}
    if lease_seconds is not None:
        data["lease_seconds"] = lease_seconds
    return Event(time, Kind.SEEN, allocation.place.source, allocation.name, data)


class Fleet:
    """All tenants of one cloud and what it lends; consumed by one pass of `lines`."""

    def __init__(self, seed: str, start: int, end: int, reports: bool) -> None:
        self.seed = seed
        self.start = start
        self.end = end
        self.reports = reports  # whether regions report their inventory
        self.members: dict[str, Member] = {}
        self.expected: list[Expected] = []
        self.programmes: list[Programme] = []
        self.last_time = start
        self._processes: list[Iterator[Event]] = []
        self._most: dict[str, dict[str, int]] = {}  # region -> hardware as named -> units that can be held at most
        self._held: dict[str, dict[tuple[str, str], Allocation]] = {}
        self._sent: dict[str, int] = {}
        self._ids = Random(f"{seed}/ids")

    # -- building ------------------------------------------------------------------------------------------------

    def member(self, kind: str, place: Place, name: str | None = None, of_concern: bool = False) -> Member:
        """A new tenant with its own randomness."""
        name = name or f"t-{len(self.members) + 1:04d}"
        made = self.members[name] = Member(name, kind, of_concern, place, Random(f"{self.seed}/{name}"))
        return made

    def provide(self, place: Place, hardware: Hardware, units: int) -> None:
        """A process may hold up to so many units there: the region has that capacity."""
        region = self._most.setdefault(place.region, {})
        region[hardware.named] = region.get(hardware.named, 0) + units

    def add(self, process: Iterator[Event]) -> None:
        """Something that goes on in the fleet: events in the order of their times."""
        self._processes.append(process)

    def capacity(self, region: str) -> dict[str, int]:
        """What a region has, in whole units by hardware as named; it never changes."""
        return {
            named: -(-most * (100 + SPARE_PERCENT) // (100 * WHOLE))
            for named, most in sorted(self._most.get(region, {}).items())
        }

    # -- playing -------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[bytes]:
        """Every event up to the end, in the order of their times."""
        for event in merge(*self._processes, self._hours(), key=itemgetter(0)):
            if event.time > self.end:
                break
            self.last_time = event.time
            if event.kind is Kind.ALIVE:
                yield from self._control_plane(event.time)
                continue
            if event.allocation is not None:
                self._apply(event, event.allocation)
            yield self._line(event, random_id(self._ids))

    def _line(self, event: Event, id: str) -> bytes:
        self._sent[event.source] = self._sent.get(event.source, 0) + 1
        return line(event.kind, id, event.source, event.time, event.subject, event.data)

    def _apply(self, event: Event, allocation: Allocation) -> None:
        """Move what is held; `lines` has told nobody yet."""
        key = (allocation.member.name, allocation.name)
        if event.kind is Kind.STARTED:
            self._held.setdefault(allocation.place.region, {})[key] = allocation
            allocation.since = event.time
            if allocation.run is not None:
                allocation.run.allocations.append(allocation.name)
        area = allocation.units * (event.time - allocation.since)
        allocation.area += area
        if allocation.run is not None:
            _apply_run(allocation.run, event.time, area, event.units - allocation.units)
        allocation.units = event.units
        allocation.since = event.time
        if event.kind is Kind.STOPPED:
            del self._held[allocation.place.region][key]
            _settle(allocation.member.area, allocation, event.time)

    # -- what the control plane says of itself -------------------------------------------------------------------

    def _hours(self) -> Iterator[Event]:
        """When the control plane speaks. What it says is made when that instant has come: a merge reads ahead."""
        for time in count(self.start + REPORT_EVERY_MS, REPORT_EVERY_MS):
            yield Event(time, Kind.ALIVE, "", "", {})

    def _control_plane(self, time: int) -> Iterator[bytes]:
        """The reports of all regions and the signs of life of all sources at an instant."""
        if self.reports:
            for region in sorted(self._most):
                for report in self._report(region, time):
                    yield self._line(report, f"inventory/{region}/{instant(time)}/{report.data['part']}")
        for source in sorted(self._sent):
            data: dict[str, object] = {"source": source, "sent": {TOPIC: self._sent[source]}}
            yield self._line(Event(time, Kind.ALIVE, source, source, data), f"alive{source}/{instant(time)}")

    def _report(self, region: str, time: int) -> Iterator[Event]:
        """All that a region holds at an instant, in parts."""
        held = list(self._held.get(region, {}).values())
        source = Place(region, "", "").source
        capacity = self.capacity(region)
        for part in range(1, PARTS + 1):
            data: dict[str, object] = {
                "region": region,
                "allocations": [_entry(allocation) for allocation in held[part - 1 :: PARTS]],
                "complete": True,
                "capacity": capacity,
                "part": part,
                "parts": PARTS,
            }
            yield Event(time, Kind.INVENTORY, source, region, data)

    # -- the truth -----------------------------------------------------------------------------------------------

    def truth(self) -> dict[str, dict[str, object]]:
        """What each tenant held and trained up to the last event; what is still open counts up to there."""
        open_now: dict[str, list[Allocation]] = {}
        for region in sorted(self._held):
            for (tenant, _), allocation in self._held[region].items():
                open_now.setdefault(tenant, []).append(allocation)
        return {name: self._truth_of(member, open_now.get(name, [])) for name, member in sorted(self.members.items())}

    def _truth_of(self, member: Member, still_open: list[Allocation]) -> dict[str, object]:
        used = dict(member.area)
        pending: dict[int, int] = {}  # run -> area of its open allocations
        for allocation in still_open:
            _settle(used, allocation, self.last_time)
            area = allocation.units * (self.last_time - allocation.since)
            pending[id(allocation.run)] = pending.get(id(allocation.run), 0) + area
        open_names = sorted(allocation.name for allocation in still_open)
        return {
            "kind": member.kind,
            "of_concern": member.of_concern,
            "accelerator_us": {name: used[name] for name in sorted(used)},
            "open": open_names,
            "runs": [_truth_of_run(run, pending.get(id(run), 0), self.last_time) for run in member.runs if run.peak],
        }


def _entry(allocation: Allocation) -> dict[str, object]:
    """What an inventory report says of one allocation; a paused one is held with a count of 0."""
    return {
        "tenant": allocation.member.name,
        "allocation": allocation.name,
        "count": number(allocation.units),
        "hardware": allocation.hardware.named,
    }


def _settle(used: dict[str, int], allocation: Allocation, now: int) -> None:
    """Add what an allocation has held up to an instant to what was used."""
    area = allocation.area + allocation.units * (now - allocation.since)
    hardware = allocation.hardware
    used[hardware.accelerator] = used.get(hardware.accelerator, 0) + area * hardware.per_unit // WHOLE


def _apply_run(run: Run, time: int, area: int, difference: int) -> None:
    if run.start < 0:
        run.start = time
    before, held = run.grown[-1] if run.grown else (time, 0)
    run.grown.append((time, held + run.units * (time - before)))
    run.end = time
    run.area += area
    run.units += difference
    run.peak = max(run.peak, run.units)


def _truth_of_run(run: Run, pending: int, now: int) -> dict[str, object]:
    """One run as truth states it. `flop` is what was trained: held time x dense 16-bit rate x realised utilisation.

    `grown` says how much of it was by when, at each change of what is held; in between it grows evenly.
    """
    accelerator_us = (run.area + pending) * run.hardware.per_unit // WHOLE
    grown = dict([*run.grown, (now, run.area + pending)] if run.units else run.grown).items()
    return {
        "name": run.name,
        "accelerator": run.hardware.accelerator,
        "accelerators": number(run.peak * run.hardware.per_unit // WHOLE),
        "accelerator_us": accelerator_us,
        "flop": _trained(run, run.area + pending),
        "grown": [[instant(time), _trained(run, area)] for time, area in grown if time <= now],
        "start": instant(run.start),
        "end": instant(now if run.units else run.end),
        "allocations": run.allocations,
    }


def _trained(run: Run, area: int) -> int:
    """The FLOP of so much held time: thousandths of a unit times milliseconds."""
    accelerator_us = area * run.hardware.per_unit // WHOLE
    return accelerator_us * run.hardware.rate * run.utilisation_ppm // (MICROSECONDS * PPM)
