"""Several tenants of one party: what is too little in each may be much together.

A group is the tenants that declare the same party, two at least; who owns whom, and who is linked without saying so,
is not known yet. Within a group bounds are added (full dependence), so a member never has more than its group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.bounds import Bounds
from monitor.core.bounds import total as sum_of
from monitor.core.estimate import TenantHour
from monitor.core.profiles import declared_party


class Group(NamedTuple):
    """A party and its tenants, by name."""

    party: str
    tenants: Mapping[str, Tenant]


def groups(tenants: Mapping[str, Tenant], now: int) -> list[Group]:
    """The groups among some tenants at an instant, by party; each tenant is in one at most."""
    members: dict[str, dict[str, Tenant]] = {}
    for name in sorted(tenants):
        party = declared_party(tenants[name], now)
        if party is not None:
            members.setdefault(party, {})[name] = tenants[name]
    return [Group(party, members[party]) for party in sorted(members) if len(members[party]) > 1]


def together(hours: Iterable[Sequence[TenantHour]]) -> list[TenantHour]:
    """The hours of several tenants as those of one, in order."""
    everything: dict[int, list[Bounds]] = {}
    known: dict[int, list[Bounds]] = {}
    for of_tenant in hours:
        for one in of_tenant:
            everything.setdefault(one.hour, []).append(one.everything)
            known.setdefault(one.hour, []).append(one.known)
    return [TenantHour(hour, sum_of(everything[hour]), sum_of(known[hour])) for hour in sorted(everything)]
