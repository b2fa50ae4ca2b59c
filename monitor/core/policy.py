"""Policies as the core sees them: dated, immutable rules about a measure of compute."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters, from least to most."""

    WATCH = "watch"
    WARNING = "warning"
    CRITICAL = "critical"


LEVELS = (Level.WATCH, Level.WARNING, Level.CRITICAL)


class Scope(StrEnum):
    """Whose compute a rule looks at."""

    ANY = "any"
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


@dataclass(frozen=True, slots=True)
class Example:
    """A rule's own test: a total with these bounds gives this level (None: no finding)."""

    low: int
    central: int
    high: int
    level: Level | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on the training FLOP of a tenant or a group over a rolling window."""

    id: str
    title: str
    scope: Scope
    aggregation: Aggregation
    threshold_flop: int
    window_days: int
    level_max: Level
    critical_per_mille: int  # critical from this probability of reaching the threshold on
    rationale: str
    false_positives: str
    not_established: tuple[str, ...]  # elements that compute cannot show
    examples: tuple[Example, ...]
    effects: frozenset[str] = frozenset()  # of the lists that the scopes on lists look at; see `core.lists.Effect`


@dataclass(frozen=True, slots=True)
class Policy:
    """A dated file of rules."""

    id: str
    version: int
    title: str
    jurisdiction: str
    citation: str
    legal_force: str
    duty_holder: str
    effective_from: int  # milliseconds
    effective_to: int | None
    owner: str
    runbook: str
    concern_group: str  # the country group of the headquarters test
    rules: tuple[Rule, ...]
    digest: str

    def rules_on(self, aggregation: Aggregation) -> tuple[Rule, ...]:
        """Its rules that add up this."""
        return tuple(rule for rule in self.rules if rule.aggregation is aggregation)

    def in_force(self, now: int) -> bool:
        """Whether the policy applies at an instant."""
        return self.effective_from <= now and (self.effective_to is None or now < self.effective_to)
