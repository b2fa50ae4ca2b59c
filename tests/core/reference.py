"""The books once more, plain and slow: usage straight from the rulings, without folds, hour rows, caches or archives.

Written from the event contract (rulings 1 to 7) and `monitor/DECISIONS.md` (1 to 8, 69), not from the code it checks.
It first finds the periods in which an allocation was held, with all their evidence, and then looks at each stretch
between two instants by itself. Every function takes the whole set of facts and starts from nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeVar

from monitor.core.model import Alive, Claim, Kind, Observation, Report, Retraction, Sample, Traits

HOUR_MS = 3_600_000
OF_ALLOCATION = {Kind.STARTED, Kind.RESIZED, Kind.STOPPED, Kind.SEEN, Kind.TELEMETRY, Kind.DESCRIBED}
HELD_BEFORE = ("absent", "present", "seen", "telemetry", "stop", "describe", "start", "resize")
FREE_BEFORE = ("absent", "describe", "present", "start", "resize", "seen", "telemetry", "stop")
WORDS = {
    Kind.STARTED: "start",
    Kind.RESIZED: "resize",
    Kind.STOPPED: "stop",
    Kind.SEEN: "seen",
    Kind.TELEMETRY: "telemetry",
    Kind.DESCRIBED: "describe",
}

Allocation = tuple[str, str]  # (tenant, allocation)
Shape = tuple[str, str, str, str]  # region, fabric, hardware, unit; "" where nobody says
UsageKey = tuple[str, str, str, str, str]  # tenant and shape


class Entry(NamedTuple):
    """What one fact, or one inventory report in effect, says of one allocation at one instant."""

    time: int
    word: str
    source: str
    id: str
    claim: Claim
    sample: Sample | None = None


class InEffect(NamedTuple):
    """An inventory report all of whose parts are there."""

    region: str
    source: str
    time: int
    id: str
    complete: bool
    held: Mapping[Allocation, Claim]


@dataclass
class Period:
    """[start, end) in which an allocation was held; `end` is None while it is. Times in milliseconds."""

    start: int
    end: int | None = None
    lost: bool = False  # it ended by an absence, at an unknown time
    evidence: list[tuple[int, int | None, str]] = field(default_factory=list)  # (time, lease from then on, source)
    steps: list[tuple[int, Shape, int]] = field(default_factory=list)  # (time, shape, count) from then on


class Stretch(NamedTuple):
    """`count` thousandths of a unit over [start, end), in one evidence class."""

    shape: Shape
    start: int
    end: int
    count: int
    evidence: str


class Window(NamedTuple):
    """[start, end) that the provider measured."""

    shape: Shape
    start: int
    end: int
    count: int
    active_ppm: int
    clock_khz: int | None


Span = TypeVar("Span", Stretch, Window)


# -- which facts count -------------------------------------------------------------------------------------------------


def fact_hash(raw: bytes) -> bytes:
    """SHA-256 of the canonical form: sorted keys, no blanks, no `recordedtime` (decision 6)."""
    event = json.loads(raw)
    event.pop("recordedtime", None)
    return hashlib.sha256(
        json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).digest()


def scope(fact: Observation) -> tuple[str, ...]:
    """Where an identity is looked for (decision 5)."""
    if fact.kind in OF_ALLOCATION:
        return "allocation", fact.tenant, fact.subject
    return ("region", fact.subject) if fact.kind is Kind.INVENTORY else ("tenant", fact.tenant)


def counting(facts: Iterable[Observation]) -> list[Observation]:
    """Of each identity the content with the greatest hash, and nothing that was retracted (rulings 1 and 7)."""
    winners: dict[tuple[object, ...], Observation] = {}
    for fact in facts:
        identity = (scope(fact), fact.source, fact.id)
        if identity not in winners or fact_hash(fact.raw) > fact_hash(winners[identity].raw):
            winners[identity] = fact
    retracted = {
        (fact.tenant, fact.body.source, fact.body.id) for fact in winners.values() if isinstance(fact.body, Retraction)
    }
    return [fact for fact in winners.values() if (fact.tenant, fact.source, fact.id) not in retracted]


def reports(facts: Iterable[Observation]) -> list[InEffect]:
    """Reports in effect; of two contents of one part the one with the greater hash (ruling 5)."""
    groups: dict[tuple[str, str, int, int], dict[int, Observation]] = defaultdict(dict)
    for fact in facts:
        if isinstance(fact.body, Report):
            parts = groups[fact.subject, fact.source, fact.time, fact.body.parts]
            rival = parts.get(fact.body.part)
            if rival is None or fact_hash(fact.raw) > fact_hash(rival.raw):
                parts[fact.body.part] = fact
    found = []
    for (region, source, time, count), parts in sorted(groups.items()):
        if set(parts) == set(range(1, count + 1)):
            bodies = [fact.body for _, fact in sorted(parts.items()) if isinstance(fact.body, Report)]
            held = {key: claim for body in bodies for key, claim in body.held.items()}
            least = min(fact.id for fact in parts.values())
            found.append(InEffect(region, source, time, least, all(body.complete for body in bodies), held))
    return found


def entries(facts: Iterable[Observation], in_effect: Sequence[InEffect], key: Allocation) -> list[Entry]:
    """Everything that is said of one allocation. Where two reports of one instant disagree, it is present."""
    said = []
    for fact in facts:
        if fact.kind in OF_ALLOCATION and (fact.tenant, fact.subject) == key:
            claim = fact.body if isinstance(fact.body, Claim) else Claim()
            sample = fact.body if isinstance(fact.body, Sample) else None
            word = "resize" if fact.kind is Kind.SEEN and claim.count is not None else WORDS[fact.kind]
            said.append(Entry(fact.time, word, fact.source, fact.id, claim, sample))
    present_at = {(report.region, report.time) for report in in_effect if key in report.held}
    for report in in_effect:
        if key in report.held:
            claim = report.held[key]._replace(region=report.region)
            said.append(Entry(report.time, "present", report.source, report.id, claim))
        elif report.complete and (report.region, report.time) not in present_at:
            said.append(Entry(report.time, "absent", report.source, report.id, Claim(region=report.region)))
    return said


def known(facts: Iterable[Observation]) -> set[Allocation]:
    """The allocations that any accepted fact is about, whatever became of that fact (decision 8)."""
    found: set[Allocation] = set()
    for fact in facts:
        if fact.kind in OF_ALLOCATION:
            found.add((fact.tenant, fact.subject))
        elif isinstance(fact.body, Report):
            found.update(fact.body.held)
    return found


# -- when an allocation was held ---------------------------------------------------------------------------------------


def first_named(said: Iterable[Entry]) -> Claim:
    """What holds from the start: the first statement of each thing, facts before reports (decision 3)."""
    order = sorted(
        (entry for entry in said if entry.word != "absent"),
        key=lambda entry: (
            entry.time,
            entry.word == "present",
            FREE_BEFORE.index(entry.word),
            entry.source,
            entry.id,
            entry.claim.region or "",
        ),
    )
    stated = {}
    for name in ("hardware", "unit", "count", "region", "fabric", "within"):
        stated[name] = next((value for entry in order if (value := getattr(entry.claim, name)) is not None), None)
    layer = next((entry.claim.traits.layer for entry in order if entry.claim.traits.layer is not None), None)
    return Claim(**stated, traits=Traits(layer=layer))


def shape_of(claim: Claim) -> Shape:
    return claim.region or "", claim.fabric or "", claim.hardware or "", claim.unit or ""


class Life(NamedTuple):
    """When an allocation was held (ruling 2), what its provider measured (decision 7), and what it is in the end."""

    periods: list[Period]
    windows: list[Window]
    last_stated: Claim


def life(said: Sequence[Entry]) -> Life:
    """Everything that its facts and reports say of one allocation."""
    now_stated = first_named(said)
    found: list[Period] = []
    windows: list[Window] = []
    lease: int | None = None
    for time in sorted({entry.time for entry in said}):
        order = HELD_BEFORE if is_held(found) else FREE_BEFORE
        instant = [entry for entry in said if entry.time == time]
        for entry in sorted(
            instant, key=lambda one: (order.index(one.word), one.source, one.id, one.claim.region or "")
        ):
            held, claim = is_held(found), entry.claim
            if entry.word == "absent":
                if held and claim.region == now_stated.region:
                    found[-1].end, found[-1].lost = time, True
                continue
            if entry.word == "telemetry" and not (entry.sample and entry.sample.provider):
                continue
            if entry.word == "describe":  # no evidence; what it says holds for what opens next (decision 63)
                if not held:
                    now_stated = restated(now_stated, claim, counts_only=False)
                continue
            opens = entry.word in ("start", "present") and not held
            if opens:
                found.append(Period(time))
            if opens or (held and entry.word not in ("stop", "telemetry")):
                now_stated = restated(now_stated, claim, counts_only=entry.word == "present")
                step(found[-1], time, now_stated)
            before = lease
            if entry.word not in ("present", "stop", "telemetry") and claim.lease_ms is not None:
                lease = claim.lease_ms
            if opens or held:
                found[-1].evidence.append((time, lease, entry.source))
            if held and entry.word == "stop":
                found[-1].end = time
            if held and entry.sample is not None:
                windows.extend(measured(found[-1], entry.sample, time, before, windows))
    return Life(found, windows, now_stated)


def is_held(found: Sequence[Period]) -> bool:
    return bool(found) and found[-1].end is None


def restated(stated: Claim, claim: Claim, counts_only: bool) -> Claim:
    """What holds from now on. The region and the outer layer stay what they were first said to be."""
    names = ("count",) if counts_only else ("count", "hardware", "unit", "fabric")
    changed = {name: getattr(claim, name) for name in names if getattr(claim, name) is not None}
    if not counts_only and claim.traits.layer is not None:
        changed["traits"] = Traits(layer=claim.traits.layer)
    return stated._replace(**changed)


def step(period: Period, time: int, stated: Claim) -> None:
    """Another count or shape from now on, unless it is the same."""
    after = (shape_of(stated), 1_000 if stated.count is None else stated.count)
    if not period.steps or period.steps[-1][1:] != after:
        period.steps.append((time, *after))


def measured(
    period: Period, sample: Sample, time: int, lease: int | None, windows: Sequence[Window]
) -> Iterator[Window]:
    """A window counts back to the start of the piece held, and to the end of the window before it."""
    _, shape, count = period.steps[-1]
    times = [at for at, _, _ in period.evidence]
    returns = [
        later
        for (earlier, limit, _), later in zip(period.evidence, times[1:], strict=False)
        if limit is not None and later > earlier + limit
    ]
    ends = [window.end for window in windows]
    start = max([time - sample.window_ms, period.start, period.steps[-1][0], *returns, *ends])
    covered = count if sample.covered is None else min(sample.covered, count)
    known_cover = "accelerators_covered" not in sample.unknown
    if known_cover and sample.tensor_active_ppm is not None and start < time and covered:
        yield Window(shape, start, time, covered, sample.tensor_active_ppm, sample.sm_clock_khz)


# -- how sure that is --------------------------------------------------------------------------------------------------


def stretches(period: Period, heard: Mapping[str, int], as_of: int) -> Iterator[Stretch]:
    """A period cut at every instant at which anything changes, each stretch with its evidence class (rulings 3, 5)."""
    end = as_of if period.end is None else period.end
    cuts = {end, *(time for time, _, _ in period.evidence), *(time for time, _, _ in period.steps)}
    cuts |= {time + lease for time, lease, _ in period.evidence if lease is not None}
    cuts |= {min(time, as_of) for time in heard.values()}
    inside = sorted(cut for cut in cuts if period.start <= cut <= end)
    for start, stop in pairwise(inside):
        _, shape, count = next(one for one in reversed(period.steps) if one[0] <= start)
        yield Stretch(shape, start, stop, count, evidence_class(period, heard, start))


def evidence_class(period: Period, heard: Mapping[str, int], at: int) -> str:
    """The class of the moment `at` of a period."""
    time, lease, source = next(one for one in reversed(period.evidence) if one[0] <= at)
    within_lease = lease is not None and at < time + lease
    if any(later > at for later, _, _ in period.evidence):
        return "certain" if lease is None or within_lease else "open"
    if period.lost:
        return "open"
    return "presumed" if within_lease or (lease is None and at < heard.get(source, -1)) else "open"


# -- the books ---------------------------------------------------------------------------------------------------------


class Books(NamedTuple):
    """Everything held and measured, by tenant."""

    held: dict[str, list[Stretch]]
    measured: dict[str, list[Window]]


def books(observations: Sequence[Observation], as_of: int) -> Books:
    """All stretches and windows of the outermost layers up to `as_of`, which is no earlier than any fact."""
    heard: dict[str, int] = {}
    for fact in observations:
        about = fact.body.source if isinstance(fact.body, Alive) else fact.source
        for name in {fact.source, about}:
            heard[name] = max(heard.get(name, -1), fact.time)
    found = Books(defaultdict(list), defaultdict(list))
    everything = lives(observations)
    for key, one in everything.items():
        start = counts_from(key, everything)
        if start is not None:
            held = [stretch for period in one.periods for stretch in stretches(period, heard, as_of)]
            found.held[key[0]] += from_then(start, held)
            found.measured[key[0]] += from_then(start, one.windows)
    return found


def lives(observations: Sequence[Observation]) -> dict[Allocation, Life]:
    """Of every allocation that is known."""
    facts = counting(observations)
    in_effect = reports(facts)
    return {key: life(entries(facts, in_effect, key)) for key in sorted(known(observations))}


def counts_from(key: Allocation, everything: Mapping[Allocation, Life]) -> int | None:
    """From when on an allocation counts itself: all around it are reservations that were given up (decision 69)."""
    passed = [key]
    while (outer := everything[passed[-1]].last_stated.within) is not None:
        here = key[0], outer
        if here == passed[-1] or here not in everything:  # its own outermost layer (decision 8), or nobody knows
            break
        if here in passed:  # a circle
            return None
        passed.append(here)
    ends = [given_up(everything[one]) for one in passed[1:]]
    return None if None in ends else max([-1, *(end for end in ends if end is not None)])


def given_up(one: Life) -> int | None:
    """When a reservation ended; None: it is held, never was, or is no reservation."""
    reservation = one.last_stated.traits.layer == "reservation"
    return one.periods[-1].end if reservation and one.periods else None


def from_then(start: int, spans: Iterable[Span]) -> list[Span]:
    """What is left of some spans from an instant on."""
    return [one._replace(start=max(one.start, start)) for one in spans if one.end > start]


def usage(observations: Sequence[Observation], as_of: int) -> dict[UsageKey, dict[str, int]]:
    """Usage in accelerator-microseconds by tenant, region, fabric, hardware, unit and evidence class, without zeros."""
    sums: dict[UsageKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for tenant, held in books(observations, as_of).held.items():
        for one in held:
            if one.count:
                sums[(tenant, *one.shape)][one.evidence] += one.count * (one.end - one.start)
    return {key: dict(by_class) for key, by_class in sums.items()}


def hours(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The hours that [start, end) touches, each with the milliseconds of it."""
    for hour in range(start // HOUR_MS, end // HOUR_MS + 1):
        inside = min(end, (hour + 1) * HOUR_MS) - max(start, hour * HOUR_MS)
        if inside > 0:
            yield hour, inside


def hourly_usage(observations: Sequence[Observation], as_of: int) -> dict[tuple[UsageKey, str, int], int]:
    """Usage by key, evidence class and hour, without zeros."""
    sums: dict[tuple[UsageKey, str, int], int] = defaultdict(int)
    for tenant, held in books(observations, as_of).held.items():
        for one in held:
            for hour, inside in hours(one.start, one.end):
                sums[(tenant, *one.shape), one.evidence, hour] += one.count * inside
    return {key: amount for key, amount in sums.items() if amount}


def measured_usage(observations: Sequence[Observation], as_of: int) -> dict[tuple[UsageKey, int], tuple[int, int, int]]:
    """By key and hour: measured usage, usage x activity x clock, and usage x activity where no clock is known."""
    sums: dict[tuple[UsageKey, int], tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for tenant, windows in books(observations, as_of).measured.items():
        for one in windows:
            for hour, inside in hours(one.start, one.end):
                amount = one.count * inside
                active = amount * one.active_ppm
                work, plain = (0, active) if one.clock_khz is None else (active * one.clock_khz, 0)
                key = ((tenant, *one.shape), hour)
                before = sums[key]
                sums[key] = (before[0] + amount, before[1] + work, before[2] + plain)
    return {key: row for key, row in sums.items() if any(row)}
