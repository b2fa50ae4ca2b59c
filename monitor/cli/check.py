"""`flopwatch check`: configuration, catalogue, policies, lists and sinks, without starting or sending anything."""

from __future__ import annotations

from pathlib import Path

import click

from monitor import app
from monitor.cli import show
from monitor.cli.options import config_option, json_option


@click.command()
@click.option(
    "--reference",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with catalogue, policies, priors and what is beside them, countries (default: packaged).",
)
@json_option
@config_option
@click.pass_context
def check(context: click.Context, reference: Path | None, as_json: bool, config: Path | None) -> None:
    """Look for contradictions in settings, sinks, catalogue, lists and policies; run the policies' examples."""
    problems, remarks = app.check(config, reference)
    if as_json:
        show.document({"problems": problems, "remarks": remarks})
    elif problems:
        for problem in problems:
            click.echo(problem)
    else:
        click.echo(
            "Settings, catalogue, priors, calibrations, durations, training score, country groups, effects of lists, "
            "lists and policies are sound."
        )
    if not as_json:
        for remark in remarks:
            click.echo(remark)
    context.exit(1 if problems else 0)
