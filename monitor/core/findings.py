"""What a policy sees in the books: a finding is a function of facts, policy and time.

Which level an amount gives is the rule's to say (`core/policy.py`); by default watch when the high bound reaches the
threshold, warning when the central one does, critical when the probability of reaching it is high enough (accounting
rules, section 6). Hardware that the catalogue does not know raises no level above watch, and open time only the high
bound, so neither can alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from monitor.core.book import Tenant
from monitor.core.bounds import Bounds, in_per_cent, probably_reaches
from monitor.core.countries import Countries
from monitor.core.estimate import Estimator
from monitor.core.likelihood import Band as TrainingBand
from monitor.core.likelihood import Training
from monitor.core.lists import Band
from monitor.core.measures import Cluster, Series
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.ownership import BEGINNING, Verdict
from monitor.core.parties import (
    Parties,
    Who,
    affiliation_sentence,
    foreign_sentence,
    headquarters_sentence,
    match_sentence,
    of_concern,
)
from monitor.core.policy import (
    LEVELS,
    MODEL_FLOP,
    OF_GROUPS,
    Aggregation,
    Bound,
    Condition,
    Level,
    Measure,
    Need,
    Policy,
    Quantity,
    Rule,
    Scope,
    rules_in_force,
)
from monitor.core.profiles import contradiction_sentence
from monitor.core.runs import Run
from monitor.core.signs import has_changed
from monitor.core.structuring import signal_sentence

BLOCKED = "blocked"  # the effect of a list with whose parties nobody may deal
PAGE_WITHIN_DAYS, PAGE_PER_MILLE = 1, 500
PLAIN_MAX = 1_000_000  # smaller amounts are written out
_MEASURED, _STATED = 2, 9  # decimals: of an estimate, and of a threshold, which is shown as its policy states it


class Finding(NamedTuple):
    """A rule that holds for a tenant, one of its runs or clusters, or a group, with the numbers that it rests on."""

    policy: str
    policy_version: int
    legal_force: str
    rule: str
    tenant: str  # of a group: its name
    level: Level
    measure: str
    amount: Bounds  # over the rule's window, up to the time of evaluation, in the unit of the measure
    threshold: int
    raised_at: int  # the hour from which on the finding has held
    reasons: tuple[str, ...]
    not_established: tuple[str, ...]
    members: tuple[str, ...] = ()  # the tenants of a group
    part: str = ""  # the run, by its earliest segment now, or the place of the cluster; "": the tenant as a whole
    anchor: str = ""  # what names its flag: the part as it was when people were first told
    page: str = ""  # why somebody is called at night; "": nobody is
    falls_after_ms: int = 7 * DAY_MS  # a flag's level falls only after its finding has been lower for so long
    segments: tuple[str, ...] = ()  # all of the run, by any of which its flag is found again; not stored


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding without the segments of its run, which may be thousands: what finds its flag again is the anchor."""
    fields = finding._asdict()
    del fields["segments"]
    return fields


def finding_from(fields: Mapping[str, Any]) -> Finding:
    """A finding from that."""
    found = dict(fields)
    if "flop" in found:  # older flags are of model FLOP
        found |= {"measure": "model_flop", "amount": found.pop("flop"), "threshold": found.pop("threshold_flop")}
    found["level"] = Level(found["level"])
    found["amount"] = Bounds(*found["amount"])
    found["reasons"] = tuple(found["reasons"])
    found["not_established"] = tuple(found["not_established"])
    found["members"] = tuple(found.get("members", ()))  # older flags are of tenants
    return Finding(**found)


class Amount(NamedTuple):
    """What a rule's levels are given for."""

    everything: Bounds
    known: Bounds  # the part on hardware in the catalogue
    meets: frozenset[Need] = frozenset()
    chances: Mapping[int, int] = {}  # P(the threshold is reached) by days from now, in per mille


class Found(NamedTuple):
    """One thing that a rule looks at: a tenant, a group, a run, a chain or a cluster."""

    amount: Amount
    since: int  # the hour from which on it has been at the threshold
    part: str
    about: str  # what is counted of whom, as the beginning of a sentence
    tomorrow: Callable[[], int]  # P(the threshold is reached within a day), in per mille
    segments: tuple[str, ...] = ()


class Measured(Protocol):
    """What can be asked of a tenant or a group; each computed when it is first asked for."""

    def can_reach(self, rule: Rule) -> bool:
        """Whether a rule may find anything, now or as far as it looks ahead: told without the hours."""
        ...

    def series(self, quantity: Quantity) -> Series:
        """An amount by hour."""
        ...

    def runs(self) -> Sequence[tuple[Run, Training]]:
        """Its runs, by start; none of a group."""
        ...

    def clusters(self, rule: Rule) -> Sequence[Cluster]:
        """What it holds on each fabric; none of a group."""
        ...

    def chance(self, rule: Rule, days: int, run: Run | None) -> int:
        """P(reaching a rule's threshold within so many days), in per mille: by a run of it, or all of it."""
        ...

    def is_measured(self) -> bool:
        """Whether the provider measured most of its certain time."""
        ...

    @property
    def estimator(self) -> Estimator:
        """How its usage is read."""
        ...


class _Subject(NamedTuple):
    """What rules are applied to: a tenant, or a group."""

    name: str
    who: Who  # of a group: what holds for all of it together
    members: Mapping[str, Who]  # of a group
    measured: Measured


def level_of(rule: Rule, amount: Amount) -> Level | None:
    """The greatest level whose condition an amount meets."""
    given = (level for level in reversed(LEVELS) if level in rule.levels)
    return next((level for level in given if _gives(rule, level, rule.levels[level], amount)), None)


def _gives(rule: Rule, level: Level, condition: Condition, amount: Amount) -> bool:
    if condition.needs and not condition.needs & amount.meets:
        return False
    projected = condition.projected
    if projected is not None and amount.chances.get(projected.days, 0) >= projected.per_mille:
        return True
    bounds = amount.everything if level is Level.WATCH else amount.known
    if isinstance(condition.on, Bound):
        return bool(getattr(bounds, condition.on) >= rule.threshold)
    return bounds.central >= rule.threshold and probably_reaches(bounds, rule.threshold, condition.on)


def find(
    name: str, tenant: Tenant, measured: Measured, who: Who, policies: Iterable[Policy], countries: Countries, now: int
) -> list[Finding]:
    """All findings that hold for a tenant, its runs and its clusters at an instant, in the order of the policies.

    `who`: with the signs that were found in its hours and its profile.
    """
    return _find(_Subject(name, who, {}, measured), policies, OF_TENANTS, countries, now)


OF_TENANTS = tuple(one for one in Aggregation if one not in OF_GROUPS)


def find_of_group(
    name: str,
    aggregation: Aggregation,
    together: Who,
    members: Mapping[str, Who],
    measured: Measured,
    policies: Iterable[Policy],
    countries: Countries,
    now: int,
) -> list[Finding]:
    """All findings that hold for a group at an instant, in the order of the policies."""
    return _find(_Subject(name, together, members, measured), policies, (aggregation,), countries, now)


def may_be_in_scope(
    policy: Policy, rule: Rule, tenant: Tenant, who: Who, countries: Countries, parties: Parties
) -> bool:
    """Whether a tenant is in the scope of a rule; of signs only its hours can tell, if anything ever changed."""
    if rule.scope is Scope.STRUCTURED and has_changed(tenant, parties):
        return True
    return _scope_reason(policy, rule, who, countries, parties.now) is not None


def _find(
    subject: _Subject,
    policies: Iterable[Policy],
    aggregations: tuple[Aggregation, ...],
    countries: Countries,
    now: int,
) -> list[Finding]:
    return [
        finding
        for policy, rule in rules_in_force(policies, now, aggregations)
        for finding in _apply(policy, rule, subject, countries, now)
    ]


def _apply(policy: Policy, rule: Rule, subject: _Subject, countries: Countries, now: int) -> Iterator[Finding]:
    inside = _in_scope(policy, rule, subject, countries, now) if subject.measured.can_reach(rule) else None
    if inside is None:
        return
    in_scope_since, reason = inside
    party = _has_party_reason(policy, subject, countries, now)
    for found in _looked_at(rule, subject.measured, now):
        amount = found.amount
        if party:
            amount = amount._replace(meets=amount.meets | {Need.PARTY})
        level = level_of(rule, amount)
        if level is None:
            continue
        sentence = _sentence(rule, level, amount, found.about, len(subject.members))
        yield Finding(
            policy.id,
            policy.version,
            policy.legal_force,
            rule.id,
            subject.name,
            level,
            str(rule.quantity.measure),
            amount.everything,
            rule.threshold,
            max(found.since * HOUR_MS, policy.effective_from, in_scope_since),
            (sentence, reason),
            rule.not_established,
            tuple(sorted(subject.members)),
            found.part,
            found.part,
            _page(rule, level, amount, subject.who, found.tomorrow),
            rule.falls_after_ms,
            found.segments,
        )


# -- what a rule looks at ----------------------------------------------------------------------------------------------


def _looked_at(rule: Rule, measured: Measured, now: int) -> Iterator[Found]:
    if rule.aggregation is Aggregation.RUN:
        yield from _runs(rule, measured, now)
    elif rule.aggregation is Aggregation.CHAIN:
        yield from _chains(rule, measured, now)
    elif rule.aggregation is Aggregation.CLUSTER:
        yield from _clusters(rule, measured, now)
    else:
        yield from _whole(rule, measured, now)


def _whole(rule: Rule, measured: Measured, now: int) -> Iterator[Found]:
    series = measured.series(rule.quantity)
    everything, known = series.total(rule.window_days)
    since = series.reached_since(rule.window_days, rule.threshold, rule.loosest)
    chances = _chances(rule, measured, None, everything)
    if since is None and not chances:
        return
    amount = Amount(everything, known, _meets(rule, measured), chances)
    yield Found(amount, now // HOUR_MS if since is None else since, "", _what(rule), _tomorrow(rule, measured, None))


def _tomorrow(rule: Rule, measured: Measured, run: Run | None) -> Callable[[], int]:
    return partial(measured.chance, rule, PAGE_WITHIN_DAYS, run)


def _meets(rule: Rule, measured: Measured) -> frozenset[Need]:
    """What else holds of a tenant as a whole, as far as the rule asks for it."""
    asked = {need for condition in rule.levels.values() for need in condition.needs}
    found: set[Need] = set()
    if Need.MEASURED in asked and measured.is_measured():
        found.add(Need.MEASURED)
    if Need.GEOMETRY in asked and any(training.band is TrainingBand.LIKELY for _, training in measured.runs()):
        found.add(Need.GEOMETRY)
    return frozenset(found)


def _chances(rule: Rule, measured: Measured, run: Run | None, so_far: Bounds) -> dict[int, int]:
    """The chances that a rule's levels ask for and that are high enough, unless the threshold is surely reached."""
    asked = [one.projected for one in rule.levels.values() if one.projected]
    if not asked or so_far.low >= rule.threshold:
        return {}
    found = {one.days: measured.chance(rule, one.days, run) for one in asked}
    return {one.days: found[one.days] for one in asked if found[one.days] >= one.per_mille}


def _can_reach(rule: Rule, measured: Measured) -> bool:
    """Whether a run of a tenant can be at a threshold, or come there: no run is more than its tenant."""
    most, _ = measured.series(MODEL_FLOP).total(None)
    if rule.quantity.measure is Measure.EXECUTED_FLOP:
        most = measured.estimator.with_recomputation(most)
    ahead = rule.horizon_days
    return most.high >= rule.threshold or (ahead > 0 and measured.chance(rule, ahead, None) > 0)


def _runs(rule: Rule, measured: Measured, now: int) -> Iterator[Found]:
    if not _can_reach(rule, measured):
        return
    for run, training in measured.runs():
        segments = tuple(segment.id for segment in run.segments)
        yield from _of_runs(rule, measured, (run,), (training,), run.flop, segments, now)


def _chains(rule: Rule, measured: Measured, now: int) -> Iterator[Found]:
    if not _can_reach(rule, measured):
        return
    chains: dict[tuple[str, ...], list[tuple[Run, Training]]] = {}
    for run, training in measured.runs():
        chains.setdefault(run.chain, []).append((run, training))
    for members in chains.values():
        of_chain = tuple(run for run, _ in members)
        segments = tuple(segment.id for run in of_chain for segment in run.segments)
        trainings = tuple(training for _, training in members)
        yield from _of_runs(rule, measured, of_chain, trainings, of_chain[0].flop_chain, segments, now)


def _of_runs(
    rule: Rule,
    measured: Measured,
    of_part: Sequence[Run],
    trainings: Sequence[Training],
    flop: Bounds,
    segments: tuple[str, ...],
    now: int,
) -> Iterator[Found]:
    estimator = measured.estimator
    if rule.quantity.measure is Measure.EXECUTED_FLOP:
        flop = estimator.with_recomputation(flop)
    chances = _chances(rule, measured, of_part[-1], flop)
    reached = getattr(flop, rule.loosest) >= rule.threshold
    if not reached and not chances:
        return
    known = (
        flop if all(_is_known(run, estimator) for run in of_part) else Bounds(flop.low, flop.low, flop.low, flop.low)
    )
    meets: set[Need] = set()
    if any(training.band is TrainingBand.LIKELY for training in trainings):
        meets.add(Need.GEOMETRY)
    if 2 * sum(run.measured_us for run in of_part) > sum(run.accelerator_us for run in of_part):
        meets.add(Need.MEASURED)
    since = _reached_at(rule, of_part, flop) if reached else now // HOUR_MS
    first = of_part[0]
    about = f"{_what(rule)} {first.id}, on {first.peak // 1_000:,} accelerators at most,"
    amount = Amount(flop, known, frozenset(meets), chances)
    yield Found(amount, since, first.id, about, _tomorrow(rule, measured, of_part[-1]), segments)


def _is_known(run: Run, estimator: Estimator) -> bool:
    """Whether the catalogue knows all hardware of a run."""
    shapes = {(part.stay.shape, part.start) for segment in run.segments for part in segment.parts}
    return all(estimator.catalogue.resolve(shape.hardware, shape.unit, at).known for shape, at in shapes)


def _reached_at(rule: Rule, of_part: Sequence[Run], flop: Bounds) -> int:
    """The hour in which a run came to the threshold: within a segment it grows evenly."""
    bound = str(rule.loosest)
    segments = sorted(segment for run in of_part for segment in run.segments)
    sums = list(accumulate(getattr(segment.flop, bound) for segment in segments))
    # Of what the segments say, which is times SCALE and of model FLOP, the share that the threshold is of the whole.
    least = min(sums[-1], -(-rule.threshold * sums[-1] // getattr(flop, bound)))
    position = bisect_left(sums, least)
    segment, more = segments[position], getattr(segments[position].flop, bound)
    missing = least - (sums[position] - more)
    return int(segment.start + (segment.end - segment.start) * missing // more) // HOUR_MS


def _clusters(rule: Rule, measured: Measured, now: int) -> Iterator[Found]:
    everything, _ = measured.series(rule.quantity).total(rule.window_days)
    if everything.high < rule.threshold:  # all fabrics together
        return
    for cluster in measured.clusters(rule):
        since = cluster.series.reached_since(rule.window_days, rule.threshold, rule.loosest)
        if since is not None:
            of_all, known = cluster.series.total(rule.window_days)
            speed = ", where some network's speed is not stated," if cluster.unstated else ","
            about = f"{_what(rule)} at {cluster.place}{speed}"
            amount = Amount(of_all, known, _meets(rule, measured))
            yield Found(amount, since, cluster.place, about, _never)


def _never() -> int:
    return 0


# -- whom a rule looks at ----------------------------------------------------------------------------------------------


def _has_party_reason(policy: Policy, subject: _Subject, countries: Countries, now: int) -> bool:
    """Whether there is a reason in the party: listed, owned by listed ones, of concern, unresolved or structuring."""
    everybody = [subject.who, *subject.members.values()]
    return any(
        who.unresolved is not None
        or who.signals
        or any(match.clearance is None and match.hit.band is Band.LIKELY for match in who.matches)
        or any(one.verdict is Verdict.CAUGHT for one in who.affiliations)
        or of_concern(who.headquarters, countries, policy.concern_group, now, now) is not None
        for who in everybody
    )


def _page(rule: Rule, level: Level, amount: Amount, who: Who, tomorrow: Callable[[], int]) -> str:
    """Why somebody is called at night, if anybody is: blocked parties, and what is about to become critical."""
    if rule.scope is Scope.LISTED and BLOCKED in rule.effects:
        return "It is likely on a list of parties with whom nobody may deal."
    critical = rule.levels.get(Level.CRITICAL)
    if critical is None or level is Level.CRITICAL or (critical.needs and not critical.needs & amount.meets):
        return ""
    if amount.known.central >= rule.threshold or tomorrow() < PAGE_PER_MILLE:
        return ""
    return "The threshold is likely crossed within 24 hours."


def _in_scope(policy: Policy, rule: Rule, subject: _Subject, countries: Countries, now: int) -> tuple[int, str] | None:
    """Since when a subject has been in the scope of a rule, and why; None if it is not.

    What holds for all of a group comes before what holds for a member; of members the one speaks for the group that has
    been in scope for longest.
    """
    reason = _scope_reason(policy, rule, subject.who, countries, now)
    if reason is not None:
        return _in_scope_since(policy, rule, subject.who, countries, now), reason
    of_members = [
        (_in_scope_since(policy, rule, who, countries, now), name, reason)
        for name, who in subject.members.items()
        if (reason := _scope_reason(policy, rule, who, countries, now)) is not None
    ]
    if not of_members:
        return None
    since, name, reason = min(of_members)
    return since, f"In the group is {name}. {reason}"


def _scope_reason(policy: Policy, rule: Rule, who: Who, countries: Countries, now: int) -> str | None:
    """Why a tenant is in the scope of a rule at an instant; None if it is not."""
    if rule.scope is Scope.ANY:
        return "The rule looks at every tenant; an amount alone is no more than a reason to look."
    if rule.scope is Scope.UNRESOLVED:
        return who.unresolved
    if rule.scope is Scope.FOREIGN:
        return foreign_sentence(who.headquarters, countries, policy.home_group, now)
    if rule.scope is not Scope.OF_CONCERN:
        return next(_reasons(rule, who), None)
    found = of_concern(who.headquarters, countries, policy.concern_group, now - _window_ms(rule, now), now)
    return None if found is None else headquarters_sentence(found, policy.concern_group)


def _window_ms(rule: Rule, now: int) -> int:
    """How long a status counts after it ended: as long as compute of then does."""
    return now - BEGINNING if rule.window_days is None else rule.window_days * DAY_MS


def _reasons(rule: Rule, who: Who) -> Iterator[str]:
    """Why a tenant is in the scope of a rule on lists, contradictions or signs, the weightiest first."""
    if rule.scope in (Scope.LISTED, Scope.POSSIBLY_LISTED):
        wanted = Band.LIKELY if rule.scope is Scope.LISTED else Band.POSSIBLE
        for match in who.matches:
            if match.clearance is None and match.hit.band is wanted and match.effect.direct in rule.effects:
                yield match_sentence(match)
    elif rule.scope in (Scope.AFFILIATE, Scope.POSSIBLY_AFFILIATE):
        verdict = Verdict.CAUGHT if rule.scope is Scope.AFFILIATE else Verdict.UNDECIDED
        for one in who.affiliations:
            if one.verdict is verdict and one.effect in rule.effects:
                yield affiliation_sentence(one)
    elif rule.scope is Scope.CONTRADICTED:
        for contradiction in who.contradictions:
            yield contradiction_sentence(contradiction)
    else:
        for signal in who.signals:
            yield signal_sentence(signal)


def _in_scope_since(policy: Policy, rule: Rule, who: Who, countries: Countries, now: int) -> int:
    """The hour from which on a tenant that is in a rule's scope has been in it without a break; 0: always."""
    if rule.scope is Scope.STRUCTURED:
        return min((signal.until or 0 for signal in who.signals), default=0) // HOUR_MS * HOUR_MS
    if rule.scope is not Scope.OF_CONCERN:
        return 0
    window = _window_ms(rule, now)
    # A tenant enters the scope only where headquarters begin to count for it or a group changes; it leaves a window
    # later.
    moves = {one.period.start for one in who.headquarters} | set(countries.change_times)
    for move in sorted((move for move in moves if BEGINNING < move <= now), reverse=True):
        before = move - 1
        if of_concern(who.headquarters, countries, policy.concern_group, before - window, before) is None:
            return move // HOUR_MS * HOUR_MS
    return 0


# -- sentences ---------------------------------------------------------------------------------------------------------

_WHAT = {
    Measure.MODEL_FLOP: ("Training compute", "FLOP"),
    Measure.EXECUTED_FLOP: ("Executed compute", "FLOP"),
    Measure.GROWTH: ("The growth of training compute", "FLOP"),
    Measure.ACCELERATOR_HOURS: ("Use", "accelerator-hours"),
    Measure.ACCELERATORS: ("What is held at once", "accelerators"),
    Measure.RESERVED_ACCELERATORS: ("What is reserved", "accelerators"),
    Measure.TPP: ("The processing performance of what is held at once", "TPP"),
    Measure.OP_PER_S: ("The peak rate of what is held at once", "op/s"),
}


def _what(rule: Rule) -> str:
    """What is counted of what, as the beginning of a sentence."""
    chips = f" on chips of {' or '.join(sorted(rule.quantity.chips))}" if rule.quantity.chips else ""
    part = {Aggregation.RUN: " of the run", Aggregation.CHAIN: " of the chain of runs from"}.get(rule.aggregation, "")
    return f"{_WHAT[rule.quantity.measure][0]}{chips}{part}"


def _sentence(rule: Rule, level: Level, amount: Amount, about: str, tenants: int) -> str:
    """What was measured, in one sentence with the numbers."""
    bounds, unit = amount.everything, _WHAT[rule.quantity.measure][1]
    whose = f" of the {tenants} tenants of this group" if rule.aggregation in OF_GROUPS else ""
    low, central, high = (number(bound, _MEASURED) for bound in bounds[:3])
    if rule.any_use:
        return f"{about}{whose} is {central} {unit}; the rule looks at any use at all."
    days = "" if rule.window_days is None else _over(rule.window_days)
    reached = _reached(rule, level, amount)
    return f"{about}{whose}{days} is {central} {unit} (90 per cent range {low} to {high}); {reached}."


def _over(days: int) -> str:
    return " over a day" if days == 1 else f" over {days} days"


def _reached(rule: Rule, level: Level, amount: Amount) -> str:
    """What gave a level, as a part of a sentence."""
    condition, unit = rule.levels[level], _WHAT[rule.quantity.measure][1]
    threshold = f"the threshold of {number(rule.threshold, _STATED)} {unit}"
    if not _gives(rule, level, condition, amount._replace(chances={})):
        assert condition.projected is not None, "Only a chance can give what an amount does not."
        days, chance = condition.projected.days, in_per_cent(amount.chances[condition.projected.days])
        return f"it reaches {threshold} within {days} days with a probability of {chance}"
    if not isinstance(condition.on, Bound):
        return f"it reaches {threshold} with a probability of at least {condition.on / 10:g} per cent"
    named = {Bound.LOW: "low bound", Bound.CENTRAL: "central estimate", Bound.HIGH: "high bound"}
    return f"the {named[condition.on]} reaches {threshold}"


def number(amount: int, decimals: int) -> str:
    """An amount as people write it: 512, 1e23, 2.42e24."""
    if amount < PLAIN_MAX:
        return f"{amount:,}"
    digits, exponent = f"{Decimal(amount):.{decimals}e}".split("e+")
    return f"{digits.rstrip('0').rstrip('.')}e{exponent}"
