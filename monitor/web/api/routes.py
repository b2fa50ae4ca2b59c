"""The API: what pages show, for programs. It only reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.flags import Act as FlagAct
from monitor.core.flags import Entry, Flag, State
from monitor.core.notices import terms_of
from monitor.core.policy import LEVELS
from monitor.core.roles import Permission
from monitor.errors import CaseProblem
from monitor.run.documents import (
    Document,
    audit_document,
    bounds_document,
    flag_document,
    hit_document,
    instant,
    most_serious_first,
    policy_document,
    row_document,
    story_document,
    suppression_document,
    tenant_document,
    tenant_run_document,
    times_of_flags,
)
from monitor.run.run_story import TenantRun, story_of_run
from monitor.run.survey import Survey
from monitor.store import AuditWanted
from monitor.web.api import models, names
from monitor.web.api.answers import NO_SUCH, PREFIX, PROBLEMS, answered
from monitor.web.case_view import is_blind, is_blind_to
from monitor.web.pages import cases as case_pages
from monitor.web.pages import queue
from monitor.web.pages.tenants import named_by, nobody, tenants_named
from monitor.web.visit import Visit, asks

AT_ONCE = 100
OFFSET_MAX = 10_000_000
ROWS_MAX = 2**62
PLACE = r"^((-?([0-9]{1,18}|[1-4][0-9]{18})\.){3}[A-Za-z0-9-]{1,64})?$"  # in the queue; each number in 64 bits

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
Limit = Annotated[int, Query(ge=1, le=AT_ONCE, description="At most so many.")]
Offset = Annotated[int, Query(ge=0, le=OFFSET_MAX, description="After so many.")]
Level = Literal["watch", "warning", "critical"]
Name = Annotated[str, Path(min_length=1, max_length=200)]

Handler = TypeVar("Handler", bound=Callable[..., Response])

router = APIRouter(prefix=PREFIX)


def _route(path: str, model: type, more: Mapping[int | str, dict[str, Any]] = {}) -> Callable[[Handler], Handler]:
    """A route that says what it answers, and what else it may."""
    return router.get(path, response_model=model, responses={**PROBLEMS, **more})


@_route("/overview", models.Overview)
def overview(visit: Viewing) -> Response:
    """How many there are of what."""
    records, now = visit.console.records, visit.console.clock.now_ms()
    known, work = records.surveys.latest().tenants(), records.desk.cases
    lists = [name for name, one in queue.FILTERS.items() if name != "review" and visit.may(one.needs)]
    worst = (max((one.level for one in tenant.findings), key=LEVELS.index, default=None) for tenant in known.tenants)
    return answered(
        {
            "as_of": instant(known.as_of),
            "tenants": len(known.tenants),
            "tenants_by_level": _by_level(level for level in worst if level is not None),
            "flags": _by_level(flag.level for flag in records.stored.flags() if flag.state is not State.CLOSED),
            "cases": {name: work.tally(queue.wanted_of(visit, name), now).number for name in lists},
            "reviews": dict(work.statistics(now).reviews),
        }
    )


def _by_level(found: Iterable[str]) -> dict[str, int]:
    counts = Counter(map(str, found))
    return {str(level): counts[str(level)] for level in LEVELS}


# -- cases -------------------------------------------------------------------------------------------------------------


Show = Literal["waiting", "mine", "unclaimed", "escalated", "overdue", "second", "review", "hidden", "decided"]


@_route("/cases", models.Cases)
def cases(
    visit: Viewing,
    show: Annotated[Show, Query(description="Which list; some are only for whoever claims cases.")] = "waiting",
    level: Annotated[Level | None, Query(description="Only those at this level.")] = None,
    after: Annotated[str, Query(pattern=PLACE, description="Those after this place: what an answer says.")] = "",
    limit: Limit = queue.CASES_AT_ONCE,
) -> Response:
    """The queue, or another list of cases, as on its page."""
    records, now = visit.console.records, visit.console.clock.now_ms()
    if not visit.may(queue.FILTERS[show].needs):
        raise HTTPException(HTTPStatus.FORBIDDEN, f"The list `{show}` is for people who claim cases: ask for another.")
    found = records.desk.cases.queue(queue.wanted_of(visit, show, level or "", after)._replace(limit=limit), now)
    rows = [row for row in found.rows if queue.is_for(row, show, visit)]
    return answered(
        {
            "cases": [names.case_for(visit, row_document(row, now, is_blind(row, visit))) for row in rows],
            "after": None if found.after is None else queue.written(found.after),
        }
    )


@_route("/cases/{id}", models.CaseStory, NO_SUCH)
def case(visit: Viewing, id: Name) -> Response:
    """All there is to a case. That it was read with the names in it is written down."""
    records, now = visit.console.records, visit.console.clock.now_ms()
    try:
        story = records.desk.story(id)
    except CaseProblem:
        raise HTTPException(HTTPStatus.NOT_FOUND, case_pages.NONE) from None
    if visit.may(Permission.SEE_NAMES):
        records.case_read(id, visit.person, now)
    document = names.case_story_for(visit, story_document(story, now, is_blind_to(story.case, visit)))
    others = [names.case_for(visit, row_document(row, now, is_blind(row, visit))) for row in story.others]
    return answered({**document, "others": others})


@_route("/suppressions", models.Suppressions)
def suppressions(visit: Viewing) -> Response:
    """What nobody is told of for a while, and what ended."""
    found = visit.console.records.desk.cases.suppressions()
    return answered({"suppressions": [names.suppression_for(visit, suppression_document(one)) for one in found]})


# -- the books ---------------------------------------------------------------------------------------------------------


@_route("/tenants", models.Tenants)
def tenants(
    visit: Viewing,
    named: Annotated[str, Query(max_length=200, description="Only those whose name has this in it.")] = "",
    offset: Offset = 0,
    limit: Limit = AT_ONCE,
) -> Response:
    """Tenants: the worst findings first, then most compute."""
    known, found = tenants_named(visit, named)
    shown = [names.tenant_for(visit, tenant_document(one)) for one in found[offset : offset + limit]]
    return answered({"as_of": instant(known.as_of), "total": len(found), "tenants": shown})


@_route("/tenants/{reference}", models.Story, NO_SUCH)
def tenant(visit: Viewing, reference: Name) -> Response:
    """What an answer about a tenant rests on."""
    survey, name = named_by(visit, reference)
    story = survey.tenant(name)
    answer = next((one for one in survey.tenants().tenants if one.tenant == name), None)
    if story is None or answer is None:
        raise nobody()
    document: Document = {
        "as_of": instant(story.as_of),
        "tenant": names.tenant_for(visit, tenant_document(answer)),
        "flop_by_days": {str(days): bounds_document(flop) for days, flop in story.flop_by_days.items()},
        "flop_unseen": bounds_document(story.flop_unseen),
        "runs": [names.run_for(visit, tenant_run_document(one)) for one in _runs_of(survey, name)],
        "flags": _flags(visit, _of_tenant(visit, name)),
    }
    if visit.may(Permission.SEE_NAMES):
        document["hits"] = [hit_document(one) for one in survey.hits().hits if one.tenant == name]
    return answered(document)


def _of_tenant(visit: Visit, name: str) -> list[Flag]:
    return most_serious_first(one for one in visit.console.records.stored.flags() if name in one.tenants)


def _runs_of(survey: Survey, name: str) -> list[TenantRun]:
    return sorted(survey.runs(name).runs, key=lambda one: (-one.run.flop.central, one.run.id))


@_route("/tenants/{reference}/runs", models.Runs, NO_SUCH)
def runs(visit: Viewing, reference: Name, offset: Offset = 0, limit: Limit = AT_ONCE) -> Response:
    """The runs of a tenant, the largest first."""
    survey, name = named_by(visit, reference)
    found = _runs_of(survey, name)
    shown = [names.run_for(visit, tenant_run_document(one)) for one in found[offset : offset + limit]]
    return answered({"as_of": instant(survey.as_of), "total": len(found), "runs": shown})


@_route("/tenants/{reference}/runs/{run}", models.Run, NO_SUCH)
def run(visit: Viewing, reference: Name, run: Annotated[str, Path(max_length=200)]) -> Response:
    """One run, by any of its segments."""
    survey, name = named_by(visit, reference)
    of_tenant = survey.runs(name).story
    story = None if of_tenant is None else story_of_run(of_tenant, run)
    if story is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such run: runs may join when facts come late.")
    return answered(names.run_for(visit, tenant_run_document(story.found)))


@_route("/flags", models.Flags)
def flags(
    visit: Viewing,
    level: Annotated[Level | None, Query(description="Only those at this level.")] = None,
    closed: Annotated[bool, Query(description="Closed ones too.")] = False,
    offset: Offset = 0,
    limit: Limit = AT_ONCE,
) -> Response:
    """What people were told, the most serious first."""
    found = most_serious_first(
        flag
        for flag in visit.console.records.stored.flags()
        if (closed or flag.state is not State.CLOSED) and level in (None, str(flag.level))
    )
    return answered({"total": len(found), "flags": _flags(visit, found[offset : offset + limit])})


@_route("/flags/{id}", models.FlagStory, NO_SUCH)
def flag(visit: Viewing, id: Name) -> Response:
    """A flag, and how it came to that."""
    records = visit.console.records
    found = [one for one in records.stored.flags() if one.id == id]
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such flag: `flags` has all that there are.")
    home = records.desk.cases.home_of(id)
    blind = home is not None and is_blind_to(home, visit)
    history = [_line(visit, entry, blind) for entry in records.stored.flag_history(id)]
    return answered({"flag": _flags(visit, found)[0], "history": history})


def _line(visit: Visit, entry: Entry, blind: bool) -> Document:
    hidden = blind and entry.act in (FlagAct.CLOSED, FlagAct.REOPENED)
    reason = "" if hidden or not visit.may(Permission.SEE_NAMES) else entry.reason
    return {"at": instant(entry.at), "act": str(entry.act), "level": str(entry.level), "reason": reason}


def _flags(visit: Visit, flags: list[Flag]) -> list[Document]:
    records = visit.console.records
    times = times_of_flags(flags, terms_of(records.panel.policies()), records.stored.seen())
    return [names.flag_for(visit, flag_document(one, times[one.id])) for one in flags]


# -- what else there is ------------------------------------------------------------------------------------------------


@_route("/policies", models.Policies)
def policies(visit: Viewing) -> Response:
    """All versions of all policies."""
    now = visit.console.clock.now_ms()
    return answered({"policies": [policy_document(one, now) for one in visit.console.records.panel.policies()]})


@_route("/audit", models.Audit)
def audit(
    visit: Annotated[Visit, asks(Permission.SEE_AUDIT)],
    act: Annotated[str, Query(max_length=100, description="Only acts of this kind.")] = "",
    before: Annotated[int | None, Query(ge=1, le=ROWS_MAX, description="Only rows with a smaller number.")] = None,
    limit: Limit = AT_ONCE,
) -> Response:
    """Rows of the audit, the latest first."""
    wanted = AuditWanted(act=act or None, before=before)
    rows = visit.console.records.stored.audit.latest(wanted, limit)
    shown = [names.act_for(visit, audit_document(*one)) for one in rows]
    return answered({"rows": shown, "before": shown[-1]["row"] if len(shown) == limit else None})
