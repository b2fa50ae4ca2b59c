"""The console as an application: its pages, what answers when there is none, and what surrounds all of them."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from monitor.clock import Clock, Secrets
from monitor.core.roles import Permission
from monitor.errors import MonitorError, StoreProblem
from monitor.log import Log
from monitor.metrics import ConsoleMetrics
from monitor.settings import Console as ConsoleSettings
from monitor.web.accounts import Accounts
from monitor.web.api import description, routes
from monitor.web.api.answers import failure, is_of_api
from monitor.web.display import environment, read_files
from monitor.web.pages import (
    audit,
    cases,
    evidence,
    exports,
    groups,
    lists,
    me,
    overview,
    pipeline,
    policies,
    proposals,
    queue,
    reports,
    sign_in,
    static,
    tables,
    tenants,
    users,
)
from monitor.web.passwords import AT_ONCE
from monitor.web.records import Records
from monitor.web.security import Guard
from monitor.web.sessions import Sessions, Visitor
from monitor.web.visit import Console, Link, asked_by

PACKAGE = Path(__file__).parents[1]

# The pages that every page leads to, in this order, for those who may see them.
NAVIGATION = (
    Link("Overview", "/", Permission.VIEW_CASES),
    Link("Queue", "/queue", Permission.VIEW_CASES),
    Link("Tenants", "/tenants", Permission.VIEW_CASES),
    Link("Suppressed", "/suppressed", Permission.VIEW_CASES),
    Link("Policies", "/policies", Permission.VIEW_CASES),
    Link("Proposals", "/proposals", Permission.VIEW_CASES),
    Link("Exports", "/exports", Permission.SEE_NAMES),
    Link("Lists", "/lists", Permission.VIEW_CASES),
    Link("Reports", "/reports", Permission.VIEW_CASES),
    Link("Pipeline", "/pipeline", Permission.VIEW_CASES),
    Link("Audit", "/audit", Permission.SEE_AUDIT),
    Link("Users", "/users", Permission.MANAGE_USERS),
    Link("Account", "/me", Permission.OWN_ACCOUNT),
)
ROUTERS = (
    static.router,
    sign_in.router,
    overview.router,
    queue.router,
    cases.router,
    tenants.router,
    groups.router,
    policies.router,
    proposals.router,
    evidence.router,
    exports.router,
    lists.router,
    pipeline.router,
    reports.router,
    tables.router,
    audit.router,
    me.router,
    users.router,
    routes.router,
    description.router,
)

SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is no such page: it may have moved, or the address has a slip in it.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This page takes no such request: follow a link or send a form of the console.",
    HTTPStatus.BAD_REQUEST: "The request cannot be read: go back, and send it again.",
}
FAILED = "The console has failed at this request, and says so in its log. Try again; if it stays so, tell its operator."
NO_STORE = "The store does not answer right now. Nothing was changed: try again in a moment."


def make_console(
    accounts: Accounts,
    records: Records,
    settings: ConsoleSettings,
    clock: Clock,
    registry: CollectorRegistry,
    log: Log,
    navigation: tuple[Link, ...] = NAVIGATION,
) -> Console:
    """What pages are made from, from what the program has."""
    files = read_files()
    metrics = ConsoleMetrics(registry)
    metrics.follow(partial(_surveyed, records))
    sessions = Sessions(accounts, settings)
    templates, signing_in = environment(files), asyncio.Semaphore(AT_ONCE)
    return Console(accounts, records, sessions, settings, clock, metrics, log, files, templates, navigation, signing_in)


def _surveyed(records: Records) -> tuple[int, int, bool]:
    """As of when the books are shown, when the audit was walked over, and whether it is in order as far as is known."""
    condition = records.surveys.condition
    return (0, 0, False) if condition is None else (condition.at, condition.audit_walked_at, not condition.audit)


def build(console: Console, secrets: Secrets, routers: Sequence[APIRouter] = ROUTERS) -> ASGIApp:
    """The whole console: the application, guarded."""

    def refuse(path: str, status: HTTPStatus, sentence: str, request_id: str) -> Response:
        return _problem(console, path, None, status, sentence, request_id)

    guarded = application(console, routers)
    return Guard(guarded, console.settings, refuse, console.clock, secrets, console.metrics)


def application(console: Console, routers: Sequence[APIRouter] = ROUTERS) -> FastAPI:
    """The pages of the console, without what surrounds them.

    Raises:
        ValueError: a route does not say which permission it asks for.
    """
    # Not by `include_router`, which hides the routes of a router behind one of its own: all must be looked at.
    routes = [route for router in routers for route in router.routes]
    for route in routes:
        asked_by(route)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, routes=routes)
    app.state.console = console
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(ClientDisconnect, _unreadable)  # in the middle of a form; nobody reads the answer
    app.add_exception_handler(MonitorError, _no_answer)
    app.add_exception_handler(Exception, _failed)
    return app


def _problem(
    console: Console, path: str, visitor: Visitor | None, status: HTTPStatus, sentence: str, request_id: str
) -> Response:
    """What is wrong: a document for programs, a page for people."""
    if is_of_api(path):
        return failure(status, sentence, request_id)
    said = {"title": status.phrase, "sentence": sentence, "request_id": request_id}
    return console.write("error.html", visitor, status, path="", **said)


def _said(request: Request, status: HTTPStatus, sentence: str, visitor: Visitor | None = None) -> Response:
    console, path = request.app.state.console, request.url.path
    return _problem(console, path, visitor, status, sentence, request.state.request_id)


def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    status = HTTPStatus(problem.status_code)
    if status is HTTPStatus.SEE_OTHER:
        return Response(status_code=status, headers=problem.headers)
    # What a library says of a request may repeat parts of it.
    own = problem.detail if problem.detail.endswith(".") else SENTENCES.get(status, status.phrase + ".")
    visitor = None
    with suppress(StoreProblem):
        visitor = request.app.state.console.sessions.visitor(request)
    response = _said(request, status, own, visitor)
    response.headers.update(problem.headers or {})
    return response


def _unreadable(request: Request, problem: Exception) -> Response:
    if is_of_api(request.url.path) and isinstance(problem, RequestValidationError):
        return _said(request, HTTPStatus.BAD_REQUEST, _unusable(problem))
    return _said(request, HTTPStatus.BAD_REQUEST, SENTENCES[HTTPStatus.BAD_REQUEST])


def _unusable(problem: RequestValidationError) -> str:
    """Which parameter cannot be used, and why: what it was is not repeated."""
    first = problem.errors()[0]
    return f"The parameter `{first['loc'][-1]}` cannot be used: {first['msg'].lower()}."


def _no_answer(request: Request, problem: Exception) -> Response:
    request.app.state.console.log.error("console request", problem=str(problem), request=request.state.request_id)
    return _said(request, HTTPStatus.SERVICE_UNAVAILABLE, NO_STORE)


def _failed(request: Request, problem: Exception) -> Response:
    """A bug. Its kind and place are logged, not its text, which may hold what a tenant or a person wrote."""
    frames = traceback.extract_tb(problem.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "unknown"
    log = request.app.state.console.log
    log.error("console failure", reason=type(problem).__name__, place=place, request=request.state.request_id)
    return _said(request, HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)
