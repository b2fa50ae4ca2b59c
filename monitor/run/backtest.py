"""What people would have been told under other policies: the past played once, seen under two sets of policies.

Nothing is written and nobody is told. Also here: what shadow rules would have said, and who is just under a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from monitor.core.book import Book
from monitor.core.engine import Past, Reference, findings_of_groups, hearing, tenant_findings
from monitor.core.estimate import totals
from monitor.core.findings import Finding
from monitor.core.flags import Change, Flag, State
from monitor.core.model import Observation
from monitor.core.policy import LEVELS, Bound, Condition, Consent, Level, Policy, Rule, Scope
from monitor.intake.decode import Rules, decode
from monitor.run.replay import BATCH_RECORDS, Tally, Working
from monitor.run.walk import Pace, Step, Walk, arrivals
from monitor.source import Source

PRESENT, OTHER = "present", "other"
GROUPS_EVERY = 14  # days; who is linked with whom changes slowly, and to find out takes long
PATIENCE = 16  # see `Pace.patience`: who holds the same as ever is looked at once a week in the end
BACKTEST_PACE = Pace(groups_every=GROUPS_EVERY, patience=PATIENCE)


class Kind(StrEnum):
    """How what people were told differs."""

    NEW = "newly flagged"
    GONE = "no longer flagged"
    CHANGED = "changed level"


class Told(NamedTuple):
    """What people were told by one flag."""

    flag: Flag  # as it stood in the end
    days: Mapping[Level, int]  # when each level was first given, or one above it
    finding: Finding  # when its greatest level was first given
    late: bool  # whether late facts had moved what it rests on

    @property
    def level(self) -> Level:
        """The greatest level that it had."""
        return max(self.days, key=LEVELS.index)

    @property
    def first(self) -> int:
        """When people were first told."""
        return min(self.days.values())


class Difference(NamedTuple):
    """One flag under both sets of policies; None: none was raised."""

    before: Told | None
    after: Told | None

    @property
    def kind(self) -> Kind:
        """How they differ."""
        if self.before is None:
            return Kind.NEW
        return Kind.GONE if self.after is None else Kind.CHANGED

    @property
    def told(self) -> Told:
        """What there is to say of it: under the other policies, if they flag it."""
        told = self.after or self.before
        assert told is not None, "A difference is of a flag."
        return told


class Under(NamedTuple):
    """A tenant, or a group, that was not flagged by a rule in whose scope it is."""

    finding: Finding  # as it would be if any amount counted
    threshold: int
    per_mille: int  # of the threshold that the high bound reaches


class Outcome(NamedTuple):
    """What a backtest says."""

    first: int  # the instant of the first look
    last: int  # and of the last
    facts: int  # however often each of them came
    late: int  # facts that came after a look at their time
    flags: Mapping[str, int]  # raised, by the name of the view
    differences: Sequence[Difference]  # the earliest first
    under: Sequence[Under]  # by rule, the nearest first


class Question(NamedTuple):
    """What is asked of the past."""

    present: Sequence[Policy]
    other: Sequence[Policy]
    looked_at: Sequence[Policy]  # those of `other` in which the line is looked at
    below: int = 0  # tenants a rule just under its threshold
    pace: Pace = BACKTEST_PACE


def play(
    facts: Iterable[Observation],
    working: Working,
    reference: Reference,
    question: Question,
    progress: Callable[[Step], None],
) -> Outcome | None:
    """Play facts, as they came, under both sets of policies; None: there is none in the days that are asked for."""
    policies = {PRESENT: live(question.present), OTHER: live(question.other)}
    walk = Walk(working, reference, policies, question.pace)
    told: dict[str, dict[str, Told]] = {PRESENT: {}, OTHER: {}}
    first, last = -1, -1
    for step in walk.play(facts):
        first, last = (step.now if first < 0 else first), step.now
        for view, changes in step.changes.items():
            for change in changes:
                _note(told[view], change, walk)
        progress(step)
    if first < 0:
        return None
    differences = sorted(_differences(told[PRESENT], told[OTHER]), key=_order)
    under = _under(walk.book, reference, working.past, last, question, told[OTHER]) if question.below else []
    numbers = {view: len(flags) for view, flags in told.items()}
    return Outcome(first, last, walk.book.counts.accepted, walk.came_late, numbers, differences, under)


def facts_of(source: Source, rules: Rules, tally: Tally, progress: Callable[[], None]) -> Iterator[Observation]:
    """The facts of a source that has an end, in the order of their arrival; `tally` counts what is none.

    Raises:
        SourceProblem: it is damaged or cannot be read on.
    """
    records = []
    while some := source.poll(BATCH_RECORDS):
        records += some
        progress()
    instants = (at for at, _ in arrivals((one.received, one.value) for one in records))
    records = [one for _, one in sorted(zip(instants, records, strict=True), key=itemgetter(0))]
    for start in range(0, len(records), BATCH_RECORDS):
        decoded = decode(records[start : start + BATCH_RECORDS], rules)
        tally.add(decoded)
        yield from decoded.observations


def live(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Policies with the rules alone of whose findings people are told."""
    return tuple(replace(one, rules=one.telling) for one in policies)


def shadows(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Policies with their shadow rules alone, as if people were told of what they find; all of what waits for two."""
    found = (
        replace(one, consent=Consent.FILE, rules=tuple(_as_live(rule) for rule in one.rules if rule not in one.telling))
        for one in policies
    )
    return tuple(one for one in found if one.rules)


def in_its_own_period(policy: Policy) -> Policy:
    """A policy as it would have been had it counted, nothing superseded it and no rule of it been in the shadow."""
    return replace(policy, superseded_at=None, consent=Consent.FILE, rules=tuple(map(_as_live, policy.rules)))


def _as_live(rule: Rule) -> Rule:
    return replace(rule, shadow=False)


def _note(told: dict[str, Told], change: Change, walk: Walk) -> None:
    """Take a change into what people were told; what nobody was told of changes only how the flag stands."""
    flag, before = change.flag, told.get(change.flag.id)
    if not change.entry.act:
        if before is not None:
            told[flag.id] = before._replace(flag=flag)
        return
    late = walk.late_facts(flag.tenants) > 0
    days, at = dict(before.days) if before else {}, change.entry.at
    grown = not days or LEVELS.index(flag.level) > max(map(LEVELS.index, days))
    for level in LEVELS[: LEVELS.index(flag.level) + 1]:
        days.setdefault(level, at)
    finding = flag.finding if grown or before is None else before.finding
    told[flag.id] = Told(flag, days, finding, late or (before is not None and before.late))


def _differences(before: Mapping[str, Told], after: Mapping[str, Told]) -> Iterator[Difference]:
    for name in {**before, **after}:
        one = Difference(before.get(name), after.get(name))
        if one.before is None or one.after is None or one.before.days != one.after.days:
            yield one


def _order(one: Difference) -> tuple[int, str, str, str]:
    flag = one.told.flag
    return one.told.first, flag.rule, flag.tenant, flag.id


# -- just under the line -----------------------------------------------------------------------------------------------


def _under(
    book: Book, reference: Reference, past: Past, now: int, question: Question, told: Mapping[str, Told]
) -> list[Under]:
    """The tenants that come nearest to each rule without an open flag of it, at the end."""
    policies = [one for one in live(question.looked_at) if one.in_force(now)]
    thresholds = {rule.id: rule.threshold for one in policies for rule in one.rules if has_line(rule)}
    lowered = replace(reference, policies=tuple(map(_without_line, policies)))
    flagged = {(one.flag.rule, one.flag.tenant) for one in told.values() if one.flag.state is State.OPEN}
    parties, heard = reference.parties(book, now), hearing(book, now)
    findings = [
        finding
        for name in sorted(book.tenants)
        for finding in tenant_findings(book, lowered, name, totals(book.tenants[name], now, heard), parties, past)
    ]
    nearest: dict[tuple[str, str], Under] = {}
    for finding in [*findings, *findings_of_groups(book, lowered, past, now)]:
        key = (finding.rule, finding.tenant)
        one = Under(finding, thresholds[finding.rule], finding.amount.high * 1_000 // thresholds[finding.rule])
        if key not in flagged and (key not in nearest or nearest[key].per_mille < one.per_mille):
            nearest[key] = one
    by_rule: dict[str, list[Under]] = {rule: [] for rule in thresholds}
    for one in sorted(nearest.values(), key=lambda one: (-one.finding.amount.high, one.finding.tenant)):
        by_rule[one.finding.rule].append(one)
    return [one for of_rule in by_rule.values() for one in of_rule[: question.below]]


def has_line(rule: Rule) -> bool:
    """Whether anybody can be just under a rule: not where any amount counts, nor where thresholds are its scope."""
    return not rule.any_use and rule.scope is not Scope.STRUCTURED


def _without_line(policy: Policy) -> Policy:
    """A policy under which any amount of what its rules look at is a finding."""
    levels = {Level.WATCH: Condition(Bound.HIGH)}
    rules = (replace(rule, threshold=1, levels=levels) for rule in policy.rules if has_line(rule))
    return replace(policy, rules=tuple(rules))
