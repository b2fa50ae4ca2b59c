"""Tenants that are taken for one customer: what is too little in each may be much together.

A group is tenants that declare one party or organisation, or that strong links join (`core/links.py`), two at least;
and the book of a reseller: its customers that nobody attested, as one unresolved party. Within a group bounds are added
(full dependence), so a member never has more than its group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.estimate import Sums, TenantHour
from monitor.core.links import Evidence, Launch, Link, LinkedGroup, LinkKind, Links, Ties
from monitor.core.structuring import Signal, family_switched, in_turn, undeclared
from monitor.core.structuring import together as at_once


class Group(NamedTuple):
    """Some tenants, why they are taken for one, and what that may mean."""

    name: str  # the party that all declare or that is above all, else after an organisation, a tenant or a reseller
    tenants: Mapping[str, Tenant]
    evidence: tuple[Evidence, ...]  # the weightiest first
    unresolved: str | None = None  # why the whole of it counts as unresolved
    signals: tuple[Signal, ...] = ()


class Linked(NamedTuple):
    """What tenants share, and the groups that follow, by name."""

    ties: Mapping[str, Ties]  # of whoever has something in common with another
    links: Links
    groups: tuple[Group, ...]
    corporate: tuple[Group, ...] = ()  # those that declare one party, or that one owner controls; by that name

    def links_of(self, tenant: str) -> tuple[Link, ...]:
        """The links of a tenant, the strongest first."""
        return self.links.of(tenant) if tenant in self.ties else ()

    def of(self, tenant: str) -> list[Group]:
        """The groups that a tenant is in: its linked tenants, and the book of its reseller."""
        return [group for group in self.groups if tenant in group.tenants]


def linked(tenants: Mapping[str, Tenant], ties: Mapping[str, Ties]) -> Linked:
    """The links and groups among the tenants whose ties are given, at least all that have something in common."""
    links = Links(ties.values())
    attested = {name for name, one in ties.items() if one.attested}
    launches = {name: one.launches for name, one in ties.items()}
    made = [_group(one, tenants, ties, _signals(one, attested, launches)) for one in links.groups]
    for book in links.books:
        members = {name: tenants[name] for name in book.tenants}
        made.append(Group(f"customers of {book.reseller}", members, (), book.sentence))
    return Linked(ties, links, tuple(sorted(made, key=lambda group: group.name)), _corporate(tenants, ties))


def _corporate(tenants: Mapping[str, Tenant], ties: Mapping[str, Ties]) -> tuple[Group, ...]:
    """The tenants of each party, and of each party that controls others, two at least, by its name."""
    of_party: dict[str, set[str]] = {}
    for name, one in ties.items():
        for tie in one.ties:
            if tie.kind in (LinkKind.PARTY, LinkKind.OWNER):
                of_party.setdefault(tie.value, set()).add(name)
    return tuple(
        Group(party, {name: tenants[name] for name in sorted(members)}, ())
        for party, members in sorted(of_party.items())
        if len(members) > 1
    )


def _signals(group: LinkedGroup, attested: set[str], launches: Mapping[str, Sequence[Launch]]) -> Iterator[Signal]:
    found = (undeclared(group, attested), at_once(group, launches), in_turn(group, launches))
    yield from (signal for signal in found if signal is not None)
    if len(group.units) > 1:
        yield from family_switched({name: launches[name] for name in group.tenants})


def _group(
    one: LinkedGroup, tenants: Mapping[str, Tenant], ties: Mapping[str, Ties], signals: Iterable[Signal]
) -> Group:
    members = {name: tenants[name] for name in one.tenants}
    return Group(_name(one, [ties[name] for name in one.tenants]), members, one.evidence, None, tuple(signals))


def _name(one: LinkedGroup, ties: Sequence[Ties]) -> str:
    """What a group is called: by what all of it declares or is owned by, so that one more tenant changes no name."""
    for kind, before in ((LinkKind.PARTY, ""), (LinkKind.OWNER, ""), (LinkKind.ORGANISATION, "organisation ")):
        values = [{tie.value for tie in of_one.ties if tie.kind is kind} for of_one in ties]
        common = set[str].intersection(*values)
        if common:
            return before + min(common)
    return f"tenants linked with {one.tenants[0]}"


def together(hours: Iterable[Sequence[TenantHour]]) -> list[TenantHour]:
    """The hours of several tenants as those of one, in order."""
    sums = Sums()
    for of_tenant in hours:
        for one in of_tenant:
            sums.add(one.hour, one.times, one.everything, one.known)
    return sums.hours()
