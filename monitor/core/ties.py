"""What may link a tenant to others, read from the books: what its profiles say, and what was seen of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.links import Launch, LinkKind, Tie, Ties, comparable, identifier
from monitor.core.model import NO_TRAITS, Traits
from monitor.core.parties import Parties, periods
from monitor.core.profiles import HEADQUARTERS, IDENTIFIERS, PARTY, Profiled, of_tenant
from monitor.core.runs import Holding, Run
from monitor.core.structuring import Version
from monitor.core.timeline import Effects

CONTROL_PLANE, SEEN = "the control plane", "observed"
NOW = {PARTY: LinkKind.PARTY, "organisation": LinkKind.ORGANISATION, "reseller_of": LinkKind.RESELLER}
# Whoever changes its payer before somebody looks is still tied to the old one.
EVER = {"payer": LinkKind.PAYER, "contact_domain": LinkKind.DOMAIN}


class Observed(NamedTuple):
    """What was seen of a tenant's allocations."""

    ties: tuple[Tie, ...]  # images, reservations, end customers; sorted
    launches: tuple[Launch, ...]


def observed(holdings: Iterable[Holding], runs: Iterable[Run]) -> Observed:
    """What the holdings of a tenant, and the runs that they are, show of it."""
    ties = _seen_ties({held.traits for one in holdings for held in one.held})
    launches = (
        Launch(
            segment.start,
            segment.end,
            segment.peak,
            segment.family,
            segment.place,
            segment.evidence.images | segment.evidence.jobs,
        )
        for run in runs
        for segment in run.segments
    )
    return Observed(tuple(sorted(ties)), tuple(sorted(launches, key=lambda one: (one.start, one.end, one.count))))


def _seen_ties(traits: Iterable[Traits]) -> set[Tie]:
    return {
        Tie(kind, value, SEEN, CONTROL_PLANE)
        for one in traits
        for kind, value in (
            (LinkKind.IMAGE, one.image),
            (LinkKind.RESERVATION, one.reservation),
            (LinkKind.END_CUSTOMER, one.end_customer),
        )
        if value is not None
    }


def linking_traits(held: Iterable[Effects]) -> set[Traits]:
    """What was said of what allocations have held, as far as it may link tenants."""
    traits = {piece.traits for one in held for piece in one.pieces}
    parts = {Traits(image=one.image, reservation=one.reservation, end_customer=one.end_customer) for one in traits}
    return parts - {NO_TRAITS}


def profile_ties(tenant: Tenant, parties: Parties) -> tuple[Tie, ...]:
    """What a tenant's profiles, and the register of parties, tie it to."""
    profiled = of_tenant(tenant, parties.now)
    return tuple(sorted({*_stated(profiled), *_owners(profiled, parties)}))


def ties_of(name: str, tenant: Tenant, parties: Parties, seen: Observed) -> Ties:
    """Everything that may link a tenant."""
    return Ties(name, (*profile_ties(tenant, parties), *seen.ties), attested(tenant, parties), seen.launches)


def attested(tenant: Tenant, parties: Parties) -> bool:
    """Whether it is documented where a tenant and whoever controls it are headquartered, and somebody verified it."""
    return parties.unresolved(tenant) is None and of_tenant(tenant, parties.now).current("verified_at") is not None


def _stated(profiled: Profiled) -> Iterator[Tie]:
    for field, kind in NOW.items():
        version = profiled.current(field)
        if version is not None:
            yield Tie(kind, str(version.value), version.basis, version.source)
    for field, kind in EVER.items():
        for version in profiled.statements(field):
            yield Tie(kind, str(version.value), version.basis, version.source)
    for version in profiled.statements(IDENTIFIERS):
        assert isinstance(version.value, Mapping)
        for scheme, value in version.value.items():
            yield Tie(LinkKind.IDENTIFIER, identifier(scheme, value), version.basis, version.source)


def _owners(profiled: Profiled, parties: Parties) -> Iterator[Tie]:
    """The ultimate parents of the declared party, of now and of before; without an owner it is its own."""
    declared = profiled.current(PARTY)
    if declared is None:
        return
    for period, above in parties.parents(str(declared.value)):
        for top in above.tops if period.start <= parties.now else ():
            basis, source = declared.basis, declared.source
            if above.steps:
                stake = above.steps[-1].stakes[0]
                basis, source = stake.basis, stake.source
            yield Tie(LinkKind.OWNER, ", ".join(top), basis, source)


Keys = set[tuple[LinkKind, str]]


def tenant_keys(
    tenants: Mapping[str, Tenant], finished: Mapping[str, AbstractSet[Traits]], parties: Parties
) -> dict[str, Keys]:
    """Of each tenant what others must have too, to be linked with it; `finished`: what was said of what it held."""
    found = {}
    for name, tenant in tenants.items():
        traits = {*finished.get(name, ()), *(timeline.traits for _, timeline in tenant.held())}
        found[name] = keys_of(name, {*profile_ties(tenant, parties), *_seen_ties(traits)})
    return found


def keys_of(name: str, ties: Iterable[Tie]) -> Keys:
    """What others must have to be linked with a tenant.

    To be the end customer that another one names is something in common; and to buy from whoever pays for others, since
    a payer that is a reseller links nobody.
    """
    found = {(tie.kind, value) for tie in ties if (value := comparable(tie))}
    called = {name, *(value for kind, value in found if kind is LinkKind.PARTY)}
    sold = {value for kind, value in found if kind is LinkKind.RESELLER}
    return found | {(LinkKind.END_CUSTOMER, one) for one in called} | {(LinkKind.PAYER, one) for one in sold}


def sharing(of_tenants: Mapping[str, Keys]) -> list[str]:
    """The tenants that have something in common with another one, sorted: nobody else can be in a group.

    Launches at the same time are not looked at: by themselves they are weak, and group nobody.
    """
    holders: dict[tuple[LinkKind, str], list[str]] = {}
    for name, values in of_tenants.items():
        for value in values:
            holders.setdefault(value, []).append(name)
    return sorted({name for names in holders.values() if len(names) > 1 for name in names})


def versions_of(tenant: Tenant, parties: Parties) -> list[Version]:
    """What a tenant's payer, owner and headquarters were said to be over time."""
    profiled = of_tenant(tenant, parties.now)
    found = [
        Version(one.since, field, str(one.value), one.basis, one.source)
        for field in ("payer", HEADQUARTERS)
        for one in profiled.history(field)
    ]
    found += _owner_versions(profiled, parties)
    return sorted(one for one in found if one.at <= parties.now)


def _owner_versions(profiled: Profiled, parties: Parties) -> Iterator[Version]:
    """Who was above the party that a tenant declared at the time: the party may change, or its owners."""
    for one, declared in periods(profiled.history(PARTY)):
        for period, above in parties.parents(str(one.value)):
            at = max(one.since, period.start)
            if at < min(declared.end, period.end):
                stakes = [stake for step in above.steps for stake in step.stakes]
                latest = max(stakes, key=lambda stake: stake.since, default=one)
                tops = "; ".join(", ".join(top) for top in above.tops)
                yield Version(at, "owner", tops, latest.basis, latest.source)
