"""`flopwatch notices`: what was told to whom, and whether it arrives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor.app import sinks, views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.notices import notice_document
from monitor.settings import load_settings
from monitor.store import Sent

NOTICES_SHOWN = 50


@click.group()
def notices() -> None:
    """What people were told of flags, and a test of how they are told."""


@notices.command("list")
@click.option("--flag", help="Only what was told of this flag.")
@click.option("--undelivered", is_flag=True, help="Only what has not arrived.")
@click.option("--limit", type=click.IntRange(min=1), default=NOTICES_SHOWN, show_default=True, help="At most so many.")
@state_option
@json_option
@config_option
def list_notices(
    flag: str | None, undelivered: bool, limit: int, state: Path | None, as_json: bool, config: Path | None
) -> None:
    """List what was told to whom, the latest first."""
    told = views.told(load_settings(config), state, flag)
    chosen = [one for one in told if not undelivered or one.arrived_at is None]
    if as_json:
        show.document([_document(one) for one in chosen[:limit]])
    elif not chosen:
        click.echo("Nobody was told anything." if not undelivered else "Everything has arrived.")
    else:
        click.echo(
            show.table(
                ("made", "sink", "kind", "urgency", "level", "flag", "tenant", "outcome"),
                [
                    (
                        show.instant(one.notice.made_at),
                        one.sink,
                        one.notice.kind,
                        one.notice.urgency,
                        one.notice.level,
                        one.notice.flag,
                        one.notice.tenant,
                        _outcome(one),
                    )
                    for one in chosen[:limit]
                ],
            )
        )
        if len(chosen) > limit:
            click.echo(f"\nand {len(chosen) - limit:,} more; --limit shows them.")


@notices.command("test")
@click.option("--sink", help="Only this sink.")
@json_option
@config_option
@click.pass_context
def test_sinks(context: click.Context, sink: str | None, as_json: bool, config: Path | None) -> None:
    """Send every sink a message that says that it is a test."""
    tried = sinks.try_sinks(load_settings(config), sink)
    if as_json:
        show.document([one._asdict() for one in tried])
    else:
        for one in tried:
            click.echo(f"{one.sink}: " + (show.plain(one.problem) or f"message {one.message} has arrived."))
    context.exit(1 if any(one.problem for one in tried) else 0)


def _outcome(one: Sent) -> str:
    if one.arrived_at is not None:
        return f"arrived {show.instant(one.arrived_at)}"
    if one.message is None:
        return "waits for a message"
    tries = f"{one.tries} {'try' if one.tries == 1 else 'tries'}"
    return f"waits, {tries}: {one.problem}" if one.problem else f"waits, {tries}"


def _document(one: Sent) -> dict[str, Any]:
    return {
        "sink": one.sink,
        "message": one.message,
        "tries": one.tries,
        "arrived_at": None if one.arrived_at is None else show.instant(one.arrived_at),
        "problem": one.problem,
        **notice_document(one.notice),
    }
