"""How the monitor itself is: how far it has read, what it could not see, what it refused, where it waits for a person.

Nothing is changed here: the page names the commands that do.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from monitor.core.model import DAY_MS
from monitor.core.roles import Permission
from monitor.store import DeadLetter
from monitor.web.display import visible
from monitor.web.visit import Visit, asks

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
LETTERS_MAX, SPANS_MAX, PARTITIONS_MAX, STOPS_MAX = 50, 20, 64, 20
SHOWN_MAX = 140  # characters of a dead letter and of why it is one: fifty of them fit a page, whatever they are
BODY_BYTES = 4 * SHOWN_MAX + 1
BLIND_DAYS = 30

router = APIRouter()


class Letter(NamedTuple):
    """A dead letter as a page shows it: the beginning of what it holds, and of why it was refused."""

    letter: DeadLetter
    sentence: str
    body: str


@router.get("/pipeline")
def pipeline(visit: Viewing) -> Response:
    """The page."""
    records, now = visit.console.records, visit.console.clock.now_ms()
    survey = records.surveys.latest()
    condition = survey.condition
    recent = [one for one in condition.blind if one.end is None or one.end >= now - BLIND_DAYS * DAY_MS]
    letters = [_letter(one) for one in records.stored.latest_letters(LETTERS_MAX, BODY_BYTES)]
    return visit.page(
        "pipeline.html",
        condition=condition,
        as_of=survey.as_of,
        stops=sorted(condition.stops.items())[:STOPS_MAX],
        positions=sorted(condition.positions.items())[:PARTITIONS_MAX],
        spans=recent[:SPANS_MAX],
        recent=len(recent),
        letters=letters,
        days=BLIND_DAYS,
        now=now,
    )


def _letter(one: DeadLetter) -> Letter:
    return Letter(one, _beginning(one.sentence), _beginning(one.body.decode("utf-8", "backslashreplace")))


def _beginning(text: str) -> str:
    """As much as is shown, with what cannot be seen made visible: that takes more room."""
    whole = visible(text)
    return whole if len(whole) <= SHOWN_MAX else f"{whole[:SHOWN_MAX]} ..."
