"""Accounts of others, for administrators."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from monitor.core.roles import Permission, Role
from monitor.errors import PeopleProblem
from monitor.web.visit import Visit, asks

Managing = Annotated[Visit, asks(Permission.MANAGE_USERS)]
router = APIRouter()


class NewPassword(NamedTuple):
    """A password of chance, and whose it is."""

    name: str
    password: str


@router.get("/users")
def users(visit: Managing) -> Response:
    """The list."""
    return _page(visit)


@router.post("/users")
def add(visit: Managing) -> Response:
    """A new account, with a password that this page alone shows, or without one behind a trusted proxy."""
    accounts, name = visit.console.accounts, visit.field("name").lower()
    try:
        role = Role(visit.field("role"))
    except ValueError:
        return _page(visit, problem="Choose one of the roles.", name=name)
    try:
        if visit.console.settings.user_header is not None:
            accounts.add(name, role, None, visit.name)
            return visit.go("/users")
        made = NewPassword(name, accounts.add_with_new_password(name, role, visit.name))
    except PeopleProblem as problem:
        return _page(visit, problem=str(problem), name=name)
    return _page(visit, made=made)


@router.post("/users/{name}/role")
def set_role(visit: Managing, name: str) -> Response:
    """Another role."""
    try:
        visit.console.accounts.set_role(name, Role(visit.field("role")), visit.name)
    except ValueError:
        return _page(visit, problem="Choose one of the roles.")
    except PeopleProblem as problem:
        return _page(visit, problem=str(problem))
    return visit.go("/users")


@router.post("/users/{name}/disable")
def disable(visit: Managing, name: str) -> Response:
    """Let somebody in no longer."""
    try:
        visit.console.accounts.disable(name, visit.name)
    except PeopleProblem as problem:
        return _page(visit, problem=str(problem))
    return visit.go("/users")


@router.post("/users/{name}/enable")
def enable(visit: Managing, name: str) -> Response:
    """Let somebody in again."""
    try:
        visit.console.accounts.enable(name, visit.name)
    except PeopleProblem as problem:
        return _page(visit, problem=str(problem))
    return visit.go("/users")


@router.post("/users/{name}/password")
def set_password(visit: Managing, name: str) -> Response:
    """A new password, which this page alone shows."""
    try:
        made = NewPassword(name, visit.console.accounts.set_new_password(name, visit.name))
    except PeopleProblem as problem:
        return _page(visit, problem=str(problem))
    return _page(visit, made=made)


def _page(visit: Visit, problem: str = "", name: str = "", made: NewPassword | None = None) -> Response:
    return visit.page(
        "users.html",
        HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        users=visit.console.accounts.users(),
        roles=list(Role),
        problem=problem,
        name=name,
        made=made,
    )
