"""Who simulated tenants say they are, and what capacity they ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from monitor.core.model import HOUR_MS, SECOND_MS, Kind
from monitor.simulate.companies import Company
from monitor.simulate.fleet import MINUTE_MS, ONBOARDING, WHOLE, Event, Fleet, Member, odd
from monitor.simulate.hardware import Hardware
from monitor.simulate.wire import instant


def profile(
    fleet: Fleet, member: Member, company: Company, basis: str, further: Mapping[str, object] | None = None
) -> None:
    """The tenant's profile, at its beginning, with one basis for all its fields; `further` ones, or others instead.

    A field that `further` has as None is left out.
    """
    fields: dict[str, object] = {
        "party": party_of(company),
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
    fields = {name: value for name, value in {**fields, **(further or {})}.items() if value is not None}
    stated: dict[str, object] = {"basis": dict.fromkeys(fields, basis)}
    if basis == "documented":
        stated["verified_at"] = instant(fleet.start)
    _profiled(fleet, member, {**fields, **stated})


def party_of(company: Company) -> str:
    """What the provider calls a legal person."""
    return f"p-{company.domain.partition('.')[0]}"


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
    owns = [{"party": party_of(owner), "share": 0.8, "control": True, "source": "company register"}]
    fleet.add(iter([registered(rng, at, owner), registered(rng, at + SECOND_MS, child, owns)]))


def registered(rng: Random, at: int, company: Company, owners: Sequence[Mapping[str, object]] = ()) -> Event:
    """A legal person as a registry states it at an instant, with its owners if any are known."""
    basis = dict.fromkeys(("names", "hq_country", "incorporation_country"), "registry")
    data: dict[str, object] = {
        "party": party_of(company),
        "names": [company.legal_name, *company.aliases],
        "hq_country": company.country,
        "incorporation_country": company.country,
        "basis": basis,
    }
    if owners:
        data["owners"] = list(owners)
        data["basis"] = {**basis, "owners": "registry"}
    return Event(odd(rng, at), Kind.PARTY_PROFILED, ONBOARDING, party_of(company), data)


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
