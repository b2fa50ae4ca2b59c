"""Tenants that are taken for one customer: who they are, why, and what they come to together."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.bounds import Bounds
from monitor.core.engine import GroupAnswer
from monitor.core.flags import Flag, State
from monitor.core.roles import Permission
from monitor.core.structuring import signal_sentence
from monitor.web.case_view import NO_RULE, rule_of, rules_of
from monitor.web.visit import Visit, asks

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
MEMBERS_MAX, LINKS_MAX, EVIDENCE_MAX, FLAGS_MAX = 30, 6, 5, 20

router = APIRouter()


class FlagLine(NamedTuple):
    """A flag of the group, and the case that it is looked at in."""

    flag: Flag
    title: str
    case: str  # "": none yet


class AnswerView(NamedTuple):
    """What is known of the group, taken together in one way."""

    answer: GroupAnswer
    said: frozenset[str]  # what stands elsewhere already, and would only be repeated by findings


@router.get("/groups/{reference}")
def group(visit: Viewing, reference: str) -> Response:
    """The page."""
    records = visit.console.records
    story = records.surveys.latest().group(reference)
    if story is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such group in the books as they were read last.")
    flags = [one for one in records.stored.flags(story.name) if one.of_group]
    flags.sort(key=lambda one: (one.state is State.CLOSED, -one.told_at, one.id))
    total = story.answers[0].flop
    return visit.page(
        "group.html",
        story=story,
        total=total,
        answers=[AnswerView(one, _said(one)) for one in story.answers],
        reached=[(threshold, _reached(total, threshold)) for threshold in story.thresholds],
        members=story.members[:MEMBERS_MAX],
        links=story.links[:LINKS_MAX],
        others=story.others[:LINKS_MAX],
        flags=[_flag_line(visit, one) for one in flags[:FLAGS_MAX]],
        more_flags=max(0, len(flags) - FLAGS_MAX),
        evidence_max=EVIDENCE_MAX,
    )


def _said(answer: GroupAnswer) -> frozenset[str]:
    return frozenset(signal_sentence(sign) for sign in answer.signals) | {answer.unresolved or ""}


def _flag_line(visit: Visit, flag: Flag) -> FlagLine:
    records = visit.console.records
    found, case = rule_of(flag, rules_of(records.policies)), records.desk.cases.home_of(flag.id)
    return FlagLine(flag, NO_RULE if found is None else found[1].title, "" if case is None else case.id)


def _reached(total: Bounds, threshold: int) -> str:
    """How far an amount with a range has come towards a threshold."""
    if total.low >= threshold:
        return "reached, even by the low estimate"
    if total.central >= threshold:
        return "reached by the central estimate"
    return "reached by the high estimate alone" if total.high >= threshold else "not reached"
