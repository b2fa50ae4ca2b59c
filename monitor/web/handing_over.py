"""Giving out files: proposed for somebody on a legal basis, released where that takes counsel, and in the audit."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from starlette.responses import Response

from monitor.core.exports import Export, handover, not_ready
from monitor.errors import ExportProblem
from monitor.web.visit import Visit


class Made(NamedTuple):
    """A file to be given out."""

    content: bytes
    media_type: str
    name: str
    digest: str  # SHA-256 of it, or of the manifest in it: the audit has it


Make = Callable[[Visit, Export, int], Made]  # the file of an export, at an instant


def proposed(visit: Visit, kind: str, what: str, format: str) -> Export:
    """Propose what a form asks for; what takes nobody else is released with that.

    Raises:
        ExportProblem: something is missing or not permitted; a sentence for whoever sent the form.
    """
    said = [visit.field(name) for name in ("template", "recipient_kind", "recipient", "legal_basis")]
    try:
        asked = handover(kind, what, format, *said)
    except ValueError as wrong:
        raise ExportProblem(str(wrong)) from None
    return visit.console.records.stored.exports.propose(asked, visit.person, visit.console.clock.now_ms())


def given_out(visit: Visit, export: Export, make: Make) -> Response:
    """The file of an export, once the audit has it; where it waits for counsel, the page that says so.

    Raises:
        ExportProblem: it was refused, or released too long ago.
    """
    now = visit.console.clock.now_ms()
    if export.verdict is None:
        return visit.go("/exports")
    wrong = not_ready(export, now)
    if wrong is not None:
        raise ExportProblem(wrong)
    made = make(visit, export, now)
    visit.console.records.stored.exports.hand_over(export.number, visit.person, now, made.digest)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
    return Response(made.content, HTTPStatus.OK, headers, made.media_type)
