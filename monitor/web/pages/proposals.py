"""What waits for a second person and is about no case: policies, and hits on lists."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from monitor.core.approval import APPROVE, WITHDRAW
from monitor.core.clearances import CLEAR
from monitor.core.roles import Permission
from monitor.errors import ProposalProblem
from monitor.run.proposals import Panel
from monitor.store import Proposal
from monitor.web.visit import Visit, asks

ANSWERED_MAX = 50  # that the page shows, the latest first
KINDS = {
    APPROVE: "That this policy counts",
    WITHDRAW: "That this policy no longer counts",
    CLEAR: "That this hit is somebody else",
}

Approving = Annotated[Visit, asks(Permission.APPROVE)]
router = APIRouter()


@router.get("/proposals")
def proposals(visit: Annotated[Visit, asks(Permission.VIEW_CASES)]) -> Response:
    """What waits, the oldest first; below it what was answered."""
    return _page(visit)


@router.post("/proposals/{number}/approve")
def approve(visit: Approving, number: str) -> Response:
    """Be the second person: it is decided at once."""
    return _answered(visit, number, lambda panel, of: panel.approve(of, visit.name, visit.person))


@router.post("/proposals/{number}/refuse")
def refuse(visit: Approving, number: str) -> Response:
    """Refuse what somebody else proposed."""
    return _answered(visit, number, lambda panel, of: panel.drop(of, visit.name, visit.field("why"), visit.person))


# For their own alone: whoever may sign in, and no token.
@router.post("/proposals/{number}/withdraw")
def withdraw(visit: Annotated[Visit, asks(Permission.OWN_ACCOUNT)], number: str) -> Response:
    """Take back what one proposed oneself."""
    return _answered(visit, number, lambda panel, of: _withdraw(visit, panel, of))


def _withdraw(visit: Visit, panel: Panel, number: int) -> None:
    if not _own(visit, panel.waiting(number)):
        raise ProposalProblem("Somebody else proposed it: a second person can refuse it, nobody else can withdraw it.")
    panel.drop(number, visit.name, visit.field("why"), visit.person)


def _own(visit: Visit, proposal: Proposal) -> bool:
    return proposal.proposed_by.casefold() == visit.name.casefold()


def _answered(visit: Visit, number: str, answer: Callable[[Panel, int], object]) -> Response:
    """Do it and show what waits; or say why not."""
    try:
        answer(visit.console.records.panel, int(number) if number.isdecimal() and len(number) < 10 else 0)
    except ProposalProblem as problem:
        return _page(visit, str(problem))
    return visit.go("/proposals")


def _page(visit: Visit, problem: str = "") -> Response:
    known = visit.console.records.panel.proposals
    return visit.page(
        "proposals.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        waiting=[(one, _own(visit, one)) for one in known.waiting()],
        answered=known.answered(ANSWERED_MAX),
        kinds=KINDS,
        clearing=CLEAR,
        problem=problem,
    )
