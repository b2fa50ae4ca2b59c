"""Signing in and out."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from monitor.core.model import SECOND_MS
from monitor.core.roles import Permission
from monitor.metrics import LET_IN, MADE_TO_WAIT, REFUSED
from monitor.web.visit import ANYBODY, Visit, asks, own_path

WRONG = "Name and password do not belong together, or the account is disabled."
NO_ACCOUNT = "The proxy has signed you in, but there is no account of your name here: ask an administrator for one."

router = APIRouter()


@router.get("/sign-in")
def ask(visit: Annotated[Visit, asks(ANYBODY)], next: str = "/") -> Response:
    """The form; whom a trusted proxy names is let in without one."""
    if visit.visitor is not None:
        return visit.go(own_path(next))
    if visit.console.settings.user_header is None:
        return _form(visit, own_path(next))
    name = visit.console.sessions.named_by_proxy(visit.request)
    secret = None if name is None else visit.console.accounts.let_in(name)
    if secret is None:
        visit.console.metrics.tried(REFUSED)
        return visit.page("sign_in.html", HTTPStatus.FORBIDDEN, next="/", name="", problem=NO_ACCOUNT)
    return _let_in(visit, secret, own_path(next))


@router.post("/sign-in")
async def sign_in(visit: Annotated[Visit, asks(ANYBODY)]) -> Response:
    """Let somebody in who knows the password. Who waits for it to be looked at takes no thread from other pages."""
    async with visit.console.signing_in:
        return await run_in_threadpool(_signed_in, visit)


def _signed_in(visit: Visit) -> Response:
    if visit.console.settings.user_header is not None:
        return visit.go("/sign-in")
    name, next = visit.field("name").lower(), own_path(visit.field("next"))
    password = next_password(visit, "password")
    tried = visit.console.accounts.sign_in(name, password, visit.console.sessions.origin(visit.request))
    if tried.session is not None:
        return _let_in(visit, tried.session, next)
    if tried.wait_ms:
        visit.console.metrics.tried(MADE_TO_WAIT)
        seconds = math.ceil(tried.wait_ms / SECOND_MS)
        problem = f"Too many tries have failed: wait for {_span(seconds)}, and try again."
        response = _form(visit, next, HTTPStatus.TOO_MANY_REQUESTS, name, problem)
        response.headers["Retry-After"] = str(seconds)
        return response
    visit.console.metrics.tried(REFUSED)
    return _form(visit, next, HTTPStatus.UNAUTHORIZED, name, WRONG)


@router.post("/sign-out")
def sign_out(visit: Annotated[Visit, asks(Permission.OWN_ACCOUNT)]) -> Response:
    """Let somebody out."""
    response = visit.page("signed_out.html") if visit.console.settings.user_header else visit.go("/sign-in")
    visit.console.sessions.end(visit.request, response)
    return response


def next_password(visit: Visit, name: str) -> str:
    """A password as it was typed, with any space around it."""
    return "".join(visit.fields(name)[:1])


def _let_in(visit: Visit, secret: str, path: str) -> Response:
    visit.console.metrics.tried(LET_IN)
    response = visit.go(path)
    visit.console.sessions.begin(visit.request, response, secret)
    return response


def _form(visit: Visit, next: str, status: HTTPStatus = HTTPStatus.OK, name: str = "", problem: str = "") -> Response:
    return visit.page("sign_in.html", status, next=next, name=name, problem=problem)


def _span(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} second{'s' * (seconds > 1)}"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'s' * (minutes > 1)}"
