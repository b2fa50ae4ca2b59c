"""The policies: which rules apply now, by which law, what changed, what came of them, and who lets them count."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.approval import APPROVE, WITHDRAW, refusal
from monitor.core.cases import precision_of
from monitor.core.model import DAY_MS
from monitor.core.notices import force_words
from monitor.core.policy import CONSENTS, LEVELS, Consent, Policy, standing
from monitor.core.roles import Permission
from monitor.errors import ProposalProblem
from monitor.run.proposals import OF_POLICIES
from monitor.store import Proposal
from monitor.web import reports
from monitor.web.visit import Visit, asks

NONE = "There is no such version of a policy."
RECENT_DAYS = (30, 90)
DIFFERENCES_MAX = 400  # lines of a comparison that a page shows
ROWS_MAX = 200  # of a kind, of a report

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
Editing = Annotated[Visit, asks(Permission.EDIT_POLICIES)]
router = APIRouter()


class RuleNumbers(NamedTuple):
    """What came of a rule, whatever the version of its policy."""

    standing: Mapping[str, int]  # by level: flags that people have not closed
    told: tuple[int, ...]  # flags of the latest so many days, as in RECENT_DAYS
    decided: int  # cases with a flag of it
    precision: float | None  # None: none is decided


class Changed(NamedTuple):
    """A line of a comparison; the sign says what became of it."""

    sign: str  # +, -, @ or none
    text: str


@router.get("/policies")
def policies(visit: Viewing) -> Response:
    """All of them: what waits for people first, then those that apply now."""
    panel, now = visit.console.records.panel, visit.console.clock.now_ms()
    found = sorted(panel.policies(), key=lambda one: (one.tells, not one.in_force(now), one.id, -one.version))
    return visit.page(
        "policies.html",
        policies=[(one, standing(one, now)) for one in found],
        consents=CONSENTS,
        needed=any(one.consent is not Consent.FILE for one in found),
        waiting={one.subject for one in panel.proposals.waiting() if one.kind in OF_POLICIES},
        reported=visit.console.records.reports is not None,
        now=now,
    )


@router.get("/policies/{name}")
def policy(visit: Viewing, name: str) -> Response:
    """One version of one, as `id@version`: its sources, its rules with what came of them, and what changed in it."""
    return _page(visit, name)


@router.post("/policies/{name}/propose")
def propose(visit: Editing, name: str) -> Response:
    """Propose that it counts, as its file is."""
    return _proposed(visit, name, APPROVE)


@router.post("/policies/{name}/withdraw")
def withdraw(visit: Editing, name: str) -> Response:
    """Propose that it no longer counts."""
    return _proposed(visit, name, WITHDRAW)


def _proposed(visit: Visit, name: str, kind: str) -> Response:
    try:
        visit.console.records.panel.propose_policy(name, kind, visit.field("reason"), visit.name, visit.person)
    except ProposalProblem as problem:
        return _page(visit, name, str(problem))
    return visit.go(f"/policies/{name}")


def _page(visit: Visit, name: str, problem: str = "") -> Response:
    records, now = visit.console.records, visit.console.clock.now_ms()
    versions = records.panel.policies()
    found = next((one for one in versions if one.name == name), None)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, NONE)
    before = max((one for one in versions if _is_before(one, found)), key=lambda one: one.version, default=None)
    changed = [] if before is None else comparison(records.texts.get(before.name, ""), records.texts.get(name, ""))
    waiting = [one for one in records.panel.proposals.waiting() if one.subject == name and one.kind in OF_POLICIES]
    return visit.page(
        "policy.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        policy=found,
        stands=standing(found, now),
        consents=CONSENTS,
        versions=[(one, standing(one, now)) for one in versions if one.id == found.id],
        before=before,
        changed=changed[:DIFFERENCES_MAX],
        unshown=max(0, len(changed) - DIFFERENCES_MAX),
        numbers_of=_numbers(visit, found),
        days=RECENT_DAYS,
        levels=LEVELS,
        waiting=waiting,
        proposes=_proposes(visit, found, waiting),
        problem=problem,
        now=now,
        force=force_words(found.legal_force),
    )


def _is_before(one: Policy, found: Policy) -> bool:
    return one.id == found.id and one.version < found.version


def _proposes(visit: Visit, found: Policy, waiting: list[Proposal]) -> str:
    """What who asks can propose of it: propose, withdraw, or nothing."""
    if waiting or not visit.may(Permission.EDIT_POLICIES):
        return ""
    if refusal(found, APPROVE) is None:
        return "propose"
    return "withdraw" if refusal(found, WITHDRAW) is None else ""


def comparison(before: str, after: str) -> list[Changed]:
    """What changed from one text to another, line by line, with three lines around it."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3))
    return [Changed(line[:1].strip(), line[1:].strip("@ ") if line[:1] == "@" else line[1:]) for line in lines[2:]]


def _numbers(visit: Visit, found: Policy) -> dict[str, RuleNumbers]:
    """What came of its rules, as of the books; raised under any version of the policy."""
    cases, as_of = visit.console.records.desk.cases, visit.console.records.surveys.latest().as_of
    flags = cases.flags_by_rule([as_of - days * DAY_MS for days in RECENT_DAYS])
    outcomes = cases.statistics(visit.console.clock.now_ms()).outcomes
    numbers = {}
    for rule in found.rules:
        told, decided = flags.get(rule.id), outcomes.get(rule.id, {})
        numbers[rule.id] = RuleNumbers(
            {} if told is None else told.standing,
            tuple(0 for _ in RECENT_DAYS) if told is None else told.since,
            sum(decided.values()),
            precision_of(decided) if decided else None,
        )
    return numbers


# -- backtests ---------------------------------------------------------------------------------------------------------


@router.get("/backtests")
def backtests(visit: Viewing) -> Response:
    """Reports of what people would have been told under other policies, as the operator has put them here."""
    folder = visit.console.records.reports
    return visit.page("backtests.html", folder=folder, reports=[] if folder is None else reports.listed(folder))


@router.get("/backtests/{name}")
def backtest(visit: Viewing, name: str) -> Response:
    """One of them: who would be flagged, who would not, and who at another level."""
    folder = visit.console.records.reports
    found = None if folder is None else reports.report(folder, name)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such report of a backtest, or the file is none.")
    return visit.page("backtest.html", name=name, report=found, rows_max=ROWS_MAX)
