"""The queue: cases in the order in which people should look at them; and what nobody is told of for a while."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.policy import LEVELS
from monitor.core.roles import Permission
from monitor.errors import CaseProblem
from monitor.store import CaseRow, Cursor, Wanted
from monitor.web.case_view import is_blind, lines_of, rules_of
from monitor.web.visit import Visit, asks

CASES_AT_ONCE = 50  # on a page
ORDER_MAX = 2**63  # of the numbers of a cursor
NOTHING = "Nothing waits for anybody."

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
router = APIRouter()


class Filter(NamedTuple):
    """Which cases a list has; `needs`: for whom there is such a list."""

    label: str
    wanted: Wanted
    needs: Permission = Permission.VIEW_CASES


FILTERS = {
    "waiting": Filter("To do", Wanted()),
    "mine": Filter("Mine", Wanted(hidden=True), Permission.CLAIM),
    "unclaimed": Filter("Unclaimed", Wanted()),
    "overdue": Filter("Overdue", Wanted(hidden=True, overdue=True)),
    "escalated": Filter("Escalated", Wanted(senior=True)),
    "second": Filter("Waiting for a second person", Wanted(hidden=True, proposed=True)),
    "review": Filter("To review", Wanted(review=True)),
    "hidden": Filter("Snoozed and suppressed too", Wanted(hidden=True)),
    "decided": Filter("Decided lately", Wanted(decided=True)),
}


@router.get("/queue")
def queue(visit: Viewing, show: str = "waiting", level: str = "", after: str = "") -> Response:
    """The list, fifty at a time."""
    return _page(visit, show, level, after)


@router.post("/queue/next")
def take_next(visit: Annotated[Visit, asks(Permission.CLAIM)]) -> Response:
    """Claim what comes first and is free."""
    try:
        case = visit.console.records.desk.next(visit.name)
    except CaseProblem as problem:
        return _page(visit, problem=str(problem))
    return _page(visit, problem=NOTHING) if case is None else visit.go(f"/cases/{case.id}")


@router.get("/suppressed")
def suppressed(visit: Viewing) -> Response:
    """What nobody is told of for a while, and below it what ended."""
    records = visit.console.records
    found = records.desk.cases.suppressions()
    return visit.page(
        "suppressed.html",
        holding=[one for one in found if one.ended_at is None],
        ended=[one for one in found if one.ended_at is not None],
        titles={rule: found[1].title for (_, rule), found in rules_of(records.policies).items()},
    )


def _page(visit: Visit, show: str = "waiting", level: str = "", after: str = "", problem: str = "") -> Response:
    records, now = visit.console.records, visit.console.clock.now_ms()
    filters = {name: one for name, one in FILTERS.items() if visit.may(one.needs)}
    show, level = show if show in filters else "waiting", level if level in LEVELS else ""
    found = records.desk.cases.queue(wanted_of(visit, show, level, after), now)
    rows = [row for row in found.rows if is_for(row, show, visit)]
    flags = records.desk.cases.flags_by_case([row.id for row in rows])
    return visit.page(
        "queue.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        lines=lines_of(rows, flags, rules_of(records.policies), visit),
        filters=filters,
        levels=[str(one) for one in reversed(LEVELS)],
        show=show,
        level=level,
        more=None if found.after is None else address(show, level, written(found.after)),
        address=address,
        now=now,
        problem=problem,
    )


def is_for(row: CaseRow, show: str, visit: Visit) -> bool:
    """Whether a case is in a list for who asks: whoever decided a case cannot review it."""
    return show != "review" or is_blind(row, visit) or not visit.may(Permission.DECIDE)


def wanted_of(visit: Visit, show: str, level: str = "", after: str = "") -> Wanted:
    """The cases of one of the FILTERS, as who asks sees it, after a place in it.

    Raises:
        HTTPException: `after` names no place.
    """
    wanted = FILTERS[show].wanted._replace(level=level or None, limit=CASES_AT_ONCE)
    if show == "mine":
        wanted = wanted._replace(person=visit.name)
    if show == "unclaimed":
        wanted = wanted._replace(free_for=visit.name)
    return wanted._replace(after=cursor_of(after)) if after else wanted


def address(show: str, level: str, after: str = "") -> str:
    """Where a list is."""
    said = {"show": show, "level": level, "after": after}
    return f"/queue?{urlencode({name: value for name, value in said.items() if value})}"


def written(cursor: Cursor) -> str:
    """A place in the queue, as addresses have it."""
    return ".".join(map(str, cursor))


def cursor_of(text: str) -> Cursor:
    """The place in the queue that an address names.

    Raises:
        HTTPException: it names none.
    """
    *numbers, name = text.split(".")
    try:
        rank, due, compute = map(int, numbers)
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
    if max(abs(rank), abs(due), abs(compute)) >= ORDER_MAX:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    return Cursor(rank, due, compute, name)
