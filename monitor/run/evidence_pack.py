"""An evidence pack: files that together say what a case is, what it rests on, and who was given it on which basis.

Whatever is in a file but the manifest's own is known by its SHA-256 there. The same case, books and instant give the
same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from monitor.core.audit import Row
from monitor.core.clearances import decision
from monitor.core.clocks import instant
from monitor.core.exports import Export
from monitor.core.flags import Entry, Flag
from monitor.core.manifest import NAME, manifest_text
from monitor.core.sight import FIELD as SIGHT
from monitor.core.sight import sight_document
from monitor.run.casework import AsItWas, Story
from monitor.run.evidence import Evidence, bounds_document, number_document, sought_of
from monitor.run.evidence_page import page_of
from monitor.run.explain import TenantStory
from monitor.screening.recorded import answers_document

FORMAT = 1
CASE, FACTS, AUDIT, LISTS, PAGE = "case.json", "facts.ndjson", "audit.ndjson", "lists.json", "case.html"
REFERENCE = "reference/"  # in which the files lie that the numbers are made with
TENANTS_TOLD_MAX = 50  # of which a pack says all there is to say; of the others it has the facts and the usage
ZIP_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)  # no zip says an earlier time


class Contents(NamedTuple):
    """All that a pack is made of."""

    story: Story
    histories: Mapping[str, Sequence[Entry]]  # by flag
    sights: Sequence[AsItWas]
    evidence: Evidence
    tenants: Mapping[str, TenantStory]  # as many as are told of
    audit: Sequence[tuple[Row, str]]  # about the case, each with its actor, the earliest first
    reference: Mapping[str, bytes]  # files by name
    affiliates_rule_returns: str  # the first day on which the affiliates rule holds again
    version: str  # of the program


def pack(contents: Contents, export: Export, by: str, now: int) -> dict[str, bytes]:
    """The files of a pack by name, its manifest among them."""
    case = case_document(contents, export, by, now)
    files = {
        CASE: _json(case),
        PAGE: page_of(case).encode("utf-8", "replace"),
        FACTS: b"".join(line.replace(b"\n", b" ") + b"\n" for line in contents.evidence.facts.lines),
        AUDIT: b"".join(_line(_audit_document(row, who)) for row, who in contents.audit),
        LISTS: _json(lists_document(contents.evidence)),
        **{REFERENCE + name: content for name, content in contents.reference.items()},
    }
    about = {name: case[name] for name in ("case", "as_of", "export", "flopwatch", "reference")}
    return {**files, NAME: manifest_text(files, about)}


def zipped(files: Mapping[str, bytes], now: int) -> bytes:
    """The files in one archive, the same bytes for the same files and instant."""
    at = max(datetime.fromtimestamp(now // 1_000, UTC), ZIP_EPOCH)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=True, default=sorted) + "\n").encode("ascii")


def _line(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=True).encode("ascii") + b"\n"


# -- what it says ------------------------------------------------------------------------------------------------------


def case_document(contents: Contents, export: Export, by: str, now: int) -> dict[str, Any]:
    """A case with all that is known of it, as JSON. Instants are RFC 3339, or milliseconds where it says so."""
    story, evidence = contents.story, contents.evidence
    case = story.case
    return {
        "format": FORMAT,
        "flopwatch": contents.version,
        "export": export_document(export, by, now),
        "case": case.id,
        "subject": case.subject,
        "state": str(case.state),
        "level": str(case.level),
        "worst": str(case.worst),
        "two_people": case.two_people,
        "opened_at": instant(case.opened_at),
        "clocks": {name: _instant(at) for name, at in story.times._asdict().items()},
        "as_of": instant(evidence.given.as_of),
        "remarks": [*_moved(contents.sights, evidence), *_from_books(evidence)],
        "flags": [_flag_document(flag, contents) for flag in story.flags],
        "tenants": [_tenant_document(name, contents) for name in sorted(_names(story))],
        "events": [
            {
                "event": event.number,
                "at": instant(event.at),
                "act": str(event.act),
                "by": event.actor,
                "said": dict(event.body),
            }
            for event in story.events
        ],
        "approvals": [
            one._asdict() | {"proposed_at": instant(one.proposed_at), "answered_at": _instant(one.answered_at)}
            for one in story.approvals
        ],
        "as_it_was": [_sight_document(one) for one in contents.sights],
        "given": {
            "as_of_ms": evidence.given.as_of,
            "heard_ms": dict(evidence.given.heard),
            "affiliates_rule_returns": contents.affiliates_rule_returns,
            "reduced_reports": [
                {"source": source, "id": id, "sha256": sha256} for source, id, sha256 in evidence.facts.reduced
            ],
        },
        "from_books": sorted(evidence.from_books),
        "reference": evidence.reference.digests,
    }


def export_document(export: Export, by: str, now: int) -> dict[str, Any]:
    """Who made a pack for whom, on which basis."""
    handover = export.handover
    return {
        "export": export.number,
        "template": str(handover.template),
        "recipient_kind": str(handover.recipient_kind),
        "recipient": handover.recipient,
        "legal_basis": handover.legal_basis,
        "proposed_by": export.proposed_by,
        "released_by": export.answered_by,
        "made_by": by,
        "made_at": instant(now),
    }


def _names(story: Story) -> set[str]:
    return {name for flag in story.flags for name in flag.tenants}


def _from_books(evidence: Evidence) -> Iterable[str]:
    if evidence.from_books:
        named = ", ".join(sorted(evidence.from_books))
        yield (
            f"Facts of others are needed too for the numbers of {named}: these are as the books say, and cannot be "
            "computed again from this pack alone."
        )


def _flag_document(flag: Flag, contents: Contents) -> dict[str, Any]:
    finding, now = flag.finding, contents.evidence.numbers.findings.get(flag.id)
    return {
        **sought_of(flag)._asdict(),
        "policy": f"{finding.policy}@{finding.policy_version}",
        "legal_force": finding.legal_force,
        "state": str(flag.state),
        "level": str(flag.level),
        "raised_at": instant(flag.raised_at),
        "told_at": instant(flag.told_at),
        "tenants": list(flag.tenants),
        "part": finding.part,
        "reasons": list(finding.reasons),
        "not_established": list(finding.not_established),
        "told": number_document(finding),
        "now": None if now is None else number_document(now),
        "history": [
            {"at": instant(entry.at), "act": entry.act, "level": str(entry.level), "reason": entry.reason}
            for entry in contents.histories.get(flag.id, ())
        ],
    }


def _tenant_document(name: str, contents: Contents) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tenant": name,
        "usage": [list(row) for row in contents.evidence.numbers.usage.get(name, [])],
    }
    story = contents.tenants.get(name)
    return found if story is None else found | told_document(story) | {"profile": contents.evidence.profiles[name]}


def told_document(story: TenantStory) -> dict[str, Any]:
    """What is known of a tenant, mostly in sentences."""
    return {
        "flop": bounds_document(story.flop),
        "flop_by_days": {str(days): bounds_document(flop) for days, flop in story.flop_by_days.items()},
        "hardware": [
            {
                "hardware": line.name,
                "accelerator_us": line.usage,
                "flop": bounds_document(line.flop),
                "flop_per_s": list(line.rate),
                "utilisation_ppm": list(line.utilisation_ppm),
                "assumptions": list(line.assumptions),
                "source": line.source,
            }
            for line in story.hardware
        ],
        "runs": [
            {
                "run": run.run,
                "start": instant(run.start),
                "end": instant(run.end),
                "accelerators_peak": run.peak // 1_000,
                "flop": bounds_document(run.flop),
                "training": run.training,
            }
            for run in story.runs
        ],
        "projections": [
            {
                "threshold_flop": one.threshold_flop,
                "per_mille_by_days": {str(days): chance for days, chance in one.by_days.items()},
                "basis": one.basis,
            }
            for one in story.projections
        ],
        "who": list(story.who),
        "headquarters": list(story.headquarters),
        "matches": list(story.matches),
        "contradictions": list(story.contradictions),
        "economic_interest": list(story.economic_interest),
        "links": [
            {"strength": one.strength, "tenants": list(one.tenants), "because": list(one.evidence)}
            for one in story.links
        ],
        "blind": [one.sentence for one in story.blind],
    }


def _sight_document(one: AsItWas) -> dict[str, Any]:
    return {
        "event": one.act.number,
        "act": str(one.act.act),
        "at": instant(one.act.at),
        "by": one.act.actor,
        "as_recorded": one.as_recorded,
        "sight": one.act.body[SIGHT],
        "saw": sight_document(one.story.sight),
    }


def lists_document(evidence: Evidence) -> dict[str, Any]:
    """What lists said of whom the numbers asked about, which lists these were, and what two people cleared."""
    lists = evidence.reference.lists
    asked = evidence.recorded.answers
    entries = {(hit.listed.source, hit.listed.id) for hits in asked.values() for hit in hits}
    cleared = [one for one in evidence.reference.cleared.values() if (one.source, one.entry) in entries]
    return {
        "versions": [version._asdict() for version in lists.versions],
        "answers": answers_document(asked),
        "cleared": [decision(one) for one in sorted(cleared, key=lambda one: one.place)],
    }


def _audit_document(row: Row, who: str) -> dict[str, Any]:
    return {**row.entry._asdict(), "who": who, "previous": row.previous, "hash": row.hash}


def _instant(at: int | None) -> str | None:
    return None if at is None else instant(at)


def _moved(sights: Sequence[AsItWas], evidence: Evidence) -> Iterable[str]:
    """That the numbers of flags are others by now than those that whoever decided last saw."""
    if not sights:
        return
    latest = sights[-1]
    now = evidence.numbers.findings
    moved = [
        flag.id for flag in latest.story.sight.flags if flag.id not in now or now[flag.id].amount != flag.finding.amount
    ]
    if moved:
        yield (
            f"This pack is of now: since event {latest.act.number} facts have come, or come late, that change the "
            f"numbers of {', '.join(moved)}. What was seen then stands under `as_it_was`."
        )
