"""What the functions that look at who is who are given, read from events the plain way: no books, runs or owners."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bench.holdings import HeldStretch, held_by_tenant
from monitor.core.links import Launch, LinkKind, Tie, Ties, identifier
from monitor.core.structuring import Version

LAUNCH_MS = 10 * 60_000
LARGE = 16_000  # thousandths of an accelerator
DAY_MS = 86_400_000
FIELDS = {
    "party": LinkKind.PARTY,
    "organisation": LinkKind.ORGANISATION,
    "reseller_of": LinkKind.RESELLER,
    "payer": LinkKind.PAYER,
    "contact_domain": LinkKind.DOMAIN,
}
OF_STARTS = {
    "image_digest": LinkKind.IMAGE,
    "reservation": LinkKind.RESERVATION,
    "on_behalf_of": LinkKind.END_CUSTOMER,
}
DOCUMENTED = {"documented", "registry", "reviewer"}


class Read(NamedTuple):
    """What the events of a scenario say of its tenants."""

    ties: dict[str, Ties]
    versions: dict[str, list[Version]]
    daily: dict[str, dict[int, int]]  # tenant -> day since 1970 -> accelerator-microseconds

    @property
    def attested(self) -> set[str]:
        return {name for name, one in self.ties.items() if one.attested}

    @property
    def launches(self) -> dict[str, tuple[Launch, ...]]:
        return {name: one.launches for name, one in self.ties.items()}


def read(lines: Sequence[bytes]) -> Read:
    """The tenants of some events, in order of their times."""
    events = [json.loads(line) for line in lines]
    profiles = [(_time(one), one) for one in events if ".tenant.profiled." in one["type"]]
    parties = [(_time(one), one) for one in events if ".party.profiled." in one["type"]]
    starts: dict[str, list[Mapping[str, Any]]] = {}
    for one in events:
        if ".started." in one["type"]:
            starts.setdefault(one["data"]["tenant"], []).append(one)
    held = held_by_tenant(lines)
    ties: dict[str, Ties] = {}
    versions: dict[str, list[Version]] = {}
    for at, event in profiles:
        name = event["data"]["tenant"]
        own = _profile_ties(event)
        owners = [one for tie in own if tie.kind is LinkKind.PARTY for one in _owners(parties, tie.value)]
        own += [Tie(LinkKind.OWNER, owner, "registry", source) for _, owner, source in owners[-1:]]
        own += _start_ties(starts.get(name, []))
        versions[name] = [
            *(Version(at, "payer", tie.value, tie.basis, tie.source) for tie in own if tie.kind is LinkKind.PAYER),
            *(Version(since, "owner", owner, "registry", source) for since, owner, source in owners),
        ]
        verified = event["data"]["basis"].get("hq_country") in DOCUMENTED and "verified_at" in event["data"]
        ties[name] = Ties(name, tuple(own), verified, _launches(held.get(name, []), starts.get(name, [])))
    return Read(ties, versions, {name: _daily(some) for name, some in held.items()})


def _time(event: Mapping[str, Any]) -> int:
    return round(datetime.fromisoformat(event["time"]).timestamp() * 1000)


def _profile_ties(event: Mapping[str, Any]) -> list[Tie]:
    data, source = event["data"], event["source"]
    found = [
        Tie(kind, data[field], data["basis"].get(field, "claimed"), source)
        for field, kind in FIELDS.items()
        if field in data
    ]
    for scheme, value in data.get("identifiers", {}).items():
        found.append(Tie(LinkKind.IDENTIFIER, identifier(scheme, value), "claimed", source))
    return found


def _start_ties(starts: Iterable[Mapping[str, Any]]) -> list[Tie]:
    found = {
        Tie(kind, one["data"][field], "observed", one["source"])
        for one in starts
        for field, kind in OF_STARTS.items()
        if field in one["data"]
    }
    return sorted(found)


def _owners(parties: Iterable[tuple[int, Mapping[str, Any]]], party: str) -> list[tuple[int, str, str]]:
    """(since, ultimate parent by control, source) whenever another was told; parents are told before their children."""
    controls: dict[str, tuple[str, str]] = {}
    found: list[tuple[int, str, str]] = []
    for at, event in parties:
        for one in event["data"].get("owners", ()):
            if one["control"]:
                controls[event["data"]["party"]] = (one["party"], event["source"])
        parent, source = party, ""
        while parent in controls:
            parent, source = controls[parent]
        if parent != party and (not found or found[-1][1] != parent):
            found.append((at, parent, source))
    return found


def _launches(held: Iterable[HeldStretch], starts: Iterable[Mapping[str, Any]]) -> tuple[Launch, ...]:
    said = {one["data"]["allocation"]: one["data"] for one in starts}
    groups: list[list[HeldStretch]] = []
    for one in sorted(held, key=lambda one: (one.start, one.allocation)):
        if groups and one.start - groups[-1][0].start <= LAUNCH_MS:
            groups[-1].append(one)
        else:
            groups.append([one])
    found = []
    for group in groups:
        first = said[group[0].allocation]
        marks = frozenset(said[one.allocation].get("image_digest", "") for one in group) - {""}
        count, end = sum(one.thousandths for one in group), max(one.end for one in group)
        if count >= LARGE:
            found.append(Launch(group[0].start, end, count, first["accelerator"], first["fabric"], marks))
    return tuple(found)


def _daily(held: Iterable[HeldStretch]) -> dict[int, int]:
    found: Counter[int] = Counter()
    for one in held:
        for day in range(one.start // DAY_MS, one.end // DAY_MS + 1):
            begin, end = max(one.start, day * DAY_MS), min(one.end, (day + 1) * DAY_MS)
            found[day] += one.thousandths * (end - begin)
    return dict(found)
