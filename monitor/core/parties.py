"""Whose compute it is: the headquarters test on a tenant, its party, and the party's ultimate parent.

A window keeps the most concerning headquarters that held in it; whether they are resolved is a matter of what is known
now. The test is switched by the dates of the policy that asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from monitor.core.book import Party, Tenant
from monitor.core.countries import Countries
from monitor.core.ownership import (
    BEGINNING,
    END,
    Edge,
    Owners,
    Parent,
    Period,
    Stake,
    edge_sentences,
    edges_at,
    parent,
    stakes_of,
)
from monitor.core.profiles import HEADQUARTERS, PARTY, Profiled, Version, of_party, of_tenant, unresolved


class Headquarters(NamedTuple):
    """Where a tenant, its party or that one's ultimate parent was headquartered, and when that counts for it."""

    version: Version
    period: Period
    steps: tuple[Edge, ...] = ()  # of a parent: who controls whom, from the party upwards

    def within(self, period: Period) -> Headquarters | None:
        """The part of it in a period; None: there is none."""
        part = Period(max(self.period.start, period.start), min(self.period.end, period.end))
        return self._replace(period=part) if part.start < part.end else None


class Who(NamedTuple):
    """What the rules ask of a tenant."""

    headquarters: list[Headquarters]  # its own, then its party's, then the parents'; each in order
    unresolved: str | None  # why it is, as a sentence; None: it is not


class Parties:
    """What the profiles of parties say as known at `now`, read as it is asked for: most tenants ask for few."""

    __slots__ = ("_headquarters", "_parents", "_parties", "_profiled", "_stakes", "now")

    def __init__(self, parties: Mapping[str, Party], now: int) -> None:
        self.now = now
        self._parties = parties
        self._profiled: dict[str, Profiled] = {}
        self._stakes: dict[str, list[Stake]] = {}
        self._parents: dict[str, list[tuple[Period, Parent]]] = {}
        self._headquarters: dict[str, list[Headquarters]] = {}

    def who(self, tenant: Tenant) -> Who:
        """What the rules ask of a tenant."""
        profiled = of_tenant(tenant, self.now)
        return Who(self._headquarters_of(profiled), self._unresolved(profiled))

    def profiled(self, name: str) -> Profiled:
        """What the profiles of one party say."""
        found = self._profiled.get(name)
        if found is None:
            found = self._profiled[name] = of_party(name, self._parties.get(name), self.now)
        return found

    def stakes(self, name: str) -> list[Stake]:
        """Every stake in a party that was ever stated."""
        found = self._stakes.get(name)
        if found is None:
            found = self._stakes[name] = stakes_of(self.profiled(name))
        return found

    def graph(self, at: int) -> dict[str, tuple[Edge, ...]]:
        """The owners of all parties at an instant, as known at `now`."""
        return {name: edges_at(self.stakes(name), at) for name in sorted(self._parties)}

    def parent(self, name: str) -> Parent:
        """The ultimate parent of a party now."""
        return next(found for period, found in self.parents(name) if period.includes(self.now))

    def parents(self, name: str) -> list[tuple[Period, Parent]]:
        """The ultimate parents of a party over time, without a gap, in order."""
        found = self._parents.get(name)
        if found is None:
            found = self._parents[name] = list(self._parents_over_time(name))
        return found

    def owners_at(self, at: int) -> Owners:
        """Who owns a party at an instant, as known at `now`."""
        return lambda name: edges_at(self.stakes(name), at)

    def _parents_over_time(self, name: str) -> Iterator[tuple[Period, Parent]]:
        at = BEGINNING
        while at < END:
            walked = parent(name, self.owners_at(at))
            # Nothing changes until a stake in somebody on the way begins or ends.
            moments = (
                moment for one in walked.walked for stake in self.stakes(one) for moment in stake.period if moment > at
            )
            until = min(moments, default=END)
            yield Period(at, until), walked
            at = until

    def _headquarters_of(self, profiled: Profiled) -> list[Headquarters]:
        found = [Headquarters(version, period) for version, period in _periods(profiled.history(HEADQUARTERS))]
        for declared, period in _periods(profiled.history(PARTY)):
            found += _within(self._headquarters_of_party(str(declared.value)), period)
        return found

    def _headquarters_of_party(self, name: str) -> list[Headquarters]:
        """Those of a party and of its ultimate parents over time; members of a circle are parents of each other."""
        found = self._headquarters.get(name)
        if found is None:
            found = self._headquarters[name] = self._stated(name, ())
            for period, above in self.parents(name):
                for top in sorted({one for part in above.tops for one in part} - {name}):
                    found += _within(self._stated(top, above.steps), period)
        return found

    def _stated(self, name: str, steps: tuple[Edge, ...]) -> list[Headquarters]:
        return [
            Headquarters(version, period, steps)
            for version, period in _periods(self.profiled(name).history(HEADQUARTERS))
        ]

    def _unresolved(self, profiled: Profiled) -> str | None:
        """Why a tenant counts as unresolved now.

        A party's documented headquarters are the tenant's where that the tenant is of this party is documented too:
        otherwise naming a party that is well known would be a way out.
        """
        declared = profiled.current(PARTY)
        own = unresolved(profiled.current(HEADQUARTERS), "the tenant")
        if declared is None:
            return own
        party = str(declared.value)
        of_party = unresolved(self.profiled(party).current(HEADQUARTERS), party)
        if own is not None and (of_party is not None or not declared.documented):
            return own
        return self._unresolved_above(self.parent(party))

    def _unresolved_above(self, above: Parent) -> str | None:
        """Why the ultimate parent of a party is not known, not sure, or not where it is documented to be."""
        for edge in above.unknown:
            return f"Who controls {edge.owned} is not known: {edge_sentences([edge])}."
        for edge in above.disputed:
            return f"Who controls {edge.owned} is disputed: {edge_sentences([edge])}."
        for edge in above.steps:
            if not any(stake.documented for stake in edge.stakes):
                return f"Who controls {edge.owned} is only claimed, not documented: {edge_sentences([edge])}."
        for top in sorted({one for part in above.tops for one in part} - {above.party}):
            sentence = unresolved(self.profiled(top).current(HEADQUARTERS), f"the ultimate parent {top}")
            if sentence is not None:
                return sentence
        return None


def _periods(versions: Sequence[Version]) -> Iterator[tuple[Version, Period]]:
    """When each version holds; what held before the first is what the first says."""
    for position, version in enumerate(versions):
        start = version.since if position else BEGINNING
        yield version, Period(start, versions[position + 1].since if position + 1 < len(versions) else END)


def _within(headquarters: Iterable[Headquarters], period: Period) -> list[Headquarters]:
    return [part for one in headquarters if (part := one.within(period)) is not None]


def of_concern(
    headquarters: Iterable[Headquarters], countries: Countries, group: str, start: int, end: int
) -> Headquarters | None:
    """The first of the headquarters, if any, that was in a country of concern at some time in [start, end].

    Rule: the entity, or its ultimate parent by control, is headquartered in a country of the group. A majority owner is
    a path to the parent, not a test of its own. Most concerning wins: over the window, by the versions of profiles,
    stakes and groups of that time, and among parents where there are several or it is disputed who they are.

    Source: accounting rules, section 5; BIS guidance of 2026-05-31; 15 CFR 742.6(a)(6)(iii)(A).
    """
    for one in headquarters:
        first, last = max(one.period.start, start), min(one.period.end - 1, end)
        if first <= last and _ever_in_group(str(one.version.value), countries, group, first, last):
            return one
    return None


def _ever_in_group(country: str, countries: Countries, group: str, first: int, last: int) -> bool:
    instants: Iterable[int] = (first, last, *(at for at in countries.change_times if first < at < last))
    return any(countries.in_group(country, group, at) for at in instants)


def headquarters_sentence(one: Headquarters, group: str) -> str:
    """Why headquarters are of concern: whose they are and where, and of a parent who controls whom, with sources."""
    version = one.version
    whose = "The tenant"
    if version.party is not None:
        whose = f"The {'ultimate parent' if one.steps else 'party'} of the tenant, {version.party},"
    return (
        f"{whose} is headquartered in {version.value} ({version.basis}, from {version.source}), a country of concern "
        f"({group}){': ' + edge_sentences(one.steps) if one.steps else ''}."
    )
