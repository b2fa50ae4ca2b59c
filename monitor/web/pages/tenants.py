"""Tenants and their runs, as the latest survey of the books has them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.engine import TenantAnswer
from monitor.core.policy import LEVELS
from monitor.core.roles import Permission
from monitor.run.run_story import picture, story_of_run
from monitor.run.survey import Survey
from monitor.web.visit import Visit, asks

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
TENANTS_A_PAGE = 100
ALLOCATIONS_MAX, RUNS_MAX, SEGMENTS_MAX = 20, 20, 40
PICTURE_BYTES_MAX = 60_000  # of a page, with all else, 100 kB

router = APIRouter()


@router.get("/tenants")
def tenants(visit: Viewing, named: str = "", page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
    """All tenants: the worst findings first, then most compute; or those whose name has this in it."""
    survey = visit.console.records.surveys.latest()
    known = survey.tenants()
    wanted = named.strip().casefold()
    found = sorted((one for one in known.tenants if wanted in visit.tenant(one.tenant).casefold()), key=_order)
    start = (page - 1) * TENANTS_A_PAGE
    return visit.page(
        "tenants.html",
        as_of=known.as_of,
        tenants=found[start : start + TENANTS_A_PAGE],
        number=len(found),
        named=named,
        page=page,
        pages=-(-len(found) // TENANTS_A_PAGE),
    )


def _order(one: TenantAnswer) -> tuple[int, int, str]:
    worst = max((LEVELS.index(finding.level) for finding in one.findings), default=-1)
    return -worst, -one.flop.central, one.tenant


@router.get("/tenants/{reference}")
def tenant(visit: Viewing, reference: str) -> Response:
    """Everything that an answer about a tenant rests on."""
    survey, name = _named(visit, reference)
    story = survey.tenant(name)
    if story is None:
        raise _nobody()
    return visit.page(
        "tenant.html",
        story=story,
        reference=reference,
        allocations=story.open_allocations[:ALLOCATIONS_MAX],
        runs=story.runs[:RUNS_MAX],
    )


@router.get("/tenants/{reference}/runs/{run}")
def run(visit: Viewing, reference: str, run: str) -> Response:
    """One run of a tenant, with its picture for whoever may see the names in it."""
    survey, name = _named(visit, reference)
    of_tenant = survey.runs(name).story
    story = None if of_tenant is None else story_of_run(of_tenant, run)
    if story is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such run: runs may join when facts come late.")
    shown = story.found.run
    drawn = picture(story) if visit.may(Permission.SEE_NAMES) else ""
    return visit.page(
        "run.html",
        story=story,
        shown=shown,
        training=story.found.training,
        reference=reference,
        segments=list(zip(shown.segments[:SEGMENTS_MAX], (None, *shown.links), strict=False)),
        picture=Markup(drawn) if len(drawn) <= PICTURE_BYTES_MAX else "",
    )


def _named(visit: Visit, reference: str) -> tuple[Survey, str]:
    survey = visit.console.records.surveys.latest()
    name = survey.named(reference)
    if name is None:
        raise _nobody()
    return survey, name


def _nobody() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "There is no such tenant in the books as they were read last.")
