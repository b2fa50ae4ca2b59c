"""What is broken as far as the console can see it: every page says so, at its top."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from monitor.core.roles import Permission
from monitor.run.condition import Condition
from monitor.run.survey import Surveys


class Trouble(NamedTuple):
    """Something that is broken."""

    sentence: str
    path: str  # the page that says more
    label: str  # of that page


def troubles(surveys: Surveys, may: Collection[Permission]) -> list[Trouble]:
    """What is broken now, as the latest survey has it; of somebody who may not look at cases nobody is told."""
    if Permission.VIEW_CASES not in may:
        return []
    survey = surveys.known()
    found = list[Trouble]() if survey is None else list(_of(survey.condition, Permission.SEE_AUDIT in may))
    if surveys.problem:
        found.append(Trouble("The books cannot be read anew: what pages say of them is old.", "/pipeline", "Pipeline"))
    return found


def _of(condition: Condition, sees_audit: bool) -> Iterator[Trouble]:
    if condition.audit:
        sentence = "The audit is broken: rows of it were changed or are missing."
        yield Trouble(sentence, *(("/audit", "Audit") if sees_audit else ("/pipeline", "Pipeline")))
    if condition.stops:
        yield Trouble(
            f"Reading has stopped in {_count(len(condition.stops), 'partition')} until somebody answers: numbers of "
            "tenants there stand still.",
            "/pipeline",
            "Pipeline",
        )
    if condition.lasting:
        sentence = f"{_count(len(condition.lasting), 'blind interval')} now: facts may be missing, and numbers too low."
        yield Trouble(sentence, "/pipeline", "Pipeline")
    if condition.doubtful_lists:
        names = ", ".join(one.name for one in condition.doubtful_lists)
        yield Trouble(f"Screening may miss somebody: refused or too old: {names}.", "/lists", "Lists")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
