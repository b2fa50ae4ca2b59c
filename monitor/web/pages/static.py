"""Files that browsers get as they are, and may keep: another content has another address."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.web.security import YEAR_SECONDS
from monitor.web.visit import ANYBODY, Visit, asks

router = APIRouter()


@router.get("/static/{digest}/{name}")
def static(visit: Annotated[Visit, asks(ANYBODY)], digest: str, name: str) -> Response:
    """A file, by its digest and name."""
    file = visit.console.files.get(name)
    if file is None or file.digest != digest:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    keep = f"public, max-age={YEAR_SECONDS}, immutable"
    return Response(file.content, media_type=file.media_type, headers={"Cache-Control": keep})
