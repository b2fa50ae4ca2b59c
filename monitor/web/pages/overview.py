"""The first page: what waits for people, what the monitor cannot see, and whether the work keeps up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from monitor.core.model import DAY_MS
from monitor.core.roles import Permission
from monitor.core.workload import MONTHS, Month
from monitor.draw.columns import Kind, columns
from monitor.run.condition import Condition
from monitor.web.display import span
from monitor.web.pages.queue import address, wanted_of
from monitor.web.visit import Visit, asks

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
PRESSING_DAYS = 3  # since when nobody has taken up a case

router = APIRouter()


class Tile(NamedTuple):
    """A figure that leads to what it counts."""

    label: str
    figure: str
    said: str
    path: str
    pressing: bool  # somebody should look at it


@router.get("/")
def overview(visit: Viewing) -> Response:
    """The page."""
    records, now = visit.console.records, visit.console.clock.now_ms()
    survey = records.surveys.latest()
    return visit.page(
        "overview.html",
        as_of=survey.as_of,
        of_cases=_of_cases(visit, now),
        of_monitor=_of_monitor(survey.condition),
        picture=drawn(survey.condition.report.months),
    )


def drawn(found: Sequence[Month]) -> str:
    """Those months as a picture, the earliest first."""
    shown = found[::-1]
    opened = Kind("opened", "blue", [one.opened for one in shown])
    decided = Kind("decided", "green", [sum(one.decided.values()) for one in shown])
    return columns(f"Cases of the last {MONTHS} months", [one.name for one in shown], [opened, decided])


def _of_cases(visit: Visit, now: int) -> list[Tile]:
    """Of each list of the queue as many as it has, on all its pages."""
    cases = visit.console.records.desk.cases

    def tile(label: str, show: str, level: str = "", days_max: int = 0) -> Tile:
        number, oldest = cases.tally(wanted_of(visit, show, level), now)
        waits = 0 if oldest is None else now - oldest
        said = "" if oldest is None else f"the oldest opened {span(waits)} ago"
        return Tile(label, f"{number:,}", said, address(show, level), number > 0 and waits >= days_max * DAY_MS)

    return [
        tile("Open critical", "hidden", "critical"),
        tile("Unclaimed", "unclaimed", days_max=PRESSING_DAYS),
        tile("Overdue", "overdue"),
        tile("Waiting for a second person", "second"),
    ]


def _of_monitor(condition: Condition) -> list[Tile]:
    letters, stops, unseen = sum(condition.letters.values()), len(condition.stops), condition.unseen_today
    lasting = len(condition.lasting)
    now_blind = f"{lasting} interval{'s' * (lasting > 1)} now" if lasting else "nothing is hidden now"
    return [
        Tile("Blind time today", span(unseen) if unseen else "none", now_blind, "/pipeline", bool(unseen)),
        _of_lists(condition),
        Tile("Dead letters waiting", f"{letters:,}", "", "/pipeline#dead-letters", letters > 0),
        Tile("Stopped partitions", str(stops), "", "/pipeline#stops", stops > 0),
    ]


def _of_lists(condition: Condition) -> Tile:
    known = condition.lists
    dated = [(days, one) for one in known.standings if (days := one.days_old(known.now)) is not None]
    days, oldest = max(dated, key=lambda one: one[0], default=(0, None))
    if oldest is None:
        said = "no list counts" if known.standings else "no list is configured: nobody is screened"
        return Tile("Oldest list", "none", said, "/lists", True)
    said = f"{oldest.name}; {len(condition.doubtful_lists)} refused or too old"
    return Tile("Oldest list", f"{days} days", said, "/lists", bool(condition.doubtful_lists))
