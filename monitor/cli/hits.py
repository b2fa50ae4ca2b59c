"""`flopwatch hits`: who may be on a list, and clearing a hit that is somebody else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.app import decisions, views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.clearances import AUTHORS
from monitor.core.engine import TenantMatch
from monitor.core.lists import BANDS, Band
from monitor.run.documents import hit_document
from monitor.run.proposals import OF_HITS
from monitor.settings import load_settings

HELP = "\n\n".join(
    [
        "List hits on screening lists, weightiest first; `hits clear` says that one is somebody else.",
        *(f"{band}: {BANDS[band]}" for band in (Band.LIKELY, Band.POSSIBLE)),
        "A hit says that records are alike, never that anybody is listed.",
    ]
)


@click.group(invoke_without_command=True, help=HELP)
@click.option("--tenant", help="Only hits on account of this tenant.")
@click.option("--all", "with_cleared", is_flag=True, help="Cleared ones too.")
@state_option
@json_option
@config_option
@click.pass_context
def hits(
    context: click.Context,
    tenant: str | None,
    with_cleared: bool,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """List hits on screening lists."""
    context.obj = (state, config)
    if context.invoked_subcommand is not None:
        return
    known = views.stored_hits(load_settings(config), state)
    chosen = [
        one
        for one in known.hits
        if (tenant is None or one.tenant == tenant) and (with_cleared or one.match.clearance is None)
    ]
    if as_json:
        show.document([hit_document(one) for one in chosen])
    elif not known.lists:
        click.echo("No lists are configured: nobody is screened. `lists` in the settings names them.")
    elif not chosen:
        click.echo("No list match. That is not the same as clear: lists are short, and names can be changed.")
    else:
        click.echo(
            show.table(
                ("hit", "band", "score", "list", "who", "tenant", "is like", "state"),
                [
                    (
                        one.match.id,
                        one.match.hit.band,
                        f"{one.match.hit.score / 1000:.2f}",
                        one.match.hit.listed.source,
                        show.plain(one.match.subject),
                        show.plain(one.tenant),
                        show.plain(f"{one.match.hit.matched} ({one.match.hit.listed.id})"),
                        "open" if one.match.clearance is None else "cleared",
                    )
                    for one in chosen
                ],
            )
        )
        click.echo("\n`flopwatch explain TENANT` says what each would mean.")


@hits.command()
@click.argument("hit")
@click.option("--by", "authors", multiple=True, required=True, help="Who looked at it: two, or one to propose it.")
@click.option("--reason", required=True, help="How it is known to be somebody else; kept in the journal.")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day on which to look again.")
@state_option
@config_option
@click.pass_obj
def clear(
    given_before: tuple[Path | None, Path | None],
    hit: str,
    authors: tuple[str, ...],
    reason: str,
    until: datetime,
    state: Path | None,
    config: Path | None,
) -> None:
    """Say that HIT is somebody else. It is open again when its record or the list's changes, or on the day given.

    It takes two people: both of them here, or one who proposes it and another one with `hits approve`.
    """
    if not reason.strip():
        raise click.UsageError("A hit is cleared for a reason; --reason is empty.")
    settings = load_settings(config or given_before[1])
    end = round(until.replace(tzinfo=UTC).timestamp() * 1000)
    found = decisions.clear_hit(settings, state or given_before[0], hit, authors, reason.strip(), end)
    if len(authors) == AUTHORS:
        click.echo(f"{_named(found)} is cleared until {until:%Y-%m-%d}.")
    else:
        click.echo(f"{_named(found)} is proposed to be cleared: `flopwatch hits approve` is for another person.")


@hits.command()
@click.argument("hit")
@click.option("--by", "person", required=True, help="Who approves it; another one than who proposed it.")
@state_option
@config_option
@click.pass_obj
def approve(
    given_before: tuple[Path | None, Path | None], hit: str, person: str, state: Path | None, config: Path | None
) -> None:
    """Approve that HIT is cleared, as another person proposed."""
    settings = load_settings(config or given_before[1])
    with decisions.panel(settings, state or given_before[0]) as panel:
        panel.approve(panel.waiting_of(hit, OF_HITS).number, person, decisions.operator())
    click.echo(f"{hit} is cleared.")


@hits.command()
@click.argument("hit")
@click.option("--by", "person", required=True, help="Who does this.")
@click.option("--reason", required=True, help="Why it is not cleared; kept in the audit.")
@state_option
@config_option
@click.pass_obj
def refuse(
    given_before: tuple[Path | None, Path | None],
    hit: str,
    person: str,
    reason: str,
    state: Path | None,
    config: Path | None,
) -> None:
    """Refuse what another person proposed of HIT, or take back what you proposed yourself."""
    settings = load_settings(config or given_before[1])
    with decisions.panel(settings, state or given_before[0]) as panel:
        panel.drop(panel.waiting_of(hit, OF_HITS).number, person, reason, decisions.operator())
    click.echo(f"What was proposed of {hit} is off the table, and stays on record.")


@hits.command()
@click.argument("hit")
@click.option("--reason", required=True, help="Why it is open again; kept in the journal.")
@state_option
@config_option
@click.pass_obj
def reopen(
    given_before: tuple[Path | None, Path | None], hit: str, reason: str, state: Path | None, config: Path | None
) -> None:
    """Take the clearance of HIT back."""
    if not reason.strip():
        raise click.UsageError("A hit is opened again for a reason; --reason is empty.")
    found = decisions.reopen_hit(
        load_settings(config or given_before[1]), state or given_before[0], hit, reason.strip()
    )
    click.echo(f"{_named(found)} is open again.")


def _named(one: TenantMatch) -> str:
    return show.plain(f"{one.match.id} ({one.match.subject}, {one.match.hit.matched})")
