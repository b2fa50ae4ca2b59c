"""What a policy sees in the books: a finding is a function of facts, policy and time.

Levels (accounting rules, section 6): watch when the high bound reaches the threshold, warning when the central one
does, critical when the probability of reaching it is high enough. Hardware that the catalogue does not know raises no
level above watch, and open time only the high bound, so neither can alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.bounds import Bounds, probably_reaches, total
from monitor.core.countries import Countries
from monitor.core.estimate import SCALE, TenantHour
from monitor.core.groups import Group
from monitor.core.lists import Band
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.ownership import BEGINNING, Verdict
from monitor.core.parties import (
    Parties,
    Who,
    affiliation_sentence,
    headquarters_sentence,
    match_sentence,
    of_concern,
)
from monitor.core.policy import LEVELS, Aggregation, Level, Policy, Rule, Scope
from monitor.core.profiles import contradiction_sentence
from monitor.core.signs import has_changed
from monitor.core.structuring import Signal, signal_sentence

HOURS_A_DAY = 24
_MEASURED, _STATED = 2, 9  # decimals: of an estimate, and of a threshold, which is shown as its policy states it


class Finding(NamedTuple):
    """A rule that holds for a tenant or a group, with the numbers that it rests on."""

    policy: str
    policy_version: int
    legal_force: str
    rule: str
    tenant: str  # of a group: its name
    level: Level
    flop: Bounds  # over the rule's window, up to the time of evaluation
    threshold_flop: int
    raised_at: int  # the hour from which on the finding has held
    reasons: tuple[str, ...]
    not_established: tuple[str, ...]
    members: tuple[str, ...] = ()  # the tenants of a group
    page: str = ""  # why somebody is called at night; "": nobody is


class _Subject(NamedTuple):
    """What rules are applied to: a tenant, or a group."""

    name: str
    aggregation: Aggregation
    who: Who  # of a group: what holds for all of it together
    members: Mapping[str, Who]  # of a group


def level_of(rule: Rule, everything: Bounds, known: Bounds) -> Level | None:
    """The level that a total reaches; `known` is the part on hardware in the catalogue."""
    threshold = rule.threshold_flop
    level = None
    if known.central >= threshold and probably_reaches(known, threshold, rule.critical_per_mille):
        level = Level.CRITICAL
    elif known.central >= threshold:
        level = Level.WARNING
    elif everything.high >= threshold:
        level = Level.WATCH
    if level is None:
        return None
    return min(level, rule.level_max, key=LEVELS.index)


class Series:
    """The FLOP of a tenant by hour, and its rolling totals, up to an instant."""

    __slots__ = ("_highs", "_hours", "_now", "_totals")

    def __init__(self, hours: Sequence[TenantHour], now: int) -> None:
        self._hours = hours
        self._now = now
        self._highs: dict[int, list[tuple[int, int]]] = {}
        self._totals: dict[int, tuple[Bounds, Bounds]] = {}

    def total(self, days: int) -> tuple[Bounds, Bounds]:
        """The rolling total that ends now: of everything, and of hardware that the catalogue knows."""
        found = self._totals.get(days)
        if found is None:
            hour = self._now // HOUR_MS
            inside = [one for one in self._hours if hour - days * HOURS_A_DAY < one.hour <= hour]
            everything, known = (one.everything for one in inside), (one.known for one in inside)
            found = self._totals[days] = (total(everything).divided(SCALE), total(known).divided(SCALE))
        return found

    def reached_since(self, days: int, threshold_flop: int) -> int | None:
        """The hour from which on the high bound of the rolling total has been at the threshold; None: it is not now.

        A finding of any level holds exactly when the high bound reaches the threshold.
        """
        since = None
        for hour, high in reversed(self._rolling_highs(days)):
            if high < threshold_flop * SCALE:
                break
            since = hour
        return since

    def _rolling_highs(self, days: int) -> list[tuple[int, int]]:
        """(hour, rolling high bound times SCALE) for each hour in which it changes."""
        found = self._highs.get(days)
        if found is None:
            changes: dict[int, int] = {}
            for one in self._hours:
                changes[one.hour] = changes.get(one.hour, 0) + one.everything.high
                after = one.hour + days * HOURS_A_DAY
                changes[after] = changes.get(after, 0) - one.everything.high
            found, high = [], 0
            for hour in sorted(hour for hour in changes if hour <= self._now // HOUR_MS):
                high += changes[hour]
                found.append((hour, high))
            self._highs[days] = found
        return found


def find(
    name: str,
    tenant: Tenant,
    hours: Sequence[TenantHour],
    policies: Iterable[Policy],
    countries: Countries,
    parties: Parties,
    signals: Iterable[Signal] = (),
) -> list[Finding]:
    """All findings that hold for a tenant at the instant of `parties`, in the order of the policies.

    `signals`: the signs that were found in its hours and its profile.
    """
    who = parties.who(name, tenant)._replace(signals=tuple(signals))
    subject = _Subject(name, Aggregation.TENANT, who, {})
    return _find(subject, Series(hours, parties.now), policies, countries, parties.now)


def least_threshold(
    name: str, tenant: Tenant, policies: Iterable[Policy], countries: Countries, parties: Parties
) -> int | None:
    """The least threshold of the rules in force whose scope a tenant is in, or may be; None: it is in none."""
    who, now = parties.who(name, tenant), parties.now
    return min(
        (
            rule.threshold_flop
            for policy in policies
            if policy.in_force(now)
            for rule in policy.rules_on(Aggregation.TENANT)
            if (rule.scope is Scope.STRUCTURED and has_changed(tenant, parties))  # only its hours can tell
            or _scope_reason(policy, rule, who, countries, now) is not None
        ),
        default=None,
    )


def find_of_group(
    group: Group, hours: Sequence[TenantHour], policies: Iterable[Policy], countries: Countries, parties: Parties
) -> list[Finding]:
    """All findings that hold for a group at the instant of `parties`, in the order of the policies."""
    members = {name: parties.who(name, tenant) for name, tenant in group.tenants.items()}
    together = Who([], group.unresolved, signals=group.signals)
    subject = _Subject(group.name, Aggregation.GROUP, together, members)
    return _find(subject, Series(hours, parties.now), policies, countries, parties.now)


def _find(
    subject: _Subject, series: Series, policies: Iterable[Policy], countries: Countries, now: int
) -> list[Finding]:
    found = (
        _apply(policy, rule, subject, series, countries, now)
        for policy in policies
        if policy.in_force(now)
        for rule in policy.rules_on(subject.aggregation)
    )
    return [finding for finding in found if finding is not None]


def _apply(
    policy: Policy, rule: Rule, subject: _Subject, series: Series, countries: Countries, now: int
) -> Finding | None:
    reached = series.reached_since(rule.window_days, rule.threshold_flop)
    if reached is None:
        return None
    everything, known = series.total(rule.window_days)
    level = level_of(rule, everything, known)
    inside = _in_scope(policy, rule, subject, countries, now)
    if level is None or inside is None:
        return None
    in_scope_since, reason = inside
    return Finding(
        policy.id,
        policy.version,
        policy.legal_force,
        rule.id,
        subject.name,
        level,
        everything,
        rule.threshold_flop,
        max(reached * HOUR_MS, policy.effective_from, in_scope_since),
        (_sentence(rule, level, everything, len(subject.members)), reason),
        rule.not_established,
        tuple(sorted(subject.members)),
    )


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
    if rule.scope is not Scope.OF_CONCERN:
        return next(_reasons(rule, who), None)
    start = now - rule.window_days * DAY_MS
    found = of_concern(who.headquarters, countries, policy.concern_group, start, now)
    return None if found is None else headquarters_sentence(found, policy.concern_group)


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
    window = rule.window_days * DAY_MS
    # A tenant enters the scope only where headquarters begin to count for it or a group changes; it leaves a window
    # later.
    moves = {one.period.start for one in who.headquarters} | set(countries.change_times)
    for move in sorted((move for move in moves if BEGINNING < move <= now), reverse=True):
        before = move - 1
        if of_concern(who.headquarters, countries, policy.concern_group, before - window, before) is None:
            return move // HOUR_MS * HOUR_MS
    return 0


def _sentence(rule: Rule, level: Level, bounds: Bounds, tenants: int) -> str:
    """What was measured, in one sentence with the numbers."""
    whose = f" of the {tenants} tenants of this group" if rule.aggregation is Aggregation.GROUP else ""
    threshold = f"the threshold of {_flop(rule.threshold_flop, _STATED)} FLOP"
    certainty = f"{rule.critical_per_mille / 10:g} per cent"
    reached = {
        Level.WATCH: f"the high bound reaches {threshold}",
        Level.WARNING: f"the central estimate reaches {threshold}",
        Level.CRITICAL: f"it reaches {threshold} with a probability of at least {certainty}",
    }[level]
    if rule.effects:  # a threshold of one FLOP is only how a rule says it
        return f"Training compute{whose} is {_flop(bounds.central, _MEASURED)} FLOP; the rule looks at any use at all."
    days = "a day" if rule.window_days == 1 else f"{rule.window_days} days"
    low, central, high = (_flop(bound, _MEASURED) for bound in bounds[:3])
    return f"Training compute{whose} over {days} is {central} FLOP (90 per cent range {low} to {high}); {reached}."


def _flop(amount: int, decimals: int) -> str:
    """FLOP as people write them: 1e23, 2.42e24."""
    if not amount:
        return "0"
    digits, exponent = f"{Decimal(amount):.{decimals}e}".split("e+")
    return f"{digits.rstrip('0').rstrip('.')}e{exponent}"
