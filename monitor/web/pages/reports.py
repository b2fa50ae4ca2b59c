"""How the work goes, for people to read and to print: the numbers of `flopwatch cases stats`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from monitor.core.cases import SAMPLE_PER_CENT, Outcome
from monitor.core.roles import Permission
from monitor.web.case_view import rules_of
from monitor.web.pages.overview import drawn
from monitor.web.visit import Visit, asks

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
router = APIRouter()


@router.get("/reports")
def reports(visit: Viewing) -> Response:
    """The page."""
    records = visit.console.records
    condition = records.surveys.latest().condition
    return visit.page(
        "reports.html",
        report=condition.report,
        picture=drawn(condition.report.months),
        outcomes=[str(one) for one in Outcome],
        titles={rule: found[1].title for (_, rule), found in rules_of(records.policies).items()},
        per_cent=SAMPLE_PER_CENT,
        at=condition.at,
    )
