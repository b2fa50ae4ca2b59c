"""How soon people would have been told of training whose truth is known, and of whom in vain.

A simulated fleet is played in the order of arrival under a set of policies. What counts is when the first flag of each
level came, against the FLOP truly trained by then. Flags on any use at all (rules on lists and owners) say who somebody
is, not how much was computed: they are kept apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from monitor.core.engine import Reference, findings_of_groups, hearing, tenant_findings
from monitor.core.estimate import totals
from monitor.core.flags import Flag
from monitor.core.model import DAY_MS, Observation
from monitor.core.policy import LEVELS, Bound, Condition, Level, Policy
from monitor.intake.canonical import instant_ms
from monitor.run.backtest import has_line, live
from monitor.run.replay import Working
from monitor.run.walk import Pace, Step, Walk

YEAR_MS = 365 * DAY_MS
VIEW = "present"


class Programme(NamedTuple):
    """What one party truly trained, over one tenant or several."""

    name: str
    kind: str
    tenants: frozenset[str]
    threshold: int | None  # FLOP: the rung that it crosses, as stated beforehand; None: none was
    evidence: str | None  # what there is to be seen of it, "": nothing; None: nobody said
    grown: tuple[tuple[tuple[int, int], ...], ...]  # of each part: (instant, FLOP by then), rising

    @property
    def flop(self) -> int:
        """All that it trained."""
        return sum(part[-1][1] for part in self.grown)

    def by(self, time: int) -> int:
        """What it had trained by an instant: each part grows evenly between two changes."""
        return sum(_by(part, time) for part in self.grown)

    def crossing(self) -> int | None:
        """When it came to its threshold, to the millisecond; None: it never did."""
        if self.threshold is None or self.flop < self.threshold:
            return None
        least, most = min(part[0][0] for part in self.grown), max(part[-1][0] for part in self.grown)
        while least < most:
            middle = (least + most) // 2
            least, most = (least, middle) if self.by(middle) >= self.threshold else (middle + 1, most)
        return least


def _by(part: Sequence[tuple[int, int]], time: int) -> int:
    place = bisect_right(part, time, key=lambda one: one[0])
    if place == 0:
        return 0
    start, before = part[place - 1]
    if place == len(part):
        return before
    end, after = part[place]
    return before + (after - before) * (time - start) // (end - start)


class Told(NamedTuple):
    """The first flag of a level, or of one above it."""

    at: int
    rule: str


class Detected(NamedTuple):
    """What people were told of one programme, and when."""

    programme: Programme
    levels: Mapping[Level, Told]  # by measured or projected compute
    by_scope: Mapping[Level, Told]  # by who somebody is, whatever it computed
    why_missed: str  # "": somebody was told

    def share(self, level: Level) -> float | None:
        """How much of its threshold (without one: of all it trained) it had trained when a level was first given."""
        told = self.levels.get(level)
        return None if told is None else self.programme.by(told.at) / (self.programme.threshold or self.programme.flop)

    def days_before(self, level: Level) -> float | None:
        """How many days before it crossed its threshold a level was first given."""
        told, crossing = self.levels.get(level), self.programme.crossing()
        return None if told is None or crossing is None else (crossing - told.at) / DAY_MS


class InVain(NamedTuple):
    """A flag that concerns nobody who has anything to hide."""

    flag: str
    rule: str
    who: str
    kind: str  # of its tenants
    level: Level  # its greatest


class Detection(NamedTuple):
    """What a fleet shows of a set of policies."""

    detected: Sequence[Detected]
    in_vain: Sequence[InVain]
    innocent_ms: int  # tenants times how long they were watched

    def per_thousand_years(self, level: Level) -> float:
        """Flags in vain that came to a level, for each thousand years of innocent tenants."""
        flags = sum(LEVELS.index(one.level) >= LEVELS.index(level) for one in self.in_vain)
        return flags * 1_000 * YEAR_MS / max(1, self.innocent_ms)


def programmes_of(truth: Mapping[str, Any]) -> list[Programme]:
    """What is trained for parties of concern, as the truth of a simulation has it."""
    stated = {one["name"]: one for one in truth["programmes"]}
    tenants: dict[str, set[str]] = {}
    grown: dict[str, list[tuple[tuple[int, int], ...]]] = {}
    for tenant, said in truth["tenants"].items():
        for run in said["runs"] if said["of_concern"] else ():
            tenants.setdefault(run["name"], set()).add(tenant)
            part = tuple((instant_ms(at), flop) for at, flop in run["grown"])
            grown.setdefault(run["name"], []).append(part)
    found = []
    for name in sorted(grown):
        one = stated.get(name, {})
        kind, who = one.get("kind", name), frozenset(tenants[name])
        found.append(Programme(name, kind, who, one.get("threshold"), one.get("evidence"), tuple(grown[name])))
    return found


def detect(
    facts: Iterable[Observation],
    working: Working,
    reference: Reference,
    pace: Pace,
    truth: Callable[[], Mapping[str, Any]],
    progress: Callable[[Step], None] = lambda _: None,
) -> Detection:
    """Play a fleet; `truth` is asked once all its facts were read."""
    policies = live(reference.policies)
    walk = Walk(working, reference, {VIEW: policies}, pace)
    levels: dict[str, dict[Level, int]] = {}
    flags: dict[str, Flag] = {}
    first, last = -1, -1
    for step in walk.play(facts):
        first, last = (step.now if first < 0 else first), step.now
        for change in step.changes[VIEW]:
            if change.entry.act:
                flags[change.flag.id] = change.flag
                days = levels.setdefault(change.flag.id, {})
                for level in LEVELS[: LEVELS.index(change.flag.level) + 1]:
                    days.setdefault(level, change.entry.at)
        progress(step)
    said = truth()
    programmes = programmes_of(said)
    scopes = {rule.id for policy in policies for rule in policy.rules if rule.any_use}
    detected = [_detected(one, flags, levels, scopes, walk, reference, working, last) for one in programmes]
    guilty = {name for name, one in said["tenants"].items() if one["of_concern"]}
    in_vain = [
        InVain(
            name, flag.rule, flag.tenant, said["tenants"][flag.tenants[0]]["kind"], max(levels[name], key=LEVELS.index)
        )
        for name, flag in flags.items()
        if not guilty.intersection(flag.tenants)
    ]
    return Detection(detected, in_vain, (len(said["tenants"]) - len(guilty)) * max(0, last - first))


def _detected(
    programme: Programme,
    flags: Mapping[str, Flag],
    levels: Mapping[str, Mapping[Level, int]],
    scopes: set[str],
    walk: Walk,
    reference: Reference,
    working: Working,
    now: int,
) -> Detected:
    start = min(part[0][0] for part in programme.grown)
    found: dict[bool, dict[Level, Told]] = {True: {}, False: {}}
    for name, flag in flags.items():
        if programme.tenants.isdisjoint(flag.tenants):
            continue
        for level, at in levels[name].items():
            before = found[flag.rule in scopes].get(level)
            told = Told(max(at, start), flag.rule)
            found[flag.rule in scopes][level] = told if before is None else min(before, told)
    why = "" if found[False] else _why(programme, walk, reference, working, now)
    return Detected(programme, found[False], found[True], why)


def _why(programme: Programme, walk: Walk, reference: Reference, working: Working, now: int) -> str:
    """Which rule came nearest at the end, or that none looks at these tenants."""
    lowered = replace(reference, policies=tuple(map(_without_line, live(reference.policies))))
    thresholds = {rule.id: rule.threshold for policy in reference.policies for rule in policy.rules}
    parties, heard = reference.parties(walk.book, now), hearing(walk.book, now)
    findings = [
        finding
        for name in sorted(programme.tenants)
        for finding in tenant_findings(
            walk.book, lowered, name, totals(walk.book.tenants[name], now, heard), parties, working.past
        )
    ]
    findings += [
        one
        for one in findings_of_groups(walk.book, lowered, working.past, now)
        if not programme.tenants.isdisjoint(one.members)
    ]
    if not findings:
        return "No rule looks at any of its tenants."
    nearest = max(findings, key=lambda one: (one.amount.high / thresholds[one.rule], one.rule))
    share = nearest.amount.high * 100 // thresholds[nearest.rule]
    return f"The nearest rule is {nearest.rule}: its high bound came to {share} per cent of the threshold."


def _without_line(policy: Policy) -> Policy:
    """A policy under which any amount of what its rules on model FLOP look at is a finding."""
    levels = {Level.WATCH: Condition(Bound.HIGH)}
    rules = (replace(rule, threshold=1, levels=levels) for rule in policy.rules if has_line(rule))
    return replace(policy, rules=tuple(rules))
