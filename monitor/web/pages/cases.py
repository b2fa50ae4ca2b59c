"""One case: what is known of it, and what people do about it.

Every form says up to which event its sender had seen the case, so that nobody acts on what they did not see. Whoever
was second is told what the first one did, and what they typed is still there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.cases import CLAIM_MINUTES, Act, Body, Outcome
from monitor.core.roles import PERMISSIONS, Permission
from monitor.core.sight import sight_document, sight_hash
from monitor.errors import CaseProblem, StoreProblem
from monitor.run.casework import Conclusion, Desk, Looked, Story
from monitor.run.explain import TenantStory
from monitor.web.case_view import is_blind_to, lines_of, rules_of, view_of
from monitor.web.pages.tenants import chart_of
from monitor.web.visit import Visit, asks

TENANTS_MAX = 3  # of a case that its page tells of
NONE = "There is no such case: the queue has all that there are."

NOT_KEPT = "Nothing is kept of what was seen at that event: the history of the case says of which ones it is."
BLIND = "You may be asked what you would have decided: until somebody has said so, there is no more to see or to do."

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
Claiming = Annotated[Visit, asks(Permission.CLAIM)]
Deciding = Annotated[Visit, asks(Permission.DECIDE)]
Approving = Annotated[Visit, asks(Permission.APPROVE)]
router = APIRouter()


@router.get("/cases/{id}")
def case(visit: Viewing, id: str) -> Response:
    """The page."""
    return _page(visit, id)


@router.get("/cases/{id}/as-it-was/{number}")
def as_it_was(visit: Viewing, id: str, number: int) -> Response:
    """As whoever decided at this event saw it."""
    records = visit.console.records
    try:
        blind = is_blind_to(records.desk.case(id), visit)
        then = records.desk.as_it_was(id, number)
    except CaseProblem:
        raise HTTPException(HTTPStatus.NOT_FOUND, NOT_KEPT) from None
    if blind:
        raise HTTPException(HTTPStatus.FORBIDDEN, BLIND)
    if visit.may(Permission.SEE_NAMES):
        records.case_read(id, visit.person, visit.console.clock.now_ms())
    story = then.story
    histories = {flag: records.stored.flag_history(flag)[:lines] for flag, lines in story.sight.lines.items()}
    view = view_of(story, histories, [], rules_of(records.policies), visit, then.act.at)
    return visit.page("as_it_was.html", view=view, case=story.case, then=then, now=then.act.at)


@router.post("/cases/{id}/claim")
def claim(visit: Claiming, id: str) -> Response:
    """Take it over."""
    return _acted(visit, id, "claim", lambda seen: _desk(visit).claim(id, visit.name, CLAIM_MINUTES, seen))


@router.post("/cases/{id}/release")
def release(visit: Claiming, id: str) -> Response:
    """Give it back."""
    return _done(visit, id, "release", Act.RELEASED, dict)


@router.post("/cases/{id}/begin")
def begin(visit: Claiming, id: str) -> Response:
    """Say that one is at it."""
    return _done(visit, id, "begin", Act.BEGUN, dict)


@router.post("/cases/{id}/assign")
def assign(visit: Claiming, id: str) -> Response:
    """Say whose it is."""
    return _done(visit, id, "assign", Act.ASSIGNED, lambda: {"to": _colleague(visit)})


@router.post("/cases/{id}/escalate")
def escalate(visit: Claiming, id: str) -> Response:
    """Pass it to a senior person."""
    return _done(visit, id, "escalate", Act.ESCALATED, lambda: {"why": _text(visit, "why")})


@router.post("/cases/{id}/snooze")
def snooze(visit: Claiming, id: str) -> Response:
    """Put it off until a day."""
    return _done(visit, id, "snooze", Act.SNOOZED, lambda: {"until": _day(visit, "until"), "why": _text(visit, "why")})


@router.post("/cases/{id}/ask")
def ask(visit: Claiming, id: str) -> Response:
    """Write down that somebody was asked."""
    return _done(
        visit,
        id,
        "ask",
        Act.ASKED,
        lambda: {"whom": _text(visit, "whom"), "what": _text(visit, "what"), "due_at": _day(visit, "due")},
    )


@router.post("/cases/{id}/answer")
def answer(visit: Claiming, id: str) -> Response:
    """Write down what they answered."""
    return _done(visit, id, "answer", Act.ANSWERED, lambda: {"what": _text(visit, "what")})


@router.post("/cases/{id}/note")
def note(visit: Claiming, id: str) -> Response:
    """Write something down."""
    return _done(visit, id, "note", Act.NOTED, lambda: {"text": _text(visit, "text")})


@router.post("/cases/{id}/decide")
def decide(visit: Deciding, id: str) -> Response:
    """Decide it; where that takes two people, propose it."""
    return _acted(visit, id, "decide", lambda seen: _desk(visit).decide(id, visit.name, _conclusion(visit), seen))


@router.post("/cases/{id}/suppress")
def suppress(visit: Deciding, id: str) -> Response:
    """Propose that nobody is told of a rule for a while, as the rule and the party stand now."""
    return _acted(visit, id, "suppress", lambda seen: _suppress(visit, id, seen))


@router.post("/cases/{id}/approve")
def approve(visit: Approving, id: str) -> Response:
    """Be the second person."""
    return _acted(visit, id, "approve", lambda seen: _desk(visit).approve(id, visit.name, seen))


@router.post("/cases/{id}/refuse")
def refuse(visit: Approving, id: str) -> Response:
    """Refuse what somebody else proposed."""
    return _acted(visit, id, "refuse", lambda seen: _desk(visit).drop(id, visit.name, _text(visit, "why"), seen))


@router.post("/cases/{id}/withdraw")
def withdraw(visit: Deciding, id: str) -> Response:
    """Withdraw what one proposed oneself."""
    return _acted(visit, id, "withdraw", lambda seen: _withdraw(visit, id, seen))


@router.post("/cases/{id}/reverse")
def reverse(visit: Deciding, id: str) -> Response:
    """Take the decision back."""
    return _acted(visit, id, "reverse", lambda seen: _desk(visit).reverse(id, visit.name, _text(visit, "why"), seen))


@router.post("/cases/{id}/review")
def review(visit: Deciding, id: str) -> Response:
    """Say what one would have decided, without knowing what was."""
    return _acted(
        visit,
        id,
        "review",
        lambda _: _desk(visit).review(id, visit.name, _outcome(visit), _text(visit, "why")),
    )


@router.post("/cases/{id}/hold")
def hold(visit: Claiming, id: str) -> Response:
    """Put it under legal hold."""
    return _done(visit, id, "hold", Act.HELD, lambda: {"why": _text(visit, "why")})


@router.post("/cases/{id}/free")
def free(visit: Deciding, id: str) -> Response:
    """Propose to end its legal hold."""
    return _acted(visit, id, "free", lambda seen: _desk(visit).free(id, visit.name, _text(visit, "why"), seen))


# -- acting ------------------------------------------------------------------------------------------------------------


def _desk(visit: Visit) -> Desk:
    return visit.console.records.desk


def _done(visit: Visit, id: str, form: str, what: Act, body: Callable[[], Body]) -> Response:
    """One of the acts that need nothing beside them."""
    return _acted(visit, id, form, lambda seen: _desk(visit).do(id, visit.name, what, body(), seen))


def _acted(visit: Visit, id: str, form: str, act: Callable[[Looked], object]) -> Response:
    """Do it and show the case again; or say why not, beside the form as it was filled in."""
    try:
        if form != "review" and is_blind_to(_desk(visit).case(id), visit):
            raise CaseProblem(BLIND)
        act(Looked(_number(visit, "seen"), visit.field("sight")))
    except CaseProblem as problem:
        return _page(visit, id, str(problem), form)
    return visit.go(f"/cases/{id}")


def _withdraw(visit: Visit, id: str, seen: Looked) -> None:
    proposal = _desk(visit).case(id).proposal
    if proposal is not None and proposal.by.casefold() != visit.name.casefold():
        raise CaseProblem(f"{proposal.by} proposed it: a second person can refuse it, nobody else can withdraw it.")
    _desk(visit).drop(id, visit.name, _text(visit, "why"), seen)


def _suppress(visit: Visit, id: str, seen: Looked) -> None:
    records, rule = visit.console.records, _text(visit, "rule")
    until, reason = _day(visit, "until"), _text(visit, "reason")
    records.desk.suppress(id, visit.name, rule, until, reason, records.surveys.latest().standing, seen)


def _conclusion(visit: Visit) -> Conclusion:
    policy, _, rule = _text(visit, "cited").partition(" ")
    ends = _day(visit, "expires") if visit.field("expires") else None
    scope, quantity = _text(visit, "scope"), _text(visit, "quantity")
    return Conclusion(_outcome(visit), _text(visit, "reason"), policy, rule, ends, scope, quantity)


# -- what forms say ----------------------------------------------------------------------------------------------------


def _text(visit: Visit, name: str) -> str:
    """A text with the line ends that we keep; browsers send others."""
    return visit.field(name).replace("\r\n", "\n")


def _number(visit: Visit, name: str) -> int:
    try:
        return int(visit.field(name))
    except ValueError:
        raise CaseProblem("The form does not say which state of the case you looked at: reload the page.") from None


def _day(visit: Visit, name: str) -> int:
    """The instant at which a day begins in UTC."""
    try:
        day = datetime.strptime(visit.field(name), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise CaseProblem("A day is written like 2027-01-31: choose one.") from None
    return round(day.timestamp()) * 1_000


def _outcome(visit: Visit) -> Outcome:
    try:
        return Outcome(visit.field("outcome"))
    except ValueError:
        raise CaseProblem(f"Choose an outcome: {', '.join(Outcome)}.") from None


def _colleagues(visit: Visit) -> list[str]:
    """Whom a case can be assigned to."""
    users = visit.console.accounts.users()
    return [one.name for one in users if one.disabled_at is None and Permission.CLAIM in PERMISSIONS[one.role]]


def _colleague(visit: Visit) -> str:
    name = visit.field("to")
    if name not in _colleagues(visit):
        raise CaseProblem("A case is assigned to somebody who may claim it: choose one of them.")
    return name


# -- the page ----------------------------------------------------------------------------------------------------------


def _page(visit: Visit, id: str, problem: str = "", form: str = "") -> Response:
    records, now = visit.console.records, visit.console.clock.now_ms()
    try:
        story = records.desk.story(id)
    except CaseProblem:
        raise HTTPException(HTTPStatus.NOT_FOUND, NONE) from None
    if visit.may(Permission.SEE_NAMES):
        records.case_read(id, visit.person, now)
    rules = rules_of(records.policies)
    histories = {flag.id: records.stored.flag_history(flag.id) for flag in story.sight.flags}
    before = records.desk.cases.flags_by_case([row.id for row in story.others])
    view = view_of(story, histories, lines_of(story.others, before, rules, visit), rules, visit, now)
    since = _since(visit, story) if problem else story.case.number
    return visit.page(
        "case.html",
        _status(problem, since < story.case.number),
        view=view,
        case=story.case,
        problem=problem,
        since=[one for one in view.events if one.event.number > since],
        form=form,
        sight=sight_hash(sight_document(story.sight)),
        **_about(visit, story),
        typed=lambda of, field: visit.field(field) if of == form else "",
        colleagues=_colleagues(visit) if Act.ASSIGNED in view.may else [],
        cited=_cited(story, list(rules)),
        outcomes=list(Outcome),
        claim_minutes=CLAIM_MINUTES,
        now=now,
    )


def _about(visit: Visit, story: Story) -> dict[str, object]:
    """Whom the most serious flags are about; nobody, where books cannot be read: a case can be decided all the same."""
    names = list(dict.fromkeys(name for flag in story.sight.flags for name in flag.tenants))
    about, chart = list[TenantStory](), None
    with contextlib.suppress(StoreProblem):
        survey = visit.console.records.surveys.latest()
        about = [found for name in names[:TENANTS_MAX] if (found := survey.tenant(name)) is not None]
        chart = chart_of(survey, about[0].tenant, visit) if about else None  # a page has room for one
    return {"about": about, "chart": chart, "more_about": max(0, len(names) - TENANTS_MAX)}


def _status(problem: str, changed: bool) -> HTTPStatus:
    if not problem:
        return HTTPStatus.OK
    return HTTPStatus.CONFLICT if changed else HTTPStatus.BAD_REQUEST


def _since(visit: Visit, story: Story) -> int:
    """The latest event that whoever sent a form had seen."""
    seen = visit.field("seen")
    return int(seen) if seen.isdecimal() and len(seen) < 10 else story.case.number


def _cited(story: Story, rules: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """What a decision can cite: the rules of the case's flags, and all others."""
    flagged = {(one.policy, one.rule) for one in story.case.flags.values()}
    own = [" ".join(one) for one in rules if one in flagged]
    return own, [" ".join(one) for one in rules if one not in flagged]
