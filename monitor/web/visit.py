"""One request to a page: who asks, what they may do, what their form says, and how the page answers.

Every route asks for a permission, by the one parameter that every handler has:

    @router.get("/queue")
    def queue(visit: Annotated[Visit, asks(Permission.VIEW_CASES)]) -> Response:
        return visit.page("queue.html", cases=...)

A route without `asks` does not start: see `monitor.web.console`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from fastapi import Depends
from fastapi.routing import APIRoute
from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from monitor.clock import Clock
from monitor.core.audit import Person
from monitor.core.cases import SYSTEM
from monitor.core.people import USER
from monitor.core.roles import Permission
from monitor.log import Log, tenant_reference
from monitor.metrics import ConsoleMetrics
from monitor.settings import Console as ConsoleSettings
from monitor.web.accounts import Accounts
from monitor.web.api.answers import is_of_api
from monitor.web.banner import troubles
from monitor.web.display import File
from monitor.web.records import Records
from monitor.web.security import SAFE_METHODS
from monitor.web.sessions import Sessions, Visitor, is_token_of

FORM_TOKEN = "form_token"
FIELDS_MAX = 200
EXPIRED = "This page is from before you signed in: go back, reload it, and send it again."
SIGNED_OUT = "You are not signed in any more: sign in, and send it again."
NO_TOKEN = "Say who asks: a token, as `Authorization: Bearer TOKEN`, or a session of the console."
BEARER = {"WWW-Authenticate": "Bearer"}
SOMEBODY = "somebody"  # a person, to whoever sees no names
ANYBODY = None  # asks for nothing, not even for being signed in


class Link(NamedTuple):
    """A page that every page leads to, for those who may see it."""

    label: str
    path: str
    permission: Permission


@dataclass(frozen=True, slots=True)
class Console:
    """What pages are made from."""

    accounts: Accounts
    records: Records
    sessions: Sessions
    settings: ConsoleSettings
    clock: Clock
    metrics: ConsoleMetrics
    log: Log
    files: dict[str, File]
    templates: Environment
    navigation: tuple[Link, ...]
    signing_in: asyncio.Semaphore  # how many may be looking at passwords at once

    def write(self, template: str, visitor: Visitor | None, status: HTTPStatus, **values: object) -> HTMLResponse:
        """A page for somebody, or for nobody that we know."""
        may = frozenset[Permission]() if visitor is None else visitor.permissions
        text = self.templates.get_template(template).render(
            visitor=visitor,
            may=may,
            navigation=[link for link in self.navigation if link.permission in may],
            by_proxy=self.settings.user_header is not None,
            troubles=troubles(self.records.surveys, may),
            **values,
        )
        return HTMLResponse(text, status)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request."""

    request: Request
    console: Console
    visitor: Visitor | None
    form: FormData

    @property
    def who(self) -> Visitor:
        """Who asks, on a page that asks for a permission."""
        assert self.visitor is not None, "a page that asks for a permission has a visitor"
        return self.visitor

    @property
    def name(self) -> str:
        """The name of who asks."""
        return self.who.user.name

    @property
    def person(self) -> Person:
        """Who asks, as the audit knows them."""
        return Person(USER, self.name)

    def may(self, permission: Permission) -> bool:
        """Whether who asks may do something more than to see this page."""
        return self.visitor is not None and permission in self.visitor.permissions

    def tenant(self, tenant: str) -> str:
        """What who asks may know a tenant by: its name, or its opaque reference."""
        return tenant if self.may(Permission.SEE_NAMES) else tenant_reference(tenant)

    def subject(self, subject: str) -> str:
        """What who asks may know the subject of a case by: `party acme`, or the kind and an opaque reference."""
        kind, _, name = subject.partition(" ")
        return f"{kind} {self.tenant(name)}"

    def somebody(self, name: str) -> str:
        """What who asks may know a person by: the name, or that it is somebody; "": nobody."""
        return name if self.may(Permission.SEE_NAMES) or name in ("", SYSTEM) else SOMEBODY

    def field(self, name: str) -> str:
        """What a form says in a field, without space around it; nothing, if it says nothing."""
        return next(iter(self.fields(name)), "").strip()

    def fields(self, name: str) -> list[str]:
        """All that a form says in fields of one name."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        """A page."""
        path = self.request.url.path
        return self.console.write(template, self.visitor, status, path=path, visit=self, **values)

    def go(self, path: str) -> Response:
        """Another page, to be fetched."""
        return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def asks(permission: Permission | None) -> Any:
    """The visit of somebody who may do this; ANYBODY: of anybody. Its form, if it is one, is known to be ours.

    Raises:
        HTTPException: they may not, or the form is none of ours.
    """

    async def visit(request: Request) -> Visit:
        console: Console = request.app.state.console
        visitor = await run_in_threadpool(console.sessions.visitor, request)
        if permission is not ANYBODY:
            _must_be_permitted(request, visitor, permission)
        form = FormData()
        if request.method not in SAFE_METHODS:
            form = await request.form(max_files=0, max_fields=FIELDS_MAX)
            if permission is not ANYBODY and visitor is not None and visitor.form_token is not None:
                given = form.get(FORM_TOKEN)
                if not isinstance(given, str) or not is_token_of(visitor, given):
                    raise HTTPException(HTTPStatus.FORBIDDEN, EXPIRED)
        return Visit(request, console, visitor, form)

    _ASKED[visit] = permission
    return Depends(visit)


_ASKED: dict[Callable[..., Any], Permission | None] = {}


def asked_by(route: BaseRoute) -> Permission | None:
    """What a route asks for; None: nothing, and it says so.

    Raises:
        ValueError: it does not say.
    """
    dependencies = route.dependant.dependencies if isinstance(route, APIRoute) else []
    found = [_ASKED[one.call] for one in dependencies if one.call in _ASKED]
    if len(found) != 1:
        path = getattr(route, "path", route)
        raise ValueError(f"{path} says {len(found)} times what it asks for: take one Visit with asks(...).")
    return found[0]


def _must_be_permitted(request: Request, visitor: Visitor | None, permission: Permission) -> None:
    if visitor is not None and permission in visitor.permissions:
        return
    if visitor is not None:
        raise HTTPException(HTTPStatus.FORBIDDEN, "Your role does not permit this: ask an administrator for another.")
    if "authorization" in request.headers:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "This token lets nobody in: make a new one.", BEARER)
    if is_of_api(request.url.path):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, NO_TOKEN, BEARER)
    if "hx-request" in request.headers:  # for a part of a page: the sign-in page is to replace all of it
        raise HTTPException(HTTPStatus.UNAUTHORIZED, SIGNED_OUT, {"HX-Redirect": "/sign-in"})
    if request.method in SAFE_METHODS:
        raise HTTPException(HTTPStatus.SEE_OTHER, headers={"Location": sign_in_path(request)})
    raise HTTPException(HTTPStatus.UNAUTHORIZED, SIGNED_OUT)


def sign_in_path(request: Request) -> str:
    """The page to sign in on, which leads back to here."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/sign-in?next={quote(request.url.path + query, safe='')}"


def own_path(text: str) -> str:
    """A path of ours that somebody may be sent to; anything else is our first page."""
    parts = urlsplit(text)
    ours = text.startswith("/") and not text.startswith("//") and not parts.scheme and not parts.netloc
    return text if ours and text.isascii() and text.isprintable() and "\\" not in text else "/"
