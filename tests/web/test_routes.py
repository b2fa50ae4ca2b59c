"""Every route and every role: who gets in, who does not, and that no route forgets to ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Mount

from monitor.core.roles import PERMISSIONS, Permission, Role
from monitor.web.console import NAVIGATION, ROUTERS, application
from monitor.web.visit import ANYBODY, Visit, asked_by, asks
from tests.web.browsing import House

# Route -> who may: everybody with or without an account (*), all roles (+), or the first letters of those that may.
TABLE = {
    "GET /static/{digest}/{name}": "*",
    "GET /sign-in": "*",
    "POST /sign-in": "*",
    "POST /sign-out": "+",
    "GET /": "+",
    "GET /queue": "+",
    "POST /queue/next": "re se",
    "GET /suppressed": "+",
    "GET /cases/{id}": "+",
    "GET /cases/{id}/as-it-was/{number}": "+",
    "POST /cases/{id}/claim": "re se",
    "POST /cases/{id}/release": "re se",
    "POST /cases/{id}/begin": "re se",
    "POST /cases/{id}/assign": "re se",
    "POST /cases/{id}/escalate": "re se",
    "POST /cases/{id}/snooze": "re se",
    "POST /cases/{id}/ask": "re se",
    "POST /cases/{id}/answer": "re se",
    "POST /cases/{id}/note": "re se",
    "POST /cases/{id}/decide": "re se",
    "POST /cases/{id}/suppress": "re se",
    "POST /cases/{id}/withdraw": "re se",
    "POST /cases/{id}/reverse": "re se",
    "POST /cases/{id}/review": "re se",
    "POST /cases/{id}/hold": "re se",
    "POST /cases/{id}/free": "re se",
    "POST /cases/{id}/approve": "se",
    "POST /cases/{id}/refuse": "se",
    "GET /me": "+",
    "POST /me/password": "+",
    "POST /me/tokens": "+",
    "POST /me/tokens/{id}/revoke": "+",
    "GET /tenants": "+",
    "GET /tenants/{reference}": "+",
    "GET /tenants/{reference}/runs/{run}": "+",
    "GET /groups/{reference}": "+",
    "GET /policies": "+",
    "GET /policies/{name}": "+",
    "POST /policies/{name}/propose": "po",
    "POST /policies/{name}/withdraw": "po",
    "GET /proposals": "+",
    "POST /proposals/{number}/approve": "se",
    "POST /proposals/{number}/refuse": "se",
    "POST /proposals/{number}/withdraw": "+",
    "GET /backtests": "+",
    "GET /backtests/{name}": "+",
    "POST /tenants/{reference}/hits/{hit}/clear": "re se",
    "GET /cases/{id}/evidence": "re se po au",
    "POST /cases/{id}/evidence": "re se po au",
    "GET /exports/tables": "re se po au",
    "POST /exports/tables": "re se po au",
    "GET /exports": "re se po au co",
    "POST /exports/{number}/fetch": "re se po au",
    "POST /exports/{number}/release": "co",
    "POST /exports/{number}/refuse": "co",
    "GET /lists": "+",
    "GET /pipeline": "+",
    "GET /reports": "+",
    "GET /audit": "au",
    "GET /api/v1/openapi.json": "+",
    "GET /api/v1/overview": "+",
    "GET /api/v1/cases": "+",
    "GET /api/v1/cases/{id}": "+",
    "GET /api/v1/suppressions": "+",
    "GET /api/v1/tenants": "+",
    "GET /api/v1/tenants/{reference}": "+",
    "GET /api/v1/tenants/{reference}/runs": "+",
    "GET /api/v1/tenants/{reference}/runs/{run}": "+",
    "GET /api/v1/flags": "+",
    "GET /api/v1/flags/{id}": "+",
    "GET /api/v1/policies": "+",
    "GET /api/v1/audit": "au",
    "GET /users": "ad",
    "POST /users": "ad",
    "GET /users/{name}": "ad",
    "POST /users/{name}/role": "ad",
    "POST /users/{name}/disable": "ad",
    "POST /users/{name}/enable": "ad",
    "POST /users/{name}/password": "ad",
    "POST /users/{name}/tokens/{id}/revoke": "ad",
}


def those_of(mark: str) -> set[Role]:
    return set(Role) if mark in {"*", "+"} else {role for role in Role if role.value[:2] in mark.split()}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One console for all: what is asked is refused, or changes nothing that another test needs."""
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.close()


@pytest.fixture(scope="module")
def routes(shared: House) -> dict[str, APIRoute]:
    """All routes, by method and path."""
    found = [route for route in application(shared.console).routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}": route for route in found for method in route.methods}


def test_the_table_has_every_route(routes: dict[str, APIRoute]) -> None:
    """A new one is added here by whoever makes it, with who may."""
    assert sorted(TABLE) == sorted(routes)


@pytest.mark.parametrize("name", TABLE)
def test_a_route_asks_for_what_the_table_says(routes: dict[str, APIRoute], name: str) -> None:
    """The roles that have the permission are those of the table."""
    permission = asked_by(routes[name])

    assert (permission is ANYBODY) == (TABLE[name] == "*")
    assert those_of(TABLE[name]) == {role for role in Role if permission is ANYBODY or permission in PERMISSIONS[role]}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_every_route_lets_in_who_may(shared: House, name: str, role: Role | None) -> None:
    """Through the whole console: signed in as each role, and as nobody."""
    method, path = name.split()
    browser = shared.browser() if role is None else shared.signed_in(role.value)
    path = path.format(digest="0", name="nobody", id="0", reference="none", run="none", number="0", hit="none")

    answer = browser.get(path) if method == "GET" else browser.post(path, {})

    if role is None and TABLE[name] != "*":
        is_page = method == "GET" and not path.startswith("/api/")
        assert answer.status_code == (303 if is_page else 401)
        assert not is_page or answer.headers["Location"].startswith("/sign-in?next=")
    else:
        refused = role is not None and role not in those_of(TABLE[name])
        assert refused == (answer.status_code == 403)
        assert not refused or "Your role does not permit this" in answer.text
        assert answer.status_code < 500


def test_what_is_no_route_of_ours_does_not_start(shared: House) -> None:
    """An application that is put under a path would answer without asking."""
    mounted = APIRouter()
    mounted.routes.append(Mount("/files", application(shared.console)))

    with pytest.raises(ValueError, match="/files says 0 times"):
        application(shared.console, (*ROUTERS, mounted))


def test_a_route_that_does_not_ask_does_not_start(shared: House) -> None:
    """Neither one that forgot, nor one that asks twice."""
    for number in (0, 2):
        forgetful = APIRouter()
        if number == 0:

            @forgetful.get("/all")
            def everything() -> Response:
                return Response("names")

        else:

            @forgetful.get("/all")
            def all_of_it(
                visit: Annotated[Visit, asks(ANYBODY)], again: Annotated[Visit, asks(Permission.SEE_NAMES)]
            ) -> Response:
                return Response("names")

        with pytest.raises(ValueError, match=f"/all says {number} times what it asks for"):
            application(shared.console, (*ROUTERS, forgetful))


@pytest.mark.parametrize("role", Role)
def test_every_page_leads_to_those_that_one_may_see(shared: House, role: Role) -> None:
    """And to no other; the first of them is where one begins."""
    browser = shared.signed_in(role.value)
    expected = [link for link in NAVIGATION if link.permission in PERMISSIONS[role]]

    page = browser.get("/me").text
    assert [link in expected for link in NAVIGATION] == [f'<a href="{link.path}"' in page for link in NAVIGATION]
    assert "/" == expected[0].path
    assert [200] * len(expected) == [browser.get(link.path).status_code for link in expected]


def test_an_error_leads_on(shared: House) -> None:
    """Whoever is signed in has the navigation there, too; of whoever is not it tells nothing."""
    inside, outside = shared.signed_in("viewer"), shared.browser()

    for path, status in (("/none", 404), ("/users", 403)):
        answer = inside.get(path)
        assert (status, True) == (answer.status_code, '<a href="/me"' in answer.text)
    assert (404, False) == ((answer := outside.get("/none")).status_code, '<a href="/me"' in answer.text)
