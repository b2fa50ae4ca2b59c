"""What is known of tenants and parties over time, field by field.

A field of a profile is a claim with a basis, a source and a date; every version is kept. What a tenant says of itself
and what is said of the party that it declares stand beside each other and are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from monitor.core.book import Party, Tenant
from monitor.core.facts import Identity, effective
from monitor.core.model import Kind, Observation, Profile

CLAIMED = "claimed"
DOCUMENTED = frozenset({"documented", "registry", "reviewer"})
HEADQUARTERS, PARTY, OWNERS, IDENTIFIERS = "hq_country", "party", "owners", "identifiers"
ONE_VALUED = (HEADQUARTERS, "incorporation_country", PARTY)  # of which one value is right, so that two contradict


class Version(NamedTuple):
    """What a field was said to be from `since` until the next version."""

    since: int
    value: object
    basis: str
    source: str
    party: str | None = None  # of which party it was said; None: of the tenant itself

    @property
    def documented(self) -> bool:
        """Whether more stands behind it than a claim."""
        return self.basis in DOCUMENTED


class Profiled:
    """What the profiles of a tenant, or of a party, say by field, as known at `now`."""

    __slots__ = ("_profiles", "party")

    def __init__(
        self,
        facts: Mapping[Identity, Iterable[Observation]],
        now: int,
        retracted: Set[Identity] = frozenset(),
        party: str | None = None,
    ) -> None:
        known = [
            fact
            for rivals in facts.values()
            for fact in rivals
            if fact.time <= now or fact.kind is Kind.RETRACTED  # which applies whatever its time
        ]
        counting = sorted(effective(known, retracted), key=lambda one: (one.time, one.source, one.id))
        self._profiles = [
            (fact, fact.body)
            for fact in counting
            if fact.kind in (Kind.TENANT_PROFILED, Kind.PARTY_PROFILED) and isinstance(fact.body, Profile)
        ]
        self.party = party

    def fields(self) -> list[str]:
        """The fields of which anything was ever said, sorted."""
        return sorted({field for _, profile in self._profiles for field in profile.fields})

    def statements(self, field: str) -> list[Version]:
        """All that was ever said of a field, by time, then source, then id."""
        return [
            Version(fact.time, profile.fields[field], profile.basis.get(field, CLAIMED), fact.source, self.party)
            for fact, profile in self._profiles
            if field in profile.fields
        ]

    def history(self, field: str) -> list[Version]:
        """The versions of a field, in order; of several at one instant only the last holds."""
        return list({version.since: version for version in self.statements(field)}.values())

    def current(self, field: str) -> Version | None:
        """What a field is said to be now; None: nothing was ever said of it."""
        said = self.statements(field)
        return said[-1] if said else None


def of_tenant(tenant: Tenant, now: int) -> Profiled:
    """What a tenant's own profiles say at `now`, without what was retracted."""
    return Profiled(tenant.facts, now, tenant.retracted)


def of_party(name: str, party: Party | None, now: int) -> Profiled:
    """What the profiles of a party say at `now`; a party that the books do not know has none.

    A retraction names a tenant, so facts about parties cannot be retracted: a later one corrects them.
    """
    return Profiled({} if party is None else party.facts, now, party=name)


def declared_party(tenant: Tenant, now: int) -> str | None:
    """The party that a tenant last declared to belong to, None if it never did."""
    version = of_tenant(tenant, now).current(PARTY)
    return None if version is None else str(version.value)


def unresolved(version: Version | None, whose: str) -> str | None:
    """Why headquarters do not say who somebody is, as a sentence; None if they do."""
    if version is None:
        return f"The headquarters of {whose} are not known."
    if not version.documented:
        return f"The headquarters of {whose} ({version.value}) are only claimed, not documented."
    return None


class Contradiction(NamedTuple):
    """Two latest statements of one field, by different sources or of tenant and party, that differ."""

    field: str  # of identifiers: `identifiers.` and the scheme
    latest: Version
    other: Version


def contradicted(*profiles: Profiled) -> list[Contradiction]:
    """Where the latest statements of sources differ, each held against the latest of all.

    Countries, the party, and identifiers of one scheme, in that order. Names are not compared: they may be written in
    many ways and still be the same, which is for screening to judge.
    """
    found = []
    for field, voices in _voices(profiles).items():
        latest = max(voices, key=lambda one: (one.since, one.source, one.party or ""))
        found += [Contradiction(field, latest, voice) for voice in voices if voice.value != latest.value]
    return found


def _voices(profiles: Iterable[Profiled]) -> dict[str, list[Version]]:
    """The latest statement of each source, and of tenant and party apart, by field."""
    latest: dict[str, dict[tuple[str, str], Version]] = {field: {} for field in ONE_VALUED}
    for profiled in profiles:
        for field in ONE_VALUED:
            if field == PARTY and profiled.party is not None:
                continue  # its own name
            for version in profiled.statements(field):
                latest[field][version.party or "", version.source] = version
        for version in profiled.statements(IDENTIFIERS):
            assert isinstance(version.value, Mapping)
            for scheme, value in sorted(version.value.items()):
                of_scheme = latest.setdefault(f"{IDENTIFIERS}.{scheme}", {})
                of_scheme[version.party or "", version.source] = version._replace(value=value)
    return {field: [voices[voice] for voice in sorted(voices)] for field, voices in latest.items() if voices}


def contradiction_sentence(contradiction: Contradiction) -> str:
    """Both sides of a contradiction, in one sentence."""
    one, other = (_said(side) for side in (contradiction.latest, contradiction.other))
    return f"{contradiction.field}: {one}, but {other}."


def _said(version: Version) -> str:
    whose = "the tenant's profile" if version.party is None else f"the profile of {version.party}"
    return f"{whose} says {version.value} ({version.basis}, from {version.source})"
