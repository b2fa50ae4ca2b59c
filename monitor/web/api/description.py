"""The description of the API, in OpenAPI: made from its routes, for whoever may ask them."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from monitor.web.api import routes
from monitor.web.api.answers import PREFIX, PROBLEMS, answered

VERSION = "1"
ABOUT = (
    "What the pages of the console show, for programs: the same numbers from the same place. It only reads. A token of "
    "the console goes into the header Authorization, as `Bearer TOKEN`; people make one under Account. Whoever may see "
    "no names gets opaque references in their place."
)
SCHEMES = {"token": {"type": "http", "scheme": "bearer"}}
# Where what one answer names is asked for further: operation -> names of the parameters, and where they stand.
LINKS: dict[str, dict[str, dict[str, str]]] = {
    "/cases": {"/cases/{id}": {"id": "/cases/0/case"}},
    "/flags": {"/flags/{id}": {"id": "/flags/0/flag"}},
    "/tenants": {
        "/tenants/{reference}": {"reference": "/tenants/0/reference"},
        "/tenants/{reference}/runs": {"reference": "/tenants/0/reference"},
    },
    "/tenants/{reference}/runs": {
        "/tenants/{reference}/runs/{run}": {"reference": "/runs/0/reference", "run": "/runs/0/run"}
    },
}
UNUSED = ("HTTPValidationError", "ValidationError")  # what the framework would answer to a bad request; ours is 400

router = APIRouter(prefix=PREFIX)


@router.get("/openapi.json", include_in_schema=False, responses=PROBLEMS)
def description(_visit: routes.Viewing) -> Response:
    """The document."""
    return answered(document())


@cache
def document() -> dict[str, Any]:
    """The description as it stands."""
    found = get_openapi(title="flopwatch", version=VERSION, description=ABOUT, routes=routes.router.routes)
    for path in found["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["security"] = [{name: []} for name in SCHEMES]
    found["components"]["securitySchemes"] = SCHEMES
    for start, ends in LINKS.items():
        _answer(found, start)["links"] = {
            end.rpartition("/")[2].strip("{}"): _link(found, end, ends[end]) for end in ends
        }
    for name in UNUSED:
        found["components"]["schemas"].pop(name, None)
    return found


def _answer(found: dict[str, Any], path: str) -> dict[str, Any]:
    answer: dict[str, Any] = found["paths"][PREFIX + path]["get"]["responses"]["200"]
    return answer


def _link(found: dict[str, Any], path: str, parameters: dict[str, str]) -> dict[str, Any]:
    places = {name: f"$response.body#{place}" for name, place in parameters.items()}
    return {"operationId": found["paths"][PREFIX + path]["get"]["operationId"], "parameters": places}
