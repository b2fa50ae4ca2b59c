"""How the API answers: JSON in ASCII, whatever a text of others holds, and problems as sentences."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from monitor.web.api.models import Failure

PREFIX = "/api/v1"
JSON = "application/json"
# Every answer that is none, beside those of a single route.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    HTTPStatus.BAD_REQUEST.value: {"model": Failure, "description": "A parameter cannot be used."},
    HTTPStatus.UNAUTHORIZED.value: {"model": Failure, "description": "No session, and no token that lets anybody in."},
    HTTPStatus.FORBIDDEN.value: {"model": Failure, "description": "The role or the token does not permit this."},
    HTTPStatus.REQUEST_URI_TOO_LONG.value: {"model": Failure, "description": "The address is too long."},
    HTTPStatus.MISDIRECTED_REQUEST.value: {"model": Failure, "description": "The console has another address."},
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE.value: {"model": Failure, "description": "The head is too long."},
    HTTPStatus.SERVICE_UNAVAILABLE.value: {"model": Failure, "description": "The store does not answer, or too late."},
}
NO_SUCH: dict[int | str, dict[str, Any]] = {
    HTTPStatus.NOT_FOUND.value: {"model": Failure, "description": "There is no such thing, or no longer."}
}


def is_of_api(path: str) -> bool:
    """Whether a path is one that programs ask for."""
    return path.startswith("/api/")


def answered(content: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """An answer. What is no ASCII is escaped: a lone surrogate is no UTF-8, and what turns text is harmless so."""
    return Response(json.dumps(content), status, media_type=JSON)


def failure(status: HTTPStatus, sentence: str, request_id: str) -> Response:
    """What there is in the place of an answer."""
    return answered({"error": {"status": status.value, "sentence": sentence, "request_id": request_id}}, status)
