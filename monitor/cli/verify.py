"""`flopwatch verify`: recompute everything from the stored facts."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import views
from monitor.cli import show
from monitor.cli.options import as_of_option, config_option, json_option, state_option
from monitor.settings import load_settings


@click.command()
@as_of_option
@state_option
@json_option
@config_option
@click.pass_context
def verify(context: click.Context, as_of: int | None, state: Path | None, as_json: bool, config: Path | None) -> None:
    """Count every total and finding again from the stored facts, and compare."""
    verified = views.verify_store(load_settings(config), state, as_of)
    answer = verified.answer
    if as_json:
        show.document(
            {
                "as_of": None if answer.as_of < 0 else show.instant(answer.as_of),
                "problems": verified.problems,
                "books_digest": answer.books_digest,
                "digest": answer.digest,
            }
        )
    else:
        for problem in verified.problems:
            click.echo(show.plain(problem))
        if not verified.problems:
            when = "no fact yet" if answer.as_of < 0 else f"as of {show.instant(answer.as_of)}"
            click.echo(f"The books agree with their facts: {len(answer.tenants)} tenants, {when}.")
        click.echo(f"books_digest {answer.books_digest}\ndigest       {answer.digest}")
    context.exit(1 if verified.problems else 0)
