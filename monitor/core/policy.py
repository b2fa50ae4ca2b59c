"""Policies as the core sees them: dated, immutable rules about a measure of compute."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from monitor.core.clocks import Clock
from monitor.core.model import DAY_MS


class Level(StrEnum):
    """How much a finding matters, from least to most."""

    WATCH = "watch"
    WARNING = "warning"
    CRITICAL = "critical"


LEVELS = (Level.WATCH, Level.WARNING, Level.CRITICAL)


class Scope(StrEnum):
    """Whose compute a rule looks at."""

    ANY = "any"
    FOREIGN = "foreign"  # headquartered outside the policy's home group, or not known to be inside
    OF_CONCERN = "of_concern"
    UNRESOLVED = "unresolved"
    LISTED = "listed"  # likely on a list, itself or its party
    POSSIBLY_LISTED = "possibly_listed"
    AFFILIATE = "affiliate"  # owners that are likely listed hold half of its party
    POSSIBLY_AFFILIATE = "possibly_affiliate"  # or may, as far as shares are known
    CONTRADICTED = "contradicted"  # sources say different things of who it is
    STRUCTURED = "structured"  # there are signs that somebody stays below a threshold on purpose


class Aggregation(StrEnum):
    """Whose compute a rule adds up."""

    TENANT = "tenant"
    GROUP = "group"  # several tenants that are taken for one customer
    CORPORATE_GROUP = "corporate_group"  # those that one owner controls
    RUN = "run"
    CHAIN = "chain"  # runs that weak links join
    CLUSTER = "cluster"  # what a tenant holds on one fabric


class Measure(StrEnum):
    """What a rule counts."""

    MODEL_FLOP = "model_flop"  # what papers publish: 6 N D
    EXECUTED_FLOP = "executed_flop"  # what the hardware did, recomputation included
    GROWTH = "growth"  # model FLOP of a window, less those of the window before it
    ACCELERATOR_HOURS = "accelerator_hours"
    ACCELERATORS = "accelerators"  # held at once
    RESERVED_ACCELERATORS = "reserved_accelerators"
    TPP = "tpp"  # total processing performance of what is held at once
    OP_PER_S = "op_per_s"  # theoretical peak of what is held at once


AT_ONCE = frozenset({Measure.ACCELERATORS, Measure.RESERVED_ACCELERATORS, Measure.TPP, Measure.OP_PER_S})
OF_RUNS = frozenset({Aggregation.RUN, Aggregation.CHAIN})
OF_GROUPS = frozenset({Aggregation.GROUP, Aggregation.CORPORATE_GROUP})


class Precision(StrEnum):
    """Which dense rate of a chip is its peak."""

    DENSE_16BIT = "dense_16bit"
    FASTEST = "fastest"


class Bound(StrEnum):
    """A bound that must reach the threshold."""

    LOW = "low"
    CENTRAL = "central"
    HIGH = "high"


class Need(StrEnum):
    """What a level may ask for beside an amount."""

    GEOMETRY = "geometry"  # a run that likely is training
    MEASURED = "measured"  # the provider measured most of the time
    PARTY = "party"  # a reason in the party: listed, of concern, unresolved or structuring


class Projected(NamedTuple):
    """A chance of crossing the threshold within some days."""

    days: int
    per_mille: int


class Condition(NamedTuple):
    """What gives a level: a bound that reaches the threshold or a probability, in per mille, that it is reached."""

    on: Bound | int
    needs: frozenset[Need] = frozenset()  # any one of them; none: nothing else is needed
    projected: Projected | None = None  # gives the level, too


class Quantity(NamedTuple):
    """What is counted, apart from whose and when: rules with equal quantities share a series."""

    measure: Measure
    chips: frozenset[str] = frozenset()  # only usage on chips of one of these classes; none: all usage
    precision: Precision | None = None


MODEL_FLOP = Quantity(Measure.MODEL_FLOP)


@dataclass(frozen=True, slots=True)
class Example:
    """A rule's own test: an amount with these bounds, under these circumstances, gives this level (None: none)."""

    low: int
    central: int
    high: int
    level: Level | None
    meets: frozenset[Need] = frozenset()
    chance: int = 0  # of crossing within the days of whichever level asks, in per mille


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on what a tenant, its runs, its clusters or a group compute or hold."""

    id: str
    title: str
    scope: Scope
    quantity: Quantity
    aggregation: Aggregation
    threshold: int  # in the unit of the measure
    window_days: int | None  # None: since onboarding
    levels: Mapping[Level, Condition]
    rationale: str
    false_positives: str
    not_established: tuple[str, ...]  # elements that compute cannot show
    examples: tuple[Example, ...]
    effects: frozenset[str] = frozenset()  # of the lists that the scopes on lists look at; see `core.lists.Effect`
    network_gbit_s_over: int | None = None  # of a cluster: only what is joined by a faster network
    falls_after_ms: int = 7 * DAY_MS  # a flag's level falls after its finding has been lower for so long
    shadow: bool = False  # people are not told of its findings
    clock: Clock | None = None

    @property
    def loosest(self) -> Bound:
        """The bound that gives the least level: from it on a finding holds."""
        on = [one.on if isinstance(one.on, Bound) else Bound.CENTRAL for one in self.levels.values()]
        return max(on, key=list(Bound).index)

    @property
    def any_use(self) -> bool:
        """Whether it looks at any use at all by those on a list: a threshold of one is only how it says so."""
        return bool(self.effects) and self.threshold == 1

    @property
    def horizon_days(self) -> int:
        """How far ahead its levels look; 0: not at all."""
        return max((one.projected.days for one in self.levels.values() if one.projected), default=0)


class Source(NamedTuple):
    """Where a number of a policy comes from."""

    number: str
    where: str
    seen: bool  # in a copy or a summary; otherwise it is from memory and to be verified


class Consent(StrEnum):
    """By whose word a policy counts."""

    FILE = "file"  # it is shipped, or whoever may change the file decides
    WAITING = "waiting"  # for two people: until then nobody is told of what its rules find
    GIVEN = "given"  # by two people


CONSENTS = {
    Consent.FILE: "its file",
    Consent.WAITING: "nobody yet",
    Consent.GIVEN: "two people",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A dated file of rules."""

    id: str
    version: int
    title: str
    jurisdiction: str
    citation: str
    sources: tuple[Source, ...]
    status: str
    legal_force: str
    duty_holder: str
    subject: str
    published: int  # milliseconds
    retroactive: str  # why it applies to days before it was published; "": it does not
    effective_from: int  # milliseconds
    effective_to: int | None
    supersedes: int | None  # a version of the same id, which ends where this one begins
    superseded_at: int | None  # where a later version that supersedes this one begins
    owner: str
    runbook: str
    concern_group: str  # the country group of the headquarters test
    home_group: str  # the country group outside of which tenants are foreign; "": no rule asks
    expected_flags_a_week: int  # on the demo's fleet
    rules: tuple[Rule, ...]
    digest: str
    consent: Consent = Consent.FILE

    @property
    def name(self) -> str:
        """Its id with its version."""
        return f"{self.id}@{self.version}"

    @property
    def tells(self) -> bool:
        """Whether it counts at all: one that waits for two people is in the shadow as a whole."""
        return self.consent is not Consent.WAITING

    def rules_on(self, *aggregations: Aggregation) -> tuple[Rule, ...]:
        """Its rules that add up one of these and tell people; see `Rule.shadow`."""
        return tuple(rule for rule in self.telling if rule.aggregation in aggregations)

    @property
    def telling(self) -> tuple[Rule, ...]:
        """Its rules of whose findings people are told."""
        return tuple(rule for rule in self.rules if not rule.shadow) if self.tells else ()

    @property
    def ends(self) -> int | None:
        """The instant from which on it no longer applies."""
        ends = [one for one in (self.effective_to, self.superseded_at) if one is not None]
        return min(ends, default=None)

    def in_force(self, now: int) -> bool:
        """Whether the policy applies at an instant."""
        return self.effective_from <= now and (self.ends is None or now < self.ends)


def standing(policy: Policy, now: int) -> str:
    """How it is with a policy at an instant, in a word or two.

    That it applies says that its rules are looked at, as shadows if they are; its legal force says what it is in law.
    """
    if policy.ends is not None and policy.ends <= policy.effective_from:
        return "never applied"
    if policy.in_force(now):
        return "applies" if policy.tells else "waits"
    if now < policy.effective_from:
        return "not yet"
    return "superseded" if policy.ends == policy.superseded_at else "ended"


def superseding(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Policies with the days on which later versions that count supersede them."""
    found = tuple(policies)
    ends = {(one.id, one.supersedes): one.effective_from for one in found if one.supersedes is not None and one.tells}
    return tuple(replace(one, superseded_at=ends.get((one.id, one.version))) for one in found)


def consented(policies: tuple[Policy, ...], digests: AbstractSet[str]) -> tuple[Policy, ...]:
    """Policies as they count where two people have approved those with these digests.

    The others of those that need it wait: nobody is told of their findings, and they supersede nothing.
    """
    if all(one.consent is Consent.FILE for one in policies):
        return policies
    return superseding(one if one.consent is Consent.FILE else _answered(one, digests) for one in policies)


def _answered(policy: Policy, digests: AbstractSet[str]) -> Policy:
    return replace(policy, consent=Consent.GIVEN if policy.digest in digests else Consent.WAITING)


def by_rule(policies: Iterable[Policy]) -> dict[str, tuple[Policy, Rule]]:
    """Each rule with its policy; of several versions the latest, and one that waits only where there is no other."""
    ordered = sorted(policies, key=lambda one: (one.tells, one.id, one.version))
    return {rule.id: (policy, rule) for policy in ordered for rule in policy.rules}


def rules_in_force(
    policies: Iterable[Policy], now: int, aggregations: Collection[Aggregation]
) -> Iterator[tuple[Policy, Rule]]:
    """The rules in force that add up one of these and tell people, in the order of the policies."""
    for policy in policies:
        if policy.in_force(now):
            for rule in policy.rules_on(*aggregations):
                yield policy, rule
