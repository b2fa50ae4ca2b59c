"""`flopwatch flags`: what people were told, and closing a flag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor import app
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.flags import Entry, Flag, State
from monitor.core.policy import LEVELS, Level
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
    """List flags, most serious first; `flags close` closes one."""
    context.obj = (state, config)
    if context.invoked_subcommand is not None:
        return
    stored = app.stored_flags(load_settings(config), state)
    chosen = [
        flag
        for flag in stored
        if (tenant is None or tenant in flag.tenants) and (with_closed or flag.state is not State.CLOSED)
    ]
    chosen.sort(key=lambda flag: (-LEVELS.index(flag.level), flag.raised_at, flag.id))
    if as_json:
        show.document([flag_document(flag) for flag in chosen])
    elif not chosen:
        click.echo("No flags.")
    else:
        click.echo(
            show.table(
                ("flag", "level", "state", "tenant", "rule", "since", "FLOP"),
                [
                    (
                        flag.id,
                        flag.level,
                        flag.state,
                        show.subject(flag.finding),
                        flag.rule,
                        show.instant(flag.raised_at),
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
    closed = app.close_flag(settings, state or given_before[0], flag, reason.strip())
    click.echo(f"{closed.id} ({closed.rule}, {show.subject(closed.finding)}) is closed.")


def flag_document(flag: Flag) -> dict[str, Any]:
    """A flag as JSON."""
    return {
        "flag": flag.id,
        "party" if flag.of_group else "tenant": flag.tenant,
        "rule": flag.rule,
        "state": flag.state.value,
        "level": Level(flag.level).value,
        "raised_at": show.instant(flag.raised_at),
        "told_at": show.instant(flag.told_at),
        "finding": show.finding_document(flag.finding),
    }


def history_lines(entries: list[Entry]) -> list[str]:
    """A flag's history, a line each."""
    return [f"  {show.instant(entry.at)}  {entry.act} ({entry.level}): {show.plain(entry.reason)}" for entry in entries]
