"""`flopwatch lists`: which screening lists count, how old they are, and what was refused."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import references
from monitor.cli import show
from monitor.cli.options import config_option, json_option
from monitor.core.lists import ListEffects
from monitor.reference.lists.shelf import Standing
from monitor.run.listing import lists_document, problems_of, sources_of
from monitor.settings import load_settings


@click.group(invoke_without_command=True)
@json_option
@config_option
@click.pass_context
def lists(context: click.Context, as_json: bool, config: Path | None) -> None:
    """Show the screening lists: versions, ages, entries, problems; `lists accept` lets a smaller one count."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    shown = references.screening_lists(load_settings(config))
    if as_json:
        show.document(lists_document(shown))
    else:
        click.echo(_text(shown.standings, shown.effects, shown.now))
    context.exit(1 if any(standing.problem for standing in shown.standings) else 0)


@lists.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why the entries have really gone; kept in the list's history.")
@config_option
@click.pass_obj
def accept(given_before: Path | None, name: str, reason: str, config: Path | None) -> None:
    """Let the file of the list NAME count although it has lost more than 20 per cent."""
    if not reason.strip():
        raise click.UsageError("A list is accepted for a reason; --reason is empty.")
    standing = references.accept_list(load_settings(config or given_before), name, reason.strip())
    entries = standing.kept.list.version.entries if standing.kept else 0
    click.echo(f"The list {name} counts with {entries:,} entries; {len(standing.changes.removed):,} have gone.")


def _text(standings: list[Standing], effects: ListEffects, now: int) -> str:
    if not standings:
        return "No lists are configured: nobody is screened. `lists` in the settings names them."
    rows = [_row(standing, now) for standing in standings]
    parts = [show.table(("list", "entries", "dated", "days old", "loaded", "version"), rows)]
    for standing in standings:
        parts.append("")
        parts.extend(_lines(standing, effects, now))
    return "\n".join(parts)


def _row(standing: Standing, now: int) -> tuple[str, ...]:
    if standing.kept is None:
        return (standing.name, "-", "-", "-", "-", "-")
    version = standing.kept.list.version
    return (
        standing.name,
        f"{version.entries:,}",
        "-" if version.dated is None else show.instant(version.dated)[:10],
        "-" if version.dated is None else str(standing.days_old(now)),
        show.instant(standing.kept.loaded_at),
        version.digest.removeprefix("sha256:")[:12],
    )


def _lines(standing: Standing, effects: ListEffects, now: int) -> list[str]:
    """What there is to say of a list, its problems first."""
    lines = [f"{standing.name}  {show.plain(str(standing.path))}"]
    lines.extend(f"  {show.plain(said)}" for said in problems_of(standing, now))
    if standing.kept is None:
        return lines
    if standing.kept.reason:
        lines.append(f"  Accepted by a person: {show.plain(standing.kept.reason)}")
    for source, count, direct, owned in sources_of(standing, effects, now):
        lines.append(f"  {source:10} {count:>9,}  {direct}; owned by half: {owned}")
    lines.extend(f"  {show.plain(note)}" for note in standing.kept.list.notes)
    return lines
