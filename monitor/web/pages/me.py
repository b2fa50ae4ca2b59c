"""Somebody's own account: password and tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.people import PASSWORD_CHARACTERS_MIN, TOKEN_DAYS_MAX
from monitor.core.roles import SCOPES, Permission
from monitor.errors import PeopleProblem
from monitor.web.pages.sign_in import next_password
from monitor.web.visit import Visit, asks

TOKEN_DAYS = 90

Own = Annotated[Visit, asks(Permission.OWN_ACCOUNT)]
router = APIRouter()


@router.get("/me")
def me(visit: Own) -> Response:
    """The page."""
    return _page(visit)


@router.post("/me/password")
def change_password(visit: Own) -> Response:
    """Another password, for whoever knows the old one; all other sessions end."""
    accounts, sessions = visit.console.accounts, visit.console.sessions
    if visit.console.settings.user_header is not None:
        raise HTTPException(HTTPStatus.FORBIDDEN, "The proxy in front of the console has your password, not we.")
    new = next_password(visit, "new")
    if new != next_password(visit, "again"):
        return _page(visit, password_problem="The two new passwords differ: type the same one twice.")
    current, origin = next_password(visit, "current"), sessions.origin(visit.request)
    try:
        tried = accounts.change_password(visit.name, current, new, origin)
    except PeopleProblem as problem:
        return _page(visit, password_problem=str(problem))
    if tried.session is None:
        wait = " Too many tries have failed: wait, and try again." if tried.wait_ms else ""
        return _page(visit, password_problem=f"That is not your password now.{wait}")
    response = visit.go("/me")
    sessions.begin(visit.request, response, tried.session)
    return response


@router.post("/me/tokens")
def add_token(visit: Own) -> Response:
    """A new token, whose secret this page alone shows."""
    try:
        scopes = [Permission(scope) for scope in visit.fields("scope")]
        days = int(visit.field("days"))
    except ValueError:
        return _page(visit, token_problem="Choose what the token may see, and for how many days.")
    try:
        made = visit.console.accounts.add_token(visit.name, visit.field("label"), scopes, days, visit.person)
    except PeopleProblem as problem:
        return _page(visit, token_problem=str(problem))
    return _page(visit, made=made)


@router.post("/me/tokens/{id}/revoke")
def revoke_token(visit: Own, id: str) -> Response:
    """Let a program in no longer."""
    try:
        visit.console.accounts.revoke_token(id, visit.name, visit.person)
    except PeopleProblem as problem:
        return _page(visit, token_problem=str(problem))
    return visit.go("/me")


def _page(visit: Visit, **said: object) -> Response:
    problem = "password_problem" in said or "token_problem" in said
    values: dict[str, object] = {"password_problem": "", "token_problem": "", "made": None} | said
    return visit.page(
        "me.html",
        HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        tokens=visit.console.accounts.tokens(visit.name),
        scopes=sorted(SCOPES & visit.who.permissions),
        days=TOKEN_DAYS,
        days_max=TOKEN_DAYS_MAX,
        password_characters_min=PASSWORD_CHARACTERS_MIN,
        now=visit.console.clock.now_ms(),
        **values,
    )
