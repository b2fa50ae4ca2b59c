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
from typing import NamedTuple, Protocol

from monitor.core.book import Book, Tenant
from monitor.core.bounds import Bounds
from monitor.core.bounds import total as sum_of
from monitor.core.clearances import Clearances
from monitor.core.countries import Countries
from monitor.core.estimate import SCALE, Estimator, TenantHour, totals
from monitor.core.findings import Finding, Series, find, find_of_group, least_threshold
from monitor.core.flags import Act, Change, Flag, State, act, reconcile
from monitor.core.groups import Group, Linked, linked, together
from monitor.core.likelihood import Training, Weights, training
from monitor.core.links import Evidence, Ties
from monitor.core.lists import NO_LISTS, Lists
from monitor.core.model import CERTAIN, HOUR_MS, OPEN, PRESUMED, Traits
from monitor.core.parties import Match, Parties, rank_of
from monitor.core.policy import Aggregation, Policy, Rule
from monitor.core.profiles import declared_party
from monitor.core.projection import Durations
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


@dataclass(frozen=True, slots=True)
class Reference:
    """What the books are read with: everything dated that is not a fact."""

    estimator: Estimator
    countries: Countries
    policies: tuple[Policy, ...]
    weights: Weights  # of the training score, which changes no finding
    durations: Durations  # of published runs, by which projections go; they change no finding
    lists: Lists = NO_LISTS
    cleared: Clearances = field(default_factory=dict)  # hits that two people have looked at

    @property
    def digests(self) -> dict[str, object]:
        """What changes an answer beside the facts."""
        return {
            "catalogue": self.estimator.catalogue.digest,
            "priors": self.estimator.priors.digest,
            "calibrations": self.estimator.calibrations.digest,
            "countries": self.countries.digest,
            "policies": {policy.id: policy.digest for policy in self.policies},
            "effects": self.lists.effects.digest,
            "lists": {version.name: version.digest for version in self.lists.versions},
        }

    def parties(self, book: Book, now: int) -> Parties:
        """What is known of parties in a book at an instant."""
        return Parties(book.parties, now, self.lists, self.cleared)

    def thresholds(self, aggregation: Aggregation, now: int) -> list[int]:
        """The thresholds, in FLOP and rising, of the rules in force that add up this; not those of any use at all."""
        return sorted({rule.threshold_flop for rule in self._rules(aggregation, now) if not rule.effects})

    def least(self, aggregation: Aggregation, now: int) -> int | None:
        """The least threshold of all of them; None: there is no rule."""
        return min((rule.threshold_flop for rule in self._rules(aggregation, now)), default=None)

    def _rules(self, aggregation: Aggregation, now: int) -> Iterator[Rule]:
        return (rule for policy in self.policies if policy.in_force(now) for rule in policy.rules_on(aggregation))


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


class GroupAnswer(NamedTuple):
    """What is known of a group at an instant: the sum of its tenants."""

    group: str  # its name
    tenants: tuple[str, ...]
    flop: Bounds
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]  # why they are taken for one, the weightiest first
    unresolved: str | None
    signals: tuple[Signal, ...]


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


def tenant_findings(book: Book, reference: Reference, name: str, by_shape: Usage, parties: Parties) -> list[Finding]:
    """The findings that hold for one tenant, given its usage totals."""
    if not by_the_hour(book, reference, name, by_shape, parties):
        return []
    return hourly_findings(book, reference, name, parties)


def hourly_findings(book: Book, reference: Reference, name: str, parties: Parties) -> list[Finding]:
    """The findings that hold for one tenant that must be looked at by the hour: all its hours are in memory."""
    hours = tenant_hours(book, reference, name, parties.now)
    signs = signs_of_tenant(book, reference, name, hours, parties)
    return find(name, book.tenants[name], hours, reference.policies, reference.countries, parties, signs)


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
    high = _greatest_high(reference.estimator.of(name), tenant, by_shape, now)
    if not _reaches_any(reference, Aggregation.TENANT, high, now):
        return False
    in_scope = least_threshold(name, tenant, reference.policies, reference.countries, parties)
    return in_scope is not None and high >= in_scope


def group_findings(book: Book, reference: Reference, group: Group, parties: Parties) -> list[Finding]:
    """The findings that hold for a group, all of whose tenants are in the book."""
    now = parties.now
    heard, estimator = hearing(book, now), reference.estimator
    high = sum(
        _greatest_high(estimator.of(name), one, totals(one, now, heard), now) for name, one in group.tenants.items()
    )
    if not _reaches_any(reference, Aggregation.GROUP, high, now):
        return []
    hours = together(estimator.of(name).hours(tenant, now, heard) for name, tenant in group.tenants.items())
    return find_of_group(group, hours, reference.policies, reference.countries, parties)


def _reaches_any(reference: Reference, aggregation: Aggregation, high: int, now: int) -> bool:
    least = reference.least(aggregation, now)
    return least is not None and high >= least


def _greatest_high(estimator: Estimator, tenant: Tenant, by_shape: Usage, now: int) -> int:
    """No window of a tenant has a higher high bound than this: all its usage, measured time at the ceiling."""
    total = 0
    for shape, by_class in by_shape.items():
        weights = estimator.weights(estimator.catalogue.resolve(shape.hardware, shape.unit, now))
        total += (weights.ceiling if tenant.ledger.measured_totals else weights.high) * sum(by_class.values())
    return -(-total // SCALE)  # rounded up, so that several add up to no less than their sum


def evaluate(
    book: Book, reference: Reference, names: Iterable[str], flags: Mapping[str, Mapping[str, Flag]], now: int
) -> list[Change]:
    """What an evaluation of these tenants changes about their flags; `flags` by tenant, then id."""
    heard, parties = hearing(book, now), reference.parties(book, now)
    return follow(
        {
            name: tenant_findings(book, reference, name, totals(book.tenants[name], now, heard), parties)
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


KnownRuns = Mapping[str, Sequence[Run]]  # of some tenants, so that they are not computed twice


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
    found = linked_tenants(book, reference, past, parties).groups
    return [finding for group in found for finding in group_findings(book, reference, group, parties)]


def note_retractions(names: Iterable[str], flags: Mapping[str, Mapping[str, Flag]], now: int) -> list[Change]:
    """A note on each open flag of tenants some of whose facts were just retracted (ruling 7)."""
    return [
        act(flag, Act.NOTED, now, "A fact of this tenant was retracted while the flag stood.")
        for name in sorted(names)
        for flag in flags.get(name, {}).values()
        if flag.state is not State.CLOSED
    ]


def answer(book: Book, reference: Reference, now: int, past: Past) -> Answer:
    """Everything that is known at `now`, which is no earlier than any fact in the book."""
    usage, parties = _usage(book, now), reference.parties(book, now)
    tenants = tuple(
        one._replace(runs=tenant_runs(book, reference, one.tenant, past.finished(one.tenant), now))
        for one in _tenant_answers(book, reference, usage, parties)
    )
    known = {one.tenant: [run for run, _ in one.runs] for one in tenants}
    books = _usage_digest(usage, now)
    by_name = {tenant.tenant: tenant for tenant in tenants}
    grouped = tuple(
        _answer_group(book, reference, group, sum_of(by_name[name].flop for name in group.tenants), parties)
        for group in linked_tenants(book, reference, past, parties, known).groups
    )
    findings = [finding for tenant in tenants for finding in tenant.findings]
    findings += [finding for group in grouped for finding in group.findings]
    return Answer(now, tenants, grouped, books, _digest(books, findings, reference))


def tenant_answers(book: Book, reference: Reference, now: int) -> tuple[TenantAnswer, ...]:
    """What is known of each tenant by itself, without its runs."""
    return tuple(_tenant_answers(book, reference, _usage(book, now), reference.parties(book, now)))


def _tenant_answers(
    book: Book, reference: Reference, usage: Mapping[str, Usage], parties: Parties
) -> Iterator[TenantAnswer]:
    return (answer_tenant(book, reference, name, by_shape, parties) for name, by_shape in usage.items())


def answer_tenant(book: Book, reference: Reference, name: str, by_shape: Usage, parties: Parties) -> TenantAnswer:
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
        tuple(tenant_findings(book, reference, name, by_shape, parties)),
    )


TOTAL_DAYS = (90, 180, 365, 540)  # a slow accumulator passes a threshold that no single year of it reaches


def window_totals(hours: Sequence[TenantHour], now: int) -> dict[int, Bounds]:
    """Model FLOP of one tenant over the latest so many days, whole hours; each is in the next, all in its total."""
    series = Series(hours, now)
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


def group_answer(book: Book, reference: Reference, group: Group, parties: Parties) -> GroupAnswer:
    """What is known of a group, all of whose tenants are in the book."""
    now = parties.now
    heard, estimator = hearing(book, now), reference.estimator
    flop = sum_of(
        estimator.of(one).total(tenant, totals(tenant, now, heard), now, heard) for one, tenant in group.tenants.items()
    )
    return _answer_group(book, reference, group, flop, parties)


def _answer_group(book: Book, reference: Reference, group: Group, flop: Bounds, parties: Parties) -> GroupAnswer:
    findings = tuple(group_findings(book, reference, group, parties))
    return GroupAnswer(
        group.name, tuple(group.tenants), flop, findings, group.evidence, group.unresolved, group.signals
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
        [one.policy, one.policy_version, one.rule, one.tenant, one.level, *one.flop]
        for one in sorted(findings, key=lambda finding: (finding.tenant, finding.policy, finding.rule))
    ]
    return _sha256({"format": DIGEST_FORMAT, "books": books, "findings": standing, "reference": reference.digests})


def _sha256(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
