"""Exports: what was proposed to leave the monitor, what counsel says of it, and the files of what is released."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from monitor.core.exports import Verdict, not_ready
from monitor.core.roles import Permission
from monitor.errors import ExportProblem
from monitor.web.handing_over import Make, given_out
from monitor.web.pages.evidence import pack
from monitor.web.pages.tables import table_of
from monitor.web.visit import Visit, asks

EXPORTS_SHOWN = 100
MAKERS: Mapping[str, Make] = {"case": pack, "table": table_of}  # by what is exported

Exporting = Annotated[Visit, asks(Permission.EXPORT)]
Releasing = Annotated[Visit, asks(Permission.RELEASE)]
# Whoever exports and whoever releases both see names; nobody else needs to know what went to whom.
Seeing = Annotated[Visit, asks(Permission.SEE_NAMES)]
router = APIRouter()


@router.get("/exports")
def exports(visit: Seeing) -> Response:
    """Those that wait for counsel first, then the latest."""
    return _page(visit)


@router.post("/exports/{number}/fetch")
def fetch(visit: Exporting, number: int) -> Response:
    """The file of one that is released, of the books as they are now."""
    try:
        export = visit.console.records.stored.exports.export(number)
        return given_out(visit, export, MAKERS[export.handover.kind])
    except ExportProblem as problem:
        return _page(visit, str(problem))


@router.post("/exports/{number}/release")
def release(visit: Releasing, number: int) -> Response:
    """Let it go to a government, as counsel."""
    return _answered(visit, number, Verdict.RELEASED)


@router.post("/exports/{number}/refuse")
def refuse(visit: Releasing, number: int) -> Response:
    """Say why it must not go there."""
    return _answered(visit, number, Verdict.REFUSED)


def _answered(visit: Visit, number: int, verdict: Verdict) -> Response:
    stored, now = visit.console.records.stored, visit.console.clock.now_ms()
    try:
        stored.exports.answer(number, visit.person, now, verdict, visit.field("why"))
    except ExportProblem as problem:
        return _page(visit, str(problem))
    return visit.go("/exports")


def _page(visit: Visit, problem: str = "") -> Response:
    now = visit.console.clock.now_ms()
    found = visit.console.records.stored.exports.latest(EXPORTS_SHOWN)
    return visit.page(
        "exports.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        exports=found,
        ready={one.number for one in found if not_ready(one, now) is None},
        problem=problem,
        exports_max=EXPORTS_SHOWN,
    )
