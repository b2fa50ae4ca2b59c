"""`flopwatch audit`: what people did, and whether anybody has changed what is written of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import click

from monitor.app import audits
from monitor.app.audits import AuditVerified
from monitor.cli import show
from monitor.cli.options import config_option, json_option, since_option, state_option
from monitor.run.documents import audit_document, content_of_row, instant_of_row
from monitor.settings import load_settings
from monitor.store import AuditWanted

ROWS_SHOWN = 50
BODY_SHOWN_MAX = 100  # characters
NOT_PROVED = (
    "That does not prove that what was entered is true, nor that nobody who can write both the store and its "
    "checkpoints has made both anew."
)
NO_CHECKPOINTS = (
    "Without checkpoints, rows that were cut off at the end are not seen, nor is a chain that was made anew whole: "
    "`audit` in the settings says where they are kept, --checkpoints names a file."
)


@click.group()
def audit() -> None:
    """What people did, as a chain of rows that nobody can change unseen."""


@audit.command("list")
@since_option
@click.option("--actor", help="Only what this person did: a name, or the hash that stands for it.")
@click.option("--act", help="Only acts of this kind, such as flag.closed.")
@click.option("--subject", help="Only what was done to this: a flag, a topic.")
@click.option("--limit", type=click.IntRange(1), default=ROWS_SHOWN, show_default=True, help="At most so many.")
@state_option
@json_option
@config_option
def list_rows(
    since: int | None,
    actor: str | None,
    act: str | None,
    subject: str | None,
    limit: int,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """List what people did, the latest first."""
    wanted = AuditWanted(since, None if actor is None else [actor], act, subject)
    found = audits.audit_rows(load_settings(config), state, wanted, limit + 1)
    rows, more = found[:limit], len(found) > limit
    if as_json:
        show.document([audit_document(row, who) for row, who in rows])
    elif not rows:
        click.echo("Nothing of that kind is in the audit." if any(wanted) else "The audit is empty.")
    else:
        cells = [
            (
                str(row.entry.number),
                instant_of_row(row.entry.at),
                who,
                row.entry.act,
                row.entry.subject,
                _short(row.entry.body),
            )
            for row, who in rows
        ]
        click.echo(show.table(("row", "at", "actor", "act", "subject", "what"), cells))
        if more:
            click.echo(f"\nThere are more; --limit shows them (now {limit:,}).")


@audit.command()
@click.option(
    "--checkpoints",
    type=click.File("rb"),
    help="Checkpoints, a line each; - reads standard input (default: the file of the settings).",
)
@state_option
@json_option
@config_option
@click.pass_context
def verify(
    context: click.Context, checkpoints: BinaryIO | None, state: Path | None, as_json: bool, config: Path | None
) -> None:
    """Walk over all rows and name the first that was changed, removed, added or made anew."""
    lines = None if checkpoints is None else checkpoints.read().splitlines()
    verified = audits.verify_audit(load_settings(config), state, lines)
    if as_json:
        show.document(_verdict_document(verified))
    else:
        click.echo("\n".join(_lines(verified)))
    context.exit(1 if verified.verdict.broken else 0)


def _lines(verified: AuditVerified) -> list[str]:
    rows, head, covered, broken = verified.verdict
    if broken is not None:
        return [*verified.remarks, f"The audit is broken. {broken.why}"]
    lines = [f"The audit is whole: {_count(rows, 'row')}, the last with the hash {head}.", *verified.remarks]
    if verified.checkpoints:
        agree = f"{_count(verified.checkpoints, 'checkpoint')} agree{'s' * (verified.checkpoints == 1)} with it"
        since = f"; {_count(rows - covered, 'row')} came after the last one" if rows > covered else ""
        lines.append(f"{agree}{since}.")
    else:
        lines.append(NO_CHECKPOINTS)
    return [*lines, NOT_PROVED]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _verdict_document(verified: AuditVerified) -> dict[str, Any]:
    rows, head, covered, broken = verified.verdict
    return {
        "rows": rows,
        "head": head,
        "checkpoints": verified.checkpoints,
        "covered": covered,
        "broken": None if broken is None else broken._asdict(),
        "remarks": verified.remarks,
        "not_proved": NOT_PROVED if verified.checkpoints else f"{NO_CHECKPOINTS} {NOT_PROVED}",
    }


def _short(body: str) -> str:
    content = content_of_row(body)
    text = json.dumps(content, ensure_ascii=False)[1:-1] if isinstance(content, dict) else body
    return text if len(text) <= BODY_SHOWN_MAX else f"{text[:BODY_SHOWN_MAX]}…"
