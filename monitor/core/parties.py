"""Whose compute it is: the headquarters test on a tenant, its party, and the party's ultimate parent.

A window keeps the most concerning headquarters that held in it; whether they are resolved is a matter of what is known
now. The test is switched by the dates of the policy that asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from monitor.core.book import Party, Tenant
from monitor.core.clearances import Clearance, Clearances, Place
from monitor.core.countries import Countries
from monitor.core.lists import NO_LISTS, Band, Effect, Hit, Lists, Query
from monitor.core.ownership import (
    BEGINNING,
    END,
    Edge,
    Owners,
    Parent,
    Period,
    Stake,
    Verdict,
    cascade,
    edge_sentences,
    edges_at,
    parent,
    stakes_of,
)
from monitor.core.profiles import (
    HEADQUARTERS,
    IDENTIFIERS,
    PARTY,
    Contradiction,
    Profiled,
    Version,
    contradicted,
    of_party,
    of_tenant,
    unresolved,
)
from monitor.core.structuring import Signal

STRICTEST = ("blocked", "licence", "end_use_review", "attention")
_NAMES, _PLACES = ("legal_name", "names", "aliases"), ("hq_country", "incorporation_country")


class Headquarters(NamedTuple):
    """Where a tenant, its party or that one's ultimate parent was headquartered, and when that counts for it."""

    version: Version
    period: Period
    steps: tuple[Edge, ...] = ()  # of a parent: who controls whom, from the party upwards

    def within(self, period: Period) -> Headquarters | None:
        """The part of it in a period; None: there is none."""
        part = Period(max(self.period.start, period.start), min(self.period.end, period.end))
        return self._replace(period=part) if part.start < part.end else None


class Match(NamedTuple):
    """A hit of a tenant, of its party or of an owner of that one, and what two people may have said of it."""

    subject: str  # "tenant t-7", "party p-7"
    query: Query  # what was known of it
    hit: Hit
    effect: Effect  # of the list, for whom it names
    clearance: Clearance | None  # None: the hit is open

    @property
    def place(self) -> Place:
        """Which hit it is, over versions of lists and profiles."""
        return self.subject, self.hit.listed.source, self.hit.listed.id

    @property
    def id(self) -> str:
        """The stable name of a hit."""
        return "H-" + hashlib.sha256("\0".join(self.place).encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Affiliation(NamedTuple):
    """What a tenant's party inherits from owners that are likely listed, if they hold half of it."""

    effect: str  # blocked, licence, end_use_review or attention
    lists: tuple[Effect, ...]  # those that the owners are on, by name; for what they own each has this effect
    verdict: Verdict  # caught or undecided
    steps: tuple[Edge, ...]  # who owns how much of what, up to the listed owners
    matches: tuple[Match, ...]  # of those owners


class Who(NamedTuple):
    """What the rules ask of a tenant."""

    headquarters: list[Headquarters]  # its own, then its party's, then the parents'; each in order
    unresolved: str | None  # why it is, as a sentence; None: it is not
    matches: tuple[Match, ...] = ()  # the best first
    affiliations: tuple[Affiliation, ...] = ()  # at most one for each effect
    contradictions: tuple[Contradiction, ...] = ()
    signals: tuple[Signal, ...] = ()  # as far as they were looked for


class Parties:
    """What the profiles of parties say as known at `now`, read as it is asked for: most tenants ask for few."""

    __slots__ = (
        "_cleared", "_headquarters", "_lists", "_matches", "_parents", "_parties", "_profiled", "_stakes", "now",
    )  # fmt: skip

    def __init__(
        self, parties: Mapping[str, Party], now: int, lists: Lists = NO_LISTS, cleared: Clearances | None = None
    ) -> None:
        self.now = now
        self._parties = parties
        self._lists = lists
        self._cleared = cleared or {}
        self._matches: dict[str, tuple[Match, ...]] = {}
        self._profiled: dict[str, Profiled] = {}
        self._stakes: dict[str, list[Stake]] = {}
        self._parents: dict[str, list[tuple[Period, Parent]]] = {}
        self._headquarters: dict[str, list[Headquarters]] = {}

    def who(self, name: str, tenant: Tenant) -> Who:
        """What the rules ask of a tenant."""
        profiled = of_tenant(tenant, self.now)
        party = _declared(profiled)
        return Who(
            self._headquarters_of(profiled),
            self._unresolved(profiled),
            self._matches_of_tenant(name, profiled),
            () if party is None else self.affiliations(party),
            tuple(contradicted(profiled, *([] if party is None else [self.profiled(party)]))),
        )

    def unresolved(self, tenant: Tenant) -> str | None:
        """Why a tenant counts as unresolved now; None: it does not."""
        return self._unresolved(of_tenant(tenant, self.now))

    def documented(self, party: str) -> bool:
        """Whether it is documented where a party, and whoever controls it, is headquartered."""
        stated = unresolved(self.profiled(party).current(HEADQUARTERS), party)
        return stated is None and self._unresolved_above(self.parent(party)) is None

    def matches_of_tenant(self, name: str, tenant: Tenant) -> tuple[Match, ...]:
        """The hits of a tenant and of its party on lists, the best first."""
        return self._matches_of_tenant(name, of_tenant(tenant, self.now))

    def _matches_of_tenant(self, name: str, profiled: Profiled) -> tuple[Match, ...]:
        party = _declared(profiled)
        of_party = () if party is None else self.matches(party)
        return tuple(sorted((*self._matches_of(f"tenant {name}", profiled), *of_party), key=rank_of))

    def matches(self, party: str) -> tuple[Match, ...]:
        """The hits of a party on lists."""
        found = self._matches.get(party)
        if found is None:
            found = self._matches[party] = self._matches_of(f"party {party}", self.profiled(party))
        return found

    def matches_above(self, party: str) -> tuple[Match, ...]:
        """The hits of everybody who owns anything of a party now, directly or not."""
        return tuple(match for owner in sorted(self.owners(party)) for match in self.matches(owner))

    def owners(self, party: str) -> frozenset[str]:
        """Everybody who owns anything of a party now, directly or not."""
        return frozenset(self._above(party)) - {party}

    def _matches_of(self, subject: str, profiled: Profiled) -> tuple[Match, ...]:
        query = query_of(profiled)
        return tuple(
            Match(subject, query, hit, self._lists.effects.of(hit.listed.source), self._clearance(subject, query, hit))
            for hit in self._lists.screener.hits(query)
        )

    def _clearance(self, subject: str, query: Query, hit: Hit) -> Clearance | None:
        clearance = self._cleared.get((subject, hit.listed.source, hit.listed.id))
        return clearance if clearance is not None and clearance.covers(query, hit.listed, self.now) else None

    def affiliations(self, party: str) -> tuple[Affiliation, ...]:
        """What a party inherits from its owners by the 50 per cent test, the strictest first.

        Each effect is an instrument of its own: owners whose lists have it add up, others do not.
        """
        graph = self._above(party)
        by_effect: dict[str, dict[str, list[Match]]] = {}
        for owner in sorted(graph.keys() - {party}):
            for match in self.matches(owner):
                owned = self._of_owned(match)
                if owned is not None and match.clearance is None and match.hit.band is Band.LIKELY:
                    by_effect.setdefault(owned.owner, {}).setdefault(owner, []).append(match)
        found = []
        for effect in sorted(by_effect, key=STRICTEST.index):
            listed = by_effect[effect]
            caught = cascade(graph, listed.keys())
            verdict = caught.verdict(party)
            if verdict is not Verdict.NOT_CAUGHT:
                steps = caught.evidence(party)
                through = {step.owner for step in steps}
                matches = tuple(match for owner, many in listed.items() if owner in through for match in many)
                lists = {owned.source: owned for match in matches if (owned := self._of_owned(match)) is not None}
                found.append(Affiliation(effect, tuple(lists[name] for name in sorted(lists)), verdict, steps, matches))
        return tuple(found)

    def _of_owned(self, match: Match) -> Effect | None:
        return self._lists.effects.of_owned(match.hit.listed.source, self.now)

    def _above(self, party: str) -> dict[str, tuple[Edge, ...]]:
        """A party and everybody who owns anything of it, directly or not, now: each with its owners."""
        graph: dict[str, tuple[Edge, ...]] = {}
        waiting = [party]
        while waiting:
            name = waiting.pop()
            if name not in graph:
                graph[name] = edges_at(self.stakes(name), self.now)
                waiting += [edge.owner for edge in graph[name]]
        return graph

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
        found = [Headquarters(version, period) for version, period in periods(profiled.history(HEADQUARTERS))]
        for declared, period in periods(profiled.history(PARTY)):
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
            for version, period in periods(self.profiled(name).history(HEADQUARTERS))
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


def _declared(profiled: Profiled) -> str | None:
    declared = profiled.current(PARTY)
    return None if declared is None else str(declared.value)


def periods(versions: Sequence[Version]) -> Iterator[tuple[Version, Period]]:
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


def foreign_sentence(headquarters: Iterable[Headquarters], countries: Countries, home: str, now: int) -> str | None:
    """Why a tenant counts as foreign: it, or whoever controls it, is headquartered outside of a group of countries.

    A tenant of which nobody says where it is headquartered is foreign, too: a blank field is no way out.
    """
    known = [one for one in headquarters if one.period.start <= now < one.period.end]
    if not known:
        return "Nobody says where the tenant is headquartered."
    outside = next((one for one in known if not countries.in_group(str(one.version.value), home, now)), None)
    if outside is None:
        return None
    version = outside.version
    whose = "The tenant" if version.party is None else f"The party {version.party}"
    return f"{whose} is headquartered in {version.value} ({version.basis}, from {version.source}), outside of {home}."


# -- screening -------------------------------------------------------------------------------------------------------


def query_of(profiled: Profiled) -> Query:
    """What a profile says that lists can be asked for: every name and address that it ever had, its countries now."""
    names = {text for field in _NAMES for one in profiled.statements(field) for text in _texts(one.value)}
    addresses = {text for one in profiled.statements("addresses") for text in _texts(one.value)}
    countries = {str(one.value) for field in _PLACES if (one := profiled.current(field)) is not None}
    identifiers = {
        (scheme, str(value))
        for one in profiled.statements(IDENTIFIERS)
        if isinstance(one.value, Mapping)
        for scheme, value in one.value.items()
    }
    return Query(tuple(sorted(names)), frozenset(countries), tuple(sorted(identifiers)), tuple(sorted(addresses)))


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    assert isinstance(value, Sequence)
    return map(str, value)


def rank_of(match: Match) -> tuple[bool, bool, int, int, str, str]:
    """Open before cleared, likely before possible, strict before mild, high before low."""
    hit = match.hit
    strict, entry = STRICTEST.index(match.effect.direct), (hit.listed.source, hit.listed.id)
    return match.clearance is not None, hit.band is not Band.LIKELY, strict, -hit.score, *entry


def match_sentence(match: Match) -> str:
    """A hit in words: who is like whom, on which list, how far, and what that would mean."""
    hit = match.hit
    what = {"name": "is named like", "identifier": "has the identifier of", "address": "has the address of"}[hit.kind]
    return (
        f"{match.subject[0].upper()}{match.subject[1:]} ({hit.asked}) {what} {hit.matched}, entry {hit.listed.id} of "
        f"{match.effect.title}: {hit.band}, score {hit.score / 1000:.2f}. If they are the same: "
        f"{_meaning(match.effect.direct, [match.effect])}."
    )


def _meaning(effect: str, lists: Iterable[Effect]) -> str:
    return f"{effect.replace('_', ' ')} (who decides: {'; '.join(one.decides for one in lists)})"


def affiliation_sentence(one: Affiliation) -> str:
    """The 50 per cent test in words, with who owns how much of what."""
    owners = " ".join(match_sentence(match) for match in one.matches)
    sure = "hold half of the party or more" if one.verdict is Verdict.CAUGHT else "may hold half of the party"
    titles = " or ".join(each.title for each in one.lists)
    return (
        f"Owners that are likely on {titles} {sure}: {edge_sentences(one.steps)}. If they are the same: "
        f"{_meaning(one.effect, one.lists)}. {owners}"
    )
