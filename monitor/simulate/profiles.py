"""Who simulated tenants say they are, and what capacity they ask for."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from monitor.core.model import HOUR_MS, SECOND_MS, Kind
from monitor.simulate.companies import Company
from monitor.simulate.fleet import MINUTE_MS, ONBOARDING, WHOLE, Event, Fleet, Member, odd
from monitor.simulate.hardware import Hardware
from monitor.simulate.wire import instant


def profile(fleet: Fleet, member: Member, company: Company, basis: str) -> None:
    """The tenant's profile, at its beginning, with one basis for all its fields."""
    fields: dict[str, object] = {
        "party": f"p-{company.domain.partition('.')[0]}",
        "legal_name": company.legal_name,
        "hq_country": company.country,
        "incorporation_country": company.country,
        "billing_country": company.country,
        "contact_domain": company.domain,
        "declared_use": company.declared_use,
        "payment_class": "invoice" if basis == "documented" else "card",
    }
    if company.aliases:
        fields["aliases"] = list(company.aliases)
    stated: dict[str, object] = {"basis": dict.fromkeys(fields, basis)}
    if basis == "documented":
        stated["verified_at"] = instant(fleet.start)
    _profiled(fleet, member, {**fields, **stated})


def blank_profile(fleet: Fleet, member: Member) -> None:
    """A profile that says nothing of who it is."""
    _profiled(fleet, member, {"payment_class": "prepaid", "basis": {"payment_class": "claimed"}})


def _profiled(fleet: Fleet, member: Member, fields: dict[str, object]) -> None:
    at = odd(member.rng, fleet.start + member.rng.randrange(10 * MINUTE_MS))
    data: dict[str, object] = {"tenant": member.name, **fields}
    fleet.add(iter([Event(at, Kind.TENANT_PROFILED, ONBOARDING, member.name, data)]))


def majority(fleet: Fleet, rng: Random, child: Company, owner: Company) -> None:
    """Two legal persons, one of which owns most of the other, as a registry states it."""
    at = odd(rng, fleet.start + 11 * MINUTE_MS)
    identities = [f"p-{one.domain.partition('.')[0]}" for one in (owner, child)]
    basis = dict.fromkeys(("names", "hq_country", "incorporation_country"), "registry")
    events = []
    for offset, (party, company) in enumerate(zip(identities, (owner, child), strict=True)):
        data: dict[str, object] = {
            "party": party,
            "names": [company.legal_name, *company.aliases],
            "hq_country": company.country,
            "incorporation_country": company.country,
            "basis": basis,
        }
        if company is child:
            data["owners"] = [{"party": identities[0], "share": 0.8, "control": True, "source": "company register"}]
            data["basis"] = {**basis, "owners": "registry"}
        events.append(Event(odd(rng, at + offset * SECOND_MS), Kind.PARTY_PROFILED, ONBOARDING, party, data))
    fleet.add(iter(events))


class Order(NamedTuple):
    """Capacity asked for or promised from `start` to `end`, in thousandths of an accelerator."""

    reservation: str
    hardware: Hardware
    units: int
    start: int
    end: int


def _reserved(at: int, member: Member, order: Order, state: str) -> Event:
    data: dict[str, object] = {
        "tenant": member.name,
        "reservation": order.reservation,
        "accelerator": order.hardware.accelerator,
        "count": order.units * order.hardware.per_unit // (WHOLE * WHOLE),
        "from": instant(order.start),
        "to": instant(order.end),
        "state": state,
    }
    return Event(at, Kind.RESERVATION, member.place.source, order.reservation, data)


def reservation(member: Member, order: Order, asked: int, outcome: str) -> Iterator[Event]:
    """Asked for, and some hours later granted or cancelled."""
    yield _reserved(odd(member.rng, asked), member, order, "requested")
    yield _reserved(odd(member.rng, asked + member.rng.randrange(2, 10) * HOUR_MS), member, order, outcome)
