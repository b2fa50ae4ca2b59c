"""The screening lists: which versions count, how old they are, and what is wrong with them."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from monitor.core.roles import Permission
from monitor.reference.lists.shelf import Standing
from monitor.run.listing import SourceLine, problems_of, sources_of
from monitor.web.visit import Visit, asks

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
router = APIRouter()


class ListView(NamedTuple):
    """A list as a page shows it."""

    standing: Standing
    days_old: int | None
    stale: bool
    problems: list[str]
    sources: list[SourceLine]


@router.get("/lists")
def lists(visit: Viewing) -> Response:
    """The page."""
    known = visit.console.records.surveys.latest().condition.lists
    views = [
        ListView(
            one,
            one.days_old(known.now),
            one.is_stale(known.now),
            problems_of(one, known.now),
            sources_of(one, known.effects, known.now),
        )
        for one in known.standings
    ]
    return visit.page("lists.html", views=views, effects=known.effects, at=known.now)
