"""Rules and policies made for tests, and amounts by hour without books to take them from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.core.book import Tenant
from monitor.core.countries import Countries
from monitor.core.estimate import Estimator, TenantHour
from monitor.core.findings import Finding, find
from monitor.core.likelihood import Training
from monitor.core.measures import Cluster, Series
from monitor.core.parties import Parties
from monitor.core.policy import (
    LEVELS,
    MODEL_FLOP,
    Aggregation,
    Bound,
    Condition,
    Level,
    Policy,
    Quantity,
    Rule,
    Scope,
    Source,
)
from monitor.core.runs import Run
from monitor.core.structuring import Signal
from tests.core.test_estimate import reference

GROUP = "CONCERN"
ORDINARY = {
    Level.WATCH: Condition(Bound.HIGH),
    Level.WARNING: Condition(Bound.CENTRAL),
    Level.CRITICAL: Condition(800),
}


def up_to(most: Level, critical: int = 800) -> dict[Level, Condition]:
    """The ordinary levels, none above `most`; critical from so many per mille on."""
    levels = ORDINARY | {Level.CRITICAL: Condition(critical)}
    return {level: levels[level] for level in LEVELS[: LEVELS.index(most) + 1]}


def rule(
    scope: Scope = Scope.ANY,
    most: Level = Level.CRITICAL,
    window_days: int | None = 2,
    threshold: int = 1_000,
    quantity: Quantity = MODEL_FLOP,
    aggregation: Aggregation = Aggregation.TENANT,
    levels: Mapping[Level, Condition] | None = None,
) -> Rule:
    """A rule on two days of model FLOP, if nothing else is said."""
    return Rule(
        id="rule",
        title="A rule",
        scope=scope,
        quantity=quantity,
        aggregation=aggregation,
        threshold=threshold,
        window_days=window_days,
        levels=up_to(most) if levels is None else levels,
        rationale="",
        false_positives="",
        not_established=("End use.",),
        examples=(),
    )


def policy(*rules: Rule, start: int = 0, end: int | None = None) -> Policy:
    """A policy of these rules."""
    return Policy(
        id="policy",
        version=3,
        title="A policy",
        jurisdiction="operator",
        citation="none",
        sources=(Source("1", "here", True),),
        status="on",
        legal_force="internal",
        duty_holder="provider",
        subject="tenants",
        published=0,
        retroactive="",
        effective_from=start,
        effective_to=end,
        supersedes=None,
        superseded_at=None,
        owner="owner",
        runbook="",
        concern_group=GROUP,
        home_group="",
        expected_flags_a_week=0,
        rules=rules,
        digest="sha256:1",
    )


@dataclass
class Given:
    """Hours, runs and clusters as they are given; the same hours for each quantity that none are given for."""

    usage: Sequence[TenantHour]
    now: int
    found: Sequence[tuple[Run, Training]] = ()
    places: Sequence[Cluster] = ()
    chances: Mapping[int, int] = field(default_factory=dict)  # by days
    measured: bool = False
    reachable: bool = True
    estimator: Estimator = field(default_factory=lambda: reference().estimator)

    def can_reach(self, rule: Rule) -> bool:
        """As given."""
        return self.reachable

    def series(self, quantity: Quantity) -> Series:
        """An amount by hour."""
        return Series(self.usage, self.now, quantity)

    def runs(self) -> Sequence[tuple[Run, Training]]:
        """As given."""
        return self.found

    def clusters(self, rule: Rule) -> Sequence[Cluster]:
        """As given."""
        return self.places

    def chance(self, rule: Rule, days: int, run: Run | None) -> int:
        """As given, else none."""
        return self.chances.get(days, 0)

    def is_measured(self) -> bool:
        """As given."""
        return self.measured


def find_by_hours(
    name: str,
    tenant: Tenant,
    hours: Sequence[TenantHour],
    policies: Iterable[Policy],
    countries: Countries,
    parties: Parties,
    signals: Iterable[Signal] = (),
) -> list[Finding]:
    """The findings of a tenant of which nothing but its hours is known."""
    who = parties.who(name, tenant)._replace(signals=tuple(signals))
    return find(name, tenant, Given(hours, parties.now), who, policies, countries, parties.now)
