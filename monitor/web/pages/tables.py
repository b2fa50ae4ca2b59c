"""Tables as files: a form that says which, for whom and why, and the file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.core.exports import BASIS_CHARACTERS_MAX, RECIPIENT_CHARACTERS_MAX, Export, RecipientKind
from monitor.core.notices import terms_of
from monitor.core.roles import Permission
from monitor.core.tables import Table
from monitor.errors import ExportProblem
from monitor.run.documents import (
    audit_document,
    flag_document,
    most_serious_first,
    row_document,
    tenant_document,
    tenant_run_document,
    times_of_flags,
)
from monitor.run.table_files import FORMATS, Known, every_case, table_file
from monitor.store import AuditWanted
from monitor.web.case_view import is_blind
from monitor.web.handing_over import Made, given_out, proposed
from monitor.web.pages.tenants import tenants_named
from monitor.web.visit import Visit, asks

ROWS_MAX = 100_000
DIGITS = 12  # of a digest in the name of a file
# Beside the right to export: tables have names, and the audit is for whoever may see it.
NEEDED = dict.fromkeys(Table, (Permission.SEE_NAMES,)) | {Table.AUDIT: (Permission.SEE_NAMES, Permission.SEE_AUDIT)}
NOT_PERMITTED = "Your role or your token does not permit this table: ask for another, or whoever may see what is in it."

Exporting = Annotated[Visit, asks(Permission.EXPORT)]
router = APIRouter()


@router.get("/exports/tables")
def form(visit: Exporting) -> Response:
    """Which table, for whom, and why."""
    return _page(visit)


@router.post("/exports/tables")
def export_table(visit: Exporting) -> Response:
    """The file; one for a government waits for counsel."""
    try:
        table, format = _chosen(visit)
        _must_be_permitted(visit, table)
        return given_out(visit, proposed(visit, "table", table, format), table_of)
    except ExportProblem as problem:
        return _page(visit, str(problem))


def table_of(visit: Visit, export: Export, now: int) -> Made:
    """The file of an export.

    Raises:
        ExportProblem: the table has too many rows.
        HTTPException: it is not for who asks.
    """
    table = Table(export.handover.what)
    _must_be_permitted(visit, table)
    known = ROWS[table](visit, now)
    if len(known.rows) > ROWS_MAX:
        raise ExportProblem(
            f"The table {table} has more than {ROWS_MAX:,} rows: `flopwatch {_command(table)} --json` writes it."
        )
    file = table_file(export, known, visit.name, now)
    digest = hashlib.sha256(file.content).hexdigest()
    return Made(file.content, file.media_type, f"{table}-{digest[:DIGITS]}.{file.ending}", digest)


def _command(table: Table) -> str:
    return "audit list" if table is Table.AUDIT else table.value


def _chosen(visit: Visit) -> tuple[Table, str]:
    table, format = visit.field("table"), visit.field("format")
    if table not in list(Table) or format not in FORMATS:
        raise ExportProblem("Choose one of the tables, and the format csv or json.")
    return Table(table), format


def _permitted(visit: Visit, table: Table) -> bool:
    return all(map(visit.may, NEEDED[table]))


def _must_be_permitted(visit: Visit, table: Table) -> None:
    if not _permitted(visit, table):
        raise HTTPException(HTTPStatus.FORBIDDEN, NOT_PERMITTED)


def _page(visit: Visit, problem: str = "") -> Response:
    return visit.page(
        "export_table.html",
        HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        problem=problem,
        tables=[table for table in Table if _permitted(visit, table)],
        formats=FORMATS,
        kinds=list(RecipientKind),
        recipient_max=RECIPIENT_CHARACTERS_MAX,
        basis_max=BASIS_CHARACTERS_MAX,
    )


# -- rows: the documents that the API answers with ---------------------------------------------------------------------


def _tenants(visit: Visit, _now: int) -> Known:
    known, found = tenants_named(visit, "")
    return Known(known.as_of, [tenant_document(one) for one in found])


def _runs(visit: Visit, _now: int) -> Known:
    survey, (known, found) = visit.console.records.surveys.latest(), tenants_named(visit, "")
    runs = [run for tenant in found for run in survey.runs(tenant.tenant).runs]
    return Known(known.as_of, [tenant_run_document(one) for one in runs])


def _flags(visit: Visit, now: int) -> Known:
    records = visit.console.records
    flags = most_serious_first(records.stored.flags())
    times = times_of_flags(flags, terms_of(records.panel.policies()), records.stored.seen())
    return Known(now, [flag_document(one, times[one.id]) for one in flags])


def _cases(visit: Visit, now: int) -> Known:
    """Those that are open and those that are decided; what is to be reviewed blindly stays hidden here, too."""
    rows = every_case(visit.console.records.desk.cases, now, ROWS_MAX + 1)
    return Known(now, [row_document(row, now, is_blind(row, visit)) for row in rows])


def _audit(visit: Visit, now: int) -> Known:
    rows = visit.console.records.stored.audit.latest(AuditWanted(), ROWS_MAX + 1)
    return Known(now, [audit_document(*one) for one in rows])


ROWS: Mapping[Table, Callable[[Visit, int], Known]] = {
    Table.TENANTS: _tenants,
    Table.RUNS: _runs,
    Table.FLAGS: _flags,
    Table.CASES: _cases,
    Table.AUDIT: _audit,
}
