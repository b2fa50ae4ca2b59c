"""`flopwatch exports`: what was proposed to leave the monitor, and what counsel says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor.app import handovers, views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.clock import SystemClock
from monitor.core.audit import NAMED, Person
from monitor.core.clocks import instant
from monitor.core.exports import Export, Verdict
from monitor.settings import load_settings

SHOWN = 50
Given = tuple[Path | None, Path | None]  # store and settings, where they stand before the command's own name

by_option = click.option("--by", "person", required=True, help="Who does this: an account with the role counsel.")


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=SHOWN, show_default=True, help="How many at most.")
@state_option
@json_option
@config_option
@click.pass_context
def exports(context: click.Context, limit: int, state: Path | None, as_json: bool, config: Path | None) -> None:
    """List exports: those that wait for counsel first, then the latest."""
    context.obj = (state, config)
    if context.invoked_subcommand is not None:
        return
    found = views.stored_exports(load_settings(config), state, limit)
    if as_json:
        show.document([export_document(one) for one in found])
    elif not found:
        click.echo("Nothing was exported.")
    else:
        head = ("export", "what", "for whom", "on which basis", "proposed by", "at", "state")
        click.echo(show.table(head, [_cells(one) for one in found]))


@exports.command()
@click.argument("number", type=int)
@by_option
@state_option
@config_option
@click.pass_obj
def release(given: Given, number: int, person: str, state: Path | None, config: Path | None) -> None:
    """Release export NUMBER, as counsel: another person than whoever proposed it."""
    click.echo(_answer(given, number, person, state, config, Verdict.RELEASED, ""))


@exports.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, help="Why not.")
@by_option
@state_option
@config_option
@click.pass_obj
def refuse(given: Given, number: int, reason: str, person: str, state: Path | None, config: Path | None) -> None:
    """Refuse export NUMBER, as counsel."""
    click.echo(_answer(given, number, person, state, config, Verdict.REFUSED, reason))


def _answer(
    given: Given, number: int, person: str, state: Path | None, config: Path | None, verdict: Verdict, why: str
) -> str:
    by = Person(NAMED, " ".join(person.split()))
    with handovers.exports(load_settings(config or given[1]), state or given[0]) as known:
        found = known.answer(number, by, SystemClock().now_ms(), verdict, why)
    return show.plain(f"Export {found.number} ({_what(found)}) is {found.verdict}.")


def export_document(one: Export) -> dict[str, Any]:
    """An export as JSON."""
    return {
        "export": one.number,
        **{name: str(value) for name, value in one.handover._asdict().items()},
        "proposed_by": one.proposed_by,
        "proposed_at": show.instant(one.proposed_at),
        "answered_by": one.answered_by,
        "answered_at": None if one.answered_at is None else show.instant(one.answered_at),
        "verdict": None if one.verdict is None else str(one.verdict),
        "why": one.why or None,
    }


def _what(one: Export) -> str:
    return f"{one.handover.kind} {one.handover.what}"


def _cells(one: Export) -> tuple[str, ...]:
    handover = one.handover
    return (
        str(one.number), _what(one), f"{handover.recipient} ({handover.recipient_kind})", handover.legal_basis,
        one.proposed_by, instant(one.proposed_at), "waits for counsel" if one.verdict is None else str(one.verdict),
    )  # fmt: skip
