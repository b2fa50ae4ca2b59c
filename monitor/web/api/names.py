"""Documents for whoever sees no names: as pages show them, with references in the place of names and no free text."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.core.roles import Permission
from monitor.log import tenant_reference
from monitor.run.documents import Document
from monitor.web.visit import Visit

PEOPLE = ("holder", "assigned", "by", "proposed_by", "decided_by", "seconded_by", "approved_by", "answered_by")


def finding_for(visit: Visit, document: Document) -> Document:
    """A finding: its sentences and its part may name somebody."""
    return _known(visit, document, {"reasons": [], "part": ""})


def tenant_for(visit: Visit, document: Document) -> Document:
    """A tenant, with what addresses have in the place of its name."""
    return {**run_for(visit, document), "flags": [finding_for(visit, one) for one in document["flags"]]}


def run_for(visit: Visit, document: Document) -> Document:
    """A run, or whatever else is of a tenant, with what addresses have in the place of its name."""
    return {**_known(visit, document), "reference": tenant_reference(document["tenant"])}


def flag_for(visit: Visit, document: Document) -> Document:
    """A flag."""
    return {**_known(visit, document), "finding": finding_for(visit, document["finding"])}


def case_for(visit: Visit, document: Document) -> Document:
    """A case of the queue."""
    return _known(visit, document)


def case_story_for(visit: Visit, document: Document) -> Document:
    """All of a case but the others of the same party."""
    return {
        **_known(visit, document),
        "events": [_known(visit, one, {"said": {}}) for one in document["events"]],
        "approvals": [_known(visit, one, {"body": {}}) for one in document["approvals"]],
    }


def suppression_for(visit: Visit, document: Document) -> Document:
    """A suppression."""
    return _known(visit, document, {"reason": ""})


def act_for(visit: Visit, document: Document) -> Document:
    """A row of the audit: for whoever sees no names, the hash of its actor and of what is not free text."""
    return {**document, **_unless_named(visit, {"who": document["actor"], "subject": "", "body": {}})}


def _known(visit: Visit, document: Document, in_place: Mapping[str, object] = {}) -> Document:
    """A document with what who asks may know; `in_place`: of fields that may name somebody in any words."""
    found = dict(document)
    for field in ("tenant", "party"):
        if field in found:
            found[field] = visit.tenant(found[field])
    if "tenants" in found:
        found["tenants"] = [visit.tenant(one) for one in found["tenants"]]
    if "subject" in found:
        found["subject"] = visit.subject(found["subject"])
    for field in PEOPLE:
        if found.get(field) is not None:
            found[field] = visit.somebody(found[field])
    return {**found, **_unless_named(visit, in_place)}


def _unless_named(visit: Visit, in_place: Mapping[str, object]) -> Mapping[str, object]:
    return {} if visit.may(Permission.SEE_NAMES) else in_place
