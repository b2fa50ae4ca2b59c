"""Whose compute it is, as far as the tenant's own profile says: the headquarters test.

Profile fields are claims with a basis. Headquarters that are not at least documented leave the tenant *unresolved*.
A window keeps the most concerning headquarters that held in it; whether they are resolved is a matter of what is known
now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.countries import Countries
from monitor.core.facts import effective
from monitor.core.model import Kind, Observation, Profile

DOCUMENTED = frozenset({"documented", "registry", "reviewer"})
HEADQUARTERS, PARTY = "hq_country", "party"


class Headquarters(NamedTuple):
    """Where a tenant's headquarters were said to be from `since` until the next version."""

    since: int
    country: str
    basis: str
    source: str


def _profiles(tenant: Tenant, now: int) -> list[tuple[Observation, Profile]]:
    """The profiles of a tenant that count at `now`, in order."""
    known = [
        fact
        for facts in tenant.facts.values()
        for fact in facts
        if fact.time <= now or fact.kind is Kind.RETRACTED  # which applies whatever its time
    ]
    counting = sorted(effective(known, tenant.retracted), key=lambda one: (one.time, one.source, one.id))
    return [
        (fact, fact.body) for fact in counting if fact.kind is Kind.TENANT_PROFILED and isinstance(fact.body, Profile)
    ]


def headquarters(tenant: Tenant, now: int) -> list[Headquarters]:
    """Every version of a tenant's headquarters up to `now`, in order; of several at one instant only the last holds."""
    versions: dict[int, Headquarters] = {}
    for fact, profile in _profiles(tenant, now):
        country = profile.fields.get(HEADQUARTERS)
        if isinstance(country, str):
            basis = profile.basis.get(HEADQUARTERS, "claimed")
            versions[fact.time] = Headquarters(fact.time, country, basis, fact.source)
    return list(versions.values())


def declared_party(tenant: Tenant, now: int) -> str | None:
    """The party that a tenant last declared to belong to, None if it never did."""
    parties = [profile.fields[PARTY] for _, profile in _profiles(tenant, now) if PARTY in profile.fields]
    return str(parties[-1]) if parties else None


def unresolved(versions: list[Headquarters]) -> str | None:
    """Why a tenant counts as unresolved, as a sentence; None if it does not."""
    if not versions:
        return "The headquarters of the tenant are not known."
    if versions[-1].basis not in DOCUMENTED:
        return f"The headquarters of the tenant ({versions[-1].country}) are only claimed, not documented."
    return None


def of_concern(
    versions: list[Headquarters], countries: Countries, group: str, start: int, end: int
) -> Headquarters | None:
    """The version of the headquarters, if any, that was in a country of concern at some time in [start, end].

    `versions` are in order and no two of one instant. What held before the first is what the first says.
    """
    for position, version in enumerate(versions):
        until = versions[position + 1].since - 1 if position + 1 < len(versions) else end
        first = max(version.since, start) if position else start
        last = min(until, end)
        if first <= last and _ever_in_group(version.country, countries, group, first, last):
            return version
    return None


def _ever_in_group(country: str, countries: Countries, group: str, first: int, last: int) -> bool:
    instants: Iterable[int] = (first, last, *(at for at in countries.change_times if first < at < last))
    return any(countries.in_group(country, group, at) for at in instants)
