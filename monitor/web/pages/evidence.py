"""The evidence pack of a case: a form that says whom it is for, and the pack as one archive."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.exports import (
    BASIS_CHARACTERS_MAX,
    PROPOSED_RULES,
    RECIPIENT_CHARACTERS_MAX,
    Export,
    RecipientKind,
    Template,
)
from monitor.core.manifest import NAME, content_of
from monitor.core.roles import Permission
from monitor.errors import CaseProblem, ExportProblem
from monitor.run.evidence_pack import zipped
from monitor.web.case_view import is_blind_to
from monitor.web.handing_over import Made, given_out, proposed
from monitor.web.pages.cases import BLIND, NONE
from monitor.web.visit import Visit, asks

Exporting = Annotated[Visit, asks(Permission.EXPORT)]
router = APIRouter()


@router.get("/cases/{id}/evidence")
def form(visit: Exporting, id: str) -> Response:
    """For whom, and why."""
    _must_be_shown(visit, id)
    return _page(visit, id)


@router.post("/cases/{id}/evidence")
def evidence(visit: Exporting, id: str) -> Response:
    """The pack; one for a government waits for counsel."""
    _must_be_shown(visit, id)
    try:
        return given_out(visit, proposed(visit, "case", id, "pack"), pack)
    except ExportProblem as problem:
        return _page(visit, id, str(problem))


def pack(visit: Visit, export: Export, now: int) -> Made:
    """The evidence pack of an export.

    Raises:
        HTTPException: there is no such case, or it is not for who asks.
    """
    case = export.handover.what
    _must_be_shown(visit, case)
    files = visit.console.records.evidence(export, visit.name, now)
    digest = content_of(files[NAME]).sha256
    return Made(zipped(files, now), "application/zip", f"{case}-{digest[:12]}.zip", digest)


def _must_be_shown(visit: Visit, id: str) -> None:
    try:
        case = visit.console.records.desk.case(id)
    except CaseProblem:
        raise HTTPException(HTTPStatus.NOT_FOUND, NONE) from None
    if is_blind_to(case, visit):
        raise HTTPException(HTTPStatus.FORBIDDEN, BLIND)


def _page(visit: Visit, id: str, problem: str = "") -> Response:
    return visit.page(
        "evidence.html",
        HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        id=id,
        problem=problem,
        kinds=list(RecipientKind),
        templates={one: "proposed rule, internal" if one in PROPOSED_RULES else "" for one in Template},
        recipient_max=RECIPIENT_CHARACTERS_MAX,
        basis_max=BASIS_CHARACTERS_MAX,
    )
