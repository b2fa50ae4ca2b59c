"""Accounts of others, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.roles import Permission, Role
from monitor.errors import PeopleProblem
from monitor.web.visit import Visit, asks

USERS_AT_ONCE = 100  # on a page

Managing = Annotated[Visit, asks(Permission.MANAGE_USERS)]
router = APIRouter()


@router.get("/users")
def users(visit: Managing, after: str = "") -> Response:
    """The list, a hundred at a time."""
    return _list(visit, after)


@router.post("/users")
def add(visit: Managing) -> Response:
    """A new account, with a password that this page alone shows, or without one behind a trusted proxy."""
    accounts, name = visit.console.accounts, visit.field("name").lower()
    try:
        role = Role(visit.field("role"))
    except ValueError:
        return _list(visit, problem="Choose one of the roles.", name=name)
    try:
        if visit.console.settings.user_header is not None:
            accounts.add(name, role, None, visit.person)
            return visit.go(_path(name))
        password = accounts.add_with_new_password(name, role, visit.person)
    except PeopleProblem as problem:
        return _list(visit, problem=str(problem), name=name)
    return _page(visit, name, password=password)


@router.get("/users/{name}")
def user(visit: Managing, name: str) -> Response:
    """One account."""
    return _page(visit, name)


@router.post("/users/{name}/role")
def set_role(visit: Managing, name: str) -> Response:
    """Another role."""
    try:
        role = Role(visit.field("role"))
    except ValueError:
        return _page(visit, name, problem="Choose one of the roles.")
    return _changed(visit, name, lambda: visit.console.accounts.set_role(name, role, visit.person))


@router.post("/users/{name}/disable")
def disable(visit: Managing, name: str) -> Response:
    """Let somebody in no longer."""
    return _changed(visit, name, lambda: visit.console.accounts.disable(name, visit.person))


@router.post("/users/{name}/enable")
def enable(visit: Managing, name: str) -> Response:
    """Let somebody in again."""
    return _changed(visit, name, lambda: visit.console.accounts.enable(name, visit.person))


@router.post("/users/{name}/password")
def set_password(visit: Managing, name: str) -> Response:
    """A new password, which this page alone shows."""
    try:
        password = visit.console.accounts.set_new_password(name, visit.person)
    except PeopleProblem as problem:
        return _page(visit, name, problem=str(problem))
    return _page(visit, name, password=password)


@router.post("/users/{name}/tokens/{id}/revoke")
def revoke_token(visit: Managing, name: str, id: str) -> Response:
    """Let a program of somebody in no longer."""
    return _changed(visit, name, lambda: visit.console.accounts.revoke_token(id, name, visit.person))


def _changed(visit: Visit, name: str, change: Callable[[], None]) -> Response:
    try:
        change()
    except PeopleProblem as problem:
        return _page(visit, name, problem=str(problem))
    return visit.go(_path(name))


def _path(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


def _list(visit: Visit, after: str = "", problem: str = "", name: str = "") -> Response:
    found = visit.console.accounts.users(after, USERS_AT_ONCE + 1)
    return visit.page(
        "users.html",
        HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        users=found[:USERS_AT_ONCE],
        more=len(found) > USERS_AT_ONCE,
        roles=list(Role),
        problem=problem,
        name=name,
    )


def _page(visit: Visit, name: str, problem: str = "", password: str = "") -> Response:
    found = visit.console.accounts.user(name)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such user: the list of users has all that there are.")
    return visit.page(
        "user.html",
        HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        user=found,
        user_path=_path(name),
        tokens=visit.console.accounts.tokens(name),
        now=visit.console.clock.now_ms(),
        roles=list(Role),
        problem=problem,
        password=password,
    )
