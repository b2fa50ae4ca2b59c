"""The policies: which rules apply now, by which law, what they ask and what they do not establish."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.notices import force_words
from monitor.core.roles import Permission
from monitor.web.visit import Visit, asks

Viewing = Annotated[Visit, asks(Permission.VIEW_CASES)]
router = APIRouter()


@router.get("/policies")
def policies(visit: Viewing) -> Response:
    """All of them, those that apply now first."""
    now = visit.console.clock.now_ms()
    found = sorted(visit.console.records.policies, key=lambda one: (not one.in_force(now), one.id, -one.version))
    return visit.page("policies.html", policies=found, now=now)


@router.get("/policies/{name}")
def policy(visit: Viewing, name: str) -> Response:
    """One version of one, as `id@version`, with its sources and its rules."""
    found = next((one for one in visit.console.records.policies if f"{one.id}@{one.version}" == name), None)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such version of a policy.")
    now = visit.console.clock.now_ms()
    return visit.page("policy.html", policy=found, now=now, force=force_words(found.legal_force))
