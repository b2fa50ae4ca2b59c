"""The audit: who did what, the latest first, for whoever looks over the shoulders of the others."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from monitor.core.roles import Permission
from monitor.store import AuditWanted
from monitor.web.visit import Visit, asks

ROWS_A_PAGE = 100

router = APIRouter()


@router.get("/audit")
def audit(
    visit: Annotated[Visit, asks(Permission.SEE_AUDIT)],
    who: Annotated[str, Query(max_length=200)] = "",
    act: Annotated[str, Query(max_length=100)] = "",
    about: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The latest rows; of somebody, of one kind of act, or about one thing."""
    actors = [who.strip()] if who.strip() else None
    wanted = AuditWanted(None, actors, act.strip() or None, about.strip() or None)
    rows = visit.console.records.stored.audit.latest(wanted, ROWS_A_PAGE)
    return visit.page("audit.html", rows=rows, who=who, act=act, about=about, rows_max=ROWS_A_PAGE)
