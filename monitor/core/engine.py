"""Evaluating a book: the only caller of estimates, parties, findings and flags.

`evaluate` runs on ticks and looks at dirty tenants only; `answer` looks at all of them at one instant, which is what
replay and verify do. Nothing here moves the book.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from heapq import nsmallest
from operator import itemgetter
from typing import NamedTuple, Protocol

from monitor.core.book import Book
from monitor.core.bounds import Bounds, greatest
from monitor.core.bounds import total as sum_of
from monitor.core.clearances import Clearances
from monitor.core.countries import Countries
from monitor.core.estimate import SCALE, Estimator, TenantHour, totals
from monitor.core.findings import OF_TENANTS, Finding, find, find_of_group, may_be_in_scope
from monitor.core.flags import Act, Change, Flag, State, act, reconcile
from monitor.core.groups import Group, Linked, linked, together
from monitor.core.likelihood import Training, Weights, training
from monitor.core.links import Evidence, Ties
from monitor.core.lists import NO_LISTS, Band, Lists
from monitor.core.measures import Cluster, Series, clusters, hours_of, reserved_most, scale_of, weight
from monitor.core.model import CERTAIN, HOUR_MS, OPEN, PRESUMED, Traits
from monitor.core.parties import Match, Parties, Who, rank_of
from monitor.core.policy import MODEL_FLOP, Aggregation, Measure, Policy, Quantity, Rule, rules_in_force
from monitor.core.profiles import declared_party
from monitor.core.projection import Durations, chance_within, held_now, rate_a_day, run_a_day, stated_end
from monitor.core.runs import Holding, Run, holding, runs
from monitor.core.signs import daily_usage, has_changed, signs_of
from monitor.core.structuring import Amount, Signal
from monitor.core.ties import observed, sharing, tenant_keys, ties_of
from monitor.core.timeline import Effects, Shape

DIGEST_FORMAT = 1
UNDONE = "The facts that are known now no longer reach the threshold, or the tenant left the rule's scope."
UNDONE_GROUP = (
    "The facts that are known now no longer reach the threshold, the group left the rule's scope, or its tenants are "
    "no longer taken for one customer."
)

Usage = Mapping[Shape, Mapping[str, int]]  # of one tenant, by shape and evidence class
KnownRuns = Mapping[str, Sequence[Run]]  # of some tenants, so that they are not computed twice


class Asked(NamedTuple):
    """A rule that is asked, of which policy, and how far ahead it looks."""

    policy: Policy
    rule: Rule
    horizon_days: int


@dataclass(frozen=True, slots=True)
class Reference:
    """What the books are read with: everything dated that is not a fact."""

    estimator: Estimator
    countries: Countries
    policies: tuple[Policy, ...]
    weights: Weights  # of the training score, which is one condition of levels and changes no compute
    durations: Durations  # of published runs, by which projections go
    lists: Lists = NO_LISTS
    cleared: Clearances = field(default_factory=dict)  # hits that two people have looked at
    _asked: dict[int, list[Asked]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def digests(self) -> dict[str, object]:
        """What changes an answer beside the facts."""
        return {
            "catalogue": self.estimator.catalogue.digest,
            "priors": self.estimator.priors.digest,
            "calibrations": self.estimator.calibrations.digest,
            "countries": self.countries.digest,
            "policies": {policy.name: policy.digest for policy in self.policies if policy.tells},
            "training_score": self.weights.digest,
            "durations": self.durations.digest,
            "effects": self.lists.effects.digest,
            "lists": {version.name: version.digest for version in self.lists.versions},
        }

    def parties(self, book: Book, now: int) -> Parties:
        """What is known of parties in a book at an instant."""
        return Parties(book.parties, now, self.lists, self.cleared)

    def thresholds(self, aggregation: Aggregation, now: int) -> list[int]:
        """The thresholds, in model FLOP and rising, of the rules in force that add up this; not of any use at all."""
        rules = self.rules(now, aggregation)
        return sorted({rule.threshold for rule in rules if rule.quantity == MODEL_FLOP and not rule.any_use})

    def on_tenants(self, now: int) -> Sequence[Asked]:
        """The rules in force on tenants, their runs and their clusters; many tenants are asked at one instant."""
        found = self._asked.get(now)
        if found is None:
            found = [
                Asked(policy, rule, rule.horizon_days)
                for policy, rule in rules_in_force(self.policies, now, OF_TENANTS)
            ]
            self._asked.clear()
            self._asked[now] = found
        return found

    def rules(self, now: int, *aggregations: Aggregation) -> Iterator[Rule]:
        """The rules in force that add up one of these."""
        return (rule for _, rule in rules_in_force(self.policies, now, aggregations))


class Past(Protocol):
    """What allocations have held and no longer hold, beside a book that has let go of it."""

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """Of each allocation of a tenant, with where it was measured."""
        ...

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of it, as far as it may link tenants; no allocation is named."""
        ...


class TenantAnswer(NamedTuple):
    """What is known of a tenant at an instant. Usage in accelerator-microseconds by canonical accelerator."""

    tenant: str
    accelerator_us: dict[str, int]  # certain and presumed
    accelerator_us_certain: dict[str, int]
    accelerator_us_open: dict[str, int]
    flop: Bounds
    open_allocations: int
    findings: tuple[Finding, ...]
    runs: tuple[tuple[Run, Training], ...] = ()  # by start


class Look(NamedTuple):
    """What a look at one tenant by the hour found."""

    findings: list[Finding]
    hits: Mapping[str, Band]  # source list -> the best of its and its party's hits there that nobody has cleared
    largest_run: Bounds  # on each bound by itself; zero where no rule asked for its runs, or it has none


class GroupAnswer(NamedTuple):
    """What is known of a group at an instant: the sum of its tenants."""

    group: str  # its name
    tenants: tuple[str, ...]
    flop: Bounds
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]  # why they are taken for one, the weightiest first
    unresolved: str | None
    signals: tuple[Signal, ...]
    kind: Aggregation


class Sizes(NamedTuple):
    """How large the largest tenants are, and all others together. Accelerator-microseconds; FLOP of the model."""

    shown: tuple[tuple[str, int, Bounds], ...]  # tenant, held time of every class, compute; the largest first
    rest: int  # held time


class Answer(NamedTuple):
    """The books and the standing findings at an instant, with their digests."""

    as_of: int
    tenants: tuple[TenantAnswer, ...]
    groups: tuple[GroupAnswer, ...]
    books_digest: str
    digest: str


def hearing(book: Book, now: int) -> Callable[[str], int]:
    """The latest event time of anything from a source, up to `now`, in whatever partition it came."""
    elsewhere = book.heard_elsewhere

    def heard(name: str) -> int:
        source = book.sources.get(name)
        here = -1 if source is None else source.heard
        return min(max(here, elsewhere.get(name, -1)), now)

    return heard


def tenant_hours(book: Book, reference: Reference, name: str, now: int) -> list[TenantHour]:
    """The FLOP of one tenant by hour, up to `now`."""
    return reference.estimator.of(name).hours(book.tenants[name], now, hearing(book, now))


# What follows asks `parties`, of which one is made for each instant: many tenants have owners in common.


def tenant_findings(
    book: Book,
    reference: Reference,
    name: str,
    by_shape: Usage,
    parties: Parties,
    past: Past,
    known: KnownRuns | None = None,
) -> list[Finding]:
    """The findings that hold for one tenant, given its usage totals; `known` runs of it are not computed again."""
    if not by_the_hour(book, reference, name, by_shape, parties):
        return []
    return hourly_look(book, reference, name, parties, past, known).findings


def hourly_look(
    book: Book, reference: Reference, name: str, parties: Parties, past: Past, known: KnownRuns | None = None
) -> Look:
    """What holds for one tenant that must be looked at by the hour: all its hours are in memory."""
    tenant, now = book.tenants[name], parties.now
    measured = OfTenant(book, reference, name, past, now, known)
    signs = signs_of_tenant(book, reference, name, measured.series(MODEL_FLOP).hours, parties)
    who = parties.who(name, tenant)._replace(signals=tuple(signs))
    findings = find(name, tenant, measured, who, reference.policies, reference.countries, now)
    return Look(findings, open_hits(who.matches), measured.largest_run)


def open_hits(matches: Iterable[Match]) -> dict[str, Band]:
    """By source list the band of the best hit that nobody has cleared, of hits of which the best come first."""
    found: dict[str, Band] = {}
    for match in matches:
        if match.clearance is None:
            found.setdefault(match.hit.listed.source, match.hit.band)
    return found


def signs_of_tenant(
    book: Book, reference: Reference, name: str, hours: Sequence[TenantHour], parties: Parties
) -> list[Signal]:
    """The signs of structuring that a tenant's hours and its profile show."""
    tenant, now = book.tenants[name], parties.now
    if not has_changed(tenant, parties):
        return []
    daily = daily_usage(tenant, reference.estimator.catalogue, now, hearing(book, now))
    return signs_of(name, tenant, hours, daily, parties, reference.thresholds(Aggregation.TENANT, now))


def by_the_hour(book: Book, reference: Reference, name: str, by_shape: Usage, parties: Parties) -> bool:
    """Whether a tenant must be looked at by the hour, given its usage totals.

    Most are far below every threshold, or in the scope of no rule that looks at so little.
    """
    tenant, now = book.tenants[name], parties.now
    most = Most(book, reference, name, by_shape, now)
    reached = [one for one in reference.on_tenants(now) if most.can_reach(one.rule, one.horizon_days)]
    if not reached:
        return False
    who, countries = parties.who(name, tenant), reference.countries
    return any(may_be_in_scope(one.policy, one.rule, tenant, who, countries, parties) for one in reached)


def group_findings(
    book: Book, reference: Reference, group: Group, parties: Parties, aggregation: Aggregation = Aggregation.GROUP
) -> list[Finding]:
    """The findings that hold for a group, all of whose tenants are in the book."""
    now = parties.now
    measured = OfGroup(book, reference, group, now)
    if not any(map(measured.can_reach, reference.rules(now, aggregation))):
        return []
    members = {name: parties.who(name, tenant) for name, tenant in group.tenants.items()}
    together = Who([], group.unresolved, signals=group.signals)
    policies, countries = reference.policies, reference.countries
    return find_of_group(group.name, aggregation, together, members, measured, policies, countries, now)


class OfTenant:
    """What rules may ask of one tenant at an instant (see `findings.Measured`)."""

    def __init__(
        self, book: Book, reference: Reference, name: str, past: Past, now: int, known: KnownRuns | None
    ) -> None:
        self.estimator = reference.estimator.of(name)
        self._book = book
        self._reference = reference
        self._name = name
        self._past = past
        self._now = now
        self._known = known
        self._most = Most(book, reference, name, totals(book.tenants[name], now, hearing(book, now)), now)
        self._series: dict[Quantity, Series] = {}
        self._runs: list[tuple[Run, Training]] | None = None
        self._a_day: Bounds | None = None
        self._chances: dict[tuple[object, ...], int] = {}

    def can_reach(self, rule: Rule) -> bool:
        """Whether a rule may find anything, now or as far as it looks ahead: told without the hours."""
        return self._most.can_reach(rule, rule.horizon_days)

    def series(self, quantity: Quantity) -> Series:
        """An amount by hour."""
        found = self._series.get(quantity)
        if found is None:
            found = self._series[quantity] = Series(self._hours(quantity), self._now, quantity)
        return found

    def _hours(self, quantity: Quantity) -> Sequence[TenantHour]:
        if quantity.measure is Measure.GROWTH:  # of model FLOP: the same hours
            return self.series(quantity._replace(measure=Measure.MODEL_FLOP)).hours
        tenant, heard = self._book.tenants[self._name], hearing(self._book, self._now)
        return hours_of(quantity, tenant, self.estimator, self._now, heard)

    def _holdings(self) -> list[Holding]:
        return tenant_holdings(self._book, self._name, self._past.finished(self._name), self._now)

    def runs(self) -> Sequence[tuple[Run, Training]]:
        """Its runs, by start, with how much each looks like training."""
        if self._runs is None:
            found = (self._known or {}).get(self._name)
            if found is None:
                found = runs(self._name, self._holdings(), self.estimator, self._now)
            self._runs = [(run, training(run, self._reference.weights)) for run in found]
        return self._runs

    @property
    def largest_run(self) -> Bounds:
        """The largest of its runs, on each bound by itself; zero where nobody has asked for them, or it has none."""
        return greatest(run.flop for run, _ in self._runs or ())

    def clusters(self, rule: Rule) -> list[Cluster]:
        """What it holds on each fabric."""
        return clusters(rule.quantity, rule.network_gbit_s_over, self._holdings(), self.estimator, self._now)

    def is_measured(self) -> bool:
        """Whether the provider measured most of its certain time."""
        ledger = self._book.tenants[self._name].ledger
        certain = sum(usage for (_, usage_class), usage in ledger.totals.items() if usage_class == CERTAIN)
        return 2 * sum(one.usage for one in ledger.measured_totals.values()) > certain

    def chance(self, rule: Rule, days: int, run: Run | None) -> int:
        """P(reaching a rule's threshold within so many days), in per mille: by a run of it, or all of it."""
        part = None if run is None else (rule.aggregation, run.id)
        key = (rule.quantity, rule.threshold, rule.window_days, days, part)
        found = self._chances.get(key)
        if found is None:
            found = self._chances[key] = self._chance(rule, days, run)
        return found

    def _chance(self, rule: Rule, days: int, run: Run | None) -> int:
        tenant, now = self._book.tenants[self._name], self._now
        if run is None:
            series = self.series(MODEL_FLOP)
            kept = None if rule.window_days is None else max(0, rule.window_days - days)
            _, so_far = series.total(kept)
            since = now if series.first is None else series.first
            a_day = self._held_a_day()
        else:
            so_far = run.flop if rule.aggregation is Aggregation.RUN else run.flop_chain
            since, a_day = run.start, run_a_day(run, now)
        if rule.quantity.measure is Measure.EXECUTED_FLOP:
            so_far, a_day = self.estimator.with_recomputation(so_far), self.estimator.with_recomputation(a_day)
        end, durations = stated_end(tenant, now), self._reference.durations
        return chance_within(days, so_far, a_day, rule.threshold, now, since, end, durations)

    def _held_a_day(self) -> Bounds:
        """FLOP a day of what it holds on hardware that the catalogue knows."""
        if self._a_day is None:
            tenant, heard = self._book.tenants[self._name], hearing(self._book, self._now)
            resolve = self.estimator.catalogue.resolve
            held = (
                one
                for one in held_now(tenant, self._now, heard)
                if resolve(one.shape.hardware, one.shape.unit, self._now).known
            )
            self._a_day = rate_a_day(held, self.estimator, self._now)
        return self._a_day


class OfGroup:
    """What rules may ask of a group at an instant: the sum of its tenants, and nothing that only one of them has."""

    def __init__(self, book: Book, reference: Reference, group: Group, now: int) -> None:
        self.estimator = reference.estimator
        self._book = book
        self._group = group
        self._now = now
        self._series: dict[Quantity, Series] = {}
        heard = hearing(book, now)
        self._most = [Most(book, reference, name, totals(one, now, heard), now) for name, one in group.tenants.items()]

    def can_reach(self, rule: Rule) -> bool:
        """Whether a rule may find anything; none looks ahead for groups."""
        return sum(one.of(rule) for one in self._most) >= rule.threshold

    def series(self, quantity: Quantity) -> Series:
        """An amount by hour, of all its tenants together."""
        found = self._series.get(quantity)
        if found is None:
            heard, now = hearing(self._book, self._now), self._now
            hours = together(
                hours_of(quantity, tenant, self.estimator.of(name), now, heard)
                for name, tenant in self._group.tenants.items()
            )
            found = self._series[quantity] = Series(hours, now, quantity)
        return found

    def runs(self) -> Sequence[tuple[Run, Training]]:
        """None: a run is of one tenant."""
        return ()

    def clusters(self, rule: Rule) -> Sequence[Cluster]:
        """None: a cluster is of one tenant."""
        return ()

    def is_measured(self) -> bool:
        """No rule on groups asks."""
        return False

    def chance(self, rule: Rule, days: int, run: Run | None) -> int:
        """No rule on groups looks ahead."""
        return 0


class Most:
    """The most that a tenant can have of anything in any window, found without its hours."""

    def __init__(self, book: Book, reference: Reference, name: str, by_shape: Usage, now: int) -> None:
        self._book = book
        self._tenant = book.tenants[name]
        self._estimator = reference.estimator.of(name)
        self._by_shape = by_shape
        self._now = now
        self._found: dict[Quantity, int] = {}
        self._ahead: Bounds | None = None

    def can_reach(self, rule: Rule, horizon_days: int) -> bool:
        """Whether a rule may find anything that is there, or comes within so many days."""
        most = self.of(rule)
        if most >= rule.threshold or not horizon_days:
            return most >= rule.threshold
        if self._ahead is None:
            held = held_now(self._tenant, self._now, hearing(self._book, self._now))
            self._ahead = self._estimator.with_recomputation(rate_a_day(held, self._estimator, self._now))
        return most + self._ahead.high * horizon_days >= rule.threshold

    def of(self, rule: Rule) -> int:
        """No less than any bound of what the rule measures, rounded up: several add up to no less than their sum."""
        found = self._found.get(rule.quantity)
        if found is None:
            found = self._found[rule.quantity] = self._greatest(rule.quantity)
        return found

    def _greatest(self, quantity: Quantity) -> int:
        if quantity.measure is Measure.RESERVED_ACCELERATORS:
            return reserved_most(self._tenant)
        total, estimator = 0, self._estimator
        for shape, by_class in self._by_shape.items():
            hardware = estimator.catalogue.resolve(shape.hardware, shape.unit, self._now)
            if scale_of(quantity) == SCALE:
                weights = estimator.with_recomputation(estimator.weights(hardware))
                # Measured time may be anything up to the ceiling.
                most = weights.ceiling if self._tenant.ledger.measured_totals else weights.high
            else:
                most = weight(quantity, hardware).high
            total += most * sum(by_class.values())
        return -(-total // scale_of(quantity))


def evaluate(
    book: Book,
    reference: Reference,
    names: Iterable[str],
    flags: Mapping[str, Mapping[str, Flag]],
    now: int,
    past: Past,
) -> list[Change]:
    """What an evaluation of these tenants changes about their flags; `flags` by tenant, then id."""
    heard, parties = hearing(book, now), reference.parties(book, now)
    return follow(
        {
            name: tenant_findings(book, reference, name, totals(book.tenants[name], now, heard), parties, past)
            for name in names
        },
        flags,
        now,
    )


def follow(
    findings: Mapping[str, Sequence[Finding]], flags: Mapping[str, Mapping[str, Flag]], now: int
) -> list[Change]:
    """What the findings that stand for these tenants change about their flags; both by tenant."""
    return [
        change for name in sorted(findings) for change in reconcile(flags.get(name, {}), findings[name], now, UNDONE)
    ]


def linked_tenants(
    book: Book, reference: Reference, past: Past, parties: Parties, known: KnownRuns | None = None
) -> Linked:
    """Who is linked with whom among the tenants of a book."""
    common = sharing(tenant_keys(book.tenants, past.finished_traits(), parties))
    return linked(book.tenants, {name: tenant_ties(book, reference, name, past, parties, known) for name in common})


class TenantMatch(NamedTuple):
    """A hit, and the tenant on whose account it is looked at."""

    tenant: str
    match: Match


def matches_of_all(book: Book, reference: Reference, now: int) -> list[TenantMatch]:
    """The hits of all tenants, their parties and the owners of those; each once, with the first tenant it concerns.

    Open before cleared, likely before possible, strict before mild; then who has computed most, since that is whom it
    matters for.
    """
    parties, usage = reference.parties(book, now), _usage(book, now)
    found: dict[str, TenantMatch] = {}
    for name in sorted(book.tenants):
        declared = declared_party(book.tenants[name], now)
        above = () if declared is None else parties.matches_above(declared)
        for match in (*parties.matches_of_tenant(name, book.tenants[name]), *above):
            found.setdefault(match.id, TenantMatch(name, match))
    held = {name: sum(amount for of in by_shape.values() for amount in of.values()) for name, by_shape in usage.items()}

    def order(one: TenantMatch) -> tuple[object, ...]:
        *rank, score, source, entry = rank_of(one.match)
        return *rank, -held[one.tenant], score, source, entry

    return sorted(found.values(), key=order)


def evaluate_groups(book: Book, reference: Reference, past: Past, flags: Mapping[str, Flag], now: int) -> list[Change]:
    """What an evaluation of all groups changes about their flags; `flags` by id, those of groups and no other."""
    return reconcile(flags, findings_of_groups(book, reference, past, now), now, UNDONE_GROUP)


def findings_of_groups(book: Book, reference: Reference, past: Past, now: int) -> list[Finding]:
    """The findings that hold for the groups of a book."""
    parties = reference.parties(book, now)
    return findings_of_linked(book, reference, linked_tenants(book, reference, past, parties), parties)


def findings_of_linked(book: Book, reference: Reference, found: Linked, parties: Parties) -> list[Finding]:
    """The findings that hold for groups that are known."""
    return [finding for group in found.groups for finding in group_findings(book, reference, group, parties)] + [
        finding
        for group in found.corporate
        for finding in group_findings(book, reference, group, parties, Aggregation.CORPORATE_GROUP)
    ]


def note_retractions(names: Iterable[str], flags: Mapping[str, Mapping[str, Flag]], now: int) -> list[Change]:
    """A note on each open flag of tenants some of whose facts were just retracted (ruling 7)."""
    return [
        act(flag, Act.NOTED, now, "A fact of this tenant was retracted while the flag stood.")
        for name in sorted(names)
        for flag in flags.get(name, {}).values()
        if flag.state is not State.CLOSED
    ]


def with_late(changes: Iterable[Change], late: Mapping[str, int]) -> list[Change]:
    """Changes of flags, with a word on facts that came late since the look before (ruling 6); `late` by tenant."""
    return [
        told_late(change, "Since the look before", sum(late.get(name, 0) for name in change.flag.tenants))
        for change in changes
    ]


def told_late(change: Change, since: str, late: int) -> Change:
    """A change with a word on so many late facts, if people are told of it and there are any."""
    entry = change.entry
    if not late or not entry.act:
        return change
    facts = "1 fact about it has" if late == 1 else f"{late:,} facts about it have"
    return change._replace(entry=entry._replace(reason=f"{entry.reason} {since} {facts} come late."))


def answer(book: Book, reference: Reference, now: int, past: Past) -> Answer:
    """Everything that is known at `now`, which is no earlier than any fact in the book."""
    usage, parties = _usage(book, now), reference.parties(book, now)
    found = {name: tenant_runs(book, reference, name, past.finished(name), now) for name in usage}
    known: KnownRuns = {name: [run for run, _ in of_tenant] for name, of_tenant in found.items()}
    tenants = tuple(
        answer_tenant(book, reference, name, by_shape, parties, past, known)._replace(runs=found[name])
        for name, by_shape in usage.items()
    )
    books = _usage_digest(usage, now)
    by_name = {tenant.tenant: tenant for tenant in tenants}
    linked_ones = linked_tenants(book, reference, past, parties, known)
    answered = (
        _answer_group(book, reference, group, sum_of(by_name[name].flop for name in group.tenants), parties, kind)
        for kind, groups in (
            (Aggregation.GROUP, linked_ones.groups),
            (Aggregation.CORPORATE_GROUP, linked_ones.corporate),
        )
        for group in groups
    )
    # What one owner has is only told where it reaches something; what is linked is a finding of its own.
    grouped = tuple(one for one in answered if one.kind is Aggregation.GROUP or one.findings)
    findings = [finding for tenant in tenants for finding in tenant.findings]
    findings += [finding for group in grouped for finding in group.findings]
    return Answer(now, tenants, grouped, books, _digest(books, findings, reference))


def tenant_answers(book: Book, reference: Reference, now: int, past: Past) -> tuple[TenantAnswer, ...]:
    """What is known of each tenant by itself, without its runs."""
    parties = reference.parties(book, now)
    return tuple(
        answer_tenant(book, reference, name, by_shape, parties, past) for name, by_shape in _usage(book, now).items()
    )


def answer_tenant(
    book: Book,
    reference: Reference,
    name: str,
    by_shape: Usage,
    parties: Parties,
    past: Past,
    known: KnownRuns | None = None,
) -> TenantAnswer:
    """What is known of one tenant, given its usage totals."""
    tenant, now = book.tenants[name], parties.now
    estimator = reference.estimator.of(name)
    return TenantAnswer(
        name,
        estimator.accelerators(by_shape, (CERTAIN, PRESUMED), now),
        estimator.accelerators(by_shape, (CERTAIN,), now),
        estimator.accelerators(by_shape, (OPEN,), now),
        estimator.total(tenant, by_shape, now, hearing(book, now)),
        tenant.open_allocations,
        tuple(tenant_findings(book, reference, name, by_shape, parties, past, known)),
    )


def largest(book: Book, reference: Reference, most: int, now: int) -> Sizes:
    """The `most` tenants that have held most accelerator time; at equal size, by name."""
    heard, catalogue = hearing(book, now), reference.estimator.catalogue
    held: list[tuple[int, str, Usage]] = []
    for name, tenant in book.tenants.items():
        by_shape = totals(tenant, now, heard)
        usage = sum(
            sum(by_class.values()) * catalogue.resolve(shape.hardware, shape.unit, now).per_unit // 1_000
            for shape, by_class in by_shape.items()
        )
        held.append((-usage, name, by_shape))
    shown = nsmallest(most, held, key=itemgetter(0, 1))
    return Sizes(
        tuple(
            (name, -usage, reference.estimator.of(name).total(book.tenants[name], by_shape, now, heard))
            for usage, name, by_shape in shown
        ),
        -sum(usage for usage, _, _ in held) + sum(usage for usage, _, _ in shown),
    )


def joined_sizes(parts: Iterable[Sizes], most: int) -> Sizes:
    """The largest of the tenants of several books, each of which has its own."""
    found = list(parts)
    ordered = sorted((one for part in found for one in part.shown), key=lambda one: (-one[1], one[0]))
    rest = sum(part.rest for part in found) + sum(usage for _, usage, _ in ordered[most:])
    return Sizes(tuple(ordered[:most]), rest)


TOTAL_DAYS = (90, 180, 365, 540)  # a slow accumulator passes a threshold that no single year of it reaches


def window_totals(hours: Sequence[TenantHour], now: int) -> dict[int, Bounds]:
    """Model FLOP of one tenant over the latest so many days, whole hours; each is in the next, all in its total."""
    series = Series(hours, now, MODEL_FLOP)
    return {days: series.total(days)[0] for days in TOTAL_DAYS}


def tenant_runs(
    book: Book, reference: Reference, name: str, finished: Mapping[str, Effects], now: int
) -> tuple[tuple[Run, Training], ...]:
    """The runs of one tenant, with how much they look like training."""
    found = runs(name, tenant_holdings(book, name, finished, now), reference.estimator.of(name), now)
    return tuple((run, training(run, reference.weights)) for run in found)


def tenant_holdings(book: Book, name: str, finished: Mapping[str, Effects], now: int) -> list[Holding]:
    """All that the allocations of one tenant have held up to `now`, and where they were measured."""
    heard, timelines = hearing(book, now), dict(book.tenants[name].held())
    finished = book.with_waiting(name, finished)
    holdings = (
        holding(allocation, finished.get(allocation) or Effects.none(), timelines.get(allocation), now, heard)
        for allocation in {**finished, **timelines}
    )
    return [one for one in holdings if one.held]


def tenant_ties(
    book: Book, reference: Reference, name: str, past: Past, parties: Parties, known: KnownRuns | None = None
) -> Ties:
    """Everything that may link one tenant."""
    holdings = tenant_holdings(book, name, past.finished(name), parties.now)
    found = (known or {}).get(name)
    if found is None:
        found = runs(name, holdings, reference.estimator.of(name), parties.now)
    return ties_of(name, book.tenants[name], parties, observed(holdings, found))


def tenant_amounts(
    book: Book, reference: Reference, name: str, past: Past, now: int
) -> tuple[list[Amount], list[Amount]]:
    """How much each allocation of a tenant was at most, in accelerators, and in all, in accelerator-hours."""
    catalogue, most, hours = reference.estimator.catalogue, list[Amount](), list[Amount]()
    for one in tenant_holdings(book, name, past.finished(name), now):
        held = [
            (stay.count * catalogue.resolve(stay.shape.hardware, stay.shape.unit, now).per_unit // 1_000, stay)
            for stay in one.held
        ]
        start = min(stay.start for _, stay in held)
        most.append(Amount(name, start, max(count for count, _ in held)))
        hours.append(Amount(name, start, sum(count * (stay.end - stay.start) for count, stay in held) // HOUR_MS))
    return most, hours


def group_answer(
    book: Book, reference: Reference, group: Group, parties: Parties, kind: Aggregation = Aggregation.GROUP
) -> GroupAnswer:
    """What is known of a group, all of whose tenants are in the book."""
    now = parties.now
    heard, estimator = hearing(book, now), reference.estimator
    flop = sum_of(
        estimator.of(one).total(tenant, totals(tenant, now, heard), now, heard) for one, tenant in group.tenants.items()
    )
    return _answer_group(book, reference, group, flop, parties, kind)


def _answer_group(
    book: Book, reference: Reference, group: Group, flop: Bounds, parties: Parties, kind: Aggregation
) -> GroupAnswer:
    findings = tuple(group_findings(book, reference, group, parties, kind))
    return GroupAnswer(
        group.name, tuple(group.tenants), flop, findings, group.evidence, group.unresolved, group.signals, kind
    )


def _usage(book: Book, now: int) -> dict[str, Usage]:
    heard = hearing(book, now)
    return {name: totals(book.tenants[name], now, heard) for name in sorted(book.tenants)}


def books_digest(book: Book, now: int) -> str:
    """SHA-256 of format, instant and usage by tenant, shape and class."""
    return _usage_digest(_usage(book, now), now)


def _usage_digest(usage: Mapping[str, Usage], now: int) -> str:
    rows = [
        [name, *("" if part is None else part for part in shape), usage_class, amount]
        for name, by_shape in usage.items()
        for shape, by_class in by_shape.items()
        for usage_class, amount in by_class.items()
    ]
    return _sha256({"format": DIGEST_FORMAT, "as_of": now, "usage": sorted(rows)})


def _digest(books: str, findings: Sequence[Finding], reference: Reference) -> str:
    standing = [
        [one.policy, one.policy_version, one.rule, one.tenant, one.part, one.level, *one.amount]
        for one in sorted(findings, key=lambda finding: (finding.tenant, finding.policy, finding.rule, finding.part))
    ]
    return _sha256({"format": DIGEST_FORMAT, "books": books, "findings": standing, "reference": reference.digests})


def _sha256(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
