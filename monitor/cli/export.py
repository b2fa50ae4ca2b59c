"""`flopwatch export`: a table as a file for somebody, on a legal basis."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import handovers
from monitor.cli.evidence import person_of, waiting_line
from monitor.cli.options import config_option, state_option
from monitor.core.exports import RecipientKind, Template, handover
from monitor.core.tables import Table
from monitor.run.table_files import FORMATS
from monitor.settings import load_settings

HELP = "\n\n".join(
    [
        "Write a table into a file: JSON that says whom it is for, or a zip archive of CSV and a file that says so.",
        "It is in the audit. One for a government is proposed, and made with --export once counsel has released it: "
        "`flopwatch exports`.",
    ]
)


@click.command(help=HELP)
@click.argument("table", type=click.Choice([str(table) for table in Table]))
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True, help="As what.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new file.")
@click.option("--recipient", help="Which organisation or office gets it.")
@click.option(
    "--recipient-kind",
    type=click.Choice([str(kind) for kind in RecipientKind]),
    default=str(RecipientKind.INTERNAL),
    show_default=True,
    help="Whose hands it gets into.",
)
@click.option("--legal-basis", help="Why they may have it.")
@click.option("--by", help="Who makes it (default: the user of the operating system).")
@click.option("--export", "number", type=int, metavar="N", help="Make what was proposed and released with this number.")
@state_option
@config_option
@click.pass_context
def export(
    context: click.Context,
    /,
    table: str,
    form: str,
    out: Path,
    recipient: str | None,
    recipient_kind: str,
    legal_basis: str | None,
    by: str | None,
    number: int | None,
    state: Path | None,
    config: Path | None,
) -> None:
    """See HELP."""
    settings, person = load_settings(config), person_of(by)
    if number is not None:
        found = handovers.proposed_export(settings, state, "table", table, number)
    elif recipient is None or legal_basis is None:
        raise click.UsageError("An export names whom it is for, with --recipient, and why, with --legal-basis.")
    else:
        try:
            asked = handover("table", table, form, Template.GENERAL, recipient_kind, recipient, legal_basis)
        except ValueError as wrong:
            raise click.UsageError(str(wrong)) from None
        found = handovers.propose_table(settings, state, asked, person)
    if found.verdict is None:
        click.echo(waiting_line(found))
        context.exit(1)
    count = handovers.write_table(settings, state, found, out, person)
    click.echo(f"{out} holds the table {table}, {count:,} rows.")
