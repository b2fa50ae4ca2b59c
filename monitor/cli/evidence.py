"""`flopwatch evidence`: the evidence pack of a case, and the check of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor.app import decisions, handovers
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.audit import NAMED, Person
from monitor.core.exports import Export, RecipientKind, Template
from monitor.run.evidence_check import Checked
from monitor.settings import load_settings

HELP = "\n\n".join(
    [
        "Write the evidence pack of CASE into a folder: a page to print, the case as JSON, the facts as they came, "
        "what the numbers are made with, the audit of the case, and a manifest with the SHA-256 of each file.",
        "Every pack names its recipient and the legal basis, and is in the audit. One for a government is proposed, "
        "and made with --export once counsel has released it: `flopwatch exports`.",
    ]
)
PACK = "pack"


class CaseOrCommand(click.Group):
    """A group whose first word may be a case: then its pack is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what begins with no command for the case and options of a pack."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [PACK, *args]
        return super().parse_args(ctx, args)


@click.group(cls=CaseOrCommand, help=HELP, subcommand_metavar="CASE | COMMAND [ARGS]...")
def evidence() -> None:
    """See HELP."""


@evidence.command(PACK, help=HELP)
@click.argument("case")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="A folder: new, or empty.")
@click.option("--recipient", help="Which organisation or office gets it.")
@click.option(
    "--recipient-kind",
    type=click.Choice([str(kind) for kind in RecipientKind]),
    default=str(RecipientKind.INTERNAL),
    show_default=True,
    help="Whose hands it gets into.",
)
@click.option("--legal-basis", help="Why they may have it.")
@click.option(
    "--template",
    type=click.Choice([str(template) for template in Template]),
    default=str(Template.GENERAL),
    show_default=True,
    help="In which form; that of a proposed rule is for internal recipients only.",
)
@click.option("--by", help="Who makes it (default: the user of the operating system).")
@click.option("--export", "number", type=int, metavar="N", help="Make what was proposed and released with this number.")
@state_option
@config_option
@click.pass_context
def pack(
    context: click.Context,
    /,
    case: str,
    out: Path,
    recipient: str | None,
    recipient_kind: str,
    legal_basis: str | None,
    template: str,
    by: str | None,
    number: int | None,
    state: Path | None,
    config: Path | None,
) -> None:
    """Write the evidence pack of CASE."""
    settings, person = load_settings(config), person_of(by)
    if number is None:
        if recipient is None or legal_basis is None:
            raise click.UsageError("An export names whom it is for, with --recipient, and why, with --legal-basis.")
        try:
            asked = handovers.handover_of_case(case, template, recipient_kind, recipient, legal_basis)
        except ValueError as wrong:
            raise click.UsageError(str(wrong)) from None
        export = handovers.propose_evidence(settings, state, asked, person)
    else:
        export = handovers.proposed_export(settings, state, "case", case, number)
    if export.verdict is None:
        click.echo(waiting_line(export))
        context.exit(1)
    count = handovers.write_evidence(settings, state, export, out, person)
    click.echo(f"{out} holds the evidence pack of {case}, {count:,} files: `flopwatch evidence verify` checks it.")


def person_of(by: str | None) -> Person:
    """Who does something at the command line."""
    return decisions.operator() if by is None or not by.strip() else Person(NAMED, " ".join(by.split()))


def waiting_line(export: Export) -> str:
    """That an export waits, and for whom."""
    return show.plain(
        f"Export {export.number} waits for counsel: `flopwatch exports release {export.number} --by NAME`, then again "
        f"with --export {export.number}."
    )


@evidence.command()
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def verify(context: click.Context, folder: Path, as_json: bool) -> None:
    """Check every hash of the evidence pack in FOLDER, and every number from its own facts."""
    checked = handovers.verify_pack(folder)
    if as_json:
        show.document(_document(checked))
    else:
        click.echo("\n".join(map(show.plain, _lines(checked))))
    context.exit(1 if checked.problems else 0)


def _document(checked: Checked) -> dict[str, Any]:
    return {
        "case": checked.manifest.about.get("case"),
        "as_of": checked.manifest.about.get("as_of"),
        "files": checked.files,
        "flags": checked.flags,
        "tenants": checked.tenants,
        "problems": checked.problems,
        "remarks": checked.remarks,
        "not_proved": NOT_PROVED,
    }


NOT_PROVED = (
    "That does not prove that the facts are true, nor that this is the pack that was given out: the audit has the "
    "SHA-256 of that one's manifest."
)


def _lines(checked: Checked) -> list[str]:
    if checked.problems:
        return checked.problems
    return [
        f"The pack is whole: {checked.files:,} files are as its manifest says, and the numbers of {checked.flags:,} "
        f"flags and the usage of {checked.tenants:,} tenants follow from its facts.",
        *checked.remarks,
        NOT_PROVED,
    ]
