"""`flopwatch dead-letters`: records that are no facts, why, and what is to become of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from monitor.app import decisions, views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.settings import load_settings
from monitor.store import DeadLetter

BODY_SHOWN_MAX = 2_000  # characters


@click.group("dead-letters")
def dead_letters() -> None:
    """Records that could not be taken in: list, show, replay, dismiss."""


@dead_letters.command("list")
@click.option("--kind", help="Only those refused for this reason, such as wrong_key.")
@click.option("--all", "settled", is_flag=True, help="Replayed and dismissed ones too.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@state_option
@json_option
@config_option
def list_letters(
    kind: str | None, settled: bool, limit: int, state: Path | None, as_json: bool, config: Path | None
) -> None:
    """List dead letters that wait, the oldest first."""
    found = list(islice(views.dead_letters(load_settings(config), state, kind, settled), limit + 1))
    letters, more = found[:limit], len(found) > limit
    if as_json:
        show.document([_document(letter) for letter in letters])
        return
    if not letters:
        click.echo("No dead letters." if settled else "No dead letters wait.")
        return
    rows = [
        (str(one.number), one.state, one.reason, one.topic, str(one.partition), str(one.offset), show.instant(one.at))
        for one in letters
    ]
    click.echo(show.table(("letter", "state", "reason", "topic", "partition", "offset", "written"), rows))
    if more:
        click.echo(f"\nThere are more; --limit shows them (now {limit:,}).")
    click.echo("\n`flopwatch dead-letters show LETTER` says why, and what it holds.")


@dead_letters.command("show")
@click.argument("letter", type=int)
@click.option("--raw", is_flag=True, help="Write the record's bytes as they came, and nothing else.")
@state_option
@json_option
@config_option
def show_letter(letter: int, raw: bool, state: Path | None, as_json: bool, config: Path | None) -> None:
    """Show one dead letter: where it came from, why it was refused, what it holds."""
    found = views.dead_letter(load_settings(config), state, letter)
    if raw:
        click.echo(found.body, nl=False)
        return
    if as_json:
        show.document(_document(found) | {"body_base64": base64.b64encode(found.body).decode()})
        return
    text = found.body.decode("utf-8", "backslashreplace")
    key = "" if found.key is None else f", key {show.plain(found.key.decode('utf-8', 'backslashreplace'))}"
    click.echo(f"Dead letter {found.number} ({found.state}), written {show.instant(found.at)}")
    click.echo(f"From {show.plain(found.topic)}, partition {found.partition}, offset {found.offset}{key}")
    click.echo(f"Refused as {found.reason}: {show.plain(found.sentence)}")
    click.echo(f"\n{show.plain(text[:BODY_SHOWN_MAX])}")
    if len(text) > BODY_SHOWN_MAX:
        click.echo(f"... and {len(text) - BODY_SHOWN_MAX:,} characters more; --raw writes all of it.")


@dead_letters.command()
@click.argument("letters", nargs=-1, type=int)
@click.option("--kind", help="All that wait and were refused for this reason.")
@click.option("--reason", required=True, help="Why they can be taken in now; kept in the journal.")
@state_option
@config_option
def replay(letters: tuple[int, ...], kind: str | None, reason: str, state: Path | None, config: Path | None) -> None:
    """Take LETTERS in after all, once whatever kept them out is mended."""
    settings = load_settings(config)
    numbers = _chosen(letters, kind, state, config)
    decisions.replay_letters(settings, state, numbers, _given(reason))
    click.echo(f"The next tick of the worker, or the next replay into this store, takes in {_count(numbers)}.")


@dead_letters.command()
@click.argument("letters", nargs=-1, type=int)
@click.option("--kind", help="All that wait and were refused for this reason.")
@click.option("--reason", required=True, help="Why nobody needs to look at them; kept in the journal.")
@state_option
@config_option
def dismiss(letters: tuple[int, ...], kind: str | None, reason: str, state: Path | None, config: Path | None) -> None:
    """Let LETTERS wait no more; they stay in the store."""
    numbers = _chosen(letters, kind, state, config)
    decisions.dismiss_letters(load_settings(config), state, numbers, _given(reason))
    click.echo(f"Dismissed: {_count(numbers)}.")


def _chosen(letters: Sequence[int], kind: str | None, state: Path | None, config: Path | None) -> list[int]:
    if bool(letters) == (kind is not None):
        raise click.UsageError("Name dead letters by their numbers, or all that wait for a reason with --kind.")
    if letters:
        return sorted(set(letters))
    numbers = [one.number for one in views.dead_letters(load_settings(config), state, kind, settled=False)]
    if not numbers:
        raise click.UsageError(f"No dead letter waits that was refused as {kind}.")
    return numbers


def _given(reason: str) -> str:
    if not reason.strip():
        raise click.UsageError("A decision about dead letters needs a reason; --reason is empty.")
    return reason.strip()


def _count(numbers: Sequence[int]) -> str:
    return f"{len(numbers):,} dead letter{'s' * (len(numbers) > 1)}"


def _document(letter: DeadLetter) -> dict[str, Any]:
    return {
        "letter": letter.number,
        "state": letter.state,
        "reason": letter.reason,
        "sentence": letter.sentence,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": None if letter.key is None else letter.key.decode("utf-8", "backslashreplace"),
        "bytes": len(letter.body),
        "written_at": show.instant(letter.at),
    }
