"""Tenants and their runs, as the latest survey of the books has them."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.engine import TenantAnswer, TenantMatch
from monitor.core.policy import LEVELS
from monitor.core.roles import Permission
from monitor.errors import ProposalProblem
from monitor.run.chart import Chart
from monitor.run.proposals import OF_HITS
from monitor.run.run_story import picture, story_of_run
from monitor.run.snapshot import KnownTenants
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
    known, found = tenants_named(visit, named)
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


def tenants_named(visit: Visit, named: str) -> tuple[KnownTenants, list[TenantAnswer]]:
    """All tenants, and those whose name, as far as who asks may know it, has this in it, in the order of the page."""
    known, wanted = visit.console.records.surveys.latest().tenants(), named.strip().casefold()
    return known, sorted((one for one in known.tenants if wanted in visit.tenant(one.tenant).casefold()), key=_order)


def _order(one: TenantAnswer) -> tuple[int, int, str]:
    worst = max((LEVELS.index(finding.level) for finding in one.findings), default=-1)
    return -worst, -one.flop.central, one.tenant


@router.get("/tenants/{reference}")
def tenant(visit: Viewing, reference: str) -> Response:
    """Everything that an answer about a tenant rests on."""
    return _tenant_page(visit, reference)


@router.post("/tenants/{reference}/hits/{hit}/clear")
def clear_hit(visit: Annotated[Visit, asks(Permission.DECIDE)], reference: str, hit: str) -> Response:
    """Propose that a hit of the tenant is somebody else, for a while."""
    survey, name = named_by(visit, reference)
    try:
        known = survey.hits()
        found = next((one for one in known.hits if (one.tenant, one.match.id) == (name, hit)), None)
        if found is None:
            raise ProposalProblem("There is no such hit in the books as they were read last.")
        until, reason = _day(visit.field("until")), visit.field("reason")
        visit.console.records.panel.propose_clearance(found, known.as_of, until, reason, [visit.name], visit.person)
    except ProposalProblem as problem:
        return _tenant_page(visit, reference, str(problem), hit)
    return visit.go(f"/tenants/{reference}")


def _day(text: str) -> int:
    """The instant at which a day begins in UTC."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ProposalProblem("A day is written like 2027-01-31: choose one.") from None
    return round(day.timestamp()) * 1_000


def _tenant_page(visit: Visit, reference: str, problem: str = "", form: str = "") -> Response:
    survey, name = named_by(visit, reference)
    story = survey.tenant(name)
    if story is None:
        raise nobody()
    hits: list[TenantMatch] = []
    if story.matches and visit.may(Permission.SEE_NAMES):
        hits = [one for one in survey.hits().hits if one.tenant == name]
    waiting = visit.console.records.panel.proposals.waiting() if hits else []
    return visit.page(
        "tenant.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        problem=problem,
        form=form,
        hits=hits,
        proposed_of={one.subject: one for one in waiting if one.kind in OF_HITS},
        story=story,
        chart=chart_of(survey, name, visit),
        reference=reference,
        allocations=story.open_allocations[:ALLOCATIONS_MAX],
        runs=story.runs[:RUNS_MAX],
    )


@router.get("/tenants/{reference}/runs/{run}")
def run(visit: Viewing, reference: str, run: str) -> Response:
    """One run of a tenant, with its picture for whoever may see the names in it."""
    survey, name = named_by(visit, reference)
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
        picture=drawn if len(drawn) <= PICTURE_BYTES_MAX else "",
    )


def chart_of(survey: Survey, tenant: str, visit: Visit) -> Chart | None:
    """What a tenant has held and computed, as a picture that a page can take in; None: it cannot."""
    found = survey.chart(tenant, visit.may(Permission.SEE_NAMES))
    return None if found is None or len(found.svg) > PICTURE_BYTES_MAX else found


def named_by(visit: Visit, reference: str) -> tuple[Survey, str]:
    """The latest survey, and the name of the tenant that an address means.

    Raises:
        HTTPException: there is none.
    """
    survey = visit.console.records.surveys.latest()
    name = survey.named(reference)
    if name is None:
        raise nobody()
    return survey, name


def nobody() -> HTTPException:
    """That there is no such tenant."""
    return HTTPException(HTTPStatus.NOT_FOUND, "There is no such tenant in the books as they were read last.")
