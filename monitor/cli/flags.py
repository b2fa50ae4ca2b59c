"""`flopwatch flags`: what people were told, by when something must be done, and what people say of a flag."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import decisions, views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, known_at_option, state_option
from monitor.core.clocks import due_sentence
from monitor.core.flags import Entry, State
from monitor.run.documents import FlagTimes, flag_document, most_serious_first
from monitor.settings import load_settings


@click.group(invoke_without_command=True)
@click.option("--tenant", help="Only flags of this tenant, and of groups that it is in.")
@click.option("--all", "with_closed", is_flag=True, help="Closed ones too.")
@state_option
@json_option
@config_option
@click.pass_context
def flags(
    context: click.Context,
    tenant: str | None,
    with_closed: bool,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """List flags, most serious first; `flags close` closes one, `viewed` and `knowledge` say who looked and knew."""
    context.obj = (state, config)
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(config)
    stored = views.stored_flags(settings, state)
    chosen = most_serious_first(
        flag
        for flag in stored
        if (tenant is None or tenant in flag.tenants) and (with_closed or flag.state is not State.CLOSED)
    )
    times = views.flag_times(settings, state, chosen)
    if as_json:
        show.document([flag_document(flag, times[flag.id]) for flag in chosen])
    elif not chosen:
        click.echo("No flags.")
    else:
        click.echo(
            show.table(
                ("flag", "level", "state", "tenant", "rule", "since", "due", "FLOP"),
                [
                    (
                        flag.id,
                        flag.level,
                        flag.state,
                        show.subject(flag.finding),
                        flag.rule,
                        show.instant(flag.raised_at),
                        _due_cell(times[flag.id]),
                        show.flop(flag.finding.amount.central),
                    )
                    for flag in chosen
                ],
            )
        )
        click.echo("\n`flopwatch explain FLAG` says why.")


@flags.command()
@click.argument("flag")
@click.option("--reason", required=True, help="Why it is closed; kept in the flag's history.")
@state_option
@config_option
@click.pass_obj
def close(
    given_before: tuple[Path | None, Path | None], flag: str, reason: str, state: Path | None, config: Path | None
) -> None:
    """Close a flag for a stated reason."""
    if not reason.strip():
        raise click.UsageError("A flag is closed for a reason; --reason is empty.")
    settings = load_settings(config or given_before[1])
    closed = decisions.close_flag(settings, state or given_before[0], flag, reason.strip())
    click.echo(f"{closed.id} ({closed.rule}, {show.subject(closed.finding)}) is closed.")


@flags.command()
@click.argument("flag")
@click.option("--by", required=True, help="Who looked at it.")
@state_option
@config_option
@click.pass_obj
def viewed(
    given_before: tuple[Path | None, Path | None], flag: str, by: str, state: Path | None, config: Path | None
) -> None:
    """Say that a person looked at FLAG now; the first time counts."""
    found = decisions.view_flag(load_settings(config or given_before[1]), state or given_before[0], flag, by)
    click.echo(f"{found.id} ({found.rule}, {show.subject(found.finding)}) was looked at.")


@flags.command()
@click.argument("flag")
@known_at_option
@click.option(
    "--by", "authors", multiple=True, required=True, help="Who says so; give two people to move it to a later time."
)
@click.option("--reason", required=True, help="How that is known; kept in the journal.")
@state_option
@config_option
@click.pass_obj
def knowledge(
    given_before: tuple[Path | None, Path | None],
    flag: str,
    at: int,
    authors: tuple[str, ...],
    reason: str,
    state: Path | None,
    config: Path | None,
) -> None:
    """Say from when on what FLAG says was known. The earliest counts; two people together can move it later."""
    if not reason.strip():
        raise click.UsageError("Knowledge is stated for a reason; --reason is empty.")
    settings, where = load_settings(config or given_before[1]), state or given_before[0]
    found = decisions.know_flag(settings, where, flag, at, authors, reason.strip())
    click.echo(
        "\n".join(
            [
                f"{found.id} ({found.rule}, {show.subject(found.finding)}):",
                *clock_lines(views.flag_times(settings, where, [found])[found.id]),
            ]
        )
    )


def _due_cell(times: FlagTimes) -> str:
    if times.due is None:
        return "-"
    due = "not begun" if times.due.due_at is None else show.instant(times.due.due_at)
    return f"{due} (planning)" if times.due.planning else due


def clock_lines(times: FlagTimes) -> list[str]:
    """The four instants of a flag, and what must be done by when."""
    evidence, alert, viewed_at, known_at = times.times
    lines = [
        f"  Evidence since {show.instant(evidence)}; told at {show.instant(alert)}.",
        f"  First looked at: {_instant_or_nobody(viewed_at)}; known since: {_instant_or_nobody(known_at)}.",
    ]
    return lines if times.due is None else [*lines, f"  {show.plain(due_sentence(times.due))}"]


def _instant_or_nobody(at: int | None) -> str:
    return "nobody has said" if at is None else show.instant(at)


def history_lines(entries: list[Entry]) -> list[str]:
    """A flag's history, a line each."""
    return [f"  {show.instant(entry.at)}  {entry.act} ({entry.level}): {show.plain(entry.reason)}" for entry in entries]
