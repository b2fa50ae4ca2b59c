"""Profiles of a tenant and of parties as a text table, one statement a line.

    0  t  party=P:registry hq_country=US:documented
    3  P  hq_country=US:registry owners=A-60c+B-40@1..9:registry source=kyc

A line is: days, who (`t` is the tenant), fields with their basis after a colon (none: claimed). Owners are joined by
plus signs: name, share in per cent or `?`, c or n for control or none, and days from and to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction

from monitor.core.book import Party, Tenant
from monitor.core.model import DAY_MS, Kind, Observation, Profile


def owner(text: str) -> dict[str, object]:
    """An owner as the decoder makes it."""
    name, _, said = text.partition("-")
    said, _, days = said.partition("@")
    start, _, end = days.partition("..")
    share = said.rstrip("cn")
    return {
        "party": name,
        "share_ppm": None if share == "?" else int(Fraction(share) * 10_000),
        "control": True if said.endswith("c") else False if said.endswith("n") else None,
        "from": int(start) * DAY_MS if start else None,
        "to": int(end) * DAY_MS if end else None,
        "source": None,
    }


def fact(
    who: str, at: int, source: str, id: str, fields: dict[str, object], basis: dict[str, str] | None = None
) -> Observation:
    """What a profile says of the tenant `t` or of a party."""
    raw = json.dumps([who, at, source, id, fields, basis]).encode()
    body = Profile(fields, basis or {})
    if who == "t":
        return Observation(Kind.TENANT_PROFILED, "t", "", at, source, id, body, raw)
    return Observation(Kind.PARTY_PROFILED, "", who, at, source, id, body, raw)


def facts(text: str) -> list[Observation]:
    """The facts of a table; each line's number is its id."""
    made = []
    for number, line in enumerate(filter(None, (line.strip() for line in text.splitlines()))):
        day, who, *said = line.split()
        fields: dict[str, object] = {}
        basis: dict[str, str] = {}
        source = "kyc"
        for part in said:
            name, _, value = part.partition("=")
            if name == "source":
                source = value
                continue
            value, _, how = value.rpartition(":") if ":" in value else (value, "", "")
            if how:
                basis[name] = how
            if name == "owners":
                fields[name] = [owner(one) for one in value.split("+")]
            elif name == "identifiers":
                fields[name] = dict(one.split("-") for one in value.split("+"))
            else:
                fields[name] = value
        made.append(fact(who, int(day) * DAY_MS, source, f"{number:03d}", fields, basis))
    return made


def kept(made: Iterable[Observation]) -> tuple[Tenant, dict[str, Party]]:
    """The tenant and the parties of some facts, as a book keeps them."""
    tenant, parties = Tenant(), dict[str, Party]()
    for one in made:
        held = parties.setdefault(one.subject, Party()).facts if one.subject else tenant.facts
        held.setdefault((one.source, one.id), []).append(one)
    return tenant, parties


def world(text: str) -> tuple[Tenant, dict[str, Party]]:
    """The tenant and the parties of a table."""
    return kept(facts(text))
