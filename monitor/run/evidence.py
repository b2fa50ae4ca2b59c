"""What a case rests on: the facts of its tenants and of those above them, and the numbers that follow from these alone.

The numbers of a pack are made by the same function as those of the books, over the facts of the pack. What facts of
other customers would say too is given beside them: when each source was last heard of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple, Protocol

from monitor.core.book import Book, Tenant
from monitor.core.bounds import Bounds
from monitor.core.clocks import instant
from monitor.core.engine import Past, Reference, findings_of_linked, hearing, linked_tenants, tenant_findings
from monitor.core.estimate import totals
from monitor.core.findings import Finding
from monitor.core.flags import Flag
from monitor.core.groups import Linked
from monitor.core.model import Claim, Key, Kind, Observation, Profile, Report
from monitor.core.profiles import OWNERS, PARTY, of_tenant
from monitor.core.timeline import Shape
from monitor.intake.decode import decode_facts
from monitor.run.replay import MakeArchive, rebuild
from monitor.screening.recorded import Recording

UsageRow = tuple[str | None, str | None, str | None, str | None, str, int]  # shape, class, accelerator-microseconds


class Chains(Protocol):
    """The facts of the books of one partition, found by what they are about."""

    def heads_of(self, tenant: str) -> dict[Key, int]:
        """All allocations of a tenant -> number of the latest fact."""
        ...

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first."""
        ...


class Facts(NamedTuple):
    """What numbers rest on."""

    lines: list[bytes]  # as they came, but for reports of regions; by time
    reduced: list[tuple[str, str, str]]  # source, id and SHA-256 of reports, of which the lines leave others out


def facts_of(partitions: Iterable[tuple[Book, Chains]], names: AbstractSet[str]) -> Facts:
    """The facts of some tenants, of the parties that they declare and who is above those, and what reports of regions
    say of these tenants.
    """
    found: dict[bytes, Observation] = {}
    reduced = set[tuple[str, str, str]]()
    for book, chains in partitions:
        own = names & book.tenants.keys()
        if not own:
            continue
        lines = [line for name in sorted(own) for line in _of_tenant(book, chains, name)]
        facts = decode_facts(lines)
        regions = {fact.body.region for fact in facts if isinstance(fact.body, Claim)}
        found |= {fact.raw: fact for fact in (*facts, *_of_parties(book, facts))}
        for report in _reports(book, chains, own, regions):
            line = _reduced(report.raw, own)
            if line != report.raw:
                reduced.add((report.source, report.id, hashlib.sha256(report.raw).hexdigest()))
            found[line] = report
    ordered = sorted(found.items(), key=lambda one: (one[1].time, one[1].source, one[1].id, one[0]))
    return Facts([line for line, _ in ordered], sorted(reduced))


def _of_tenant(book: Book, chains: Chains, name: str) -> Iterator[bytes]:
    heads = chains.heads_of(name) | {(name, ""): book.tenants[name].head}
    for history in chains.histories({key: head for key, head in heads.items() if head}).values():
        yield from history


def _of_parties(book: Book, facts: Iterable[Observation]) -> Iterator[Observation]:
    """What is known of the parties that profiles name, and of their owners, up to the last."""
    waiting, seen = [one for fact in facts for one in _named(fact)], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in book.parties:
            continue
        seen.add(name)
        for rivals in book.parties[name].facts.values():
            for fact in rivals:
                yield fact
                waiting.extend(_named(fact))


def _named(fact: Observation) -> Iterator[str]:
    """The parties that a profile names."""
    if isinstance(fact.body, Profile):
        if PARTY in fact.body.fields and fact.kind is Kind.TENANT_PROFILED:
            yield str(fact.body.fields[PARTY])
        owners = fact.body.fields.get(OWNERS)
        if isinstance(owners, list):
            yield from (str(owner["party"]) for owner in owners)


def _reports(
    book: Book, chains: Chains, names: Collection[str], regions: AbstractSet[str | None]
) -> Iterator[Observation]:
    """The reports of regions that may say something of these tenants, were it that they are absent."""
    for name, region in sorted(book.regions.items()):
        if not region.head:
            continue
        key = ("", f"region/{name}")
        for fact in decode_facts(chains.histories({key: region.head})[key]):
            named = isinstance(fact.body, Report) and any(tenant in names for tenant, _ in fact.body.held)
            if named or name in regions:
                yield fact


def _reduced(raw: bytes, names: Collection[str]) -> bytes:
    """A report that names these tenants alone, and says nothing of the whole region."""
    event = json.loads(raw)
    data = event["data"]
    kept = [one for one in data["allocations"] if one["tenant"] in names]
    if len(kept) == len(data["allocations"]) and not data.get("capacity"):
        return raw
    event["data"] = {**{name: value for name, value in data.items() if name != "capacity"}, "allocations": kept}
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode("ascii")


# -- numbers -----------------------------------------------------------------------------------------------------------


class Sought(NamedTuple):
    """A flag, as far as its finding is found by it."""

    flag: str
    rule: str
    tenant: str
    anchor: str
    of_group: bool


class Numbers(NamedTuple):
    """What books say of some tenants and flags at an instant."""

    usage: Mapping[str, list[UsageRow]]
    findings: Mapping[str, Finding]  # by flag; none: it does not stand


def sought_of(flag: Flag) -> Sought:
    """What finds the finding of a flag again."""
    return Sought(flag.id, flag.rule, flag.tenant, flag.finding.anchor, flag.of_group)


def numbers(
    book: Book,
    reference: Reference,
    past: Past,
    names: Collection[str],
    flags: Sequence[Sought],
    now: int,
    linked: Linked | None = None,
) -> Numbers:
    """What books say of tenants, and of flags about them; `linked`: who is, if that is known."""
    heard, parties = hearing(book, now), reference.parties(book, now)
    by_shape = {name: totals(book.tenants[name], now, heard) for name in sorted(names) if name in book.tenants}
    standing = [
        finding
        for name, usage in by_shape.items()
        for finding in tenant_findings(book, reference, name, usage, parties, past)
    ]
    if any(flag.of_group for flag in flags):
        known = linked_tenants(book, reference, past, parties) if linked is None else linked
        standing += findings_of_linked(book, reference, known, parties)
    found = {flag.flag: finding for flag in flags if (finding := _of_flag(flag, standing)) is not None}
    return Numbers({name: usage_rows(usage) for name, usage in by_shape.items()}, found)


def _of_flag(flag: Sought, standing: Iterable[Finding]) -> Finding | None:
    return next(
        (
            one
            for one in standing
            if (one.rule, one.tenant, bool(one.members)) == (flag.rule, flag.tenant, flag.of_group)
            and (one.anchor == flag.anchor or flag.anchor in one.segments)
        ),
        None,
    )


def usage_rows(by_shape: Mapping[Shape, Mapping[str, int]]) -> list[UsageRow]:
    """Usage by shape and class, in one order."""
    rows = [
        (*shape, usage_class, amount)
        for shape, by_class in by_shape.items()
        for usage_class, amount in by_class.items()
    ]
    return sorted(rows, key=repr)


class Given(NamedTuple):
    """What the facts of a pack do not say, since others' facts do."""

    as_of: int
    heard: Mapping[str, int]  # source -> when it was last heard of


def recomputed(
    lines: Iterable[bytes],
    make_archive: MakeArchive,
    reference: Reference,
    names: Collection[str],
    flags: Sequence[Sought],
    given: Given,
) -> Numbers:
    """The numbers that follow from facts alone.

    Raises:
        UnreadableFact: a line is no fact.
    """
    working = make_archive()
    book = rebuild(lines, working, given.as_of)
    book.heard_elsewhere = given.heard
    return numbers(book, reference, working.past, names, flags, given.as_of)


def heard_of(lines: Iterable[bytes], hearing_of: Callable[[str], int]) -> dict[str, int]:
    """When the sources of facts were last heard of."""
    return {source: hearing_of(source) for source in sorted({fact.source for fact in decode_facts(lines)})}


def number_document(finding: Finding) -> dict[str, object]:
    """What a finding measured, as a pack holds it and its check compares it."""
    return {
        "policy": f"{finding.policy}@{finding.policy_version}",
        "level": str(finding.level),
        "measure": finding.measure,
        "threshold": finding.threshold,
        "amount": bounds_document(finding.amount),
        "raised_at": finding.raised_at,
        "tenants": list(finding.members),
    }


def bounds_document(bounds: Bounds) -> dict[str, int]:
    """Four integers."""
    return bounds._asdict()


def differing(named: str, pack: Mapping[str, object] | None, given: Mapping[str, object] | None) -> str | None:
    """How what a pack says of a flag differs from what its facts give, as a sentence; None: it does not."""
    if pack == given:
        return None
    if pack is None:
        return f"{named}: the pack says that its finding does not stand, its facts give {_said(given)}."
    if given is None:
        return f"{named}: the pack says {_said(pack)}, its facts give no such finding."
    wrong = [name for name in sorted({*pack, *given}) if pack.get(name) != given.get(name)]
    return f"{named}: the pack says {_said(pack, wrong)}, its facts give {_said(given, wrong)}."


def _said(number: Mapping[str, object] | None, names: Collection[str] = ("level", "amount")) -> str:
    return json.dumps({} if number is None else {name: number.get(name) for name in names}, ensure_ascii=False)


class Evidence(NamedTuple):
    """All that a pack holds of the books in one state of them."""

    facts: Facts
    given: Given
    numbers: Numbers  # as the books say
    from_books: frozenset[str]  # tenants and flags whose numbers do not follow from the facts of the pack alone
    reference: Reference  # with what was asked of lists written down
    recorded: Recording
    profiles: Mapping[str, Mapping[str, object]]  # by tenant: what is said of each field now


def evidence(
    book: Book,
    reference: Reference,
    past: Past,
    partitions: Iterable[tuple[Book, Chains]],
    flags: Sequence[Flag],
    make_archive: MakeArchive,
    now: int,
    linked: Linked | None = None,
) -> Evidence:
    """The evidence of some flags at an instant, recomputed from its own facts once: what differs then is named."""
    names = {name for flag in flags for name in flag.tenants}
    sought = [sought_of(flag) for flag in flags]
    facts = facts_of(partitions, names)
    given = Given(now, heard_of(facts.lines, hearing(book, now)))
    recorded = Recording(reference.lists.screener)
    recording = replace(reference, lists=reference.lists._replace(screener=recorded))
    of_books = numbers(book, recording, past, names, sought, now, linked)
    of_pack = recomputed(facts.lines, make_archive, recording, names, sought, given)
    unlike = {name for name in names if of_books.usage.get(name) != of_pack.usage.get(name)}
    unlike |= {flag.flag for flag in sought if _number(of_books, flag.flag) != _number(of_pack, flag.flag)}
    profiles = {name: _profile_document(book.tenants[name], now) for name in sorted(names & book.tenants.keys())}
    return Evidence(facts, given, of_books, frozenset(unlike), reference, recorded, profiles)


def _profile_document(tenant: Tenant, now: int) -> dict[str, object]:
    """What the profiles of a tenant say now, field by field, each with its basis and source."""
    profiled = of_tenant(tenant, now)
    versions = ((field, profiled.current(field)) for field in profiled.fields())
    return {
        field: {"value": one.value, "basis": one.basis, "source": one.source, "since": instant(one.since)}
        for field, one in versions
        if one is not None
    }


def _number(found: Numbers, flag: str) -> Mapping[str, object] | None:
    finding = found.findings.get(flag)
    return None if finding is None else number_document(finding)
