"""`flopwatch lists`: which screening lists count, how old they are, and what was refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor import app
from monitor.cli import show
from monitor.cli.options import config_option, json_option
from monitor.core.lists import NO_EFFECT, ListEffects
from monitor.core.model import DAY_MS
from monitor.reference.lists.shelf import Standing
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
    shown = app.screening_lists(load_settings(config))
    if as_json:
        show.document(
            {
                "effects": {"version": shown.effects.version, "digest": shown.effects.digest},
                "lists": [_document(standing, shown.now) for standing in shown.standings],
            }
        )
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
    standing = app.accept_list(load_settings(config or given_before), name, reason.strip())
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
        "-" if version.dated is None else str(_days_old(version.dated, now)),
        show.instant(standing.kept.loaded_at),
        version.digest.removeprefix("sha256:")[:12],
    )


def _days_old(dated: int, now: int) -> int:
    return max(0, (now - dated) // DAY_MS)


def _lines(standing: Standing, effects: ListEffects, now: int) -> list[str]:
    """What there is to say of a list, its problem first."""
    lines = [f"{standing.name}  {show.plain(str(standing.path))}"]
    if standing.problem:
        lines.append(f"  REFUSED: {show.plain(standing.problem)}")
    elif standing.refused is not None:
        lines.append(f"  Last refused {show.instant(standing.refused.at)}: {show.plain(standing.refused.said)}")
    if standing.kept is None:
        return lines
    if standing.kept.reason:
        lines.append(f"  Accepted by a person: {show.plain(standing.kept.reason)}")
    for source, count in standing.kept.list.by_source.items():
        owned = effects.of_owned(source, now) if source in effects.of_source else None
        direct = effects.of(source).direct if source in effects.of_source else "no effect is known"
        lines.append(f"  {source:10} {count:>9,}  {direct}; owned by half: {owned.owner if owned else NO_EFFECT}")
    lines.extend(f"  {show.plain(note)}" for note in standing.kept.list.notes)
    return lines


def _document(standing: Standing, now: int) -> dict[str, Any]:
    kept = standing.kept
    version = None if kept is None else kept.list.version
    dated = None if version is None else version.dated
    return {
        "list": standing.name,
        "path": str(standing.path),
        "format": None if kept is None else kept.list.format,
        "digest": None if version is None else version.digest,
        "dated": None if dated is None else show.instant(dated),
        "days_old": None if dated is None else _days_old(dated, now),
        "loaded_at": None if kept is None else show.instant(kept.loaded_at),
        "entries": 0 if version is None else version.entries,
        "entries_by_source": {} if kept is None else kept.list.by_source,
        "notes": [] if kept is None else list(kept.list.notes),
        "accepted_because": kept.reason if kept is not None and kept.reason else None,
        "problem": standing.problem or None,
        "last_refusal": None
        if standing.refused is None
        else {"at": show.instant(standing.refused.at), "sentence": standing.refused.said},
    }
